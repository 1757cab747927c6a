"""Calls followed one after the other, and what is said when they are no longer as they were."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.core.jobs import JobName
from apps.events.kinds import Audit, Notify
from apps.events.models import Audience, Event, Notice
from apps.functions.models import Function
from apps.invoke import drift
from apps.invoke.drift import enqueue_drift_watches, see_alarm, watch_drift
from apps.invoke.models import DriftAlarm, DriftKind, DriftWatch, Invocation
from apps.samples.models import Origin
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import TrainedModel
from apps.training.services import finish_work
from tests.told import undescribed, untold

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = ["refund", "money", "back", "please", "parcel", "late", "track", "delivery", "order", "card", "charge", "where"]


@pytest.fixture
def watched(trained: Function) -> Function:
    """The trained function with 200 more samples, predicted."""
    draw = np.random.default_rng(0)
    texts = sorted({" ".join(draw.choice(WORDS, size=6).tolist()) for _ in range(200)})
    add_texts(function=trained, items=[NewText(text, "") for text in texts], person=None, origin=Origin.API)
    finish_work(function_id=trained.pk)
    TrainedModel.objects.update(published_at=timezone.now() - timedelta(hours=1))
    return trained


def live(function: Function) -> TrainedModel:
    return TrainedModel.objects.get(function=function, is_live=True)


def calls(function: Function, n: int, *, seed: int, novel: float = 0.0, label: str = "") -> None:
    """Calls as usual: labels and confidences as often as among the samples; a share of them novel."""
    draw, model = np.random.default_rng(seed), live(function)
    said = list(model.function.samples.values_list("predictions__label", "predictions__confidence"))
    only = function.labels.get(name=label).pk if label else None
    at = timezone.now() - timedelta(minutes=5)
    rows = []
    for row in draw.integers(len(said), size=n):
        label_id, confidence = said[row]
        novelty = 0.97 + 0.03 * draw.random() if draw.random() < novel else draw.random()
        values = {"novelty": novelty, "confidence": confidence, "milliseconds": 9.0, "created_at": at}
        rows.append(Invocation(function=function, model=model, label_id=only or label_id, **values))
    Invocation.objects.bulk_create(rows)


def look(function: Function) -> None:
    while watch_drift(function_id=function.pk):
        pass


def test_calls_as_usual_raise_no_alarm_and_are_looked_at_once(watched: Function) -> None:
    calls(watched, 2_500, seed=1)
    look(watched)
    row = DriftWatch.objects.get(function=watched)
    newest = Invocation.objects.order_by("-pk").values_list("pk", flat=True).first()
    assert (row.n_calls, row.last_invocation_id) == (2_500, newest)
    assert not DriftAlarm.objects.exists()
    assert not watch_drift(function_id=watched.pk)


def test_inputs_of_another_kind_raise_one_alarm_that_says_what_since_when_and_shows_calls(watched: Function) -> None:
    calls(watched, 400, seed=2)
    look(watched)
    Audience.objects.create(workspace_id=watched.workspace.public_id)
    calls(watched, 300, seed=3, novel=0.5)
    look(watched)
    alarm = DriftAlarm.objects.get()
    assert alarm.kind == DriftKind.INPUT
    assert alarm.facts["now"] > 0.3
    assert alarm.facts["usual"] == pytest.approx(0.05)
    assert len(alarm.facts["calls"]) == 12
    assert all(call["novelty"] > 0.9 for call in alarm.facts["calls"])
    calls(watched, 300, seed=4, novel=0.5)
    look(watched)
    assert DriftAlarm.objects.count() == 1
    event = Event.objects.get(kind=Audit.DRIFT_NOTICED)
    assert (event.subject, event.data["name"]) == (watched.public_id, watched.name)
    notice = Notice.objects.get(kind=Notify.DRIFT)
    assert notice.data == {"alarm_id": alarm.public_id, "alarm_kind": "input"}
    assert undescribed(notice.kind, notice.data) == untold(notice.kind, notice.data) == set()


def test_answers_of_one_label_alone_raise_an_alarm_with_its_name(watched: Function) -> None:
    calls(watched, 300, seed=5, label="Shipping")
    look(watched)
    alarm = DriftAlarm.objects.get(kind=DriftKind.PREDICTION)
    assert alarm.facts["watched"] == "label"
    assert alarm.facts["label_name"] in {"Shipping", "Refund"}
    assert alarm.facts["now"] in (0.0, 1.0)


def test_what_was_seen_is_usual_from_then_on(watched: Function, owner: User) -> None:
    calls(watched, 600, seed=6, novel=0.5)
    look(watched)
    see_alarm(alarm=DriftAlarm.objects.get(), person=owner)
    see_alarm(alarm=DriftAlarm.objects.get(), person=owner)
    calls(watched, 1_500, seed=7, novel=0.5)
    look(watched)
    alarm = DriftAlarm.objects.get()
    assert alarm.seen_by == owner
    assert Event.objects.filter(kind=Audit.DRIFT_SEEN).count() == 1


def test_a_look_that_was_overtaken_writes_nothing(watched: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    calls(watched, 300, seed=8, novel=0.9)
    kept = drift._keep

    def overtaken(*given: object) -> bool:
        DriftWatch.objects.update(updated_at=timezone.now())
        return kept(*given)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(drift, "_keep", overtaken)
    assert not watch_drift(function_id=watched.pk)
    assert DriftWatch.objects.get().n_calls == 0
    assert not DriftAlarm.objects.exists()


def test_the_comparison_begins_anew_with_a_model_of_other_labels_and_not_with_a_refit(watched: Function) -> None:
    calls(watched, 200, seed=9)
    look(watched)
    TrainedModel.objects.filter(function=watched).update(n_annotations=1_000)
    model = live(watched)
    TrainedModel.objects.filter(pk=model.pk).update(is_live=False)
    number = model.number + 1
    model.pk, model.public_id, model.number, model.is_live = None, "model_refit", number, True
    model.n_annotations = 1_001
    model.save(force_insert=True)
    calls(watched, 100, seed=10)
    look(watched)
    assert DriftWatch.objects.get().n_calls == 300
    TrainedModel.objects.filter(pk=model.pk).update(label_ids=["label_other"])
    calls(watched, 100, seed=11)
    look(watched)
    assert DriftWatch.objects.get().model_id == model.pk
    assert DriftWatch.objects.get().n_calls < 300


def test_functions_that_were_called_are_looked_at(watched: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[JobName, int]] = []
    monkeypatch.setattr(drift, "_seen", drift._Seen())

    def ask(job: JobName, function_id: int) -> bool:
        asked.append((job, function_id))
        return True

    monkeypatch.setattr(drift, "enqueue", ask)
    assert enqueue_drift_watches() == 0
    calls(watched, 3, seed=12)
    assert enqueue_drift_watches() == 1
    assert enqueue_drift_watches() == 0
    assert asked == [(JobName.WATCH_DRIFT, watched.pk)]


def test_the_last_calls_of_all_are_looked_at_once_they_are_surely_written(
    watched: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "_seen", drift._Seen())
    monkeypatch.setattr(drift, "enqueue", lambda job, function_id: True)
    calls(watched, 1, seed=13)
    Invocation.objects.update(created_at=timezone.now())
    assert enqueue_drift_watches() == 0
    Invocation.objects.update(created_at=timezone.now() - 2 * drift.UNWRITTEN)
    assert enqueue_drift_watches() == 1


def test_without_enough_samples_or_a_model_nothing_is_watched(trained: Function, text_function: Function) -> None:
    Invocation.objects.create(
        function=trained, model=live(trained), milliseconds=3, confidence=0.4, created_at=timezone.now()
    )
    assert not watch_drift(function_id=trained.pk)
    assert not watch_drift(function_id=10**6)
    assert not DriftWatch.objects.exists()
