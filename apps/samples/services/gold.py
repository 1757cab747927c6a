"""Samples whose answer is known: hidden among what labelers are asked, to see how often they are right.

What people answer on them is kept as their opinion and changes nothing in force. What a reviewer puts in force is what
is known from then on (`known_answers`).
"""

from collections.abc import Mapping

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import InvalidInput, NotFound
from apps.functions.models import Label
from apps.functions.services.changes import announce_change
from apps.samples.models import GoldSample, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample, lock_function, tag_sample
from apps.samples.services.saying import KnownLabels, Said
from apps.samples.services.settling import settle


@transaction.atomic
def make_gold(
    *, sample: Sample, person: User | None, label: Label | None = None, tags: Mapping[Label, bool] | None = None
) -> GoldSample:
    """Say that a sample's answer is known, and label it with that. Doing so again changes the known answer.

    Raises InvalidInput without an answer, or with one that does not fit the function.
    """
    if label is None and tags is None:
        raise InvalidInput("Say what the right answer is first.")
    gives = lock_function(sample.function_id)
    labels = KnownLabels(sample.function_id)
    known = labels.checked(_said(label, tags), gives)
    _label_with(sample, label, tags, person, known)
    gold, _is_new = GoldSample.objects.update_or_create(
        sample=sample,
        defaults={"label_id": known.label_id, "tags": labels.by_public_id(known.tags), "person": person},
    )
    settle(sample, labels)
    announce_change(sample.function)
    return gold


def _said(label: Label | None, tags: Mapping[Label, bool] | None) -> Said:
    if label is not None:
        return Said(label_id=label.pk)
    return Said(tags={one.pk: is_present for one, is_present in (tags or {}).items()}, is_whole=True)


def _label_with(
    sample: Sample, label: Label | None, tags: Mapping[Label, bool] | None, person: User | None, known: Said
) -> None:
    """Let the known answer be in force, unless it is already: then who gave it, and why, stays as it is.

    One that was put in force by most of several people is said anew: their opinions must not unsay it.
    """
    now = Sample.objects.filter(pk=sample.pk).select_related("annotation").first()
    if now is None:
        raise NotFound("This sample has been deleted.")
    is_decided = now.annotation is not None and not now.annotation.is_opinion
    if label is not None:
        if not (is_decided and now.label_id == known.label_id):
            annotate_sample(sample=sample, label=label, person=person, picked_by=PickedBy.PERSON)
    elif not (is_decided and dict(now.tags.values_list("label", "is_present")) == known.tags):
        tag_sample(sample=sample, tags=tags or {}, person=person, picked_by=PickedBy.PERSON)


@transaction.atomic
def drop_gold(*, sample: Sample) -> bool:
    """Let a sample's answer no longer count as known. It stays labelled; what people answered is kept.

    Returns whether it was known.
    """
    lock_function(sample.function_id)
    n_dropped, _per_model = GoldSample.objects.filter(sample=sample).delete()
    if n_dropped:
        announce_change(sample.function)
    return bool(n_dropped)
