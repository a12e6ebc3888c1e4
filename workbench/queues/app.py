"""How Celery is set up, for the one who publishes and for its workers: so that it loses nothing, or by its defaults."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workbench.errors import MissingExtraError

if TYPE_CHECKING:
    from celery import Celery

#: The one task that workers know; which function it calls, and with what, stands in the store.
TASK = "workbench.run"
#: How long Redis waits before it delivers a message again that was not acknowledged; Celery's default is an hour. It
#: may be shorter than a task: a message that comes while its task runs is dropped.
VISIBLE_AGAIN_S = 30
#: How long to wait for a broker that doesn't answer.
PATIENCE_S = 5


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a worker must know; plain data, sent as JSON."""

    url: str = field(repr=False)  # it may hold a password
    queue: str
    folder: str
    temporary: bool
    durable: bool
    threads: int
    retries: int
    backoff_s: float
    grace_s: float


def import_celery() -> type[Celery]:
    """Return Celery's class of apps.

    Raises
    ------
    MissingExtraError
        Celery, or the client of Redis, is not installed.
    """
    try:
        import redis  # noqa: F401 - the one client that Celery doesn't bring itself
        from celery import Celery
    except ImportError as error:
        raise MissingExtraError(error.name or "celery", "queues") from error
    found: type[Celery] = Celery
    return found


def make_app(settings: Settings) -> Celery:
    """Return a Celery app for one queue."""
    app: Celery = import_celery()("workbench", broker=settings.url, set_as_current=False)
    app.conf.update(
        task_default_queue=settings.queue,
        # Nothing that comes from a broker may run code, as a pickle could.
        task_serializer="msgpack",
        accept_content=["msgpack"],
        # What became of a task stands in the store.
        task_ignore_result=True,
        worker_hijack_root_logger=False,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=PATIENCE_S,
        broker_transport_options=_transport_options(settings),
    )
    if settings.durable:
        app.conf.update(
            # A message is acknowledged when its task has ended, not when it starts.
            task_acks_late=True,
            task_reject_on_worker_lost=True,
            # A worker holds no message that it doesn't work on.
            worker_prefetch_multiplier=1,
            # Over a connection that was lost nothing can be acknowledged; the message comes again and is dropped.
            worker_cancel_long_running_tasks_on_connection_loss=False,
            worker_deduplicate_successful_tasks=False,
        )
    return app


def forget(app: Celery, settings: Settings) -> None:
    """Remove all that belongs to a queue: its folder, and what is at the broker, where that can be reached."""
    with contextlib.suppress(Exception):
        _forget_at_broker(app, settings)
    shutil.rmtree(settings.folder, ignore_errors=True)


def _forget_at_broker(app: Celery, settings: Settings) -> None:
    if settings.url.startswith("redis"):
        from redis import Redis

        with Redis.from_url(settings.url, socket_timeout=PATIENCE_S) as client:
            for key in client.scan_iter(f"{settings.queue}:*"):
                client.delete(key)
        return
    with app.connection_for_write() as connection:
        connection.default_channel.queue_delete(settings.queue)
        connection.default_channel.exchange_delete(settings.queue)


def _transport_options(settings: Settings) -> dict[str, Any]:
    scheme = settings.url.partition(":")[0]
    # Of its own: another application's messages at the same server are none of our business.
    mine = {"global_keyprefix": f"{settings.queue}:"} if scheme.startswith("redis") else {}
    if not settings.durable:
        return mine
    if scheme.startswith("redis"):
        return {
            **mine,
            "visibility_timeout": VISIBLE_AGAIN_S,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": PATIENCE_S,
            "socket_connect_timeout": PATIENCE_S,
        }
    # Publishing returns when the broker has taken charge of the message, on disk.
    return {"confirm_publish": True}
