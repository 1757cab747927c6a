"""Planning what to ask next, in a worker: after samples were embedded, after each round, and as predictions follow.

What is chosen, and in which order, is the engine's word (`apps.engine.query`); here rows become what it looks at, and
its picks rows. However many samples there are, it looks at a bounded number of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import SystemRandom

import numpy as np
from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from apps.engine import query
from apps.engine.query import Pick, State
from apps.engine.runtime import one_thread
from apps.engine.types import FloatArray, IntArray
from apps.functions.models import Function, OutputKind
from apps.labeling import selectors
from apps.labeling.models import QueueEntry, Reason
from apps.labeling.plan import n_waiting
from apps.samples.models import Sample, SampleTag
from apps.training.models import FunctionWork, Prediction, PredictionKind, WorkKind
from apps.training.services.points import read_points
from apps.training.services.work import Progress, do_wanted_work, require_mine

N_PLANNED = 200
N_POOL, N_DOUBTFUL, N_LABELLED = 2_000, 500, 1_000
"""How many unlabelled samples are looked at, drawn at random; how many more that the model doubts most, where there are
others; how many labelled ones, drawn at random."""
ROWS_AT_ONCE = 500
FEW_LEFT = 20
"""With fewer left to ask there is no rest."""

_rng = SystemRandom()


def plan_queue(*, function_id: int) -> Progress:
    """Choose anew what is asked next, if anything it depends on has changed. Running it twice does it once."""
    function = Function.objects.filter(pk=function_id).first()
    if function is None or not _is_wanted(function):
        return Progress.DONE
    # It rests between two plans: rounds come with every answer, and the next plan is hardly another.
    return do_wanted_work(function_id=function_id, kind=WorkKind.PLAN, do=lambda work: _plan(function, work))


def _plan(function: Function, work: FunctionWork) -> None:
    looked_at = _look(function)
    with one_thread():
        picks = query.next_batch(looked_at.state, N_PLANNED)
    _write(function, work, looked_at, picks)


def _is_wanted(function: Function) -> bool:
    """While it rests, the sweeper asks again as soon as it is due."""
    work = FunctionWork.objects.filter(function=function, kind=WorkKind.PLAN).first()
    if work is None or work.wanted_revision <= work.done_revision:
        return False
    is_resting = work.retry_at is not None and work.retry_at > timezone.now()
    return not is_resting or (not work.n_failures and n_waiting(function, at_most=FEW_LEFT) < FEW_LEFT)


@dataclass(frozen=True)
class _LookedAt:
    """What the engine sees, and the sample of each row. `unread` are those that the model has said nothing of yet."""

    sample_ids: Sequence[int]
    state: State
    unread: frozenset[int]


def _look(function: Function) -> _LookedAt:
    keys, stands_for = _pool(function)
    labels = list(function.labels.in_use().values_list("pk", flat=True))
    sample_ids, points = read_points(function, _hashes(selectors.askable(function), keys))
    labelled = _hashes(Sample.objects.filter(annotation__isnull=False), _some(_labelled_keys(function), N_LABELLED))
    _keys, labelled_points = read_points(function, labelled) if labelled else ([], points[:0])
    doubts, said, unread = _doubts(function, sample_ids, labels)
    state = State(
        points,
        labelled_points,
        _n_of_labels(function, labels),
        doubts,
        said,
        np.array([stands_for[key] for key in sample_ids], dtype=np.float64),
    )
    return _LookedAt(sample_ids, state, unread)


def _pool(function: Function) -> tuple[list[int], Mapping[int, float]]:
    """Return the keys of samples to look at, and how many each stands for. Reads two indexes, whole, but no rows."""
    unread = set(Sample.objects.filter(function=function, is_embedded=False).order_by().values_list("pk", flat=True))
    every_key = selectors.unlabelled(function).order_by().values_list("pk", flat=True)
    there = [key for key in every_key if key not in unread]
    drawn = _some(there, N_POOL)
    stands_for = dict.fromkeys(drawn, len(there) / max(1, len(drawn)))
    if len(drawn) < len(there):
        rows = Prediction.objects.filter(function=function, kind=PredictionKind.LIVE)
        doubtful = rows.order_by("margin", "pk").values_list("sample_id", flat=True)[:N_DOUBTFUL]
        stands_for = {**dict.fromkeys(doubtful, 1.0), **stands_for}
    return list(stands_for), stands_for


def _some(keys: Sequence[int], n: int) -> Sequence[int]:
    return keys if len(keys) <= n else _rng.sample(keys, n)


def _hashes(samples: QuerySet[Sample], keys: Sequence[int]) -> dict[int, str]:
    """Those of the samples that are embedded, with what they contain; a chunk at a time."""
    rows = samples.filter(is_embedded=True).order_by()
    found: dict[int, str] = {}
    for start in range(0, len(keys), ROWS_AT_ONCE):
        found.update(rows.filter(pk__in=keys[start : start + ROWS_AT_ONCE]).values_list("pk", "content_hash"))
    return found


def _labelled_keys(function: Function) -> list[int]:
    """Keys of labelled samples, from an index; of any with tags where the function gives those."""
    if function.output_kind == OutputKind.TAGS:
        tagged = SampleTag.objects.filter(label__function=function).order_by().values_list("sample_id", flat=True)
        return list(tagged.distinct())
    rows = Sample.objects.filter(function=function, label__isnull=False).order_by()
    return list(rows.values_list("pk", flat=True))


def _n_of_labels(function: Function, labels: Sequence[int]) -> IntArray:
    counts: Iterable[tuple[int | None, int]]
    if function.output_kind == OutputKind.TAGS:
        tagged = SampleTag.objects.filter(label__in=labels, is_present=True).order_by()
        counts = tagged.values_list("label").annotate(Count("pk"))
    else:
        rows = Sample.objects.filter(function=function, label__isnull=False).order_by()
        counts = rows.values_list("label").annotate(Count("pk"))
    n_of = dict(counts)
    return np.array([n_of.get(label, 0) for label in labels], dtype=np.int64)


def _doubts(
    function: Function, sample_ids: Sequence[int], labels: Sequence[int]
) -> tuple[FloatArray | None, IntArray | None, frozenset[int]]:
    """Return the doubts of the published model, what it says, and the samples it has not looked at yet.

    Of those it is taken to have as many doubts as of the others.
    """
    if not selectors.has_model(function):
        return None, None, frozenset()
    of_sample: dict[int, tuple[int | None, float]] = {}
    for start in range(0, len(sample_ids), ROWS_AT_ONCE):
        rows = Prediction.objects.filter(
            sample__in=sample_ids[start : start + ROWS_AT_ONCE], kind=PredictionKind.LIVE
        ).values_list("sample_id", "label_id", "margin")
        of_sample.update((sample_id, (label_id, margin)) for sample_id, label_id, margin in rows)
    # A tag's margin is its distance from a threshold: hardly ever more than a half.
    widest = 0.5 if function.output_kind == OutputKind.TAGS else 1.0
    doubt_of = {key: max(0.0, 1.0 - margin / widest) for key, (_label, margin) in of_sample.items()}
    usual = sum(doubt_of.values()) / len(doubt_of) if doubt_of else 1.0
    column_of = {label: column for column, label in enumerate(labels)}
    said = [column_of.get(of_sample.get(key, (None, 0.0))[0] or 0, -1) for key in sample_ids]
    doubts = np.array([doubt_of.get(key, usual) for key in sample_ids], dtype=np.float64)
    return doubts, np.array(said, dtype=np.int64), frozenset(sample_ids) - of_sample.keys()


def _write(function: Function, work: FunctionWork, looked_at: _LookedAt, picks: Sequence[Pick]) -> None:
    chosen = {looked_at.sample_ids[pick.row]: Reason(pick.why.value) for pick in picks}
    with transaction.atomic():
        require_mine(work)
        still = set(selectors.askable(function).filter(pk__in=chosen).values_list("pk", flat=True))
        kept = [(key, _reason(key, reason, looked_at)) for key, reason in chosen.items() if key in still]
        QueueEntry.objects.filter(function=function).delete()
        QueueEntry.objects.bulk_create(
            QueueEntry(function=function, sample_id=key, place=place, reason=reason)
            for place, (key, reason) in enumerate(kept)
        )
        FunctionWork.objects.filter(pk=work.pk).update(done_revision=work.wanted_revision)


def _reason(key: int, reason: Reason, looked_at: _LookedAt) -> Reason:
    return Reason.NEW if key in looked_at.unread and reason == Reason.TORN else reason
