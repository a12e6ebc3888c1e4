"""Celery as one writes it by hand, for the benchmark of the queues; its broker and settings come by environment."""

import os

from celery import Celery

BROKER, DURABLE = os.environ["BARE_BROKER"], os.environ["BARE_DURABLE"] == "1"
backend = "rpc://" if BROKER.startswith("amqp") else BROKER
app = Celery("bare_celery", broker=BROKER, backend=backend)
app.conf.task_default_queue = os.environ["BARE_QUEUE"]
if DURABLE:
    confirmed = {"confirm_publish": True} if BROKER.startswith("amqp") else {"visibility_timeout": 30}
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        result_persistent=True,
        broker_transport_options=confirmed,
    )


@app.task
def nothing(item: int) -> int:
    return item
