"""How fast the fetchers and the site are; prints ratios and records three tables in data/results.

Run it with ``python benchmarks/bench_fetch.py``; it takes about two minutes and wants a quiet machine.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import time
from functools import partial
from urllib.parse import urlsplit

import aiohttp
import pandas as pd
from interleave import in_turn, ratio, times_s

from workbench import Site, Table, fetch_all, records
from workbench.tasks.fetch.fetching import CONCURRENCY, ENGINES

ROUNDS = 5
URLS = 1000
SEQUENTIAL_URLS = 100
LATENCIES_MS = (0, 10, 50)
CONCURRENCIES = (32, 64, 128, 256, 512)
OPEN_CONNECTIONS = 2000


async def tuned_aiohttp(urls: list[str], concurrency: int) -> dict[str, bytes]:
    """Fetch as fast as aiohttp can: no retries, no deadline, no checks, workers over one iterator."""
    bodies = {}
    todo = iter(urls)

    async def worker() -> None:
        for url in todo:
            async with session.get(url) as response:
                bodies[url] = await response.read()

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as session:
        await asyncio.gather(*(worker() for _ in range(concurrency)))
    return bodies


def compare_engines(site: Site) -> pd.DataFrame:
    """Time each engine on the same URLs, in turn; sequential is measured on fewer URLs and scaled."""
    urls = site.urls(URLS, latency_ms=50)
    scale = URLS / SEQUENTIAL_URLS
    few = {"sequential": urls[:SEQUENTIAL_URLS]}
    times = times_s(
        {
            "tuned aiohttp loop": lambda: asyncio.run(tuned_aiohttp(urls, CONCURRENCY)),
            **{engine: partial(fetch_all, few.get(engine, urls), engine=engine) for engine in ENGINES},
        },
        rounds=ROUNDS,
    )
    times["sequential"] = [scale * wall_s for wall_s in times["sequential"]]
    return pd.DataFrame(
        {
            "engine": name,
            "urls_measured": SEQUENTIAL_URLS if name == "sequential" else URLS,
            "wall_s_1000_urls": statistics.median(own),
            "times_sequential": ratio(times, "sequential", name),
            "times_tuned_loop": ratio(times, name, "tuned aiohttp loop"),
        }
        for name, own in times.items()
    )


def compare_concurrencies(site: Site) -> pd.DataFrame:
    """Time the aiohttp and threads engines with several concurrencies, as a share of the best at each latency."""
    rows = []
    for latency_ms in LATENCIES_MS:
        urls = site.urls(URLS, latency_ms=latency_ms)
        cases = [(engine, number) for engine in ("aiohttp", "threads") for number in CONCURRENCIES]
        times = times_s(
            {case: partial(fetch_all, urls, engine=case[0], concurrency=case[1]) for case in cases}, rounds=3
        )
        for engine, number in cases:
            rows.append((latency_ms, engine, number, statistics.median(times[engine, number])))
    table = pd.DataFrame(rows, columns=["latency_ms", "engine", "concurrency", "wall_s_1000_urls"])
    best_s = table.groupby(["latency_ms", "engine"])["wall_s_1000_urls"].transform("min")
    return table.assign(share_of_best=best_s / table["wall_s_1000_urls"])


class Hammer(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last one is there."""

    def __init__(self, request: bytes, answer_bytes: int, counts: list[int]) -> None:
        self.request, self.answer_bytes, self.counts = request, answer_bytes, counts
        self.received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self.received >= self.answer_bytes:
            self.received = 0
            self.counts[0] += 1
            self.transport.write(self.request)


async def hammer(url: str, connections: int, seconds: float) -> float:
    """Return the requests/s that the site answers over so many connections."""
    parts = urlsplit(url)
    request = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    answer_bytes = len(head) + len(await reader.readexactly(1000))
    writer.close()
    loop, counts = asyncio.get_running_loop(), [0]
    made = [
        await loop.create_connection(lambda: Hammer(request, answer_bytes, counts), parts.hostname, parts.port)
        for _ in range(connections)
    ]
    started = time.perf_counter()
    for transport, _ in made:
        transport.write(request)
    await asyncio.sleep(seconds)
    rate = counts[0] / (time.perf_counter() - started)
    for transport, _ in made:
        transport.abort()
    return rate


def measure_site(site: Site) -> pd.DataFrame:
    """Measure the site's throughput; the client shares the machine with it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rates = in_turn({"site": lambda: asyncio.run(hammer(site.url(), OPEN_CONNECTIONS, 2.0))}, rounds=3)["site"]
    return pd.DataFrame(
        {"open_connections": OPEN_CONNECTIONS, "round": number, "requests_per_s": round(rate)}
        for number, rate in enumerate(rates, 1)
    )


def main() -> None:
    with Site() as site:
        for name, title, measure in (
            ("benchmarks.fetch-engines", f"{URLS:,} URLs at 50 ms, median of {ROUNDS} rounds in turn", compare_engines),
            ("benchmarks.fetch-concurrency", f"{URLS:,} URLs with several concurrencies", compare_concurrencies),
            ("benchmarks.fetch-site", "throughput of the local site", measure_site),
        ):
            table = measure(site)
            print(f"{title}\n{table.to_string(index=False, float_format='{:.3g}'.format)}\n")
            records.save(Table.from_frame(title, table), name, replace=True)


if __name__ == "__main__":
    main()
