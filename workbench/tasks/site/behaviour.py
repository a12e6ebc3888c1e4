"""What the site does for one request, as it stands in the query of the URL.

The same words make a URL (in the parent) and are read from it (in the server), so there is one list of them.
"""

from __future__ import annotations

import hashlib
import typing
from dataclasses import dataclass, fields
from functools import lru_cache
from urllib.parse import parse_qsl, urlencode

from workbench.errors import UsageError

#: What can go wrong with an answer, and what the client then sees.
FAULTS = {
    "reset": "the connection is reset instead of an answer",
    "close-in-headers": "the connection closes inside the headers",
    "truncated": "the body is shorter than its Content-Length",
    "gzip-cut": "the gzip data stops early; the Content-Length agrees with what is sent",
    "chunked-cut": "the connection closes before the last chunk",
    "no-length-reset": "a body without a length, then a reset",
    "early-hints": "103 Early Hints, then the answer: not a fault, but some clients return the 103",
    "drip": "one byte of the body every 0.5 s",
    "silent": "nothing is ever answered",
    "endless": "the body never ends",
    "gzip-bomb": "64 kB of gzip that hold 64 MiB",
    "stale": "the connection closes, without an answer, when it is used a second time",
}
ENCODINGS = ("identity", "gzip", "deflate", "br")
FRAMINGS = ("length", "chunked", "close")


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How one URL of the site answers.

    Parameters
    ----------
    latency_ms
        Milliseconds between the request and the answer.
    body_bytes
        Size of the body before it is encoded.
    error_rate
        Share of requests, 0 to 1, that get a 503; which ones depends on the seed alone.
    failures
        The first so many requests of this URL get a 503.
    status
        Status of the answer.
    encoding
        Content-Encoding: ``identity``, ``gzip``, ``deflate``, or ``br`` (a label only: its data is not brotli).
    framing
        How the end of the body is known: ``length``, ``chunked`` or ``close``.
    redirects
        Redirects to follow until the body comes; -1 never ends.
    redirect_to
        Where the last redirect leads; empty: to this site.
    retry_after_s
        Seconds in the Retry-After header; negative: no such header.
    cookie
        A cookie to set, as ``name=value``.
    echo
        Make the request's own head the body.
    fault
        One of `FAULTS`, or empty.
    """

    latency_ms: float = 0.0
    body_bytes: int = 1000
    error_rate: float = 0.0
    failures: int = 0
    status: int = 200
    encoding: str = "identity"
    framing: str = "length"
    redirects: int = 0
    redirect_to: str = ""
    retry_after_s: float = -1.0
    cookie: str = ""
    echo: bool = False
    fault: str = ""

    def __post_init__(self) -> None:
        for name, value, known in (
            ("fault", self.fault, ("", *FAULTS)),
            ("encoding", self.encoding, ENCODINGS),
            ("framing", self.framing, FRAMINGS),
        ):
            if value not in known:
                raise UsageError(f"the site knows no {name} {value!r}; it knows {', '.join(filter(None, known))}")
        if self.latency_ms < 0 or self.body_bytes < 0 or not 0 <= self.error_rate <= 1:
            raise UsageError("latency_ms and body_bytes can't be negative, and error_rate lies between 0 and 1")

    def query(self) -> str:
        """Return the query that says this: what is not as usual, in a fixed order.

        Examples
        --------
        >>> Behaviour(latency_ms=50, fault="drip").query()
        'latency_ms=50&fault=drip'
        """
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        return urlencode({name: value for name, value in given.items() if value != _USUAL[name]})


_USUAL = {item.name: item.default for item in fields(Behaviour)}
_TYPES = typing.get_type_hints(Behaviour)


@lru_cache(maxsize=1024)
def read_query(query: str) -> Behaviour:
    """Return what a query asks for; the reverse of `Behaviour.query`.

    Raises
    ------
    UsageError
        For a word or a value that the site doesn't know.

    Examples
    --------
    >>> read_query("latency_ms=50&fault=drip").latency_ms
    50.0
    """
    known: dict[str, typing.Any] = {}
    for name, value in parse_qsl(query):
        if name not in _TYPES:
            raise UsageError(f"the site knows no {name!r}; it knows {', '.join(_TYPES)}")
        try:
            known[name] = value == "True" if _TYPES[name] is bool else _TYPES[name](value)
        except ValueError:
            raise UsageError(f"{name}={value} is no {_TYPES[name].__name__}") from None
    return Behaviour(**known)


def body(path: str, size: int, seed: int) -> bytes:
    """Return ``size`` bytes that differ from path to path and from seed to seed.

    Examples
    --------
    >>> body("/1", 4, seed=0) == body("/2", 4, seed=0)
    False
    """
    block = hashlib.blake2b(f"{seed}:{path}".encode()).hexdigest().encode()
    return (block * (size // len(block) + 1))[:size]


def chance(seed: int, target: str, turn: int) -> float:
    """Return a number in [0, 1) that depends on its arguments alone."""
    digest = hashlib.blake2b(f"{seed}:{target}:{turn}".encode(), digest_size=7).digest()
    return int.from_bytes(digest) / 2**56
