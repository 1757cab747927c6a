"""Handing out samples, taking in answers, taking answers back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, HundredfoldError, NotFound
from apps.functions.models import Function, Label
from apps.labeling import proofs, selectors
from apps.labeling.models import Skip
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_sample, undo_annotation
from apps.training.models import Prediction

# One sample in five is drawn at random, and figures are estimated on those.
RANDOM_EVERY = 5


@dataclass(frozen=True)
class Suggestion:
    """What the published model says of an unlabelled sample."""

    label: Label
    confidence: float


@dataclass(frozen=True)
class QueueItem:
    """A sample to ask about, and why this one."""

    sample: Sample
    picked_by: PickedBy
    suggestion: Suggestion | None = None


@dataclass(frozen=True)
class Answer:
    """What a person said of a sample of their queue; without a label they passed it over."""

    token: UUID
    sample_id: str
    label_id: str | None
    proof: str


@dataclass(frozen=True)
class Refusal:
    """An answer that could not be saved, and the sentence for the person who gave it."""

    token: UUID
    message: str


@dataclass(frozen=True)
class Outcome:
    saved: list[UUID]
    refused: list[Refusal]


def next_samples(
    *, function: Function, person: User, n: int, exclude: Sequence[str] = (), n_given: int = 0
) -> list[QueueItem]:
    """Return what to ask this person next: the most doubtful first, every fifth at random; at random before a model.

    `n_given` counts the samples handed out before, so that the fifth stays the fifth however few are fetched at once.
    Random ones are drawn first and from all that is left: the queue must not take its pick before them.
    """
    hidden = selectors.hidden_from(person, exclude)
    pool = selectors.unlabelled(function)
    has_model = selectors.has_model(function)
    is_random = [not has_model or (n_given + i) % RANDOM_EVERY == RANDOM_EVERY - 1 for i in range(n)]
    drawn = selectors.draw_at_random(pool, sum(is_random), hidden=hidden)
    hidden.update(sample.pk for sample in drawn)
    n_asked = n - len(drawn) if has_model else 0
    asked = selectors.most_doubtful(function, n_asked, hidden=hidden)
    hidden.update(prediction.sample_id for prediction in asked)
    # Samples the model has not looked at yet. They count as asked for: what is left over is no fair draw.
    fresh = selectors.draw_at_random(pool, n_asked - len(asked), hidden=hidden)
    at_random = iter([QueueItem(sample, PickedBy.RANDOM) for sample in drawn])
    by_model = iter([*map(_asked_for, asked), *(QueueItem(sample, PickedBy.QUEUE) for sample in fresh)])
    return list(_interleave(is_random, at_random, by_model))


def save_answers(*, function: Function, person: User, answers: Sequence[Answer]) -> Outcome:
    """Save each answer once, in order, each in a transaction of its own: one that cannot be saved stops no other."""
    samples = selectors.samples_by_public_id(function, [answer.sample_id for answer in answers])
    labels = {row.public_id: row for row in function.labels.in_use()}
    saved_before = selectors.answers_by_token(function, person, [answer.token for answer in answers])
    outcome = Outcome([], [])
    for answer in answers:
        try:
            if answer.token not in saved_before:
                _save_answer(answer, person=person, samples=samples, labels=labels)
        except HundredfoldError as error:
            outcome.refused.append(Refusal(answer.token, error.message))
        else:
            outcome.saved.append(answer.token)
    return outcome


def undo_answer(*, function: Function, person: User, token: UUID | None = None) -> QueueItem:
    """Take back one answer of this person: the one with that token, or the last. Returns its sample to ask again.

    Taking the same one back twice changes nothing more. An answer someone has changed since stays as they left it.
    """
    if token is None:
        annotation = selectors.last_answer(function, person)
    else:
        annotation = selectors.answers_by_token(function, person, [token]).get(token)
    if annotation is None:
        raise Conflict("There is nothing to undo.")
    undo_annotation(annotation=annotation, person=person)
    return QueueItem(annotation.sample, PickedBy(annotation.picked_by))


def show_skipped_again(*, function: Function, person: User) -> int:
    """Forget this person's skips in the function. Returns how many samples come back."""
    n_deleted, _per_model = Skip.objects.filter(person=person, sample__function=function).delete()
    return n_deleted


def _save_answer(answer: Answer, *, person: User, samples: dict[str, Sample], labels: dict[str, Label]) -> None:
    picked_by = proofs.picked_by_of(answer.proof, sample_id=answer.sample_id, person=person)
    sample = samples.get(answer.sample_id)
    if sample is None:
        raise NotFound("The sample was deleted meanwhile, so this answer has nowhere to go.")
    if answer.label_id is None:
        Skip.objects.update_or_create(sample=sample, person=person, defaults={"skipped_at": timezone.now()})
        return
    label = labels.get(answer.label_id)
    if label is None:
        raise NotFound("The label was deleted meanwhile. The sample will be asked again.")
    annotation = annotate_sample(
        sample=sample, label=label, person=person, picked_by=picked_by, client_token=answer.token
    )
    if annotation.person_id != person.pk:
        raise Conflict("This answer was already given by someone else.")


def _asked_for(prediction: Prediction) -> QueueItem:
    label = prediction.label
    suggestion = None if label is None or label.deleted_at else Suggestion(label, prediction.confidence)
    return QueueItem(prediction.sample, PickedBy.QUEUE, suggestion)


def _interleave(
    is_random: Sequence[bool], at_random: Iterator[QueueItem], by_model: Iterator[QueueItem]
) -> Iterator[QueueItem]:
    """Yield from the source each place asks for, and from the other once that one is empty."""
    for wants_random in is_random:
        first, second = (at_random, by_model) if wants_random else (by_model, at_random)
        item = next(first, None) or next(second, None)
        if item is None:
            return
        yield item
