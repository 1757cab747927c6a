"""Messages leave after the commit, and a dead broker never fails a save."""

import pytest
from django.db import transaction
from dramatiq.errors import BrokerConnectionError
from pytest_django import DjangoCaptureOnCommitCallbacks

from apps.core import jobs
from apps.core.jobs import JobName
from config.broker import HundredfoldRedisBroker


class Recorder:
    """Stands where the broker stands and keeps what is sent."""

    def __init__(self, error: Exception | None = None) -> None:
        self.sent: list[tuple[str, str, tuple[int, ...]]] = []
        self.error = error

    def enqueue(self, message: "jobs.Message[None]") -> None:
        if self.error:
            raise self.error
        self.sent.append((message.queue_name, message.actor_name, tuple(message.args)))


@pytest.mark.django_db
def test_a_message_waits_for_the_commit(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    broker = Recorder()
    monkeypatch.setattr(jobs, "get_broker", lambda: broker)
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        jobs.enqueue_on_commit(JobName.TRAIN_FUNCTION, 7)
        assert broker.sent == []
    assert broker.sent == [("train", "train_function", (7,))]


def test_a_dead_broker_is_reported_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "get_broker", lambda: Recorder(BrokerConnectionError("gone")))
    assert jobs.enqueue(JobName.EMBED_FUNCTION, 1) is False


def test_neither_is_a_redis_that_nobody_answers_at(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = HundredfoldRedisBroker(url="redis://127.0.0.1:1/0", middleware=[])
    monkeypatch.setattr(jobs, "get_broker", lambda: nobody)
    assert jobs.enqueue(JobName.EMBED_FUNCTION, 1) is False


def test_every_job_has_a_queue() -> None:
    assert {job.queue for job in JobName} <= set(jobs.Queue)
