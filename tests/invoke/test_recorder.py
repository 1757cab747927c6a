"""Rows of answered calls: written together, in the background, and never at the cost of an answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.db import DatabaseError

from apps.functions.models import Function
from apps.invoke import recorder
from apps.invoke.models import Invocation
from apps.invoke.recorder import Answered, Recorder
from apps.training.models import TrainedModel
from apps.workspaces.models import ApiKey

pytestmark = pytest.mark.django_db(transaction=True)
NEVER = 3600.0


@pytest.fixture
def answered(trained: Function, key: tuple[ApiKey, str]) -> Answered:
    model = TrainedModel.objects.get(function=trained, is_live=True)
    label = trained.labels.get(name="Refund")
    when = datetime(2026, 3, 1, 12, tzinfo=UTC)
    return Answered(trained.pk, model.pk, label.pk, key[0].pk, 0.9, 12.5, when)


def test_rows_keep_the_time_of_the_answer_not_of_the_writing(answered: Answered) -> None:
    kept = Recorder(flush_seconds=NEVER)
    kept.add(answered)
    kept.close()
    row = Invocation.objects.get()
    assert (row.created_at, row.confidence, row.milliseconds) == (answered.created_at, 0.9, 12.5)


def test_closing_writes_what_is_left_and_later_rows_start_anew(answered: Answered) -> None:
    kept = Recorder(flush_seconds=NEVER)
    for _ in range(3):
        kept.add(answered)
    kept.close()
    assert Invocation.objects.count() == 3
    kept.add(answered)
    kept.close()
    assert Invocation.objects.count() == 4


def test_many_rows_are_written_in_turns(answered: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MAX_ROWS", 10)
    kept = Recorder(flush_seconds=NEVER)
    for _ in range(25):
        kept.add(answered)
    kept.flush()
    assert Invocation.objects.count() == 25
    kept.close()


def test_what_was_deleted_meanwhile_takes_only_its_own_rows_along(answered: Answered) -> None:
    kept = Recorder(flush_seconds=NEVER)
    kept.add(answered)
    kept.add(replace(answered, model_id=10**6))
    kept.add(replace(answered, function_id=10**6))
    kept.add(replace(answered, key_id=10**6, label_id=10**6))
    kept.close()
    rows = [(row.key_id, row.label_id) for row in Invocation.objects.order_by("id")]
    assert rows == [(answered.key_id, answered.label_id), (None, None)]


def test_rows_wait_while_the_database_is_away(answered: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Recorder(flush_seconds=NEVER)
    kept.add(answered)
    kept.add(replace(answered, confidence=0.5))
    with monkeypatch.context() as patch:

        def refuse(_rows: object) -> None:
            raise DatabaseError("away")

        patch.setattr(recorder, "_insert", refuse)
        with pytest.raises(DatabaseError):
            kept.flush()
        assert Invocation.objects.count() == 0
    kept.flush()
    assert list(Invocation.objects.order_by("id").values_list("confidence", flat=True)) == [0.9, 0.5]
    kept.close()


def test_memory_is_bounded(answered: Answered) -> None:
    kept = Recorder(flush_seconds=NEVER, max_waiting=2)
    for _ in range(5):
        kept.add(answered)
    kept.close()
    assert Invocation.objects.count() == 2
