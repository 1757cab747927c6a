"""Signs of life: a worker says every two seconds that it is there; pages and readiness ask whether one has."""

import redis
from django.conf import settings

from apps.core.leases import holder_id

BEAT_SECONDS = 2
EXPIRY_SECONDS = 8
_PREFIX = "hundredfold:worker:"


def connect() -> "redis.Redis":
    """Return a client with short time-outs; making one does not connect."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=2, decode_responses=True)


def beat(client: "redis.Redis") -> None:
    """Say that this worker lives. Raises `redis.RedisError` when the broker is away."""
    client.set(_PREFIX + holder_id(), "1", ex=EXPIRY_SECONDS)


def fall_silent(client: "redis.Redis") -> None:
    """Say that this worker ends on purpose. Raises `redis.RedisError` when the broker is away."""
    client.delete(_PREFIX + holder_id())


def n_workers_alive(client: "redis.Redis") -> int:
    """Count workers heard of within `EXPIRY_SECONDS`. Raises `redis.RedisError` when the broker is away."""
    return sum(1 for _key in client.scan_iter(match=_PREFIX + "*", count=100))
