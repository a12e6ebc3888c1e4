"""Tell all processes which keys were written, by a fan-out: RabbitMQ's, or Redis' publish and subscribe."""

from __future__ import annotations

import importlib
import os
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from workbench.caches.breaker import Breaker
from workbench.errors import MissingExtraError
from workbench.masking import get_logger

logger = get_logger(__name__)

#: How often to send oneself a beat, and after how long without hearing one nothing is trusted that was not told.
BEAT_S, DEAF_S = 0.25, 1.0


class Announcer:
    """Announces names to all others of its channel, and hears theirs.

    It knows that it hears by beats which it sends to itself over the same way as everything else; when they fail to
    come, `hears` turns False and ``on_lost`` is called: announcements may have been missed.

    Parameters
    ----------
    url
        ``amqp://…`` (RabbitMQ) or ``redis://…``; kombu carries both, and Celery brings it along.
    channel
        Who uses the same one hears each other.
    timeout_s
        How long to wait for a connection, and for a write to it.

    Raises
    ------
    MissingExtraError
        kombu is not installed.
    """

    def __init__(self, url: str, channel: str = "workbench.caches", timeout_s: float = 0.25) -> None:
        try:
            kombu: Any = importlib.import_module("kombu")
        except ModuleNotFoundError:
            raise MissingExtraError("kombu", "caches") from None
        #: Whether all announcements of the last moment were heard.
        self.hears = False
        self._me = uuid.uuid4().hex
        waits = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s} if url.startswith("redis") else {}
        waits |= {"read_timeout": 4 * timeout_s, "write_timeout": timeout_s} if url.startswith("amqp") else {}
        self._connect: Callable[[], Any] = lambda: kombu.Connection(
            url, connect_timeout=timeout_s, transport_options=waits
        )
        self._exchange = kombu.Exchange(channel, "fanout", durable=False, delivery_mode=1)
        self._kombu = kombu
        self._breaker = Breaker(f"the announcer at {url.rpartition('@')[2]}", retry_s=BEAT_S)
        self._lock = threading.Lock()
        self._producer: Any = None
        self._closed = threading.Event()
        self._last_beat_s = 0.0
        self._on_change: Callable[[list[str]], object] = list
        self._on_lost: Callable[[], object] = bool
        self._listens = False
        _announcers.add(self)

    def listen(self, on_change: Callable[[list[str]], object], on_lost: Callable[[], object]) -> None:
        """Call back, in a thread of its own, for the names that others announce and for when some may be missed."""
        self._on_change, self._on_lost = on_change, on_lost
        self._listens = True
        self._start()

    def announce(self, names: Iterable[str] | None) -> None:
        """Tell all others, None: that everything changed; a failure is logged once, and nobody waits twice for it."""
        self._publish("all" if names is None else list(names))

    def wait(self, timeout_s: float = 10.0) -> bool:
        """Wait until announcements are heard, and say whether they are."""
        end_s = time.monotonic() + timeout_s
        while not self.hears and time.monotonic() < end_s:
            time.sleep(0.005)
        return self.hears

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        with self._lock:
            self._drop()

    def _publish(self, said: Any) -> None:
        if not self._breaker.allows():
            return
        with self._lock:
            try:
                if self._producer is None:
                    connection = self._connect()
                    connection.connect()
                    self._producer = self._kombu.Producer(connection.channel(), self._exchange)
                self._producer.publish({"from": self._me, "said": said}, serializer="json", retry=False)
            except Exception as error:  # of whatever transport
                self._drop()
                self._breaker.failed(error)
                return
        self._breaker.worked()

    def _drop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            _end(producer.channel.connection.client)

    def _listen(self) -> None:
        while not self._closed.is_set():
            connection = self._connect()
            try:
                connection.connect()
                queue = self._kombu.Queue(uuid.uuid4().hex, self._exchange, exclusive=True, auto_delete=True)
                consumer = connection.Consumer(queue, callbacks=[self._receive], no_ack=True, accept=["json"])
                with consumer:
                    self._drain(connection)
            except Exception as error:  # of whatever transport
                logger.debug("announcements are not heard: %s", error)
            finally:
                self._lose()
                _end(connection)
            self._closed.wait(BEAT_S)

    def _drain(self, connection: Any) -> None:
        self._last_beat_s = time.monotonic()
        next_beat_s = 0.0
        while not self._closed.is_set():
            now_s = time.monotonic()
            if now_s >= next_beat_s:
                self._publish("beat")
                next_beat_s = now_s + BEAT_S
            if now_s > self._last_beat_s + DEAF_S:
                raise TimeoutError("no beat was heard")
            try:
                connection.drain_events(timeout=BEAT_S / 2)
            except TimeoutError:
                continue

    def _receive(self, body: Any, message: Any) -> None:
        said, mine = body["said"], body["from"] == self._me
        if mine and said == "beat":
            self._last_beat_s = time.monotonic()
            if not self.hears:
                self._on_lost()  # whatever was said until now
                self.hears = True
        elif not mine and said == "all":
            self._on_lost()
        elif not mine and said != "beat":
            self._on_change(said)

    def _lose(self) -> None:
        heard, self.hears = self.hears, False
        if heard:
            self._on_lost()

    def _start(self) -> None:
        threading.Thread(target=self._listen, name="workbench-caches-announcer", daemon=True).start()

    def _begin_in_child(self) -> None:
        """In a forked child: the thread and the connection are the parent's."""
        self.hears, self._producer, self._lock = False, None, threading.Lock()
        self._me = uuid.uuid4().hex
        if self._listens and not self._closed.is_set():
            self._start()


_announcers: weakref.WeakSet[Announcer] = weakref.WeakSet()


def _begin_in_child() -> None:
    for announcer in list(_announcers):
        announcer._begin_in_child()


os.register_at_fork(after_in_child=_begin_in_child)


def _end(connection: Any) -> None:
    """Let go of a connection, which may be broken in any way."""
    try:
        connection.collect(0.1)
    except Exception as error:
        logger.debug("closing a connection: %s", error)
