"""Known answers: in force from the start, and untouched by what those say who are tried on them."""

import pytest

from apps.accounts.models import User
from apps.core.errors import InvalidInput, NotFound
from apps.functions.models import Function, OutputKind
from apps.samples.models import Annotation, GoldSample, Opinion, Origin, PickedBy, Sample
from apps.samples.services.acts import undo_act
from apps.samples.services.annotations import annotate_sample, tag_sample, undo_annotation
from apps.samples.services.bulk import label_selection
from apps.samples.services.gold import drop_gold, make_gold
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.opinions import give_opinion, undo_opinion


@pytest.fixture
def sample(text_function: Function) -> Sample:
    added = add_texts(function=text_function, items=[NewText("money back")], person=None, origin=Origin.BROWSER)
    return added.samples[0]


def test_a_known_answer_labels_its_sample(sample: Sample, text_function: Function, owner: User) -> None:
    refund, shipping = text_function.labels.order_by("position")
    make_gold(sample=sample, person=owner, label=refund)
    sample.refresh_from_db()
    assert (sample.label, sample.gold.label, sample.gold.person) == (refund, refund, owner)

    make_gold(sample=sample, person=owner, label=shipping)
    sample.refresh_from_db()
    assert (sample.label, GoldSample.objects.get().label) == (shipping, shipping)


def test_a_label_that_is_in_force_already_keeps_its_giver(
    sample: Sample, text_function: Function, member: User, owner: User
) -> None:
    refund = text_function.labels.get(name="Refund")
    theirs = annotate_sample(sample=sample, label=refund, person=member, picked_by=PickedBy.RANDOM)
    make_gold(sample=sample, person=owner, label=refund)
    sample.refresh_from_db()
    assert sample.annotation_id == theirs.pk


def test_what_most_people_said_becomes_known_apart_from_them(
    sample: Sample, text_function: Function, member: User, owner: User
) -> None:
    refund, shipping = text_function.labels.order_by("position")
    opinion = give_opinion(sample=sample, person=member, label=refund, picked_by=PickedBy.QUEUE)
    make_gold(sample=sample, person=owner, label=refund)
    undo_opinion(annotation=opinion, person=member)
    give_opinion(sample=sample, person=member, label=shipping, picked_by=PickedBy.QUEUE)
    sample.refresh_from_db()
    assert (sample.label, sample.is_disputed) == (refund, False)


def test_answers_on_it_are_kept_and_change_nothing(
    sample: Sample, text_function: Function, member: User, owner: User
) -> None:
    refund, shipping = text_function.labels.order_by("position")
    make_gold(sample=sample, person=owner, label=refund)
    revision = Function.objects.values_list("data_revision", flat=True).get(pk=text_function.pk)

    wrong = give_opinion(sample=sample, person=member, label=shipping, picked_by=PickedBy.QUEUE)

    sample.refresh_from_db()
    assert (sample.label, sample.is_disputed, sample.n_opinions) == (refund, False, 0)
    assert Opinion.objects.get().label == shipping
    assert Function.objects.values_list("data_revision", flat=True).get(pk=text_function.pk) == revision
    undo_opinion(annotation=wrong, person=member)
    sample.refresh_from_db()
    assert (sample.label, Opinion.objects.count()) == (refund, 0)


def test_dropping_it_leaves_the_label_and_what_was_answered(
    sample: Sample, text_function: Function, member: User, owner: User
) -> None:
    refund, shipping = text_function.labels.order_by("position")
    make_gold(sample=sample, person=owner, label=refund)
    give_opinion(sample=sample, person=member, label=shipping, picked_by=PickedBy.QUEUE)
    assert (drop_gold(sample=sample), drop_gold(sample=sample)) == (True, False)
    sample.refresh_from_db()
    assert (sample.label, sample.is_disputed) == (refund, False)
    assert (Opinion.objects.count(), GoldSample.objects.count()) == (1, 0)


def test_tags_are_known_of_every_tag_in_use(sample: Sample, text_function: Function, owner: User) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    refund, shipping = text_function.labels.order_by("position")
    for _ in range(2):
        make_gold(sample=sample, person=owner, tags={refund: True})
    assert GoldSample.objects.get().tags == {refund.public_id: True, shipping.public_id: False}
    assert Annotation.objects.count() == 1
    assert dict(sample.tags.values_list("label", "is_present")) == {refund.pk: True, shipping.pk: False}


def test_where_the_known_answer_is_taken_back_nobodys_opinion_takes_its_place(
    sample: Sample, text_function: Function, member: User, owner: User
) -> None:
    refund, shipping = text_function.labels.order_by("position")
    make_gold(sample=sample, person=owner, label=refund)
    give_opinion(sample=sample, person=member, label=shipping, picked_by=PickedBy.QUEUE)
    undo_annotation(annotation=Annotation.objects.get(person=owner), person=owner)
    sample.refresh_from_db()
    assert (sample.label, sample.annotation) == (None, None)


def known_label(sample: Sample) -> str | None:
    return GoldSample.objects.values_list("label__name", flat=True).get(sample=sample)


def test_a_reviewer_who_corrects_it_changes_what_is_known(sample: Sample, text_function: Function, owner: User) -> None:
    refund, shipping = text_function.labels.order_by("position")
    make_gold(sample=sample, person=owner, label=refund)
    corrected = annotate_sample(sample=sample, label=shipping, person=owner, picked_by=PickedBy.PERSON)
    assert known_label(sample) == "Shipping"
    undo_annotation(annotation=corrected, person=owner)
    assert known_label(sample) == "Refund"

    act = label_selection(function=text_function, sample_ids=[sample.public_id], label=shipping, person=owner)
    assert known_label(sample) == "Shipping"
    undo_act(act=act, person=owner)
    assert known_label(sample) == "Refund"


def test_a_reviewer_who_corrects_tags_changes_those_that_are_known(
    sample: Sample, text_function: Function, owner: User
) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    refund, shipping = text_function.labels.order_by("position")
    make_gold(sample=sample, person=owner, tags={refund: True})
    tag_sample(sample=sample, tags={shipping: True}, person=owner, picked_by=PickedBy.PERSON)
    assert GoldSample.objects.get().tags == {refund.public_id: False, shipping.public_id: True}


def test_a_labeler_who_takes_an_answer_back_does_not_change_what_is_known(
    sample: Sample, text_function: Function, member: User, owner: User
) -> None:
    refund, shipping = text_function.labels.order_by("position")
    annotate_sample(sample=sample, label=refund, person=member, picked_by=PickedBy.RANDOM)
    theirs = annotate_sample(sample=sample, label=shipping, person=member, picked_by=PickedBy.RANDOM)
    make_gold(sample=sample, person=owner, label=shipping)
    undo_annotation(annotation=theirs, person=member)
    assert known_label(sample) == "Shipping"


def test_taking_the_label_away_leaves_the_answer_known(sample: Sample, text_function: Function, owner: User) -> None:
    refund = text_function.labels.get(name="Refund")
    make_gold(sample=sample, person=owner, label=refund)
    annotate_sample(sample=sample, label=None, person=owner, picked_by=PickedBy.PERSON)
    assert known_label(sample) == "Refund"


def test_nothing_is_known_without_an_answer_or_of_a_deleted_sample(
    sample: Sample, text_function: Function, owner: User
) -> None:
    refund = text_function.labels.get(name="Refund")
    with pytest.raises(InvalidInput):
        make_gold(sample=sample, person=owner)
    with pytest.raises(InvalidInput):
        make_gold(sample=sample, person=owner, tags={refund: True})
    Sample.objects.filter(pk=sample.pk).update(deleted_at="2026-01-01T00:00:00Z")
    with pytest.raises(NotFound):
        make_gold(sample=sample, person=owner, label=refund)
    assert not GoldSample.objects.exists()
