"""Handing out samples, taking in answers, taking answers back."""

from collections.abc import Sequence
from uuid import UUID

from apps.accounts.models import User
from apps.core.errors import Conflict, HundredfoldError, NotFound
from apps.functions.models import Function
from apps.labeling import answering, asking, handouts, proofs, selectors
from apps.labeling.asking import RANDOM_EVERY
from apps.labeling.items import Answer, Outcome, QueueItem, Refusal
from apps.labeling.models import Skip
from apps.samples.models import Annotation, PickedBy, Sample

__all__ = ["RANDOM_EVERY", "hold_samples", "next_samples", "save_answers", "show_skipped_again", "undo_answer"]

TRIES = 4
"""Times that others are chosen for samples which somebody else took in the same moment; the page soon asks again."""


def next_samples(
    *, function: Function, person: User, n: int, exclude: Sequence[str] = (), n_given: int = 0
) -> list[QueueItem]:
    """Hand this person up to `n` samples, and renew those their page holds already (`exclude`, by public id).

    `n_given` counts the samples handed out before, so that the fifth stays the fifth however few are fetched at once.
    """
    held = selectors.keys_by_public_id(exclude)
    hidden = {*held, *selectors.hidden_from(person)}
    items: list[QueueItem] = []
    for _ in range(TRIES):
        chosen = asking.choose(function, person, n - len(items), hidden=hidden, n_given=n_given + len(items))
        samples = [item.sample for item in chosen]
        got = handouts.take(function=function, person=person, samples=samples, renew=held)
        items += [item for item in chosen if item.sample.pk in got]
        if len(got) == len(chosen):
            break
        # Somebody who asked at the same moment was given some of these: choose others in their place.
        hidden |= {sample.pk for sample in samples} | handouts.held_elsewhere(person)
    return asking.as_shown(items, person)


def hold_samples(*, function: Function, person: User, held: Sequence[str], released: Sequence[str] = ()) -> list[str]:
    """Renew what a page holds, by public id, and let go of what it no longer does.

    Returns those of `held` that it may keep: what ran out while nobody was at work may be in other hands by now.
    """
    samples = selectors.samples_by_public_id(function, [*held, *released])
    if released:
        handouts.give_back(person=person, sample_ids=[samples[each].pk for each in released if each in samples])
    wanted = [samples[each] for each in dict.fromkeys(held) if each in samples]
    kept = handouts.hold(function=function, person=person, samples=wanted) if wanted else set()
    return [sample.public_id for sample in wanted if sample.pk in kept]


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
                picked_by = proofs.picked_by_of(answer.proof, sample_id=answer.sample_id, person=person)
                answering.save_answer(
                    answer,
                    function=function,
                    sample=_sample_of(answer, samples),
                    person=person,
                    picked_by=picked_by,
                    labels=labels,
                )
        except HundredfoldError as error:
            outcome.refused.append(Refusal(answer.token, error.message))
        else:
            outcome.saved.append(answer.token)
    handouts.renew_all(person=person)
    return outcome


def _sample_of(answer: Answer, samples: dict[str, Sample]) -> Sample:
    sample = samples.get(answer.sample_id)
    if sample is None:
        raise NotFound("The sample was deleted meanwhile, so this answer has nowhere to go.")
    return sample


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
    answering.take_back(annotation, person=person)
    handouts.hold(function=function, person=person, samples=[annotation.sample])
    return asking.as_shown([_asked_again(annotation)], person)[0]


def _asked_again(annotation: Annotation) -> QueueItem:
    picked_by = PickedBy(annotation.picked_by)
    said = tuple(public_id for public_id, is_present in (annotation.tags or {}).items() if is_present)
    return QueueItem(annotation.sample, picked_by, said=said, may_not_suggest=picked_by == PickedBy.RANDOM)


def show_skipped_again(*, function: Function, person: User) -> int:
    """Forget this person's skips in the function. Returns how many samples come back."""
    n_deleted, _per_model = Skip.objects.filter(person=person, sample__function=function).delete()
    return n_deleted
