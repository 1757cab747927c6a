"""Which findings still hold: people act between one inspection and the next."""

from __future__ import annotations

import pytest
from django.utils import timezone

from apps.functions.models import Function
from apps.functions.services import delete_label
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.samples.services.confirmations import confirm_annotation
from apps.training.models import Finding, FindingKind
from apps.training.selectors import findings, n_findings
from tests.training.conftest import label

pytestmark = pytest.mark.django_db

Samples = dict[str, list[Sample]]


def doubt(sample: Sample, label_name: str, score: float = 0.5) -> Finding:
    """Find a wrong label."""
    sample.refresh_from_db()
    instead = sample.function.labels.get(name=label_name)
    return Finding.objects.create(
        function=sample.function,
        kind=FindingKind.WRONG_LABEL,
        sample=sample,
        annotation_id=sample.annotation_id,
        label=instead,
        score=score,
    )


def test_the_worst_come_first(text_function: Function, samples: Samples) -> None:
    mild, bad = (doubt(sample, "Shipping", score) for sample, score in zip(samples["Refund"], (0.2, 0.9), strict=False))
    assert list(findings(text_function, FindingKind.WRONG_LABEL)) == [bad, mild]
    assert n_findings(text_function) == {
        FindingKind.WRONG_LABEL: 2,
        FindingKind.NEW_KIND: 0,
        FindingKind.NEAR_DUPLICATE: 0,
    }


def test_a_label_kept_changed_or_taken_away_is_doubted_no_more(text_function: Function, samples: Samples) -> None:
    kept, changed, emptied, left, deleted = samples["Refund"][:5]
    for sample in (kept, changed, emptied, left, deleted):
        doubt(sample, "Shipping")
    confirm_annotation(sample=kept, person=None)
    label(text_function, [changed], "Shipping")
    annotate_sample(sample=emptied, label=None, person=None, picked_by=PickedBy.PERSON)
    Sample.objects.filter(pk=deleted.pk).update(deleted_at=timezone.now())
    assert [row.sample for row in findings(text_function, FindingKind.WRONG_LABEL)] == [left]
    assert n_findings(text_function)[FindingKind.WRONG_LABEL] == 1


def test_a_label_that_is_gone_is_nothing_to_change_to(text_function: Function, samples: Samples) -> None:
    doubt(samples["Refund"][0], "Shipping")
    delete_label(label=text_function.labels.get(name="Shipping"))
    assert not findings(text_function, FindingKind.WRONG_LABEL).exists()


def test_what_was_new_is_not_once_it_is_labelled(text_function: Function, samples: Samples) -> None:
    for sample in samples[""][:2]:
        Finding.objects.create(function=text_function, kind=FindingKind.NEW_KIND, sample=sample, score=0.5)
    label(text_function, samples[""][:1], "Refund")
    assert [row.sample for row in findings(text_function, FindingKind.NEW_KIND)] == [samples[""][1]]


def pair(sample: Sample, other: Sample) -> Finding:
    """Find two alike, labelled differently where they are."""
    sample.refresh_from_db()
    other.refresh_from_db()
    differ = sample.label_id and other.label_id and sample.label_id != other.label_id
    return Finding.objects.create(
        function=sample.function,
        kind=FindingKind.NEAR_DUPLICATE,
        sample=sample,
        other=other,
        annotation_id=sample.annotation_id if differ else None,
        label_id=other.label_id if differ else None,
        score=1.0,
    )


def test_two_alike_are_found_until_they_are_labelled_alike(text_function: Function, samples: Samples) -> None:
    for sample, other in zip(samples["Refund"][:3], samples["Shipping"][:3], strict=True):
        pair(sample, other)
    label(text_function, [samples["Refund"][0]], "Shipping")
    label(text_function, [samples["Shipping"][1]], "Refund")
    found = findings(text_function, FindingKind.NEAR_DUPLICATE)
    assert [row.sample for row in found] == [samples["Refund"][2]]
    confirm_annotation(sample=samples["Refund"][2], person=None)
    assert not found.all().exists()


def test_two_alike_without_labels_are_found_while_both_are_there(text_function: Function, samples: Samples) -> None:
    pair(samples[""][0], samples[""][1])
    assert n_findings(text_function)[FindingKind.NEAR_DUPLICATE] == 1
    Sample.objects.filter(pk=samples[""][1].pk).update(deleted_at=timezone.now())
    assert n_findings(text_function)[FindingKind.NEAR_DUPLICATE] == 0
