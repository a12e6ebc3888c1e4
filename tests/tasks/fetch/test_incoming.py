import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import FetchError
from workbench.tasks.fetch.incoming import Incoming, describe, retry_after_s

WBITS = {"gzip": 31, "deflate": 15, "deflate, raw": -15}


def packed(data: bytes, coding: str) -> bytes:
    packer = zlib.compressobj(wbits=WBITS[coding])
    return packer.compress(data) + packer.flush()


def taken(pieces: list[bytes], coding: str = "identity", limit: int = 10**6, status: int = 200) -> bytes:
    incoming = Incoming(status, {"Content-Encoding": coding.partition(",")[0]}, limit)
    for piece in pieces:
        incoming.feed(piece)
    return incoming.reply().body


def split(data: bytes, size: int) -> list[bytes]:
    return [data[place : place + size] for place in range(0, len(data), size)]


codings = st.sampled_from(sorted(WBITS))


@given(st.binary(max_size=3000), codings, st.integers(1, 500))
def test_a_body_is_the_same_however_it_is_cut_into_pieces(data, coding, size):
    assert taken(split(packed(data, coding), size), coding) == data


@given(st.binary(max_size=300), codings, st.integers(1, 50), st.data())
def test_no_cut_body_is_taken_for_a_whole_one(data, coding, size, draw):
    whole = packed(data, coding)
    cut = whole[: draw.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(FetchError, match=r"truncated|damaged") as caught:
        taken(split(cut, size), coding)
    assert caught.value.transient


@given(st.lists(st.binary(max_size=200), min_size=2, max_size=4), st.integers(1, 100))
def test_gzip_may_have_several_members(parts, size):
    whole = b"".join(packed(part, "gzip") for part in parts)
    assert taken(split(whole, size), "gzip") == b"".join(parts)


@given(st.lists(st.binary(max_size=50), min_size=2, max_size=3), st.integers(1, 100), st.data())
def test_a_cut_in_a_later_member_is_noticed(parts, size, draw):
    last = packed(parts[-1], "gzip")
    first = b"".join(packed(part, "gzip") for part in parts[:-1])
    cut = first + last[: draw.draw(st.integers(1, len(last) - 1))]
    with pytest.raises(FetchError, match="truncated"):
        taken(split(cut, size), "gzip")


@pytest.mark.parametrize("coding", ["identity", *WBITS])
def test_a_body_may_fill_the_room_and_not_more(coding):
    data = bytes(range(256)) * 4
    wire = data if coding == "identity" else packed(data, coding)
    assert taken([wire], coding, limit=1024) == data
    for size in (1, 7, 5000):
        with pytest.raises(FetchError, match="more than max_body_bytes=1,023"):
            taken(split(wire, size), coding, limit=1023)


def test_a_bomb_is_not_unpacked_beyond_its_limit():
    bomb = packed(bytes(200 * 2**20), "gzip")
    import tracemalloc

    tracemalloc.start()
    with pytest.raises(FetchError, match="too large"):
        taken([bomb], "gzip", limit=10**6)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10**7


def test_damaged_data_are_an_error():
    with pytest.raises(FetchError, match="the gzip data are damaged"):
        taken([b"no gzip at all"], "gzip")


@pytest.mark.parametrize("status", [204, 304])
def test_what_has_no_body_needs_no_end_of_it(status):
    assert taken([], "gzip", status=status) == b""


@pytest.mark.parametrize(
    ("headers", "by_closing"),
    [
        ({}, True),
        ({"Content-Length": "3"}, False),
        ({"Transfer-Encoding": "Chunked"}, False),
        ({"Transfer-Encoding": "gzip"}, True),
    ],
)
def test_knows_when_only_closing_ends_a_body(headers, by_closing):
    assert Incoming(200, headers, 10).ends_by_closing == by_closing
    assert not Incoming(204, headers, 10).ends_by_closing


def test_an_unknown_status_is_told_by_its_number():
    assert describe(599) == "599"


def test_retry_after_may_be_a_date():
    soon = datetime.now(UTC) + timedelta(hours=1)
    assert 3500 < retry_after_s(format_datetime(soon, usegmt=True)) <= 3600
    assert retry_after_s(None) is None
    assert retry_after_s("-5") is None
