"""How far a function is, as programs ask that wait for it: one statement, hence one moment, whatever happens beside.

What could not be done several times in a row is not waited for: it is tried again, but nobody knows whether it ever can
be, and whoever waits would wait for ever.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from django.db.models import Count, Exists, F, IntegerField, Model, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.core.errors import NotFound
from apps.functions.models import Function, OutputKind
from apps.samples.models import Sample, SampleTag
from apps.training.models import UNSETTLED, FunctionWork, Prediction, Rereading, TrainedModel, WorkKind

GIVEN_UP_AFTER = 3
"""Failures in a row: with the pauses between them, about 20 s after the first."""
COUNTS_KEPT = 256


@dataclass(frozen=True)
class Standing:
    """A function at one moment.

    `is_at_work`: something brought or labelled so far has not been read, learned from or predicted yet. `can_answer`:
    there is a model, or what can be found. `n_predicted` reaches `n_samples` when nothing is at work any more, samples
    that cannot be read included: nothing will ever be said of them.
    """

    revision: int
    n_samples: int
    n_labelled: int
    n_predicted: int
    is_at_work: bool
    can_answer: bool


@dataclass(frozen=True)
class LabelCounts:
    """Of how many samples something is said about each label in use, by public id; and on how many it is."""

    said: Mapping[str, int]
    present: Mapping[str, int]


def standing_of(function: Function) -> Standing:
    """Return how far a function is. Counts read indexes alone. Raises NotFound when it has just been deleted."""
    is_busy = _is_busy_searching() if function.output_kind == OutputKind.SEARCH else _is_busy_learning()
    row = (
        Function.objects.filter(pk=function.pk)
        .annotate(
            n_samples=_count(Sample.objects.all()),
            n_unlabelled=_count(Sample.objects.filter(annotation=None)),
            n_predictions=_count(Prediction.objects.all()),
            is_busy=is_busy,
            has_model=Exists(TrainedModel.objects.filter(function=OuterRef("pk"), is_live=True)),
        )
        .values_list("data_revision", "n_samples", "n_unlabelled", "n_predictions", "is_busy", "has_model")
        .first()
    )
    if row is None:
        raise NotFound("There is no such function here.")
    revision, n_samples, n_unlabelled, n_predictions, is_at_work, has_model = row
    searches = function.output_kind == OutputKind.SEARCH
    can_answer = n_samples > 0 and not is_at_work if searches else has_model
    n_predicted = n_samples if can_answer and not is_at_work else min(n_predictions, n_samples)
    return Standing(revision, n_samples, n_samples - n_unlabelled, n_predicted, is_at_work, can_answer)


def label_counts(function: Function, standing: Standing) -> LabelCounts:
    """Count samples by label, zeros included. Counted anew only after something about labels or samples has changed.

    New samples that came with labels change the revision once they have been read, and the number of samples at once.
    """
    key = (function.public_id, standing.revision, standing.n_samples, standing.n_labelled)
    counted = _counts.get(key)
    if counted is None:
        counted = _count_tags(function) if function.output_kind == OutputKind.TAGS else _count_labels(function)
        _counts.put(key, counted)
    in_use = list(function.labels.in_use().values_list("pk", "public_id"))
    return LabelCounts(*({public_id: n_of.get(pk, 0) for pk, public_id in in_use} for n_of in counted))


def _count(rows: QuerySet[Model]) -> Coalesce:
    mine = rows.filter(function=OuterRef("pk")).order_by().values("function")
    return Coalesce(Subquery(mine.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0)


def _is_busy_learning() -> Q:
    """Whether samples are being read, a round is due or at work, or predictions are."""
    train = _work(WorkKind.TRAIN).filter(n_failures__lt=GIVEN_UP_AFTER)
    is_held = Q(lease_expires_at__gt=timezone.now()) & ~Q(lease_holder="")
    predict = _work(WorkKind.PREDICT).filter(n_failures__lt=GIVEN_UP_AFTER)
    return (
        _is_busy_searching()
        | Q(Exists(Rereading.objects.filter(function=OuterRef("pk"), state__in=UNSETTLED)))
        | Q(Q(data_revision__gt=0) & ~Exists(_work(WorkKind.TRAIN)))
        | Q(Exists(train.filter(Q(done_revision__lt=OuterRef("data_revision")) | is_held)))
        | Q(Exists(predict.filter(done_revision__lt=F("wanted_revision"))))
    )


def _is_busy_searching() -> Q:
    """Whether samples wait to be read."""
    given_up = _work(WorkKind.EMBED).filter(n_failures__gte=GIVEN_UP_AFTER)
    return Q(Exists(Sample.objects.filter(function=OuterRef("pk"), is_embedded=False))) & ~Q(Exists(given_up))


def _work(kind: WorkKind) -> QuerySet[FunctionWork]:
    return FunctionWork.objects.filter(function=OuterRef("pk"), kind=kind)


Counts = tuple[Mapping[int, int], Mapping[int, int]]
Key = tuple[str, int, int, int]


def _count_labels(function: Function) -> Counts:
    """Through `everywhere`, since what is in the bin has no label: so the index by label has all there is to know."""
    rows = Sample.everywhere.filter(function=function, label__isnull=False).order_by().values_list("label")
    return _by_root(function, dict(rows.annotate(n=Count("pk"))), {})


def _count_tags(function: Function) -> Counts:
    rows = SampleTag.objects.filter(label__function=function).order_by().values_list("label", "is_present")
    n_of = {(label, is_present): n for label, is_present, n in rows.annotate(n=Count("pk"))}
    present = {label: n for (label, is_present), n in n_of.items() if is_present}
    absent = {label: n for (label, is_present), n in n_of.items() if not is_present}
    return _by_root(function, present, absent)


def _by_root(function: Function, present: Mapping[int, int], absent: Mapping[int, int]) -> Counts:
    """Count samples for the label that theirs was merged into, while they are still being moved there."""
    merged = function.labels.exclude(merged_into=None).values_list("pk", "merged_into")
    root_of = {pk: root for pk, root in merged if root}
    said: dict[int, int] = {}
    on: dict[int, int] = {}
    for counted in (present, absent):
        for label, n in counted.items():
            root = root_of.get(label, label)
            said[root] = said.get(root, 0) + n
            if counted is present:
                on[root] = on.get(root, 0) + n
    return said, on


class _Kept:
    """The newest counts of some functions."""

    def __init__(self) -> None:
        self._counts: OrderedDict[Key, Counts] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Key) -> Counts | None:
        with self._lock:
            return self._counts.get(key)

    def put(self, key: Key, counts: Counts) -> None:
        with self._lock:
            self._counts[key] = counts
            while len(self._counts) > COUNTS_KEPT:
                self._counts.popitem(last=False)


_counts = _Kept()
