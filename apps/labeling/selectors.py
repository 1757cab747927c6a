"""Which samples to ask about. Each read costs the same at a hundred samples and at a hundred thousand."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import SystemRandom
from uuid import UUID

from django.db.models import F, QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.functions.models import Function, Label
from apps.labeling.models import Skip
from apps.samples.models import Annotation, Origin, PickedBy, Sample
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.training.selectors import TrainingStatus, training_state

# A skip means "not now": half a day later, or on request, the sample comes up again.
SKIP_HOLDS = timedelta(hours=12)
# Guesses per draw. With half of a function labelled, 256 hit about 128 times; ten are needed.
N_GUESSES = 256
FEW_ROWS = 5_000
QUEUE_KINDS = (PickedBy.RANDOM, PickedBy.QUEUE)

_rng = SystemRandom()


@dataclass(frozen=True)
class Progress:
    """How far the labelling is and how the model does now."""

    n_labelled: int
    n_samples: int
    training: TrainingStatus


def progress(function: Function) -> Progress:
    return Progress(
        n_labelled=Sample.objects.filter(function=function, annotation__isnull=False).count(),
        n_samples=Sample.objects.filter(function=function).count(),
        training=training_state(function),
    )


def has_model(function: Function) -> bool:
    return TrainedModel.objects.filter(function=function, is_live=True).exists()


def live_model(function: Function) -> TrainedModel | None:
    return TrainedModel.objects.filter(function=function, is_live=True).first()


def unlabelled(function: Function) -> QuerySet[Sample]:
    return Sample.objects.filter(function=function, annotation=None)


def fair(pool: QuerySet[Sample]) -> QuerySet[Sample]:
    """Leave out what was sent here for being doubtful: figures are estimated on what is drawn from the rest."""
    return pool.exclude(origin=Origin.CAPTURE)


def hidden_from(person: User, exclude: Sequence[str]) -> set[int]:
    """Return the keys of samples this person is not asked now: excluded by public id, or skipped lately."""
    # By public id alone: with the function beside it SQLite walks all of the function's samples.
    excluded = Sample.objects.filter(public_id__in=exclude).values_list("pk", flat=True)
    return {*excluded, *_skipped_lately(person)}


def n_skipped(function: Function, person: User) -> int:
    """Count the samples skipped lately that still wait for a label."""
    return unlabelled(function).filter(pk__in=_skipped_lately(person)).count()


def _skipped_lately(person: User) -> list[int]:
    """Keys in any function: a join would tempt SQLite to walk all samples of this one."""
    rows = Skip.objects.filter(person=person, skipped_at__gt=timezone.now() - SKIP_HOLDS)
    return list(rows.values_list("sample_id", flat=True))


def draw_at_random(pool: QuerySet[Sample], n: int, *, hidden: Collection[int] = ()) -> list[Sample]:
    """Return up to `n` samples of the pool in random order, each equally likely.

    Keys are guessed between the smallest and the largest and kept where they hit, so that gaps favour nobody and
    nothing is sorted. Where too few hit (a small function among large ones, few samples left) rows are counted out.
    """
    if n < 1:
        return []
    keys = pool.order_by("pk").values_list("pk", flat=True)
    first, last = keys.first(), keys.last()
    if first is None or last is None:
        return []
    span = range(first, last + 1)
    guesses = _rng.sample(span, min(N_GUESSES, len(span)))
    hits = set(keys.filter(pk__in=[key for key in guesses if key not in hidden]))
    chosen = [key for key in guesses if key in hits][:n]
    if len(chosen) < n and len(guesses) < len(span):
        chosen = _count_out(pool.exclude(pk__in=hidden), n)
    rows = pool.in_bulk(chosen)
    return [rows[key] for key in chosen if key in rows]


def _count_out(pool: QuerySet[Sample], n: int) -> list[int]:
    keys = pool.order_by("pk").values_list("pk", flat=True)
    n_rows = keys.count()
    if n_rows <= FEW_ROWS:
        every_key = list(keys)
        return _rng.sample(every_key, min(n, len(every_key)))
    return [key for offset in _rng.sample(range(n_rows), n) for key in keys[offset : offset + 1]]


def most_doubtful(function: Function, n: int, *, hidden: Collection[int] = ()) -> list[Prediction]:
    """Return live predictions of unlabelled samples, the nearest tie first, with sample and label."""
    rows = Prediction.objects.filter(function=function, kind=PredictionKind.LIVE, sample__annotation=None)
    doubtful = rows.exclude(sample_id__in=hidden).order_by("margin", "pk")
    return list(doubtful.select_related("sample", "label", "runner_up")[: max(n, 0)])


def last_answer(function: Function, person: User) -> Annotation | None:
    """Return the newest answer this person gave from the queue that is still in force."""
    return (
        Annotation.objects.filter(
            person=person,
            sample__function=function,
            picked_by__in=QUEUE_KINDS,
            undoes=None,
            sample__annotation=F("pk"),
        )
        .select_related("sample", "label")
        .order_by("-pk")
        .first()
    )


def samples_by_public_id(function: Function, public_ids: Sequence[str]) -> dict[str, Sample]:
    rows = Sample.objects.filter(public_id__in=public_ids)
    return {row.public_id: row for row in rows if row.function_id == function.pk}


def answers_by_token(function: Function, person: User, tokens: Sequence[UUID]) -> dict[UUID, Annotation]:
    """Return this person's annotations in the function that came with one of these tokens."""
    rows = Annotation.objects.filter(client_token__in=tokens).select_related("sample", "label")
    return {
        row.client_token: row
        for row in rows
        if row.client_token and (row.person_id, row.sample.function_id) == (person.pk, function.pk)
    }


def labels_in_order(function: Function) -> list[Label]:
    return list(function.labels.in_use().order_by("position", "pk"))
