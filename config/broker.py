"""The broker: Dramatiq over Redis, JSON messages only."""

from dramatiq.brokers.redis import RedisBroker


class HundredfoldRedisBroker(RedisBroker):
    """Redis with short dead-worker detection: the sweeper and the leases do the rest."""

    def __init__(self, **options: object) -> None:
        super().__init__(heartbeat_timeout=15_000, socket_connect_timeout=2, socket_timeout=10, **options)
