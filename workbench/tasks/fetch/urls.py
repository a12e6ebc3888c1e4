"""Which URLs are fetched, and in which exact form they are sent."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from workbench.errors import FetchError, UsageError
from workbench.masking import masked

DEFAULT_PORTS = {"http": 80, "https": 443}
_RESERVED = "%/:@!$&'()*+,;=~"
_PLAIN = re.compile(r"[/?:@!$&'()*+,;=~\w.-]*", re.ASCII)
#: A host that ends in a number is an IPv4 address; resolvers take 127.1 or 0x7f000001 too, which hide where they lead.
_NUMERIC = re.compile(r"(^|\.)(\d+|0x[0-9a-f]*)\.?$")
_HEXADECIMAL = re.compile(r"%[0-9a-fA-F]{2}")


def read_urls(urls: Iterable[object] | str | os.PathLike[str]) -> list[object]:
    r"""Return the URLs of an iterable, or of a file with one URL a line.

    Blank lines, and lines that begin with ``#``, are left out.

    Raises
    ------
    UsageError
        The file can't be read, or what was given is one URL or no iterable.

    Examples
    --------
    >>> file = tmp / "urls.txt"
    >>> _ = file.write_text("# two pages\nhttp://127.0.0.1/1\n\nhttp://127.0.0.1/2\n")
    >>> read_urls(file)
    ['http://127.0.0.1/1', 'http://127.0.0.1/2']
    """
    if isinstance(urls, str) and "://" in urls:
        raise UsageError(f"expected a list of URLs or the path of a file, got one URL: pass [{urls!r}]")
    if isinstance(urls, str | os.PathLike):
        return list(_lines(Path(urls)))
    if isinstance(urls, bytes) or not isinstance(urls, Iterable):
        raise UsageError(f"expected a list of URLs or the path of a file, got {type(urls).__name__}")
    return list(urls)


def _lines(path: Path) -> Iterable[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"can't read the URLs in {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no list of URLs: it is not text in UTF-8") from error
    stripped = (line.strip() for line in text.splitlines())
    return (line for line in stripped if line and not line.startswith("#"))


def sendable(url: object) -> str:
    """Return a URL in the form in which every engine sends it: ASCII, percent-encoded, without a fragment.

    Libraries repair bad URLs each in its own way, and then fetch something else than was asked for. Here a URL is
    either plain enough to mean one thing, or refused.

    Raises
    ------
    FetchError
        It is no URL that can be fetched; says why.

    Examples
    --------
    >>> sendable("http://bücher.example/straße?q=ü#top")
    'http://xn--bcher-kva.example/stra%C3%9Fe?q=%C3%BC'
    >>> sendable("http://2130706433/")
    Traceback (most recent call last):
    workbench.errors.FetchError: not a URL: '2130706433' is no host name and no IPv4 address
    """
    if not isinstance(url, str):
        raise FetchError(f"not a URL: {masked(repr(url)):.80} is of type {type(url).__name__}")
    if " " in url or not url.isprintable():
        raise FetchError("not a URL: it holds a space, a newline or a control character; percent-encode it")
    try:
        parts = urlsplit(url)
        authority = _authority(parts.scheme, parts.netloc)
    except ValueError as error:
        raise FetchError(f"not a URL: {error}") from None
    return urlunsplit((parts.scheme, authority, _encoded(parts.path) or "/", _encoded(parts.query, "?"), ""))


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of a URL: what has to agree for a request to stay in one place.

    Examples
    --------
    >>> origin("http://a.example/x") == origin("http://a.example:80/y")
    True
    """
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme)


@lru_cache(maxsize=1024)
def _authority(scheme: str, netloc: str) -> str:
    """Return the host, and the port where it is not the usual one; most URLs of a list share a few of them."""
    parts = SplitResult(scheme, netloc, "", "", "")
    if parts.scheme not in DEFAULT_PORTS:
        raise FetchError("not a URL: it does not begin with http:// or https://")
    if not parts.hostname:
        raise FetchError("not a URL: it names no host")
    if "@" in parts.netloc:
        raise FetchError("a user or password in the URL is not sent: pass headers={'Authorization': ...}")
    host = f"[{IPv6Address(parts.hostname)}]" if ":" in parts.hostname else _host(parts.hostname)
    return host if parts.port in (None, DEFAULT_PORTS[parts.scheme]) else f"{host}:{parts.port}"


def _host(name: str) -> str:
    try:
        host = name.encode("idna").decode()
        if _NUMERIC.search(host):
            host = str(IPv4Address(host))
    except ValueError:
        host = ""
    if not re.fullmatch(r"[a-z0-9._-]+", host):
        raise FetchError(f"not a URL: {name!r:.80} is no host name and no IPv4 address")
    return host


def _encoded(text: str, more: str = "") -> str:
    """Percent-encode what has to be, once: ``%7b`` and ``{`` both become ``%7B``, a lone ``%`` becomes ``%25``."""
    if _PLAIN.fullmatch(text):
        return text
    loose = re.sub(r"%(?![0-9a-fA-F]{2})", "%25", text)
    return _HEXADECIMAL.sub(lambda match: match[0].upper(), quote(loose, safe=_RESERVED + more))
