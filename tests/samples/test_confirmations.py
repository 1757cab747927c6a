"""Keeping a label that was doubted."""

from __future__ import annotations

import pytest

from apps.accounts.models import User
from apps.core.errors import Conflict
from apps.functions.models import Function
from apps.samples.models import Confirmation, Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.samples.services.confirmations import confirm_annotation, withdraw_confirmation
from apps.samples.services.intake import NewText, add_texts

pytestmark = pytest.mark.django_db


@pytest.fixture
def sample(text_function: Function) -> Sample:
    items = [NewText("please refund my money")]
    row = add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples[0]
    label = text_function.labels.get(name="Refund")
    annotate_sample(sample=row, label=label, person=None, picked_by=PickedBy.RANDOM)
    return row


def test_keeping_a_label_twice_keeps_it_once_and_trains_nothing(sample: Sample, owner: User) -> None:
    revision = Function.objects.get(pk=sample.function_id).data_revision
    first = confirm_annotation(sample=sample, person=owner)
    assert confirm_annotation(sample=sample, person=None) == first
    assert Confirmation.objects.get().annotation_id == sample.annotation_id
    assert Confirmation.objects.get().person == owner
    assert Function.objects.get(pk=sample.function_id).data_revision == revision


def test_what_was_kept_can_be_doubted_again(sample: Sample, owner: User) -> None:
    confirm_annotation(sample=sample, person=owner)
    assert withdraw_confirmation(sample=sample)
    assert not withdraw_confirmation(sample=sample)
    assert not Confirmation.objects.exists()


def test_only_the_label_in_force_is_kept(sample: Sample, text_function: Function, owner: User) -> None:
    stale = Sample.objects.get(pk=sample.pk)
    other = text_function.labels.get(name="Shipping")
    newest = annotate_sample(sample=sample, label=other, person=owner, picked_by=PickedBy.PERSON)
    assert confirm_annotation(sample=stale, person=owner).annotation == newest


def test_without_a_label_there_is_nothing_to_keep(sample: Sample, owner: User) -> None:
    annotate_sample(sample=sample, label=None, person=owner, picked_by=PickedBy.PERSON)
    with pytest.raises(Conflict):
        confirm_annotation(sample=sample, person=owner)
