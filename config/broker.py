"""The broker: Dramatiq over Redis, JSON messages only."""

from django.conf import settings
from dramatiq import Middleware
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits.backends.redis import RedisBackend as RedisCounts
from dramatiq.rate_limits.backends.stub import StubBackend as Counts

from apps.core.jobs import Queue

COUNTED_MS = 3_600_000


class HundredfoldRedisBroker(RedisBroker):
    """Redis with short dead-worker detection: the sweeper and the leases do the rest."""

    def __init__(self, **options: object) -> None:
        super().__init__(heartbeat_timeout=15_000, socket_connect_timeout=2, socket_timeout=10, **options)
        # A worker process has several workers, each with a middleware of its own kind, as is meant here.
        self.logger.addFilter(lambda record: "middleware of the same type twice" not in str(record.msg))


class Completions(GroupCallbacks):
    """Sends what follows when all messages of a group are done.

    They are counted where the broker is. A lost count costs seconds: the sweeper looks at the rows.
    """

    def __init__(self) -> None:
        counts = Counts() if settings.IS_ALONE else RedisCounts(url=settings.REDIS_URL)
        super().__init__(counts, barrier_ttl=COUNTED_MS)


class LoneBroker(StubBroker):
    """For one process alone: messages stay in its memory, and it does the work itself without waiting for them."""

    def __init__(self, middleware: list[Middleware] | None = None) -> None:
        super().__init__(middleware)
        for queue in Queue:
            self.declare_queue(queue.value)
