"""Announcements reach Redis after the commit, and never stand in the way of one."""

import json
import time

import pytest
import redis
from django.db import transaction
from pytest_django import DjangoCaptureOnCommitCallbacks as OnCommit
from pytest_django import Settings

from apps.events.kinds import Live
from apps.events.services import announce
from tests.private_redis import KillableRedis


def announce_predictions() -> None:
    announce(workspace="workspace_here", kind=Live.PREDICTIONS_CHANGED, subject="function_a", n_right=87)


@pytest.mark.django_db
def test_one_process_alone_announces_nothing(
    django_capture_on_commit_callbacks: OnCommit,
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        announce_predictions()
    assert callbacks == []


@pytest.mark.django_db(transaction=True)
def test_it_is_published_when_the_transaction_commits_and_not_before(redis_server: KillableRedis) -> None:
    with redis.Redis.from_url(redis_server.url) as client, client.pubsub() as pubsub:
        pubsub.subscribe("hundredfold:live:workspace_here")
        assert pubsub.get_message(timeout=5) is not None  # the subscription itself
        with transaction.atomic():
            announce_predictions()
            assert pubsub.get_message(timeout=0.1) is None
        message = pubsub.get_message(timeout=5)
    assert message is not None
    body = {"kind": "predictions", "subject": "function_a", "data": {"n_right": 87}}
    assert json.loads(message["data"]) == body


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_is_not_announced(redis_server: KillableRedis) -> None:
    with redis.Redis.from_url(redis_server.url) as client, client.pubsub() as pubsub:
        pubsub.subscribe("hundredfold:live:workspace_here")
        assert pubsub.get_message(timeout=5) is not None
        with transaction.atomic():
            announce_predictions()
            transaction.set_rollback(True)
        assert pubsub.get_message(timeout=0.2) is None


@pytest.mark.django_db(transaction=True)
def test_a_dead_redis_neither_fails_nor_delays_a_save(redis_server: KillableRedis) -> None:
    announce_predictions()
    redis_server.kill()
    started = time.monotonic()
    for _ in range(10):
        announce_predictions()
    assert time.monotonic() - started < 1
    redis_server.start()
    announce_predictions()


@pytest.mark.django_db
def test_a_redis_that_never_was_is_silent(settings: Settings, django_capture_on_commit_callbacks: OnCommit) -> None:
    settings.REDIS_URL, settings.IS_ALONE = "unix:///nowhere/redis.sock", False
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        announce_predictions()
    assert len(callbacks) == 1
