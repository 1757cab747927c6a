"""The names of background jobs, so that a lower app can start higher work without importing it.

Every name has exactly one actor of the same name in some app's `actors.py` (a test checks it). Arguments are ids.
The database is the queue of record: losing a message loses no work, because the sweeper enqueues again.
"""

from collections.abc import Iterable
from enum import StrEnum

import redis
import structlog
from django.db import transaction
from dramatiq import Message, get_broker, group
from dramatiq.errors import BrokerConnectionError

logger = structlog.get_logger(__name__)


class Queue(StrEnum):
    """Kinds of work that a worker may be told to take or to leave to others."""

    TRAIN = "train"
    PARTS = "parts"
    EMBED = "embed"
    ADAPT = "adapt"
    DEFAULT = "default"


class JobName(StrEnum):
    """Jobs and the queue each one travels in."""

    TRAIN_FUNCTION = "train_function"
    RUN_PART = "run_part"
    PREDICT_FUNCTION = "predict_function"
    PLAN_QUEUE = "plan_queue"
    EMBED_FUNCTION = "embed_function"
    REREAD_FUNCTION = "reread_function"
    ADAPT_FUNCTION = "adapt_function"
    FIT_TOWERS = "fit_towers"
    SURVEY_FUNCTION = "survey_function"
    INSPECT_FUNCTION = "inspect_function"
    INDEX_FUNCTION = "index_function"
    RUN_IMPORT = "run_import"
    SET_ASIDE = "set_aside"
    UNDO_ACT = "undo_act"
    PREDICT_FILE = "predict_file"
    WATCH_DRIFT = "watch_drift"
    WRITE_EXPORT = "write_export"
    DELIVER = "deliver"

    @property
    def queue(self) -> Queue:
        return _QUEUES[self]


_QUEUES = {
    JobName.TRAIN_FUNCTION: Queue.TRAIN,
    JobName.RUN_PART: Queue.PARTS,
    JobName.PREDICT_FUNCTION: Queue.EMBED,
    JobName.PLAN_QUEUE: Queue.EMBED,
    JobName.EMBED_FUNCTION: Queue.EMBED,
    JobName.REREAD_FUNCTION: Queue.EMBED,
    JobName.ADAPT_FUNCTION: Queue.ADAPT,
    JobName.FIT_TOWERS: Queue.ADAPT,
    JobName.SURVEY_FUNCTION: Queue.DEFAULT,
    JobName.INSPECT_FUNCTION: Queue.DEFAULT,
    JobName.INDEX_FUNCTION: Queue.EMBED,
    JobName.RUN_IMPORT: Queue.DEFAULT,
    JobName.SET_ASIDE: Queue.DEFAULT,
    JobName.UNDO_ACT: Queue.DEFAULT,
    JobName.PREDICT_FILE: Queue.DEFAULT,
    JobName.WATCH_DRIFT: Queue.DEFAULT,
    JobName.WRITE_EXPORT: Queue.DEFAULT,
    JobName.DELIVER: Queue.DEFAULT,
}


def enqueue(job: JobName, *args: int | str) -> bool:
    """Send one message now. Returns False, with a log line, when the broker is away: the sweeper will send it again."""
    try:
        get_broker().enqueue(_message(job, *args))
    except (BrokerConnectionError, redis.RedisError):  # RedisBroker passes on what its client raises
        logger.warning("broker_away", job=job.value)
        return False
    return True


def enqueue_all(job: JobName, each: Iterable[int | str], *, then: tuple[JobName, int | str]) -> bool:
    """Send one message for each argument, and another job once all of them are done; False when the broker is away."""
    messages = group([_message(job, argument) for argument in each])
    messages.add_completion_callback(_message(*then))
    try:
        messages.run()
    except (BrokerConnectionError, redis.RedisError):
        logger.warning("broker_away", job=job.value)
        return False
    return True


def _message(job: JobName, *args: int | str) -> Message[None]:
    return Message(queue_name=job.queue.value, actor_name=job.value, args=args, kwargs={}, options={})


def enqueue_on_commit(job: JobName, *args: int | str) -> None:
    """Send one message once the surrounding transaction has committed; a dead broker never fails a save."""
    transaction.on_commit(lambda: enqueue(job, *args), robust=True)
