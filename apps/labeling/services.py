"""Handing out samples, taking in answers, taking answers back."""

from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, HundredfoldError, NotFound
from apps.functions.models import Function, Label, OutputKind
from apps.labeling import proofs, selectors
from apps.labeling.items import Answer, Outcome, QueueItem, Refusal, Suggestion, Why
from apps.labeling.models import Skip
from apps.labeling.plan import Planned, is_planned, planned
from apps.samples.models import Annotation, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample, tag_sample, undo_annotation
from apps.training.selectors import tag_thresholds, tags_said

# One sample in five is drawn at random, and figures are estimated on those.
RANDOM_EVERY = 5


def next_samples(
    *, function: Function, person: User, n: int, exclude: Sequence[str] = (), n_given: int = 0
) -> list[QueueItem]:
    """Return what to ask this person next: as planned, every fifth at random; at random where nothing is planned yet.

    `n_given` counts the samples handed out before, so that the fifth stays the fifth however few are fetched at once.
    Random ones are drawn first and from all that is left: the queue must not take its pick before them.
    """
    hidden = selectors.hidden_from(person, exclude)
    pool = selectors.unlabelled(function)
    has_queue = selectors.has_model(function) or is_planned(function)
    is_random = [not has_queue or (n_given + i) % RANDOM_EVERY == RANDOM_EVERY - 1 for i in range(n)]
    drawn = selectors.draw_at_random(selectors.fair(pool), sum(is_random), hidden=hidden)
    hidden.update(sample.pk for sample in drawn)
    n_asked = n - len(drawn)
    asked = planned(function, n_asked, hidden)
    hidden.update(each.sample.pk for each in asked)
    # Samples the model has not looked at yet, or sent here because it was unsure. They count as asked for: what is
    # left over is no fair draw.
    fresh = selectors.draw_at_random(pool, n_asked - len(asked), hidden=hidden)
    at_random = iter([QueueItem(sample, PickedBy.RANDOM, may_not_suggest=True) for sample in drawn])
    say = _tag_teller(function) if function.output_kind == OutputKind.TAGS else _asked_for
    by_model = iter([*map(say, asked), *(QueueItem(sample, PickedBy.QUEUE, Why.NEW) for sample in fresh)])
    return list(_interleave(is_random, at_random, by_model))


def save_answers(*, function: Function, person: User, answers: Sequence[Answer]) -> Outcome:
    """Save each answer once, in order, each in a transaction of its own: one that cannot be saved stops no other."""
    samples = selectors.samples_by_public_id(function, [answer.sample_id for answer in answers])
    # Deleted ones, too: tags given while they were there are passed over, not refused.
    labels = {row.public_id: row for row in function.labels.all()}
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
    said = tuple(public_id for public_id, is_present in (annotation.tags or {}).items() if is_present)
    return QueueItem(annotation.sample, PickedBy(annotation.picked_by), said=said)


def show_skipped_again(*, function: Function, person: User) -> int:
    """Forget this person's skips in the function. Returns how many samples come back."""
    n_deleted, _per_model = Skip.objects.filter(person=person, sample__function=function).delete()
    return n_deleted


def _save_answer(answer: Answer, *, person: User, samples: dict[str, Sample], labels: dict[str, Label]) -> None:
    picked_by = proofs.picked_by_of(answer.proof, sample_id=answer.sample_id, person=person)
    sample = samples.get(answer.sample_id)
    if sample is None:
        raise NotFound("The sample was deleted meanwhile, so this answer has nowhere to go.")
    if answer.is_skip:
        Skip.objects.update_or_create(sample=sample, person=person, defaults={"skipped_at": timezone.now()})
        return
    annotation = _annotate(answer, sample, person, picked_by, labels)
    if annotation.person_id != person.pk:
        raise Conflict("This answer was already given by someone else.")


def _annotate(
    answer: Answer, sample: Sample, person: User, picked_by: PickedBy, labels: dict[str, Label]
) -> Annotation:
    if answer.tags is None:
        label = labels.get(answer.label_id or "")
        if label is None or label.deleted_at:
            raise NotFound("The label was deleted meanwhile. The sample will be asked again.")
        return annotate_sample(
            sample=sample, label=label, person=person, picked_by=picked_by, client_token=answer.token
        )
    if not labels.keys() >= answer.tags.keys():
        raise NotFound("One of the tags is not of this function. The sample will be asked again.")
    return tag_sample(
        sample=sample,
        tags={labels[public_id]: is_present for public_id, is_present in answer.tags.items()},
        person=person,
        picked_by=picked_by,
        client_token=answer.token,
        is_whole=False,  # a tag made since the person looked is neither there nor not
    )


def _asked_for(asked: Planned) -> QueueItem:
    label = asked.prediction.label if asked.prediction else None
    confidence = asked.prediction.confidence if asked.prediction else 0.0
    suggestion = Suggestion(label, confidence) if label and not (label.deleted_at or label.merged_into_id) else None
    return QueueItem(asked.sample, PickedBy.QUEUE, Why(asked.reason), asked.labels, suggestion)


def _tag_teller(function: Function) -> Callable[[Planned], QueueItem]:
    """Return what makes queue items of predictions that hold tags."""
    labels = {label.public_id: label for label in function.labels.in_use()}
    thresholds = tag_thresholds(selectors.live_model(function))

    def say(asked: Planned) -> QueueItem:
        if asked.prediction is None:
            return QueueItem(asked.sample, PickedBy.QUEUE, Why(asked.reason))
        tags = asked.prediction.tags or {}
        there = [public_id for public_id in tags_said(tags, thresholds) if public_id in labels]
        suggestions = tuple(Suggestion(labels[public_id], tags[public_id]) for public_id in there)
        return QueueItem(asked.sample, PickedBy.QUEUE, Why(asked.reason), asked.labels, suggestions=suggestions)

    return say


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
