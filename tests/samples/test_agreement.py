"""Agreement between people, over the samples that several were asked about."""

from collections.abc import Mapping

import pytest
from sklearn.metrics import cohen_kappa_score

from apps.accounts.models import User
from apps.functions.models import Function, Label
from apps.samples.agreement import agreement_of, opinions_of, pairs
from apps.samples.models import Annotation, GoldSample, Opinion, Origin, PickedBy, Sample
from apps.samples.services.intake import NewText, add_texts


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(f"message {i}") for i in range(6)]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples


def say(sample: Sample, person: User, label: Label | None, tags: Mapping[str, bool] | None = None) -> None:
    annotation = Annotation.objects.create(
        sample=sample, label=label, tags=tags, person=person, picked_by=PickedBy.QUEUE, is_opinion=True
    )
    Opinion.objects.create(sample=sample, person=person, annotation=annotation, label=label)


def test_percent_kappa_and_what_is_disputed(
    samples: list[Sample], text_function: Function, owner: User, member: User
) -> None:
    refund, shipping = text_function.labels.in_use()[:2]
    ours, theirs = [refund, refund, shipping, shipping], [refund, shipping, shipping, shipping]
    for sample, one, other in zip(samples, ours, theirs, strict=False):
        say(sample, owner, one)
        say(sample, member, other)
    say(samples[4], owner, refund)  # asked alone
    (pair,) = pairs(opinions_of(text_function))
    assert {pair.first, pair.second} == {owner.pk, member.pk}
    assert (pair.n, pair.percent, list(pair.disputed)) == (4, 0.75, [samples[1].pk])
    expected = cohen_kappa_score([label.pk for label in ours], [label.pk for label in theirs])
    assert pair.kappa == pytest.approx(expected)
    assert agreement_of([pair], owner.pk) == (4, 0.75)


def test_a_merged_label_counts_as_the_one_it_went_into(
    samples: list[Sample], text_function: Function, owner: User, member: User
) -> None:
    refund, shipping = text_function.labels.in_use()[:2]
    say(samples[0], owner, refund)
    say(samples[0], member, shipping)
    Label.objects.filter(pk=shipping.pk).update(merged_into=refund)
    assert pairs(opinions_of(text_function))[0].percent == 1.0


def test_known_answers_deleted_labels_and_the_bin_are_left_out(
    samples: list[Sample], text_function: Function, owner: User, member: User
) -> None:
    refund, shipping = text_function.labels.in_use()[:2]
    for sample in samples[:3]:
        say(sample, owner, refund)
        say(sample, member, shipping)
    GoldSample.objects.create(sample=samples[0], label=refund)
    Sample.objects.filter(pk=samples[1].pk).update(deleted_at="2026-01-01T00:00Z")
    assert pairs(opinions_of(text_function))[0].n == 1
    Label.objects.filter(pk=shipping.pk).update(deleted_at="2026-01-01T00:00Z")
    assert pairs(opinions_of(text_function)) == []


def test_tags_agree_where_the_same_ones_are_there(
    samples: list[Sample], text_function: Function, owner: User, member: User
) -> None:
    refund, shipping = (label.public_id for label in text_function.labels.in_use()[:2])
    say(samples[0], owner, None, {refund: True, shipping: False})
    say(samples[0], member, None, {refund: True})
    say(samples[1], owner, None, {refund: True, shipping: False})
    say(samples[1], member, None, {refund: True, shipping: True})
    (pair,) = pairs(opinions_of(text_function))
    assert (pair.percent, list(pair.disputed)) == (0.5, [samples[1].pk])
    assert pair.kappa == pytest.approx(0.0)
    assert agreement_of([pair], 0) == (0, None)
