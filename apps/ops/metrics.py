"""What a scraper is told: the figures of this web process, of every worker that was heard of, and what waits.

Workers answer no requests. Each puts its figures into Redis every few seconds, where they last half a minute; a web
process adds them to its own, told apart by the label `process`. With several web processes each tells of all workers,
so a sum over them takes `max by (process, …)` first.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import redis
import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.db.models import Count, F
from dramatiq import get_broker
from dramatiq.brokers.redis import RedisBroker
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from apps.core import heartbeat
from apps.core.jobs import Queue
from apps.core.leases import holder_id
from apps.core.metrics import REGISTRY
from apps.invoke.models import FilePrediction, FileState
from apps.samples.models import Import, ImportState, Sample
from apps.training.models import FunctionWork
from apps.training.services.sweeper import functions_to_train

logger = structlog.get_logger(__name__)

PUBLISH_SECONDS = 5.0
EXPIRY_SECONDS = 30
CONTENT_TYPE = CONTENT_TYPE_LATEST
_PREFIX = "hundredfold:metrics:"
_THIS = "web"


def publish(client: redis.Redis) -> None:
    """Leave this process's figures where web processes find them. Raises `redis.RedisError`."""
    client.set(_PREFIX + holder_id(), generate_latest(REGISTRY), ex=EXPIRY_SECONDS)


def exposition() -> bytes:
    """Return all figures as text. What cannot be read is left out; a scraper sees by `up` what is missing."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Everything())
    return generate_latest(registry)


def is_token(header: str) -> bool:
    """Whether a request may see the figures: its header Authorization names the token there is."""
    scheme, _space, text = header.partition(" ")
    wanted = settings.METRICS_TOKEN.encode()
    return bool(wanted) and scheme.lower() == "bearer" and hmac.compare_digest(text.strip().encode(), wanted)


def serve_inside() -> None:
    """Answer on the internal port, if there is one, from a thread of its own."""
    if not settings.METRICS_PORT:
        return
    try:
        server = ThreadingHTTPServer((settings.METRICS_HOST, settings.METRICS_PORT), _Inside)
    except OSError as error:  # another web process of this machine has it; what matters goes on
        logger.warning("metrics_port_taken", port=settings.METRICS_PORT, error=str(error))
        return
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()


class _Inside(BaseHTTPRequestHandler):
    """Answers GET /metrics and nothing else."""

    timeout = 10

    def do_GET(self) -> None:
        is_it = self.path.partition("?")[0] == "/metrics"
        try:
            body = exposition() if is_it else b""
        finally:
            close_old_connections()
        self.send_response(HTTPStatus.OK if is_it else HTTPStatus.NOT_FOUND)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A line a scrape would only hide others."""


class _Everything(Collector):
    """This process, the workers, and what waits, as one set of figures."""

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for process, found in ((_THIS, list(REGISTRY.collect())), *_of_workers()):
            for family in found:
                whole = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    labels = {**sample.labels, "process": process}
                    whole.add_sample(sample.name, labels, sample.value)
        yield from families.values()
        yield from _waiting()


def _of_workers() -> list[tuple[str, list[Metric]]]:
    if settings.IS_ALONE:
        return []
    client = heartbeat.connect()
    try:
        keys = sorted(client.scan_iter(match=_PREFIX + "*", count=100))
        texts = client.mget(keys) if keys else []
    except redis.RedisError:
        return []
    finally:
        client.close()
    return [
        (str(key).removeprefix(_PREFIX), list(text_string_to_metric_families(text)))
        for key, text in zip(keys, texts, strict=True)
        if isinstance(text, str)
    ]


def _waiting() -> Iterator[Metric]:
    alive = GaugeMetricFamily(
        "hundredfold_workers", "Workers heard of lately, by the queue they take.", labels=["queue"]
    )
    messages = GaugeMetricFamily("hundredfold_queue_messages", "Messages that wait for a worker.", labels=["queue"])
    for queue, n_workers, n_messages in _queues():
        alive.add_metric([queue], n_workers)
        messages.add_metric([queue], n_messages)
    yield alive
    yield messages
    rows = GaugeMetricFamily("hundredfold_waiting", "What the database says is to be done, by kind.", labels=["work"])
    try:
        for kind, n in _work():
            rows.add_metric([kind], n)
    except DatabaseError as error:
        logger.warning("metrics_without_database", error=repr(error))
    yield rows


def _queues() -> list[tuple[str, int, int]]:
    broker = get_broker()
    if settings.IS_ALONE or not isinstance(broker, RedisBroker):
        return []
    client = heartbeat.connect()
    try:
        alive = heartbeat.workers_alive(client)
        return [
            (
                queue.value,
                sum(queue in of_one for of_one in alive),
                int(client.llen(f"{broker.namespace}:{queue.value}")),
            )
            for queue in Queue
        ]
    except redis.RedisError:
        return []
    finally:
        client.close()


def _work() -> Iterable[tuple[str, int]]:
    wanted = FunctionWork.objects.filter(wanted_revision__gt=F("done_revision")).order_by()
    return [
        ("samples_to_read", Sample.objects.filter(is_embedded=False).count()),
        ("functions_to_train", functions_to_train().count()),
        ("imports", Import.objects.filter(state__in=(ImportState.QUEUED, ImportState.RUNNING)).count()),
        ("files", FilePrediction.objects.filter(state__in=(FileState.QUEUED, FileState.RUNNING)).count()),
        *((f"functions_to_{kind}", n) for kind, n in wanted.values_list("kind").annotate(n=Count("pk"))),
    ]
