"""Which samples to ask about. Each read costs the same at a hundred samples and at a hundred thousand."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import SystemRandom
from uuid import UUID

from django.db.models import Exists, F, Q, QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.functions.models import Function, Label
from apps.labeling import handouts
from apps.labeling.models import Skip
from apps.samples.gold_selectors import gold_of
from apps.samples.models import (
    Annotation,
    Capture,
    Comment,
    GoldSample,
    Mark,
    MarkKind,
    Origin,
    PickedBy,
    ReviewState,
    Sample,
)
from apps.samples.services.resettling import counting_opinions
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
    """How far the labelling is and how the model does now. `n_waiting` were answered, but not by enough people yet."""

    n_labelled: int
    n_waiting: int
    n_samples: int
    training: TrainingStatus


def progress(function: Function) -> Progress:
    return Progress(
        n_labelled=Sample.objects.filter(function=function, annotation__isnull=False).count(),
        n_waiting=_answered_by_too_few(function).count(),
        n_samples=Sample.objects.filter(function=function).count(),
        training=training_state(function),
    )


def has_model(function: Function) -> bool:
    return TrainedModel.objects.filter(function=function, is_live=True).exists()


def live_model(function: Function) -> TrainedModel | None:
    return TrainedModel.objects.filter(function=function, is_live=True).first()


def unlabelled(function: Function) -> QuerySet[Sample]:
    return Sample.objects.filter(function=function, annotation=None)


def askable(function: Function) -> QuerySet[Sample]:
    """Unlabelled samples that anybody may be asked about: not those that wait for others, or for one person alone."""
    return unlabelled(function).filter(n_opinions=0, is_disputed=False, sent_back_to=None)


def _answered_by_too_few(function: Function) -> QuerySet[Sample]:
    rows = unlabelled(function).filter(n_wanted__gt=1, n_opinions__gte=1, n_opinions__lt=F("n_wanted"))
    return rows.filter(is_disputed=False)


def waiting_for_opinions(function: Function, person: User, n: int, *, hidden: Collection[int] = ()) -> list[Sample]:
    """Return up to `n` samples that others have answered and this person has not yet, the oldest first."""
    rows = _answered_by_too_few(function).filter(~Exists(counting_opinions(person)), sent_back_to=None)
    # Keys first: sorting whole rows takes four times as long.
    keys = list(rows.exclude(pk__in=hidden).order_by("pk").values_list("pk", flat=True)[:n])
    return list(Sample.objects.filter(pk__in=keys).order_by("pk"))


def sent_back_to(function: Function, person: User, n: int, *, hidden: Collection[int] = ()) -> list[Sample]:
    """Return up to `n` samples that reviewers want this person to answer once more, the oldest first."""
    # By person alone and unsorted: with a function or an order beside it SQLite walks all samples there are.
    rows = Sample.objects.filter(sent_back_to=person).order_by()
    waiting = [row for row in rows if row.function_id == function.pk and row.review == ReviewState.SENT_BACK]
    return sorted((row for row in waiting if row.pk not in hidden), key=lambda row: row.pk)[:n]


def known_to_others(function: Function, person: User, n: int, *, hidden: Collection[int] = ()) -> list[Sample]:
    """Return up to `n` samples whose answer is known, drawn from those this person has not been tried on."""
    if n < 1:
        return []
    rows = gold_of(function).filter(~Exists(counting_opinions(person, "sample")))
    rows = rows.exclude(person=person).exclude(sample__in=hidden)
    # Not asked of the database: SQLite would begin with all samples that are labelled.
    keys = [key for key, annotation_id in rows.values_list("sample", "sample__annotation_id") if annotation_id]
    return list(Sample.objects.filter(pk__in=_rng.sample(keys, min(n, len(keys)))))


def readable_comments(samples: Sequence[Sample], person: User) -> dict[int, list[Comment]]:
    """Return the comments on samples that this person may read, oldest first.

    Where the answer is to be their own, because several people are asked or it is known, others' might give it away.
    """
    found: dict[int, list[Comment]] = defaultdict(list)
    gold = set(GoldSample.objects.filter(sample__in=samples).values_list("sample", flat=True))
    is_alone = {sample.pk: sample.n_wanted == 1 and sample.pk not in gold for sample in samples}
    for comment in Comment.objects.filter(sample__in=samples).select_related("person").order_by("pk"):
        if comment.person_id == person.pk or is_alone[comment.sample_id]:
            found[comment.sample_id].append(comment)
    return found


def flagged_by(samples: Sequence[Sample], person: User) -> set[int]:
    """Return the keys of those of the samples that this person flagged."""
    rows = Mark.objects.filter(sample__in=samples, person=person, kind=MarkKind.FLAG)
    return set(rows.values_list("sample", flat=True))


def reasons_of_sending_back(samples: Sequence[Sample], person: User) -> dict[int, Comment]:
    """Return of each sample the newest comment that somebody else wrote."""
    rows = Comment.objects.filter(sample__in=samples).exclude(person=person).select_related("person")
    return {comment.sample_id: comment for comment in rows.order_by("pk")}


def captures_of(samples: Sequence[Sample]) -> dict[int, Capture]:
    """Return by sample the calls that came in as them. No query where none did."""
    keys = [sample.pk for sample in samples if sample.origin == Origin.CAPTURE]
    return {capture.sample_id: capture for capture in Capture.objects.filter(sample__in=keys)} if keys else {}


def fair(pool: QuerySet[Sample]) -> QuerySet[Sample]:
    """Leave out what was sent here for being doubtful: figures are estimated on what is drawn from the rest."""
    return pool.exclude(origin=Origin.CAPTURE)


def hidden_from(person: User, exclude: Sequence[str] = ()) -> set[int]:
    """Return the keys of samples this person is not asked now: excluded by public id, just skipped, in other hands."""
    return {*keys_by_public_id(exclude), *_skipped_lately(person), *handouts.held_elsewhere(person)}


def keys_by_public_id(public_ids: Sequence[str]) -> list[int]:
    # By public id alone: with the function beside it SQLite walks all of the function's samples.
    return list(Sample.objects.filter(public_id__in=public_ids).values_list("pk", flat=True)) if public_ids else []


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
    """Return live predictions of samples that anybody may be asked about, the nearest tie first, with their labels."""
    rows = Prediction.objects.filter(function=function, kind=PredictionKind.LIVE, sample__annotation=None)
    rows = rows.filter(sample__n_opinions=0, sample__is_disputed=False, sample__sent_back_to=None)
    doubtful = rows.exclude(sample_id__in=hidden).order_by("margin", "pk")
    return list(doubtful.select_related("sample", "label", "runner_up")[: max(n, 0)])


def last_answer(function: Function, person: User) -> Annotation | None:
    """Return the newest answer this person gave from the queue that still counts: in force, or as an opinion."""
    asked = Q(picked_by__in=QUEUE_KINDS, sample__annotation=F("pk")) | Q(is_opinion=True, opinion__isnull=False)
    here = Q(sample__function=function, sample__deleted_at=None)
    rows = Annotation.objects.filter(asked, here, person=person, undoes=None)
    return rows.select_related("sample", "label").order_by("-pk").first()


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
