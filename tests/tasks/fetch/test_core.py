"""The decisions for one URL, with a clock that only moves when told: exact times."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import FetchRow
from workbench.tasks.fetch.core import HEADERS, MAX_REDIRECTS, Policy, Send, Wait, conversation
from workbench.tasks.fetch.incoming import Reply

URL = "http://127.0.0.1:8000/page"
GOOD = Reply(status=200, body=b"hello")
BUSY = Reply(status=503, error="503 Service Unavailable", transient=True)
GONE = Reply(status=404, error="404 Not Found")
LATE = Reply(timed_out=True)


def moved(location: str) -> Reply:
    return Reply(status=302, location=location)


@dataclass
class Script:
    """Plays a server whose replies, and what each takes, are given; the last one is repeated."""

    replies: list[Reply]
    takes_s: float = 1.0
    deadline_s: float = 30.0
    retries: int = 2
    headers: dict[str, str] = field(default_factory=dict)
    now: float = 1000.0
    steps: list[Send | Wait] = field(default_factory=list)

    def play(self, url: str = URL) -> FetchRow:
        policy = Policy(
            deadline_s=self.deadline_s,
            retries=self.retries,
            headers=self.headers,
            clock=lambda: self.now,
            jitter=lambda: 1.0,
        )
        talk, reply, left = conversation(url, policy), None, list(self.replies)
        while True:
            try:
                step = talk.send(reply)
            except StopIteration as done:
                return done.value
            self.steps.append(step)
            if isinstance(step, Wait):
                self.now += step.seconds
                reply = None
            elif step.timeout_s < self.takes_s:
                self.now += step.timeout_s
                reply = LATE
            else:
                self.now += self.takes_s
                reply = left.pop(0) if len(left) > 1 else left[0]

    @property
    def waits_s(self) -> list[float]:
        return [step.seconds for step in self.steps if isinstance(step, Wait)]

    @property
    def sent(self) -> list[Send]:
        return [step for step in self.steps if isinstance(step, Send)]


def test_a_good_reply_is_the_row():
    row = Script([GOOD]).play()
    assert row == FetchRow(url=URL, status=200, body=b"hello", elapsed_s=1.0, attempts=1)


def test_the_pause_doubles():
    script = Script([BUSY], retries=4)
    row = script.play()
    assert script.waits_s == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert row.attempts == 5
    assert row.elapsed_s == pytest.approx(6.5)


def test_a_retry_after_is_kept_to():
    script = Script([Reply(error="429", transient=True, retry_after_s=7.0), GOOD])
    assert script.play().ok
    assert script.waits_s == [7.0]


def test_a_retry_after_beyond_the_deadline_is_not_waited_for():
    script = Script([Reply(status=503, error="503", transient=True, retry_after_s=29.0)])
    assert script.play().error == "503; its Retry-After of 29 s is beyond the deadline"
    assert script.waits_s == []


def test_what_does_not_pass_is_not_tried_again():
    script = Script([GONE, GOOD])
    assert script.play() == FetchRow(url=URL, status=404, error="404 Not Found", elapsed_s=1.0, attempts=1)


def test_the_deadline_is_what_is_left_of_it():
    script = Script([moved("/a"), BUSY, GOOD], deadline_s=10)
    script.play()
    assert [send.timeout_s for send in script.sent] == pytest.approx([10.0, 9.0, 7.9])


def test_what_is_not_done_by_the_deadline_says_so():
    row = Script([GOOD], takes_s=5, deadline_s=2).play()
    assert row == FetchRow(url=URL, error="deadline: not done within deadline_s=2", elapsed_s=2.0, attempts=1)


def test_nothing_is_sent_when_no_time_is_left():
    script = Script([moved("/a"), GOOD], takes_s=2, deadline_s=2)
    assert script.play().error.startswith("deadline")
    assert len(script.sent) == 1


def test_redirects_are_relative_to_where_they_come_from():
    script = Script([moved("sub/"), moved("x?y"), moved("//other.example/z"), GOOD])
    assert script.play().attempts == 1
    assert [send.url for send in script.sent[1:]] == [
        "http://127.0.0.1:8000/sub/",
        "http://127.0.0.1:8000/sub/x?y",
        "http://other.example/z",
    ]


def test_so_many_redirects_are_followed_and_no_more():
    assert Script([moved("/a")] * MAX_REDIRECTS + [GOOD]).play().ok
    assert Script([moved("/a")] * (MAX_REDIRECTS + 1) + [GOOD]).play().error == "more than 10 redirects"


def test_an_attempt_after_a_redirect_goes_where_it_led():
    script = Script([moved("/a"), BUSY, GOOD])
    script.play()
    assert [send.url.rpartition("/")[2] for send in script.sent] == ["page", "a", "a"]


@pytest.mark.parametrize(
    ("place", "own"),
    [
        ("http://127.0.0.1:8000/", True),
        ("http://127.0.0.1/", False),
        ("https://127.0.0.1:8000/", False),
        ("http://localhost:8000/", False),
    ],
)
def test_own_headers_stay_at_the_origin(place, own):
    script = Script([moved(place), GOOD], headers={"cookie": "a=b", "user-agent": "me"})
    script.play()
    assert script.sent[0].headers == HEADERS | {"Cookie": "a=b", "User-Agent": "me"}
    assert (script.sent[1].headers == script.sent[0].headers) == own
    assert own or script.sent[1].headers == HEADERS


def test_own_headers_come_back_to_the_origin():
    script = Script([moved("http://other.example/"), moved(URL), GOOD], headers={"Token": "x"})
    script.play()
    assert ["Token" in send.headers for send in script.sent] == [True, False, True]


def test_what_is_no_url_is_never_sent():
    script = Script([GOOD])
    row = script.play("http://a b/")
    assert row.error.startswith("not a URL")
    assert row.attempts == 0
    assert script.steps == []


replies = st.sampled_from(
    [GOOD, BUSY, GONE, LATE, moved("/next"), Reply(error="no answer", transient=True)]
    + [Reply(error="429", transient=True, retry_after_s=seconds) for seconds in (0.0, 1.0, 100.0)]
)


@given(
    st.lists(replies, min_size=1, max_size=30),
    st.floats(0.001, 20),
    st.floats(0.01, 60),
    st.integers(0, 6),
)
def test_whatever_a_server_does_there_is_one_row_in_time(answers, takes_s, deadline_s, retries):
    script = Script(answers, takes_s=takes_s, deadline_s=deadline_s, retries=retries, now=0.0)
    row = script.play()
    assert row.url == URL
    assert row.elapsed_s <= deadline_s * (1 + 1e-9)
    assert 1 <= row.attempts <= retries + 1
    assert len(script.waits_s) == row.attempts - 1
    assert len(script.sent) <= row.attempts + MAX_REDIRECTS
    assert row.ok == (row.body == GOOD.body)
