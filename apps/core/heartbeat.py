"""Signs of life: a worker says every two seconds that it is there, and what work it takes; pages and readiness ask."""

from collections.abc import Iterable

import redis
from django.conf import settings

from apps.core.jobs import Queue
from apps.core.leases import holder_id

BEAT_SECONDS = 2
EXPIRY_SECONDS = 8
_PREFIX = "hundredfold:worker:"


def connect() -> "redis.Redis":
    """Return a client with short time-outs; making one does not connect."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=2, decode_responses=True)


def beat(client: "redis.Redis", queues: Iterable[Queue] = tuple(Queue)) -> None:
    """Say that this worker lives and takes these queues. Raises `redis.RedisError` when the broker is away."""
    client.set(_PREFIX + holder_id(), ",".join(queues), ex=EXPIRY_SECONDS)


def fall_silent(client: "redis.Redis") -> None:
    """Say that this worker ends on purpose. Raises `redis.RedisError` when the broker is away."""
    client.delete(_PREFIX + holder_id())


def workers_alive(client: "redis.Redis") -> list[frozenset[Queue]]:
    """Return what each worker takes that was heard of within `EXPIRY_SECONDS`.

    Raises `redis.RedisError` when the broker is away.
    """
    keys = list(client.scan_iter(match=_PREFIX + "*", count=100))
    taken = client.mget(keys) if keys else []
    # One that fell silent between the two questions has no value any more.
    return [frozenset(queue for queue in Queue if queue in said.split(",")) for said in taken if isinstance(said, str)]
