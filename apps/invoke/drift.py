"""Whether the calls of a function are still like what its model learned from: followed by workers, call by call.

Who looks at calls carries the state of the comparison from one look to the next, in one row a function. Computing is
done outside of any transaction; a look that was overtaken writes nothing.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.core.jobs import JobName, enqueue
from apps.engine.drift import FEWEST_SAMPLES, Alarm, Call, Watch, Watched
from apps.events.kinds import Audit, Live, Notify
from apps.events.services import announce, notify, record
from apps.functions.models import Function, Label
from apps.functions.services.changes import actor_id
from apps.invoke.models import DriftAlarm, DriftKind, DriftWatch, Invocation
from apps.invoke.novelty import drawn_samples
from apps.training.models import Prediction, TrainedModel

CALLS_AT_ONCE = 2_000
ROWS_AT_ONCE = 500
UNWRITTEN = timedelta(seconds=3)
"""Calls are written by several processes; those of the last moment may still lack some before them."""
LOOKED_BACK = 50_000
GROWN = 1.1
"""A model of so many times as many labels is another one, and what it says is compared anew."""
PREDICTED = 0.8
"""What is said of fewer of the samples may be of the labelled ones alone, which are not like the others."""
N_EXAMPLES = 12
FAR = 0.95
KIND_OF = {
    Watched.NOVELTY: DriftKind.INPUT,
    Watched.CONFIDENCE: DriftKind.PREDICTION,
    Watched.LABEL: DriftKind.PREDICTION,
}
WATCHED_BY = {
    DriftKind.INPUT.value: (Watched.NOVELTY,),
    DriftKind.PREDICTION.value: (Watched.CONFIDENCE, Watched.LABEL),
}


class _Seen:
    """Up to which call this process has asked for functions to be looked at."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.last_id: int | None = None


_seen = _Seen()


def enqueue_drift_watches() -> int:
    """Ask for every function that was called since the last time; two small queries where none was."""
    with _seen.lock:
        written = Invocation.objects.filter(created_at__lt=timezone.now() - UNWRITTEN)
        newest = written.order_by("-pk").values_list("pk", flat=True).first() or 0
        last_id = max(0, newest - LOOKED_BACK) if _seen.last_id is None else _seen.last_id
        if newest <= last_id:
            return 0
        _seen.last_id = newest
    called = (
        Invocation.objects.filter(pk__gt=last_id, model__isnull=False).order_by().values_list("function").distinct()
    )
    return sum(enqueue(JobName.WATCH_DRIFT, function_id) for (function_id,) in called)


def watch_drift(*, function_id: int) -> bool:
    """Look at the next calls of a function; return whether there are more. Safe to run at any time, in any number."""
    live = TrainedModel.objects.filter(function_id=function_id, is_live=True)
    model = live.select_related("function__workspace").first()
    if model is None:
        return False
    found = _watch_of(model)
    if found is None:
        return False
    row, watch = found
    calls = list(_unseen_calls(row)[:CALLS_AT_ONCE])
    if not calls:
        return False
    alarms = watch.follow([_as_call(call) for call in calls])
    with transaction.atomic():
        if not _keep(row, watch, calls[-1].pk, len(calls)):
            return False  # somebody else looked at them, or said that an alarm was seen: the next look is theirs
        for alarm in alarms:
            _raise(model, alarm, row.state.get("usual", {}))
    return len(calls) == CALLS_AT_ONCE


@transaction.atomic
def see_alarm(*, alarm: DriftAlarm, person: User) -> None:
    """Take an alarm as seen: calls are as they are now, and only what changes from here on is news."""
    changed = DriftAlarm.objects.filter(pk=alarm.pk, seen_at=None).update(seen_by=person, seen_at=timezone.now())
    if not changed:
        return
    row = DriftWatch.objects.select_for_update().filter(function=alarm.function_id).first()
    watch = Watch.from_json(row.state.get("watch", {})) if row else None
    if row is not None and watch is not None:
        watch.accept(WATCHED_BY[alarm.kind])
        state = {**row.state, "watch": watch.to_json()}
        DriftWatch.objects.filter(pk=row.pk).update(state=state, updated_at=timezone.now())
    function = alarm.function
    record(
        workspace=function.workspace.public_id,
        kind=Audit.DRIFT_SEEN,
        actor=actor_id(person),
        subject=function.public_id,
        name=function.name,
    )


def _watch_of(model: TrainedModel) -> tuple[DriftWatch, Watch] | None:
    """Return the row and the state it holds, begun anew where another model answers; None where there is nothing yet
    that calls could be compared with."""
    row = DriftWatch.objects.filter(function=model.function_id).select_related("model").first()
    if row is not None and row.model is not None and not _is_another(row.model, model):
        watch = Watch.from_json(row.state.get("watch", {}))
        if watch is not None and watch.streams:
            return row, watch
    watch, usual = _begun(model.function)
    if not watch.streams:
        return None
    before = Invocation.objects.filter(function=model.function_id, created_at__lt=model.published_at or timezone.now())
    after = before.order_by("-created_at").values_list("pk", flat=True).first() or 0
    values = {
        "model": model,
        "state": {"watch": watch.to_json(), "usual": usual},
        "last_invocation_id": max(after, row.last_invocation_id if row else 0),
        "n_calls": 0,
        "updated_at": timezone.now(),
    }
    row, _made = DriftWatch.objects.update_or_create(function_id=model.function_id, defaults=values)
    return row, watch


def _is_another(one: TrainedModel, two: TrainedModel) -> bool:
    if one.pk == two.pk:
        return False
    is_same = (one.label_ids, one.backbone_versions) == (two.label_ids, two.backbone_versions)
    return not is_same or two.n_annotations >= GROWN * max(one.n_annotations, 1)


def _begun(function: Function) -> tuple[Watch, dict[str, Any]]:
    """Return what calls are compared with: what is said of an even draw of the samples, and how that is in words."""
    keys = list(drawn_samples(function))
    labels: Counter[str] = Counter()
    confidences: list[float] = []
    for start in range(0, len(keys), ROWS_AT_ONCE):
        said = Prediction.objects.filter(sample__in=keys[start : start + ROWS_AT_ONCE])
        for label_id, confidence in said.values_list("label", "confidence"):
            labels[_label_key(label_id)] += 1
            confidences.append(confidence)
    n = len(confidences)
    if n < max(FEWEST_SAMPLES, PREDICTED * len(keys)):
        return Watch(()), {}
    novelties = (np.arange(n) + 0.5) / n
    watch = Watch.of(novelties=novelties, confidences=np.array(confidences, dtype=np.float64), labels=labels)
    usual = {"confidence": float(np.mean(confidences)), "labels": {key: count / n for key, count in labels.items()}}
    return watch, usual


def _unseen_calls(row: DriftWatch) -> QuerySet[Invocation]:
    rows = Invocation.objects.filter(function=row.function_id, pk__gt=row.last_invocation_id, error="")
    return rows.filter(model__isnull=False, created_at__lt=timezone.now() - UNWRITTEN).order_by("pk")


def _as_call(call: Invocation) -> Call:
    return Call(call.pk, _label_key(call.label_id), call.confidence, call.novelty)


def _label_key(label_id: int | None) -> str:
    return str(label_id or "")


def _keep(row: DriftWatch, watch: Watch, last_id: int, n_calls: int) -> bool:
    still = DriftWatch.objects.filter(pk=row.pk, updated_at=row.updated_at)
    return bool(
        still.update(
            state={**row.state, "watch": watch.to_json()},
            last_invocation_id=last_id,
            n_calls=row.n_calls + n_calls,
            updated_at=timezone.now(),
        )
    )


def _raise(model: TrainedModel, alarm: Alarm, usual: dict[str, Any]) -> None:
    """Write an alarm down, unless one of its kind waits to be seen."""
    function, kind = model.function, KIND_OF[alarm.watched]
    if DriftAlarm.objects.filter(function=function, kind=kind, model=model, seen_at=None).exists():
        return
    calls = Invocation.objects.filter(function=function, pk__gte=alarm.since, pk__lte=alarm.raised, error="")
    rows = list(calls.select_related("label", "sample").order_by("-pk")[:CALLS_AT_ONCE])
    facts = _facts(alarm, rows, usual)
    made = DriftAlarm.objects.create(
        function=function, model=model, kind=kind, facts=facts, began_at=rows[-1].created_at if rows else timezone.now()
    )
    workspace = function.workspace.public_id
    record(
        workspace=workspace,
        kind=Audit.DRIFT_NOTICED,
        subject=function.public_id,
        name=function.name,
        what=kind.label.lower(),
    )
    announce(workspace=workspace, kind=Live.PREDICTIONS_CHANGED, subject=function.public_id)
    notify(
        workspace=workspace,
        kind=Notify.DRIFT,
        function=function.public_id,
        alarm_id=made.public_id,
        alarm_kind=kind.value,
    )


def _facts(alarm: Alarm, rows: Sequence[Invocation], usual: dict[str, Any]) -> dict[str, Any]:
    """What an alarm is about in numbers, and some of the calls, kept here because rows of calls are cleared."""
    label = Label.objects.filter(pk=alarm.label).first() if alarm.label.isdigit() else None
    known = [row for row in rows if row.confidence is not None]
    facts: dict[str, Any] = {"watched": alarm.watched.value, "is_more": alarm.is_more, "n_calls": len(rows)}
    if alarm.watched is Watched.NOVELTY:
        values = [row.novelty for row in rows if row.novelty is not None]
        facts |= {"now": sum(value >= FAR for value in values) / max(len(values), 1), "usual": 1 - FAR}
    elif alarm.watched is Watched.CONFIDENCE:
        mean = sum(row.confidence or 0.0 for row in known) / max(len(known), 1)
        facts |= {"now": mean, "usual": usual.get("confidence")}
    else:
        n = sum(_label_key(row.label_id) == alarm.label for row in rows)
        facts |= {"now": n / max(len(rows), 1), "usual": usual.get("labels", {}).get(alarm.label, 0.0)}
        facts |= {"label": label.public_id if label else "", "label_name": label.name if label else ""}
    return facts | {"calls": [_example(row) for row in _telling(alarm, rows)[:N_EXAMPLES]]}


def _telling(alarm: Alarm, rows: Sequence[Invocation]) -> list[Invocation]:
    """The calls that show it best, first."""
    if alarm.watched is Watched.NOVELTY:
        return sorted(rows, key=lambda row: -(row.novelty or 0.0) if alarm.is_more else (row.novelty or 0.0))
    if alarm.watched is Watched.CONFIDENCE:
        return sorted(rows, key=lambda row: -(row.confidence or 0.0) if alarm.is_more else (row.confidence or 0.0))
    return [row for row in rows if (_label_key(row.label_id) == alarm.label) == alarm.is_more]


def _example(row: Invocation) -> dict[str, Any]:
    return {
        "at": row.created_at.isoformat(),
        "label": row.label.public_id if row.label else "",
        "label_name": row.label.name if row.label else "",
        "confidence": row.confidence,
        "novelty": row.novelty,
        "sample": row.sample.public_id if row.sample else "",
    }
