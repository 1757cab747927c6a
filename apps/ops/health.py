"""Is everything there? Asked by load balancers, by `up` before it says "ready", by `doctor` and by every page."""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.db import DatabaseError, connection

from apps.core import heartbeat
from apps.core.jobs import Queue

DATABASE, BROKER, WORKER, QUEUES = "database", "broker", "worker", "queues"
WORKER_IS_AWAY = (
    "Nothing is being learned or predicted right now: the background worker is not running. "
    "What you do is saved and will be worked on when it is back."
)
WORK_OF = {
    Queue.TRAIN: "learning from labels",
    Queue.PARTS: "learning from thousands of labels on several machines at once",
    Queue.EMBED: "reading new samples and predicting",
    Queue.ADAPT: "making models better in the background",
    Queue.DEFAULT: "imports, predicting files and looking for doubtful labels",
}


def problems() -> dict[str, str]:
    """Return what is missing, by part, in words; empty when all is well."""
    found = {}
    if reason := _database_problem():
        found[DATABASE] = reason
    try:
        idle = _idle_queues()
        if len(idle) == len(Queue):
            found[WORKER] = "No worker has been heard of for some seconds."
        elif idle:
            found[QUEUES] = f"No worker takes {', '.join(idle)}."
    except redis.RedisError as error:
        found[BROKER] = f"Redis does not answer: {type(error).__name__}."
        found[WORKER] = "Nothing is known of workers while Redis is away."
    return found


def idle_queues() -> list[Queue]:
    """Return the queues that nobody takes: all of them where no worker was heard of, or none could be given work."""
    try:
        return _idle_queues()
    except redis.RedisError:
        return list(Queue)


def words_for(idle: list[Queue]) -> str:
    """Return what people should know where nobody takes these queues; empty where all are taken."""
    if len(idle) == len(Queue):
        return WORKER_IS_AWAY
    waiting = "; ".join(WORK_OF[queue] for queue in idle)
    return f"Some work in the background waits, because no worker that runs takes it: {waiting}." if idle else ""


def _idle_queues() -> list[Queue]:
    if settings.IS_ALONE:
        return list(Queue)
    client = heartbeat.connect()
    try:
        taken = heartbeat.workers_alive(client)
    finally:
        client.close()
    return [queue for queue in Queue if not any(queue in of_one for of_one in taken)]


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
