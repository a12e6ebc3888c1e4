"""What is the same for every cache: trust, time, sizes, counts, and what happens when a server fails."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self, TypeVar

from workbench.caches.backend import Backend
from workbench.caches.breaker import Breaker
from workbench.caches.sealing import Seal, UntrustedError
from workbench.caches.serializers import find_serializer
from workbench.errors import UsageError
from workbench.masking import get_logger

logger = get_logger(__name__)

_Answer = TypeVar("_Answer")

#: Names that are longer, or hold other than printable ASCII, are replaced by their digest; Memcached takes 250.
LONGEST_NAME = 200
#: How much of what was opened a moment ago is kept beside a cache that may hand it out again.
MOST_OPENED, MOST_OPENED_BYTES = 10_000, 20_000_000
#: Values of these types can't change, so all may have the same one.
_FIXED = frozenset({str, bytes, int, float, bool, complex, type(None)})


class CacheCounts(NamedTuple):
    """What came of looking: fresh, too old but still to be had, or not there; and how often something was wrong.

    An error is a server that failed or a value that can't be trusted or kept; a look that ends so is a miss too.
    """

    hits: int
    stale: int
    misses: int
    errors: int


class Hit(NamedTuple):
    """A value, and whether it is stale: past its time, and kept for those who can't wait."""

    value: Any
    stale: bool


class Cache:
    """Values under names, in any `Backend`. No failure of the backend gets out: what can't be read is a miss.

    Parameters
    ----------
    backend
        Where the bytes are.
    serializer
        ``msgpack`` keeps the types of Python (but a bytearray comes back as bytes), NumPy's arrays and none that could
        run code; ``json`` is for readers in other languages (a tuple comes back as a list); ``pickle`` keeps
        everything, and needs a ``secret``.
    secret
        Signs what is kept, so that nobody else's is taken for it.
    prefix
        Stands before every name: caches with different ones don't see each other.
    ttl_s
        How long values may be used where `set` isn't told; for ever when None.
    largest_bytes
        Larger values are neither kept nor served.
    retry_s
        How long a server that failed is left alone.

    Raises
    ------
    UsageError
        An unknown serializer, pickle without a secret, a short secret, a bad prefix or a limit below 1.

    Examples
    --------
    >>> from workbench.caches import Memory
    >>> cache = Cache(Memory())
    >>> cache.set("a", (1, "one"), ttl_s=60)
    True
    >>> cache.get("a"), cache.get("b", "nothing")
    ((1, 'one'), 'nothing')
    >>> cache.counts()
    CacheCounts(hits=1, stale=0, misses=1, errors=0)
    """

    def __init__(
        self,
        backend: Backend,
        *,
        serializer: str = "msgpack",
        secret: bytes | None = None,
        prefix: str = "workbench:",
        ttl_s: float | None = None,
        largest_bytes: int = 1_000_000,
        retry_s: float = 1.0,
    ) -> None:
        by = find_serializer(serializer)
        if by.runs_code and secret is None:
            raise UsageError(f"{serializer} can run code: pass a secret=, so that only what it signed is loaded")
        if not _is_plain(prefix) or len(prefix) > 100:
            raise UsageError(f"the prefix {prefix!r} is not up to 100 printable ASCII characters without a space")
        if largest_bytes < 1:
            raise UsageError(f"largest_bytes must be 1 or more: got {largest_bytes}")
        self.ttl_s = _checked(ttl_s)
        self.backend = backend
        self._dump, self._load = by.dump, by.load
        self._seal = Seal(by.mark, secret)
        self._prefix = prefix
        self._largest_bytes = largest_bytes
        self._largest_sealed = largest_bytes + self._seal.size
        self._breaker = Breaker(backend, retry_s)
        self._lock = threading.Lock()
        #: By key: the name, the bytes that were opened, what they hold, and until when it is fresh. The same bytes
        #: under the same name hold the same, and need not be checked again.
        self._opened: dict[str, tuple[Any, ...]] = {}
        self._opened_bytes = 0
        #: By state, then errors.
        self._counts = [0, 0, 0, 0]
        self._told: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def get(self, key: str, default: Any = None) -> Any:
        """Return a fresh value, or ``default``."""
        state, value = self._find(key)
        with self._lock:
            self._counts[state] += 1
        return value if state == _HIT else default

    def look(self, key: str) -> Hit | None:
        """Return a value, fresh or stale, or None."""
        state, value = self._find(key)
        with self._lock:
            self._counts[state] += 1
        return None if state == _MISS else Hit(value, state == _STALE)

    def peek(self, key: str) -> Hit | None:
        """Return a value, fresh or stale, or None, and count nothing: for who looks again and again."""
        state, value = self._find(key)
        return None if state == _MISS else Hit(value, state == _STALE)

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the fresh values among those asked for, in one exchange where the backend can."""
        names = {self._name(key): key for key in keys}
        data = self._try(self.backend.get_many, list(names)) or {}
        found = {}
        for name, key in names.items():
            state, value = self._read(key, name, data.get(name))
            with self._lock:
                self._counts[state] += 1
            if state == _HIT:
                found[key] = value
        return found

    def set(self, key: str, value: Any, ttl_s: float | None = None, *, stale_s: float = 0.0) -> bool:
        """Keep a value.

        Parameters
        ----------
        key, value
            What to keep under which name.
        ttl_s
            How long it is fresh; as for the cache when None.
        stale_s
            How much longer it may be had as a stale one.

        Returns
        -------
        bool
            Whether it is kept. If not, nothing older is served for it either, as far as the backend can be reached.
        """
        return self.set_many({key: value}, ttl_s, stale_s=stale_s)

    def set_many(self, items: Mapping[str, Any], ttl_s: float | None = None, *, stale_s: float = 0.0) -> bool:
        """Keep several values, in one exchange where the backend can; return whether all are kept."""
        ttl_s = self.ttl_s if ttl_s is None else _checked(ttl_s)
        fresh_s = math.inf if ttl_s is None else time.time() + ttl_s
        sealed = {}
        for key, value in items.items():
            name = self._name(key)
            body = self._body(value)
            if body is None:
                self._try(self.backend.delete, name)
            else:
                sealed[name] = self._seal.close(name, body, fresh_s, fresh_s + stale_s)
        kept_s = None if ttl_s is None else ttl_s + stale_s
        if len(sealed) == 1:
            done = self._try(_done(self.backend.set), *next(iter(sealed.items())), kept_s)
        else:
            done = self._try(_done(self.backend.set_many), sealed, kept_s)
        return bool(done) and len(sealed) == len(items)

    def add(self, key: str, value: Any, ttl_s: float) -> bool | None:
        """Keep a value if there is none, and say so; of all who try at once one is told True. None: can't be told."""
        name = self._name(key)
        body = self._body(value)
        if body is None:
            return None
        ends_s = time.time() + _checked(ttl_s)
        return self._try(self.backend.add, name, self._seal.close(name, body, ends_s, ends_s), ttl_s)

    def delete(self, key: str) -> None:
        """Remove a value."""
        self._try(self.backend.delete, self._name(key))

    def clear(self, prefix: str = "") -> None:
        """Remove all values of this cache, or those whose keys start with a prefix, and start counting anew."""
        self._try(self.backend.clear, self._prefix + prefix)
        with self._lock:
            self._counts = [0, 0, 0, 0]

    def counts(self) -> CacheCounts:
        """Return the counts since the start, or since `clear`."""
        with self._lock:
            return CacheCounts(*self._counts)

    def close(self) -> None:
        """Let go of connections and files."""
        self.backend.close()

    @property
    def fails(self) -> bool:
        """Whether the backend failed when it was last tried."""
        return self._breaker.is_open

    def _try(self, use: Callable[..., _Answer], *args: Any) -> _Answer | None:
        """Use the backend; None if it fails, or failed a moment ago."""
        breaker = self._breaker
        if breaker.is_open and not breaker.allows():
            return None
        try:
            answer = use(*args)
        except Exception as error:  # of whatever client
            breaker.failed(error)
            with self._lock:
                self._counts[_ERROR] += 1
            return None
        if breaker.is_open:
            breaker.worked()
        return answer

    def _find(self, key: str) -> tuple[int, Any]:
        """Return the state and the value of what is under a key."""
        opened = self._opened.get(key)
        name = opened[0] if opened else self._name(key)
        data = self._try(self.backend.get, name)
        if opened and opened[1] == data and time.time() < opened[3]:
            return _HIT, opened[2]
        return self._read(key, name, data)

    def _read(self, key: str, name: str, data: bytes | None) -> tuple[int, Any]:
        """Return the state of what was found, and the value if it can be trusted and has not ended."""
        state, value = _MISS, None
        if data is not None:
            try:
                if len(data) > self._largest_sealed:
                    raise UntrustedError(f"it is larger than {self._largest_bytes} bytes")
                body, fresh_s, ends_s = self._seal.open(name, data)
                now_s = time.time()
                if now_s < ends_s:
                    value = self._load(body)
                    state = _HIT if now_s < fresh_s else _STALE
                    if state == _HIT and self.backend.repeats and type(value) in _FIXED:
                        self._keep_opened(key, name, data, value, fresh_s)
            except Exception as error:  # of whatever serializer, on whatever bytes
                self._tell("trusted", error)
        return state, value

    def _keep_opened(self, key: str, *opened: Any) -> None:
        with self._lock:
            self._forget_opened(key)
            self._opened[key] = opened
            self._opened_bytes += len(key) + len(opened[1])
            while len(self._opened) > MOST_OPENED or self._opened_bytes > MOST_OPENED_BYTES:
                self._forget_opened(next(iter(self._opened)))

    def _forget_opened(self, key: str) -> None:
        if opened := self._opened.pop(key, None):
            self._opened_bytes -= len(key) + len(opened[1])

    def _body(self, value: Any) -> bytes | None:
        """Return a value's bytes, or None if it can't be kept."""
        try:
            body = self._dump(value)
            if len(body) > self._largest_bytes:
                raise ValueError(f"it takes {len(body)} bytes, more than {self._largest_bytes}")
        except Exception as error:  # of whatever serializer, on whatever value
            self._tell("kept", error)
            return None
        return body

    def _tell(self, what: str, error: Exception) -> None:
        """Count an error, and log the first of its kind."""
        with self._lock:
            self._counts[_ERROR] += 1
            first = what not in self._told
            self._told.add(what)
        if first:
            logger.warning("%s: a value can't be %s (%s): going on without it", self.backend, what, error)

    def _name(self, key: str) -> str:
        name = self._prefix + key
        if len(name) <= LONGEST_NAME and _is_plain(name):
            return name
        digest = hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=20).hexdigest()
        return f"{self._prefix}#{digest}"


#: Where in the counts; as in CacheCounts.
_HIT, _STALE, _MISS, _ERROR = range(4)


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isprintable() and " " not in name


def _checked(ttl_s: float | None) -> Any:
    if ttl_s is not None and not ttl_s > 0:
        raise UsageError(f"ttl_s must be above 0 seconds, or None: got {ttl_s}")
    return ttl_s


def _done(use: Callable[..., None]) -> Callable[..., bool]:
    def used(*args: Any) -> bool:
        use(*args)
        return True

    return used
