"""Is everything there? Asked by load balancers, by `up` before it says "ready", by `doctor` and by every page."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import DatabaseError, connection

from apps.core import heartbeat

DATABASE, BROKER, WORKER = "database", "broker", "worker"
WORKER_IS_AWAY = (
    "Nothing is being learned or predicted right now: the background worker is not running. "
    "What you do is saved and will be worked on when it is back."
)


def problems() -> dict[str, str]:
    """Return what is missing, by part, in words; empty when all is well."""
    found = {}
    if reason := _database_problem():
        found[DATABASE] = reason
    try:
        if not _n_workers():
            found[WORKER] = "No worker has been heard of for some seconds."
    except redis.RedisError as error:
        found[BROKER] = f"Redis does not answer: {type(error).__name__}."
        found[WORKER] = "Nothing is known of workers while Redis is away."
    return found


def is_worker_away() -> bool:
    """Say whether nobody works: none was heard of, or the broker is away so that none could be given work."""
    try:
        return not _n_workers()
    except redis.RedisError:
        return True


def _n_workers() -> int:
    if settings.IS_ALONE:
        return 0
    client = heartbeat.connect()
    try:
        return heartbeat.n_workers_alive(client)
    finally:
        client.close()


def _database_problem() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return f"The database does not answer: {type(error).__name__}."
    return ""


def ask(url: str, *, seconds: float = 1.0) -> dict[str, str] | None:
    """Return what `/readyz` there says is missing, or None when no web process answers in time.

    A plain connection: urllib would send it through a proxy named in the environment.
    """
    parts = urlsplit(url)
    request = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    try:
        request.request("GET", "/readyz")
        answer = json.loads(request.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        request.close()
    return dict(answer["problems"])
