"""What is in each queue of review, in the order in which it is asked: keys only, read from indexes.

Every queue is walked by rank and then by sample, the lowest first, so that a page can go on behind any of its samples
without counting those before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from django.db.models import Case, Exists, F, FloatField, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Cast

from apps.core.errors import InvalidInput
from apps.functions.models import Function, OutputKind
from apps.review.filters import UNSURE_MARGIN
from apps.review.queues import QUEUES, Queue, QueueName
from apps.review.selectors.tag_table import UNSURE_MARGIN as UNSURE_TAG_MARGIN
from apps.samples.models import (
    Feedback,
    FeedbackState,
    Mark,
    MarkKind,
    Origin,
    ReviewState,
    Sample,
    Verdict,
)
from apps.training.models import Finding, FindingKind, Prediction, PredictionKind, TrainedModel
from apps.training.selectors import findings
from apps.training.services.figures import threshold_for

ALIKE_LAST = 1e3
"""More than any score: pairs with the same label, or none, come behind all that differ."""
RIGHT_LAST = 1e15
"""More than any key, and no more than a float counts singly: reports of right answers come behind all others."""
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
MOST_COUNTED = 1_000
"""Nobody needs to know how many more there are; counting them all would make the menu slow."""

Rows: TypeAlias = QuerySet[Any]
"""Samples, findings, predictions, marks or reports, with `rank` and `of_sample` beside each."""


@dataclass(frozen=True)
class Entry:
    """A queue in the menu. `n` goes up to `MOST_COUNTED`."""

    queue: Queue
    n: int

    @property
    def count(self) -> str:
        return f"{MOST_COUNTED - 1}+" if self.n >= MOST_COUNTED else str(self.n)


@dataclass(frozen=True)
class Place:
    """One sample's place in a queue; `source` is the key of the finding, prediction, mark or report that put it in."""

    rank: float
    sample_id: int
    source: int


def menu(function: Function) -> list[Entry]:
    """Return the queues with how many samples are in each; those the function has no use for are left out."""
    entries = [Entry(queue, n_in_queue(function, name)) for name, queue in QUEUES.items()]
    return [entry for entry in entries if entry.n or not entry.queue.only_where_used or entry.queue.is_used(function)]


def n_in_queue(function: Function, name: QueueName) -> int:
    """Count a queue, up to `MOST_COUNTED`."""
    return _rows(function, name).order_by().values("pk")[:MOST_COUNTED].count()


def places(function: Function, name: QueueName, n: int, *, after: str = "") -> list[Place]:
    """Return the next `n` places of a queue, `after` the one that was read with that token."""
    rows = _rows(function, name)
    if after:
        rank, sample_id = _read_token(function, after)
        # The first condition says the same as the second, and can be looked up in an index.
        rows = rows.filter(rank__gte=rank).filter(Q(rank__gt=rank) | Q(of_sample__gt=sample_id))
    found = rows.order_by("rank", "of_sample", "pk").values_list("rank", "of_sample", "pk")[:n]
    return [Place(rank, sample_id, source) for rank, sample_id, source in found]


def standing_in(function: Function, name: QueueName, sample_ids: Sequence[int]) -> list[int]:
    """Return those of these samples that are in the queue now."""
    found = _rows(function, name).filter(of_sample__in=sample_ids).order_by()
    return list(found.values_list("of_sample", flat=True))


def token_of(place: Place, sample: Sample) -> str:
    """Return what `places` goes on behind."""
    return f"{place.rank!r}~{sample.public_id}"


def _read_token(function: Function, token: str) -> tuple[float, int]:
    rank, _, public_id = token.partition("~")
    sample_id = Sample.everywhere.filter(public_id=public_id, function=function).values_list("pk", flat=True).first()
    try:
        number = float(rank) if len(rank) < 40 else math.nan
    except ValueError:
        number = math.nan
    if sample_id is None or not math.isfinite(number):
        raise InvalidInput("There is no such place in this queue. Open it again.")
    return number, sample_id


def _rows(function: Function, name: QueueName) -> Rows:
    return _ROWS[name](function)


def _reported(function: Function) -> Rows:
    """Waiting reports, one a sample: one of a wrong answer before one of a right one, then the newest."""
    waiting = Feedback.objects.filter(state=FeedbackState.WAITING)
    rank = Case(
        When(verdict=Verdict.WRONG, then=-Cast(F("pk"), FloatField())),
        default=RIGHT_LAST - Cast(F("pk"), FloatField()),
        output_field=FloatField(),
    )
    of_same = waiting.filter(sample=OuterRef("sample")).annotate(its_rank=rank)
    rows = waiting.filter(function=function, sample__deleted_at=None).annotate(rank=rank, of_sample=F("sample_id"))
    return rows.filter(~Exists(of_same.filter(its_rank__lt=OuterRef("rank"))), ~_doubted("sample"))


def _captured(function: Function) -> Rows:
    # The first condition is always true: SQLite takes the index of captured ones where it is told to go by time.
    rows = Sample.objects.filter(created_at__gt=LONG_AGO, function=function, origin=Origin.CAPTURE, annotation=None)
    rows = rows.filter(~_doubted("pk"), capture__isnull=False)
    return rows.annotate(rank=-Cast(F("pk"), FloatField()), of_sample=F("pk"))


def _wrong_labels(function: Function) -> Rows:
    return _found(function, FindingKind.WRONG_LABEL).filter(~_doubted("sample"))


def _new_kinds(function: Function) -> Rows:
    return _found(function, FindingKind.NEW_KIND).filter(~_doubted("sample"))


def _near_duplicates(function: Function) -> Rows:
    # Only pairs whose labels differ have one of them in doubt.
    last = Case(When(annotation=None, then=Value(ALIKE_LAST)), default=Value(0.0), output_field=FloatField())
    return _found(function, FindingKind.NEAR_DUPLICATE).annotate(rank=last - F("score"))


def _found(function: Function, kind: FindingKind) -> QuerySet[Finding]:
    return findings(function, kind).annotate(rank=-F("score"), of_sample=F("sample_id"))


def _unsure(function: Function) -> Rows:
    return _torn(function, PredictionKind.LIVE).filter(sample__annotation=None)


def _unsure_labelled(function: Function) -> Rows:
    rows = _torn(function, PredictionKind.OUT_OF_FOLD)
    return rows.filter(sample__annotation__isnull=False, sample__annotation__confirmation=None)


def _torn(function: Function, kind: PredictionKind) -> QuerySet[Prediction]:
    limit = UNSURE_TAG_MARGIN if function.output_kind == OutputKind.TAGS else UNSURE_MARGIN
    rows = Prediction.objects.filter(function=function, kind=kind, margin__lt=limit).filter(~_doubted("sample"))
    return rows.annotate(rank=F("margin"), of_sample=F("sample_id"))


def _disputed(function: Function) -> Rows:
    return _in_order_of_arrival(Sample.objects.filter(function=function, is_disputed=True))


def _to_check(function: Function) -> Rows:
    return _in_order_of_arrival(Sample.objects.filter(function=function, review=ReviewState.WANTED))


def _in_order_of_arrival(samples: QuerySet[Sample]) -> QuerySet[Sample]:
    return samples.annotate(rank=Value(0.0, output_field=FloatField()), of_sample=F("pk"))


def _flagged(function: Function) -> Rows:
    # Marks are few and samples many. A bare comparison with the function would have SQLite begin with the samples.
    of_function = Cast(F("sample__function_id"), FloatField())
    rows = Mark.objects.alias(of_function=of_function).filter(of_function=function.pk, sample__deleted_at=None)
    # One row a sample: its oldest mark.
    earlier = Mark.objects.filter(sample=OuterRef("sample"), pk__lt=OuterRef("pk"))
    rows = rows.filter(~Exists(earlier))
    return rows.annotate(rank=Value(0.0, output_field=FloatField()), of_sample=F("sample_id"))


def provisional_from(function: Function) -> float | None:
    """Return from which confidence on an answer stands provisionally; None: none does."""
    model = TrainedModel.objects.filter(function=function, is_live=True).first() if function.is_machine_first else None
    return threshold_for(model, function.automation_target) if model else None


def _provisional(function: Function) -> Rows:
    rows = Prediction.objects.annotate(rank=-F("confidence"), of_sample=F("sample_id"))
    threshold = provisional_from(function)
    if threshold is None:
        return rows.none()
    return rows.filter(
        function=function, kind=PredictionKind.LIVE, confidence__gte=threshold, sample__annotation=None
    ).filter(~_doubted("sample"))


def _doubted(path: str) -> Exists:
    """Somebody was not sure of it: it waits among the flagged ones for somebody else."""
    return Exists(Mark.objects.filter(sample=OuterRef(path), kind=MarkKind.UNSURE))


_ROWS: dict[QueueName, Callable[[Function], Rows]] = {
    QueueName.REPORTED: _reported,
    QueueName.CAPTURED: _captured,
    QueueName.WRONG_LABELS: _wrong_labels,
    QueueName.UNSURE: _unsure,
    QueueName.UNSURE_LABELLED: _unsure_labelled,
    QueueName.DISPUTED: _disputed,
    QueueName.FLAGGED: _flagged,
    QueueName.TO_CHECK: _to_check,
    QueueName.NEW_KINDS: _new_kinds,
    QueueName.NEAR_DUPLICATES: _near_duplicates,
    QueueName.PROVISIONAL: _provisional,
}
