import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import FetchError, UsageError, fetch_all
from workbench.tasks.fetch.urls import origin, read_urls, sendable


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://a.example", "http://a.example/"),
        ("HTTP://A.Example:80/", "http://a.example/"),
        ("https://a.example:443", "https://a.example/"),
        ("https://a.example:80/x?y#z", "https://a.example:80/x?y"),
        ("http://a.example?q=1", "http://a.example/?q=1"),
        ("http://bücher.example/ü?ü", "http://xn--bcher-kva.example/%C3%BC?%C3%BC"),
        ("http://a.example/%7b%zz{[", "http://a.example/%7B%25zz%7B%5B"),
        ("http://[::1]:8000/", "http://[::1]:8000/"),
        ("http://127.0.0.1:8000/a/../b;c=d", "http://127.0.0.1:8000/a/../b;c=d"),
    ],
)
def test_the_form_that_is_sent(url, sent):
    assert sendable(url) == sent
    assert sendable(sent) == sent


@pytest.mark.parametrize(
    "url",
    [
        *("", "a", "/etc/passwd", "file:///etc/passwd", "ftp://a/", "mailto:a@b", "http:", "http://", "http:///a"),
        *("http://a b/", "http://a/\n", "\thttp://a/", "http://a/\x7f", "http://a/\u00a0"),
        *("http://a:99999/", "http://a:-1/", "http://a:x/", "http://[::1", "http://[x]/"),
        *(
            "http://2130706433/",
            "http://0",
            "http://127.1/",
            "http://0x7f000001/",
            "http://1.2.3.4.5/",
            "http://256.1.1.1",
        ),
        *("http://" + "a" * 64 + "/", "http://a..b/", "http://a%00b/", 'http://a"b/', "http://user:secret@a/"),
        *(None, 1, 1.5, float("nan"), b"http://a/", ["http://a/"]),
    ],
)
def test_what_is_no_url_is_refused_in_one_line(url):
    with pytest.raises(FetchError) as caught:
        sendable(url)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


@given(st.one_of(st.text(), st.text().map("http://a.example/".__add__), st.text().map("http://".__add__)))
def test_any_text_is_sent_in_a_plain_form_or_refused(text):
    try:
        sent = sendable(text)
    except FetchError:
        return
    assert sent.isascii()
    assert sent.isprintable()
    assert " " not in sent
    assert sendable(sent) == sent
    assert origin(sent)[1]


@pytest.mark.parametrize("urls", ["http://127.0.0.1/", None, 3, b"urls.txt"])
def test_what_is_no_list_of_urls_is_refused(urls):
    with pytest.raises(UsageError, match="expected a list of URLs or the path of a file"):
        fetch_all(urls)


def test_a_missing_file_is_told_in_one_line(tmp_path):
    with pytest.raises(UsageError, match=r"can't read the URLs in .*missing.txt: No such file or directory"):
        fetch_all(tmp_path / "missing.txt")


def test_a_file_that_is_no_text_is_told(tmp_path):
    file = tmp_path / "image"
    file.write_bytes(b"\x89PNG\xff")
    with pytest.raises(UsageError, match="not text in UTF-8"):
        fetch_all(file)


def test_any_iterable_will_do():
    import pandas as pd

    assert read_urls(pd.Series(["a", "b"])) == ["a", "b"]
    assert read_urls(name for name in "ab") == ["a", "b"]


def test_an_unknown_engine_is_told():
    with pytest.raises(UsageError, match="no engine 'curl'; choose one of sequential, threads, aiohttp"):
        fetch_all([], engine="curl")


def test_the_sequential_engine_takes_no_concurrency():
    with pytest.raises(UsageError, match="one URL at a time"):
        fetch_all([], engine="sequential", concurrency=2)
