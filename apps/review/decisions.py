"""What a reviewer decides about one sample of a queue: it stands, it is something else, nobody can tell.

Each decision hands out a signed note of what taking it back needs, so that nothing has to be kept for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.core import signing
from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.functions.models import OutputKind
from apps.review.services import fix_label, fix_tags
from apps.samples.models import Annotation, Confirmation, Mark, MarkKind, ReviewState, Sample
from apps.samples.services.annotations import lock_function, undo_annotation
from apps.samples.services.confirmations import confirm_annotation, withdraw_confirmation
from apps.samples.services.feedback import reopen_reports, settle_reports
from apps.samples.services.marks import clear_marks, set_mark
from apps.samples.services.reviews import accept, fetch_back, send_back

_SALT = "review.decision"
_FIELDS = ["annotation", "label", "is_disputed", "review"]


class Decision(StrEnum):
    """As sent by the page."""

    KEEP = "keep"
    CHANGE = "change"
    UNSURE = "unsure"
    SETTLE = "settle"
    SEND_BACK = "send_back"


class Did(StrEnum):
    """What a decision came to: changing a label to what it is already keeps it."""

    KEPT = "kept"
    CHANGED = "changed"
    LABELLED = "labelled"
    DOUBTED = "doubted"
    SETTLED = "settled"
    SENT_BACK = "sent_back"


@dataclass(frozen=True)
class Answer:
    """What a change is to, a label by public id, or the tags that are there out of those asked about; or a comment."""

    label: str = ""
    there: Sequence[str] = ()
    asked: Sequence[str] = ()
    comment: str = ""


@dataclass(frozen=True)
class Decided:
    """What became of a sample, and the note that `take_back` reads."""

    sample: Sample
    did: Did
    words: str
    note: str


@transaction.atomic
def decide(*, sample: Sample, decision: Decision, answer: Answer, person: User) -> Decided:
    """Do what a reviewer decided.

    Whoever decides has seen to what others marked or reported; *not sure* leaves it to somebody else. Raises Conflict
    where there is nothing to keep, InvalidInput for an answer the function does not have.
    """
    lock_function(sample.function_id)
    sample.refresh_from_db(fields=_FIELDS)
    before = _name_of(sample)
    note: dict[str, Any] = {
        "sample": sample.public_id,
        "was_kept": Confirmation.objects.filter(annotation=sample.annotation_id).exists(),
        "marks": [[mark.person.public_id, mark.kind] for mark in sample.marks.select_related("person")],
        "review": sample.review,
        "is_disputed": sample.is_disputed,
    }
    did = _do(sample, decision, answer, person)
    if did is Did.DOUBTED:
        set_mark(sample=sample, person=person, kind=MarkKind.UNSURE, is_on=True)
    else:
        clear_marks(sample=sample)
    if did not in {Did.DOUBTED, Did.SENT_BACK}:
        note["reports"] = settle_reports(sample=sample, person=person)
    note |= {"did": did, "kept_at": _kept_at(sample)}
    return Decided(sample, did, _words(did, before, _name_of(sample)), signing.dumps(note, salt=_SALT))


def _kept_at(sample: Sample) -> str:
    """When what is in force was kept: tells one keeping from the next."""
    kept = Confirmation.objects.filter(annotation=sample.annotation_id).first()
    return kept.created_at.isoformat() if kept else ""


def _do(sample: Sample, decision: Decision, answer: Answer, person: User) -> Did:
    if decision is Decision.UNSURE:
        return Did.DOUBTED
    if decision is Decision.SETTLE:
        return Did.SETTLED
    if decision is Decision.SEND_BACK:
        send_back(sample=sample, reviewer=person, comment=answer.comment)
        return Did.SENT_BACK
    earlier, waits = sample.annotation_id, sample.is_disputed or sample.review == ReviewState.WANTED
    if decision is Decision.CHANGE:
        _change(sample, answer, person)
    if waits:
        accept(sample=sample)
    if sample.annotation_id != earlier and earlier is None:
        return Did.LABELLED
    # A correction was looked at as closely as anything that is kept.
    confirm_annotation(sample=sample, person=person)
    return Did.KEPT if sample.annotation_id == earlier else Did.CHANGED


def _change(sample: Sample, answer: Answer, person: User) -> None:
    if sample.function.output_kind == OutputKind.TAGS:
        fix_tags(sample=sample, there=answer.there, asked=answer.asked, person=person)
    else:
        fix_label(sample=sample, label_id=answer.label, person=person)


@transaction.atomic
def take_back(*, sample: Sample, note: str, person: User) -> Did:
    """Undo a decision. Returns what was undone.

    Raises Conflict when the sample has been decided anew since, InvalidInput for a note that is none of its own.
    """
    facts = _read(note, sample)
    lock_function(sample.function_id)
    sample.refresh_from_db(fields=_FIELDS)
    did = Did(facts["did"])
    if did in {Did.CHANGED, Did.LABELLED}:
        undo_annotation(annotation=_own(sample, person), person=person)
    elif did is Did.SENT_BACK:
        fetch_back(sample=sample, reviewer=person)
    elif did is Did.KEPT:
        _unkeep(sample, facts)
    reopen_reports(sample=sample, feedback_ids=facts.get("reports", ()))
    _restore_marks(sample, [(public_id, MarkKind(kind)) for public_id, kind in facts["marks"]], person, did)
    return did


def _unkeep(sample: Sample, facts: Mapping[str, Any]) -> None:
    if _kept_at(sample) != facts["kept_at"]:
        raise Conflict("This sample has been decided anew since, so there is nothing to undo.")
    if not facts["was_kept"]:
        withdraw_confirmation(sample=sample)
    Sample.objects.filter(pk=sample.pk).update(review=facts["review"], is_disputed=facts["is_disputed"])


def _own(sample: Sample, person: User) -> Annotation:
    annotation = sample.annotation
    if annotation is None or annotation.person_id != person.pk:
        raise Conflict("This sample has been labelled anew since, so there is nothing to undo.")
    return annotation


def _restore_marks(sample: Sample, marks: Sequence[tuple[str, MarkKind]], person: User, did: Did) -> None:
    if did is Did.DOUBTED and (person.public_id, MarkKind.UNSURE) not in marks:
        set_mark(sample=sample, person=person, kind=MarkKind.UNSURE, is_on=False)
    people = {each.public_id: each for each in User.objects.filter(public_id__in=[one for one, _kind in marks])}
    Mark.objects.bulk_create(
        (Mark(sample=sample, person=people[one], kind=kind) for one, kind in marks if one in people),
        ignore_conflicts=True,
    )


def _read(note: str, sample: Sample) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = signing.loads(note, salt=_SALT)
    except signing.BadSignature as error:
        raise InvalidInput("There is nothing to undo here. Reload the page.") from error
    if facts["sample"] != sample.public_id:
        raise InvalidInput("This was decided of another sample. Reload the page.")
    return facts


def _name_of(sample: Sample) -> str:
    return sample.label.name if sample.label else ""


def _words(did: Did, before: str, now: str) -> str:
    """Say it as the line under a sample does."""
    return {
        Did.KEPT: f"Kept {now}." if now else "Kept as it is.",
        Did.CHANGED: f"Changed {before} to {now}." if before and now else "Changed.",
        Did.LABELLED: f"Labelled {now}." if now else "Tagged.",
        Did.DOUBTED: "Not sure: it waits among the flagged ones.",
        Did.SETTLED: "Seen to.",
        Did.SENT_BACK: "Sent back with your comment.",
    }[did]
