"""Fetching with aiohttp, on an event loop in a thread of its own: so it works in scripts and in notebooks alike."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from workbench.coroutines import drive
from workbench.tasks.fetch.collect import Ready
from workbench.tasks.fetch.core import Policy, Send, Wait, conversation
from workbench.tasks.fetch.failures import failure
from workbench.tasks.fetch.incoming import Reply
from workbench.tasks.fetch.rows import FetchRow

if TYPE_CHECKING:
    import aiohttp

#: A loop that was told to stop is given so long; only the look-up of a name can keep it longer, and then harms no one.
_STOP_S = 2.0
_HAND_OVER_S = 0.05


def by_asyncio(urls: Sequence[str], policy: Policy, concurrency: int) -> Generator[FetchRow]:
    """Yield the rows of the URLs as they get ready, fetched by so many asyncio workers."""
    ready = Ready()
    loop = asyncio.new_event_loop()
    work = loop.create_task(_work_all(urls, policy, concurrency, ready))

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(_finished(work))
        except BaseException as error:
            ready.fail(error)

    thread = threading.Thread(target=run, name="workbench-fetch", daemon=True)

    def stop() -> None:
        with suppress(RuntimeError):  # the loop has just closed by itself, or has not started yet
            loop.call_soon_threadsafe(work.cancel)
            thread.join(_STOP_S)

    try:
        thread.start()
        yield from ready.collect(len(urls), stop)
    except BaseException:
        stop()
        raise
    thread.join(_STOP_S)


async def _finished(work: asyncio.Task[None]) -> None:
    with suppress(asyncio.CancelledError):
        await work


async def _work_all(urls: Sequence[str], policy: Policy, concurrency: int, ready: Ready) -> None:
    """Start so many workers over one iterator: a task for each URL would cost more time and memory."""
    todo = iter(urls)
    fetched: list[FetchRow] = []

    async def worker(session: aiohttp.ClientSession) -> None:
        for url in todo:
            fetched.append(await _fetch(url, policy, session))

    def hand_over() -> None:
        ready.add(fetched)
        fetched.clear()

    async def hand_over_now_and_then() -> None:
        # For each row by itself, the thread that takes it would wake up and stop this one, for the GIL.
        while True:
            await asyncio.sleep(_HAND_OVER_S)
            hand_over()

    handing = asyncio.create_task(hand_over_now_and_then())
    try:
        async with _session() as session, asyncio.TaskGroup() as workers:
            for _ in range(concurrency):
                workers.create_task(worker(session))
    finally:
        handing.cancel()
        hand_over()


def _session() -> aiohttp.ClientSession:
    import aiohttp

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),  # the workers are the limit
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
    )


async def _fetch(url: str, policy: Policy, session: aiohttp.ClientSession) -> FetchRow:
    """Do what the conversation says until it returns the row."""

    async def get(step: Send | Wait) -> Reply | None:
        if isinstance(step, Send):
            return await _exchange(session, step)
        await asyncio.sleep(step.seconds)
        return None

    return await drive(conversation(url, policy), get)


async def _exchange(session: aiohttp.ClientSession, send: Send) -> Reply:
    """Send one request and take in its answer."""
    import yarl

    incoming = None
    try:
        url = yarl.URL(send.url, encoded=True)
        async with (
            asyncio.timeout(send.timeout_s),
            session.get(url, headers=send.headers, allow_redirects=False) as response,
        ):
            incoming = send.incoming(response.status, response.headers)
            # Held from here on, because a response forgets its connection at the end of the body.
            protocol = response.connection.protocol if response.connection else None
            if incoming.wants_body:
                while piece := await response.content.readany():
                    incoming.feed(piece)
            if incoming.ends_by_closing and protocol is not None and isinstance(protocol.exception(), OSError):
                # aiohttp takes a reset for the end of a body that has no length.
                raise ConnectionResetError
            return incoming.reply()
    except TimeoutError:
        return Reply(timed_out=True)
    except Exception as error:
        return failure(error, send.url, inside_body=incoming is not None)
