"""What a reviewer decides about two samples that are almost the same: both stand, or both are one and the same."""

from __future__ import annotations

from typing import Any

from django.core import signing
from django.db import transaction
from django.db.models import Q

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.review.decisions import Answer, Decided, Decision, Did, decide, take_back
from apps.samples.models import Sample
from apps.samples.services.annotations import lock_function
from apps.training.findings import KEPT
from apps.training.models import Finding, FindingKind

_SALT = "review.pair"


@transaction.atomic
def decide_pair(*, sample: Sample, other: Sample, decision: Decision, answer: Answer, person: User) -> Decided:
    """Do of both what a reviewer decided: keep what is said of each, or give both the same."""
    if other.function_id != sample.function_id or other.pk == sample.pk:
        raise InvalidInput("These two are no pair. Reload the page.")
    lock_function(sample.function_id)
    both = [one for one in (sample, other) if decision is not Decision.KEEP or one.annotation_id]
    done = [decide(sample=one, decision=decision, answer=answer, person=person) for one in both]
    _mark_pair(sample, other, is_kept=decision in {Decision.KEEP, Decision.CHANGE})
    facts: dict[str, Any] = {
        "sample": sample.public_id,
        "other": other.public_id,
        "notes": {one.sample.public_id: one.note for one in done},
    }
    did = next((one.did for one in done if one.did is not Did.KEPT), Did.KEPT)
    words = "Kept both." if decision is Decision.KEEP else f"Both: {done[-1].words}"
    return Decided(sample, did, words, signing.dumps(facts, salt=_SALT))


@transaction.atomic
def take_back_pair(*, sample: Sample, note: str, person: User) -> None:
    """Undo `decide_pair`. Raises as `take_back` does."""
    try:
        facts: dict[str, Any] = signing.loads(note, salt=_SALT)
    except signing.BadSignature as error:
        raise InvalidInput("There is nothing to undo here. Reload the page.") from error
    other = Sample.objects.filter(public_id=facts["other"]).select_related("function").first()
    if facts["sample"] != sample.public_id or other is None:
        raise InvalidInput("One of the two is gone. Reload the page.")
    lock_function(sample.function_id)
    for one in (other, sample):
        if one.public_id in facts["notes"]:
            take_back(sample=one, note=facts["notes"][one.public_id], person=person)
    _mark_pair(sample, other, is_kept=False)


def _mark_pair(sample: Sample, other: Sample, *, is_kept: bool) -> None:
    pair = Q(sample=sample, other=other) | Q(sample=other, other=sample)
    for finding in Finding.objects.filter(pair, kind=FindingKind.NEAR_DUPLICATE):
        finding.facts = {name: fact for name, fact in finding.facts.items() if name != KEPT}
        if is_kept:
            finding.facts[KEPT] = True
        finding.save(update_fields=["facts"])
