"""Liveness, readiness and the banner: right answers for each part that can be away."""

from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from pytest_django import Settings

from apps.core import heartbeat
from apps.core.jobs import Queue
from apps.ops import health

ALL = ",".join(Queue)


@pytest.fixture
def a_worker(with_redis: None) -> Iterator[None]:
    client = heartbeat.connect()
    heartbeat.beat(client)
    yield
    heartbeat.fall_silent(client)


@pytest.fixture
def broker_away(settings: Settings) -> None:
    settings.REDIS_URL, settings.IS_ALONE = "unix:///nowhere/redis.sock", False


def test_healthz_answers_without_asking_anybody(client: Client, broker_away: None) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok")


@pytest.mark.django_db
def test_ready_when_database_broker_and_worker_answer(client: Client, a_worker: None) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"ready": True, "problems": {}}
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_not_ready_without_a_worker(client: Client, with_redis: None) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["problems"].keys() == {"worker"}


@pytest.mark.django_db
def test_not_ready_without_the_broker(client: Client, broker_away: None) -> None:
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["problems"].keys() == {"broker", "worker"}


@pytest.mark.django_db
def test_not_ready_without_the_database(a_worker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise DatabaseError

    monkeypatch.setattr(connection, "cursor", refuse)
    assert health.problems().keys() == {"database"}


@pytest.mark.django_db
def test_a_worker_that_ends_on_purpose_is_missed_at_once(client: Client, a_worker: None) -> None:
    heartbeat.fall_silent(heartbeat.connect())
    assert client.get("/readyz").status_code == 503


@pytest.mark.django_db
def test_not_ready_where_no_worker_takes_some_of_the_work(
    client: Client, with_redis: None, owner_client: Client
) -> None:
    beats = heartbeat.connect()
    heartbeat.beat(beats, [Queue.EMBED, Queue.DEFAULT])
    try:
        problems = client.get("/readyz").json()["problems"]
        banner = owner_client.get("/status/worker/")
        again = owner_client.get("/status/worker/", {"shown": "train,parts,adapt"})
        other = owner_client.get("/status/worker/", {"shown": ALL})
    finally:
        heartbeat.fall_silent(beats)
    assert problems == {"queues": "No worker takes train, parts, adapt."}
    assert "learning from labels; learning from thousands" in banner.content.decode()
    assert again.status_code == 204
    assert other.status_code == 200


def test_a_person_reads_that_nobody_works(owner_client: Client, with_redis: None) -> None:
    response = owner_client.get("/status/worker/")
    assert response.status_code == 200
    assert "the background worker is not running" in response.content.decode()


def test_the_banner_is_not_sent_twice(owner_client: Client, with_redis: None) -> None:
    assert owner_client.get("/status/worker/", {"shown": ALL}).status_code == 204


def test_the_banner_goes_when_a_worker_is_back(owner_client: Client, a_worker: None) -> None:
    response = owner_client.get("/status/worker/", {"shown": ALL})
    assert (response.status_code, response.content.strip()) == (200, b"")
    assert owner_client.get("/status/worker/").status_code == 204


def test_the_banner_shows_while_the_broker_is_away(owner_client: Client, broker_away: None) -> None:
    assert b"not running" in owner_client.get("/status/worker/").content


def test_a_stranger_learns_nothing_of_workers(client: Client, db: None) -> None:
    assert client.get("/status/worker/").status_code == 302
