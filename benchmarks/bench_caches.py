"""What the caches' contract costs beside bare clients, and whether it holds: tiers, stampedes, servers that fail.

For hits and batches servers run on one core and their client on another: left to the scheduler, the same exchange takes
15 or 90 µs, depending on which cores two connections happen to get. Tiers are left to it: what memory gains over Redis
must not be the price of a core that has to wake. Arguments name the parts to measure: ``bench_caches.py hits``.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import queue_work
from interleave import ratio, times_s
from predicted import COLUMNS, told

from workbench import MissingServerError, Table, compare, memoize, records, services
from workbench.caches import (
    Announcer,
    Backend,
    Cache,
    Django,
    Joblib,
    Memcached,
    Memory,
    Redis,
    SQLite,
    TwoTier,
    django_options,
    watch_calls,
)
from workbench.remedies import cached, stampede

ROUNDS = 101
LOOPS = 20
KEYS = 100
TIMEOUT_S = 0.25
WORK_S = 0.02
PROCESSES, CALLERS = 8, 50
SHARED = ("joblib", "sqlite", "django file", "django db", "redis", "memcached", "django redis", "django memcached")
PARTS = ("stampedes", "faults", "predictions", "hits", "batches", "tiers")


def place_apart(served: list[services.Service]) -> None:
    """Give servers the last core and this process the others, where there are several and Linux lets us."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        return
    for service in served:
        for task in Path(f"/proc/{service.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {cores[-1]})
    os.sched_setaffinity(0, cores[:-1])


def repeated(call: Callable[[], Any], loops: int = LOOPS) -> Callable[[], None]:
    def run() -> None:
        for _ in range(loops):
            call()

    return run


def set_up_django(redis_url: str, memcached_url: str, folder: str) -> None:
    import django
    from django.conf import settings
    from django.core.management import call_command

    if settings.configured:
        return
    backends = "django.core.cache.backends"
    settings.configure(
        CACHES={
            "locmem": {"BACKEND": f"{backends}.locmem.LocMemCache"},
            "file": {"BACKEND": f"{backends}.filebased.FileBasedCache", "LOCATION": f"{folder}/django"},
            "db": {"BACKEND": f"{backends}.db.DatabaseCache", "LOCATION": "cache"},
            "redis": django_options(redis_url, TIMEOUT_S),
            "memcached": django_options(memcached_url, TIMEOUT_S),
        },
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": f"{folder}/django.sqlite",
                "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
            }
        },
    )
    django.setup()
    call_command("createcachetable", "cache", verbosity=0)


def make_backend(name: str, redis_url: str, memcached_url: str, folder: str) -> Backend:
    if name.startswith("django"):
        set_up_django(redis_url, memcached_url, folder)
        return Django(name.removeprefix("django "), TIMEOUT_S)
    return {
        "memory": lambda: Memory(),
        "joblib": lambda: Joblib(folder),
        "sqlite": lambda: SQLite(f"{folder}/cache.sqlite", timeout_s=5),
        "redis": lambda: Redis(redis_url, TIMEOUT_S),
        "memcached": lambda: Memcached(memcached_url, TIMEOUT_S),
    }[name]()


def bare_gets(redis_url: str, memcached_url: str, value: bytes) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield each client's own way to read a value, with the timeout that it needs in order never to hang."""
    import redis
    from django.core.cache import caches
    from pymemcache.client.base import Client

    socket = memcached_url.removeprefix("memcached://")
    one = redis.Redis.from_url(redis_url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    two = Client(socket, timeout=TIMEOUT_S, connect_timeout=TIMEOUT_S, no_delay=True)
    one.set("bare", value)
    two.set("bare", value)
    yield "redis", lambda: one.get("bare")
    yield "memcached", lambda: two.get("bare")
    for alias in ("locmem", "file", "db", "redis", "memcached"):
        cache = caches[alias]
        cache.set("bare", value, 600)
        yield f"django {alias}", lambda cache=cache: cache.get("bare")


def hits(make: Callable[[str], Backend], urls: tuple[str, str]) -> Iterator[tuple[Any, ...]]:
    make("django locmem")
    for size in (100, 10_240):
        value = b"x" * size
        for name, bare in bare_gets(*urls, value):
            cache = Cache(make(name))
            cache.set("hit", value, 600)
            assert cache.get("hit") == bare() == value
            times = times_s(
                {"bare": repeated(bare), "ours": repeated(lambda cache=cache: cache.get("hit"))}, rounds=ROUNDS
            )
            bare_us, ours_us = (1e6 * median(times[each]) / LOOPS for each in ("bare", "ours"))
            yield name, size, bare_us, ours_us, ratio(times, "ours", "bare")


def batches(make: Callable[[str], Backend]) -> Iterator[tuple[Any, ...]]:
    keys = [f"key {number}" for number in range(KEYS)]
    for name in ("sqlite", "redis", "memcached", "django redis", "django memcached"):
        cache = Cache(make(name))
        cache.set_many(dict.fromkeys(keys, b"x" * 100), 600)
        assert len(cache.get_many(keys)) == KEYS
        one_by_one = lambda cache=cache: [cache.get(key) for key in keys]  # noqa: E731
        times = times_s({"one": one_by_one, "many": lambda cache=cache: cache.get_many(keys)}, rounds=51)
        yield name, KEYS, 1e6 * median(times["one"]), 1e6 * median(times["many"]), ratio(times, "one", "many")


def two_tiers(make: Callable[[str], Backend], urls: dict[str, str]) -> Iterator[tuple[Any, ...]]:
    """Yield what a hit in front of Redis gains, and how late another process sees a write, for each announcer."""
    far = Cache(make("redis"))
    far.set("hit", b"x" * 100, 600)
    for name, url in urls.items():
        announcer = Announcer(url)
        with Cache(TwoTier(make("redis"), announcer, near_s=600)) as cache:
            assert announcer.wait()
            cache.get("hit")
            times = times_s(
                {"far": repeated(lambda: far.get("hit")), "near": repeated(lambda: cache.get("hit"))}, rounds=ROUNDS
            )
            late_ms = sorted(lateness_ms(cache, url, urls["redis"]))
            near_us, far_us = (1e6 * median(times[each]) / LOOPS for each in ("near", "far"))
            p95_ms = quantiles(late_ms, n=20)[-1]
            yield name, far_us, near_us, ratio(times, "far", "near"), len(late_ms), median(late_ms), p95_ms, late_ms[-1]


def lateness_ms(cache: Cache, announcer_url: str, redis_url: str, writes: int = 300) -> list[float]:
    """Return for each write how long after it another process, which reads all the time, last saw the old value."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    reader = context.Process(target=read_on, args=(theirs, announcer_url, redis_url, writes))
    cache.set("number", 0, 600)
    reader.start()
    ours.recv()
    written_s = []
    for number in range(1, writes + 1):
        time.sleep(0.01)
        cache.set("number", number, 600)
        written_s.append(time.monotonic())
    last_seen_s = ours.recv()
    reader.join()
    # The last look that still found an older value, whichever.
    return [max(0.0, 1e3 * (last_seen_s[number - 1] - end_s)) for number, end_s in enumerate(written_s, 1)]


def read_on(pipe: Any, announcer_url: str, redis_url: str, writes: int) -> None:
    announcer = Announcer(announcer_url)
    last_seen_s = [0.0] * (writes + 1)
    with Cache(TwoTier(Redis(redis_url, TIMEOUT_S), announcer, near_s=600)) as cache:
        announcer.wait()
        pipe.send("ready")
        seen = 0
        while seen < writes:
            start_s = time.monotonic()
            seen = cache.get("number", seen)
            last_seen_s[seen] = start_s
            time.sleep(0.0005)
    for number in range(1, writes + 1):  # what was never seen was old when the one before it was last seen
        last_seen_s[number] = max(last_seen_s[number], last_seen_s[number - 1])
    pipe.send(last_seen_s)


def stampedes(make: Callable[[str], Callable[[], Backend]]) -> Iterator[tuple[Any, ...]]:
    for name in SHARED:
        seen = stampede(make(name), processes=PROCESSES, callers=CALLERS)
        yield name, PROCESSES, CALLERS, seen.computed, seen.right, seen.slowest_s


def faults(folder: str) -> Iterator[tuple[Any, ...]]:
    """Yield what callers saw of a server that fails for a second, while they call all the time."""
    for name in ("redis", "memcached"):
        for harm in ("kill", "pause"):
            with services.start(name) as service:
                backend = make_backend(name, service.url, service.url, folder)
                yield name, harm, *calls_while(service, harm, Cache(backend, retry_s=0.2))


def calls_while(service: services.Service, harm: str, cache: Cache) -> tuple[Any, ...]:
    def work(number: int) -> int:
        time.sleep(WORK_S)
        return number * number

    back_s = 0.0

    def come_back() -> None:
        nonlocal back_s
        service.restart() if harm == "kill" else service.resume()
        start_s = time.perf_counter()
        while cache.fails:
            time.sleep(0.001)
        back_s = time.perf_counter() - start_s

    events = {1.5: getattr(service, harm), 2.5: come_back}
    calls = watch_calls(memoize(work, cache=cache, ttl_s=600), range(50), wall_s=4, events=events)
    wrong = sum(call.answer != call.item**2 for call in calls)
    slowest_ms = 1e3 * max(call.wall_s for call in calls)
    limit_ms = 1e3 * (1.1 * TIMEOUT_S + WORK_S)
    return len(calls), wrong, slowest_ms, limit_ms, 1e3 * back_s, cache.counts().errors


def predictions(make: Callable[[str], Backend]) -> Iterator[tuple[Any, ...]]:
    items = [number % 50 for number in range(200)]  # three of four are hits
    for func in (queue_work.python, queue_work.short, queue_work.sleep, queue_work.short_sleep):
        remedies = {name: cached(Cache(make(name))) for name in ("sqlite", "redis", "memcached")}
        for row in compare(func, items, remedies, budget_s=30, progress=False).rows[1:]:
            yield told(func.__name__, row)


def tables(parts: Collection[str], folder: str, stack: ExitStack) -> Iterator[tuple[str, Table]]:
    """Measure each part; its own table is there before the next one begins."""
    served = [stack.enter_context(services.start(name)) for name in ("redis", "memcached", "rabbitmq")]
    redis, memcached, rabbitmq = (service.url for service in served)
    bind = lambda name: partial(make_backend, name, redis, memcached, folder)  # noqa: E731
    make = lambda name: bind(name)()  # noqa: E731
    make("django db").close()  # its table is there before many processes look for it
    if "stampedes" in parts:
        yield (
            "benchmarks.cache-stampedes",
            Table(
                title="Processes of many callers of one missing answer: how often it is computed",
                columns=("cache", "processes", "callers_each", "computed", "right_answers", "slowest_s"),
                rows=tuple(stampedes(bind)),
            ),
        )
    if "faults" in parts:
        yield (
            "benchmarks.cache-faults",
            Table(
                title="A server that fails for a second under four callers: the slowest call, and its limit",
                columns=("cache", "harm", "calls", "wrong", "slowest_ms", "limit_ms", "used_again_after_ms", "errors"),
                rows=tuple(faults(folder)),
            ),
        )
    if "predictions" in parts:
        yield (
            "benchmarks.cache-predictions",
            Table(
                title="Predicted and measured speed-up of caches, three of four calls being hits",
                columns=COLUMNS,
                rows=tuple(predictions(make)),
            ),
        )
    if "tiers" in parts:
        late = ("writes", "late_ms", "late_p95_ms", "latest_ms")
        yield (
            "benchmarks.cache-two-tiers",
            Table(
                title="Memory in front of Redis: a hit, and how late another process sees a write",
                columns=("announcer", "redis_us", "two_tier_us", "times_faster", *late),
                rows=tuple(two_tiers(make, {"redis": redis, "rabbitmq": rabbitmq})),
            ),
        )
    place_apart(served[:2])
    if "hits" in parts:
        yield (
            "benchmarks.cache-hits",
            Table(
                title="A hit through the contract, and its time ÷ the bare client's with the same timeout",
                columns=("cache", "value_bytes", "bare_us", "contract_us", "ratio"),
                rows=tuple(hits(make, (redis, memcached))),
            ),
        )
    if "batches" in parts:
        yield (
            "benchmarks.cache-batches",
            Table(
                title="Reading keys one by one and in one batch, and how many times faster that is",
                columns=("cache", "keys", "one_by_one_us", "batch_us", "times_faster"),
                rows=tuple(batches(make)),
            ),
        )


def main() -> None:
    parts = sys.argv[1:] or PARTS
    if wrong := set(parts) - set(PARTS):
        raise SystemExit(f"no part {', '.join(sorted(wrong))}: there are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        try:
            for name, table in tables(parts, folder, stack):
                print(table.table().to_string(index=False))
                print(records.save(table, name, replace=True))
        except MissingServerError as error:
            raise SystemExit(f"not measured: {error}") from error


if __name__ == "__main__":
    main()
