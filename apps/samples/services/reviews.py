"""Answers looked at again by a reviewer: which ones, and what becomes of them.

A new answer is asked to be checked as the function's review level says. A reviewer accepts it, mends it, or sends it
back to whoever gave it, with a comment; answered anew it is to be checked again.
"""

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import Conflict
from apps.core.lots import falls_in
from apps.functions.models import Act, Function, ReviewLevel
from apps.functions.services import note_data_change
from apps.functions.services.changes import announce_change
from apps.samples.models import Annotation, Comment, GoldSample, Opinion, ReviewState, Sample
from apps.samples.services.annotations import lock_function, undo_annotation
from apps.samples.services.marks import add_comment, clear_marks
from apps.samples.services.opinions import hold
from apps.samples.services.saying import Said, repeat_tags
from apps.samples.services.settling import put_in_force, settle, standing_annotations, standing_opinions
from apps.workspaces.roles import Action
from apps.workspaces.selectors import people_who_may


def ask_for_review(*, sample: Sample, was_sent_back: bool = False) -> None:
    """After an answer from the queue: let it be checked, as the level says and always where it was sent back.

    The caller holds the function's lock. Nothing to check is no answer in force, or one that was known beforehand.
    """
    if was_sent_back:
        Sample.objects.filter(pk=sample.pk).update(review=ReviewState.NONE, sent_back_to=None)
    answered = Sample.objects.filter(pk=sample.pk, annotation__isnull=False).select_related("function").first()
    if answered is None or GoldSample.objects.filter(sample=sample.pk).exists():
        return
    if was_sent_back or _is_drawn(answered.function, answered.public_id):
        Sample.objects.filter(pk=sample.pk).update(review=ReviewState.WANTED)


def ask_for_review_of_act(*, act: Act) -> int:
    """After many were labelled at once: let those answers be checked that the level says. Returns how many.

    The caller holds the function's lock.
    """
    if act.function.review_level == ReviewLevel.OFF:
        return 0
    answered = dict(Sample.objects.filter(annotation__act=act).order_by().values_list("pk", "public_id"))
    drawn = [pk for pk, public_id in answered.items() if _is_drawn(act.function, public_id)]
    return Sample.objects.filter(pk__in=drawn).update(review=ReviewState.WANTED)


def _is_drawn(function: Function, public_id: str) -> bool:
    if function.review_level == ReviewLevel.SPOT:
        return falls_in(function.review_share, public_id, purpose="review")
    return function.review_level == ReviewLevel.ALL


@transaction.atomic
def accept(*, sample: Sample) -> None:
    """Say that the answer in force is right. Nobody is asked about it again, whatever was marked or disputed before.

    Raises Conflict where there is no answer.
    """
    lock_function(sample.function_id)
    answered = Sample.objects.filter(pk=sample.pk, annotation__isnull=False)
    if not answered.update(review=ReviewState.ACCEPTED, is_disputed=False):
        raise Conflict("This sample has no answer to accept: it was taken back meanwhile.")
    clear_marks(sample=sample)
    announce_change(sample.function)


@transaction.atomic
def send_back(*, sample: Sample, reviewer: User, comment: str) -> Comment:
    """Take the answer out of force and ask whoever gave it once more, telling them why.

    Where they have left, or nobody did, anybody is asked. Without words of its own, what the reviewer wrote beside the
    answer last is the reason. Raises Conflict where there is no answer, InvalidInput where there is no reason.
    """
    lock_function(sample.function_id)
    now = Sample.objects.filter(pk=sample.pk).select_related("annotation__person", "function__workspace").first()
    if now is None or now.annotation is None:
        raise Conflict("This sample has no answer to send back: it was taken back meanwhile.")
    written = None if comment.strip() else _newest_comment(now, reviewer, since=now.annotation)
    written = written or add_comment(sample=now, person=reviewer, text=comment)
    giver = _who_can_answer(now.function, now.annotation.person)
    Annotation.objects.create(sample=now, person=reviewer, picked_by=now.annotation.picked_by)
    Opinion.objects.filter(annotation=now.annotation).delete()
    put_in_force(now, None, Said())
    repeat_tags({now.pk: None})
    settle(now)
    Sample.objects.filter(pk=now.pk).update(review=ReviewState.SENT_BACK, sent_back_to=giver, is_disputed=False)
    note_data_change(now.function_id)
    return written


def _newest_comment(sample: Sample, person: User, *, since: Annotation) -> Comment | None:
    return sample.comments.filter(person=person, created_at__gte=since.created_at).order_by("pk").last()


def _who_can_answer(function: Function, giver: User | None) -> User | None:
    return giver if giver is not None and giver.pk in people_who_may(function.workspace, Action.LABEL) else None


@transaction.atomic
def fetch_back(*, sample: Sample, reviewer: User) -> None:
    """Undo sending a sample back, while it has not been answered anew: the answer is in force and to be checked.

    Raises Conflict once it has.
    """
    lock_function(sample.function_id)
    now = Sample.objects.filter(pk=sample.pk, review=ReviewState.SENT_BACK).first()
    standing = standing_annotations(now) if now else []
    if now is None or not standing:
        raise Conflict("This sample has been answered anew since, so there is nothing to undo.")
    _give_opinion_back(now)
    sender = standing[-1].person_id
    undo_annotation(annotation=standing[-1], person=reviewer if sender == reviewer.pk else None)
    Sample.objects.filter(pk=now.pk, annotation__isnull=False).update(review=ReviewState.WANTED)


def _give_opinion_back(sample: Sample) -> None:
    """Let whoever it was sent to be one of several again, if they were."""
    giver = sample.sent_back_to_id
    opinions = standing_opinions(sample, giver) if giver else []
    if opinions and not Opinion.objects.filter(sample=sample, person=giver).exists():
        hold(opinions[-1])
