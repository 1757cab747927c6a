"""The broker: Dramatiq over Redis, JSON messages only."""

from dramatiq import Middleware
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker

from apps.core.jobs import Queue


class HundredfoldRedisBroker(RedisBroker):
    """Redis with short dead-worker detection: the sweeper and the leases do the rest."""

    def __init__(self, **options: object) -> None:
        super().__init__(heartbeat_timeout=15_000, socket_connect_timeout=2, socket_timeout=10, **options)


class LoneBroker(StubBroker):
    """For one process alone: messages stay in its memory, and it does the work itself without waiting for them."""

    def __init__(self, middleware: list[Middleware] | None = None) -> None:
        super().__init__(middleware)
        for queue in Queue:
            self.declare_queue(queue.value)
