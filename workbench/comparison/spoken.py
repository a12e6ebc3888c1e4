"""What bytes that a task sends to a peer, and statements that it gives a driver, say: whether they read or write.

Only what a protocol defines as reading is a read (GET, HEAD, OPTIONS; SELECT; Redis's and Memcached's reading
commands). What can't be known is neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_HTTP = re.compile(rb"([A-Z]{3,10}) (\S{1,2000}) HTTP/1\.[01]\r\n")
_HTTP_READS = {"GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"}
#: A GET of a resource with such a name asks for something to be done, against the rule: that can't be known.
_DOES = re.compile(
    r"/(post|create|add|insert|update|delete|remove|send|submit|buy|incr|increment)/?(\?|$)", re.IGNORECASE
)
_REDIS = re.compile(rb"\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n")
_REDIS_READS = {
    "GET", "MGET", "EXISTS", "STRLEN", "GETRANGE", "TTL", "PTTL", "TYPE", "KEYS", "SCAN", "HGET", "HMGET", "HGETALL",
    "HEXISTS", "HKEYS", "HVALS", "HLEN", "HSCAN", "LRANGE", "LLEN", "LINDEX", "SMEMBERS", "SISMEMBER", "SCARD",
    "SSCAN", "ZRANGE", "ZRANGEBYSCORE", "ZREVRANGE", "ZSCORE", "ZCARD", "ZCOUNT", "ZRANK", "XRANGE", "XLEN",
    "BITCOUNT", "GETBIT", "DBSIZE", "PING", "ECHO", "HELLO", "AUTH", "CLIENT", "SELECT", "INFO", "COMMAND", "TIME",
    "MULTI", "EXEC", "READONLY",
}  # fmt: skip
_MEMCACHED = re.compile(
    rb"(get|gets|gat|version|stats|set|add|replace|append|prepend|cas|delete|incr|decr|touch)\b[^\r\n]*\r\n"
)
_MEMCACHED_READS = {"get", "gets", "version", "stats"}
_SQL_READS = {
    "SELECT", "SHOW", "EXPLAIN", "DESCRIBE", "PRAGMA", "VALUES", "TABLE", "WITH", "BEGIN", "START", "COMMIT", "END",
    "ROLLBACK", "SAVEPOINT", "RELEASE", "SET", "RESET", "USE", "FETCH", "DECLARE", "CLOSE", "ATTACH", "DETACH",
}  # fmt: skip
_SQL_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE|REPLACE)\b(?!\s*\()", re.IGNORECASE)
_SQL_NOISE = re.compile(r"(\s|\(|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)


@dataclass(frozen=True)
class Spoken:
    """What was said: a ``read``, a ``write``, ``unknown``, or ``nothing`` to the matter; and the word for it."""

    does: Literal["read", "write", "unknown", "nothing"]
    word: str = ""
    kind: Literal["http", "sql", "message"] = "message"


def spoken(data: bytes) -> Spoken:
    r"""Return what the first bytes of a message to a peer say.

    Examples
    --------
    >>> spoken(b"POST /orders HTTP/1.1\r\nHost: shop\r\n").does
    'write'
    >>> spoken(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n").does
    'read'
    >>> spoken(b"\x00\x00\x01").does
    'unknown'
    """
    if found := _HTTP.match(data):
        method, path = found[1].decode(), found[2].decode(errors="replace")
        if method not in _HTTP_READS:
            return Spoken("write", method, "http")
        return (
            Spoken("unknown", f"{method} {path.partition('?')[0]}")
            if _DOES.search(path)
            else Spoken("read", method, "http")
        )
    if data.startswith(b"HTTP/1."):  # an answer: this process is the server
        return Spoken("nothing")
    if found := _REDIS.match(data):
        # Several commands may come at once, as in a pipeline.
        words = {word.decode().upper() for word in _REDIS.findall(data)}
        writes = sorted(words - _REDIS_READS)
        return Spoken("write", ", ".join(writes)) if writes else Spoken("read", min(words))
    if found := _MEMCACHED.match(data):
        word = found[1].decode()
        return Spoken("read" if word in _MEMCACHED_READS else "write", word)
    return Spoken("unknown")


def spoken_sql(statement: str) -> Spoken:
    """Return what an SQL statement does.

    Examples
    --------
    >>> spoken_sql("INSERT INTO orders VALUES (1)")
    Spoken(does='write', word='INSERT', kind='sql')
    >>> spoken_sql("with old as (select 1) select * from old").does
    'read'
    """
    text = statement[_SQL_NOISE.match(statement).end() :]  # type: ignore[union-attr]
    found = re.match(r"[A-Za-z]+", text)
    word = found[0].upper() if found else ""
    if word in ("CREATE", "DROP") and re.search(r"\bIF\s+(NOT\s+)?EXISTS\b", text[:200], re.IGNORECASE):
        return Spoken("read", word, "sql")  # done once, whatever the number of times
    if word == "WITH" and (inner := _SQL_WRITES.search(text)):
        return Spoken("write", inner[0].upper(), "sql")
    return Spoken("read" if word in _SQL_READS or not word else "write", word, "sql")
