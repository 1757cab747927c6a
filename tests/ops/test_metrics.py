"""What a scraper is told, and who else is not."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.test import Client
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from apps.core import heartbeat
from apps.core.leases import holder_id
from apps.core.metrics import EMBEDDINGS, ROUND_SECONDS
from apps.functions.models import Function
from apps.ops import metrics
from apps.samples.models import Origin, Sample
from apps.samples.services.intake import NewText, add_texts
from apps.training.services import finish_work
from tests.private_redis import KillableRedis, killable_redis

pytestmark = pytest.mark.django_db
TOKEN = "a-token-of-some-length"  # of this test alone


def families(text: bytes) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text.decode())}


def value(text: bytes, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in families(text).values()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


@pytest.fixture
def scraper(settings: Settings) -> Client:
    settings.METRICS_TOKEN = TOKEN
    return Client(headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
def test_without_the_token_nothing_is_there(client: Client, settings: Settings, header: str) -> None:
    assert client.get("/metrics", headers={"Authorization": header}).status_code == 404
    settings.METRICS_TOKEN = TOKEN
    assert client.get("/metrics", headers={"Authorization": header}).status_code == 404


def test_requests_are_counted_by_route_and_status_and_never_by_id(
    scraper: Client, text_function: Function, owner_client: Client
) -> None:
    before = scraper.get("/metrics").content
    for _ in range(3):
        owner_client.get(f"/functions/{text_function.public_id}/models/")
    owner_client.get("/nowhere/at/all/")
    after = scraper.get("/metrics").content
    route = {"route": "training:models_page", "status": "200", "process": "web"}
    counted = "hundredfold_requests_total"
    assert value(after, counted, **route) - value(before, counted, **route) == 3
    assert value(after, counted, route="unknown", status="404") >= 1
    assert text_function.public_id.encode() not in after


def test_what_waits_is_told_from_the_rows(scraper: Client, text_function: Function) -> None:
    add_texts(function=text_function, items=[NewText("late", ""), NewText("lost", "")], person=None, origin=Origin.API)
    assert value(scraper.get("/metrics").content, "hundredfold_waiting", work="samples_to_read") == 2
    Sample.objects.update(is_embedded=True)
    assert value(scraper.get("/metrics").content, "hundredfold_waiting", work="samples_to_read") == 0


@pytest.mark.django_db(transaction=True)
def test_rounds_and_embeddings_are_counted_where_they_are_done(text_function: Function) -> None:
    before = EMBEDDINGS._value.get()
    rounds = sum(sample.value for sample in next(iter(ROUND_SECONDS.collect())).samples if "count" in sample.name)
    texts = [
        ("refund me", "Refund"),
        ("money back", "Refund"),
        ("late parcel", "Shipping"),
        ("lost parcel", "Shipping"),
    ]
    add_texts(
        function=text_function,
        items=[NewText(text, label) for text, label in texts],
        person=None,
        origin=Origin.IMPORT,
    )
    finish_work(function_id=text_function.pk)
    assert EMBEDDINGS._value.get() >= before + 4
    after = sum(sample.value for sample in next(iter(ROUND_SECONDS.collect())).samples if "count" in sample.name)
    assert after >= rounds + 1


@pytest.fixture
def broker(settings: Settings, tmp_path: Path) -> Iterator[KillableRedis]:
    with killable_redis(tmp_path) as server:
        settings.REDIS_URL, settings.IS_ALONE = server.url, False
        yield server


def test_figures_of_workers_come_by_way_of_redis(broker: KillableRedis) -> None:
    client = heartbeat.connect()
    metrics.publish(client)
    heartbeat.beat(client)
    told = metrics.exposition()
    processes = {sample.labels.get("process") for family in families(told).values() for sample in family.samples}
    assert {"web", holder_id()} <= processes
    for family in families(told).values():
        keys = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
        assert len(keys) == len(set(keys)), family.name
    assert 0 < client.ttl(f"hundredfold:metrics:{holder_id()}") <= metrics.EXPIRY_SECONDS
    client.close()


def test_without_redis_this_process_is_told_all_the_same(broker: KillableRedis) -> None:
    broker.kill()
    assert value(metrics.exposition(), "hundredfold_embeddings_total", process="web") >= 0
    with pytest.raises(redis.RedisError):
        metrics.publish(heartbeat.connect())


def test_the_port_inside_answers_without_a_token_and_nothing_else(settings: Settings) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings.METRICS_PORT = free.getsockname()[1]
    metrics.serve_inside()
    for path, status in (("/metrics", 200), ("/", 404), ("/metrics/more", 404)):
        asked = http.client.HTTPConnection("127.0.0.1", settings.METRICS_PORT, timeout=10)
        asked.request("GET", path)
        response = asked.getresponse()
        body = response.read()
        asked.close()
        assert response.status == status
        assert (b"hundredfold_" in body) is (status == 200)


def test_a_port_that_is_taken_stops_nothing(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings.METRICS_PORT = taken.getsockname()[1]
        metrics.serve_inside()
