"""Several people, one sample: who is heard, what comes to be in force, and who decides where they cannot agree."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, NotAllowed
from apps.functions.models import DecidedBy, Function, Label, OutputKind
from apps.functions.services import delete_label
from apps.samples.models import Annotation, Opinion, Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_many, annotate_sample, tag_sample, undo_annotation
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.opinions import ask_more, give_opinion, undo_opinion
from apps.samples.services.settling import settle
from tests.conftest import make_user

Say = Callable[[int, str], Annotation]


@pytest.fixture
def sample(text_function: Function) -> Sample:
    text_function.labels.create(name="Thanks", position=2, colour=2)
    added = add_texts(function=text_function, items=[NewText("money back")], person=None, origin=Origin.BROWSER)
    return added.samples[0]


@pytest.fixture
def people(db: None) -> list[User]:
    return [make_user(f"person{place}@example.com", f"Person {place}") for place in range(5)]


@pytest.fixture
def say(sample: Sample, people: list[User], text_function: Function) -> Say:
    """One of the people says what the sample is."""

    def give(who: int, name: str) -> Annotation:
        label = text_function.labels.get(name=name)
        return give_opinion(sample=sample, person=people[who], label=label, picked_by=PickedBy.QUEUE)

    return give


def want(sample: Sample, n: int) -> None:
    Sample.objects.filter(pk=sample.pk).update(n_wanted=n)


def decide_by(function: Function, who: DecidedBy) -> None:
    Function.objects.filter(pk=function.pk).update(decided_by=who)


def in_force(sample: Sample) -> tuple[str | None, bool]:
    """What the sample says now, and whether it waits for a reviewer."""
    sample.refresh_from_db()
    assert (sample.annotation_id is None) == (sample.labelled_at is None)
    return (sample.label.name if sample.label else None), sample.is_disputed


def revision(function: Function) -> int:
    return Function.objects.values_list("data_revision", flat=True).get(pk=function.pk)


def test_nothing_is_in_force_until_enough_have_spoken(sample: Sample, text_function: Function, say: Say) -> None:
    want(sample, 2)
    say(0, "Refund")
    assert in_force(sample) == (None, False)
    assert (sample.n_opinions, revision(text_function)) == (1, 0)

    second = say(1, "Refund")

    assert in_force(sample) == ("Refund", False)
    assert (sample.n_opinions, sample.annotation_id, revision(text_function)) == (2, second.pk, 1)


def test_the_newest_answer_of_the_majority_is_in_force(sample: Sample, say: Say) -> None:
    want(sample, 3)
    say(0, "Refund")
    second = say(1, "Refund")
    say(2, "Shipping")
    assert in_force(sample) == ("Refund", False)
    assert sample.annotation_id == second.pk


def test_a_tie_waits_for_a_reviewer(sample: Sample, say: Say) -> None:
    want(sample, 2)
    say(0, "Refund")
    say(1, "Shipping")
    assert in_force(sample) == (None, True)


def test_two_of_four_are_not_most(sample: Sample, say: Say) -> None:
    want(sample, 4)
    for who, name in enumerate(["Refund", "Refund", "Shipping", "Thanks"]):
        say(who, name)
    assert in_force(sample) == (None, True)


def test_where_a_reviewer_decides_only_one_voice_is_put_in_force(
    sample: Sample, text_function: Function, say: Say
) -> None:
    decide_by(text_function, DecidedBy.ADJUDICATOR)
    want(sample, 3)
    for who, name in enumerate(["Refund", "Refund", "Shipping"]):
        say(who, name)
    assert in_force(sample) == (None, True)
    say(2, "Refund")
    assert in_force(sample) == ("Refund", False)


def test_a_persons_second_opinion_replaces_the_first(sample: Sample, say: Say) -> None:
    want(sample, 2)
    say(0, "Refund")
    say(0, "Shipping")
    assert in_force(sample) == (None, False)
    say(1, "Shipping")
    assert in_force(sample) == ("Shipping", False)
    assert (Opinion.objects.count(), Annotation.objects.count()) == (2, 3)


def test_the_same_token_twice_is_one_opinion(sample: Sample, people: list[User], text_function: Function) -> None:
    token, refund = uuid4(), text_function.labels.get(name="Refund")
    given = [
        give_opinion(sample=sample, person=people[0], label=refund, picked_by=PickedBy.QUEUE, client_token=token)
        for _ in range(2)
    ]
    assert given[0].pk == given[1].pk
    assert Annotation.objects.count() == 1


def test_tags_agree_where_the_same_ones_in_use_are_said_to_be_there(
    sample: Sample, people: list[User], text_function: Function
) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    want(sample, 2)
    refund, shipping, thanks = text_function.labels.order_by("position")
    for person, tags in zip(people, [{refund: True, shipping: False}, {refund: True, thanks: True}], strict=False):
        give_opinion(sample=sample, person=person, tags=tags, picked_by=PickedBy.QUEUE)
    assert in_force(sample) == (None, True)

    delete_label(label=thanks)
    settle(sample)

    sample.refresh_from_db()
    assert (sample.is_disputed, sample.annotation_id is not None) == (False, True)
    assert list(sample.tags.values_list("label__name", "is_present")) == [("Refund", True)]


def test_labels_merged_since_count_as_one(sample: Sample, text_function: Function, say: Say) -> None:
    want(sample, 2)
    say(0, "Refund")
    say(1, "Shipping")
    assert in_force(sample) == (None, True)
    refund = text_function.labels.get(name="Refund")
    Label.objects.filter(name="Shipping").update(merged_into=refund)

    settle(sample)

    assert in_force(sample) == ("Refund", False)


def test_a_deleted_label_is_nobodys_voice_and_nothing_is_lost(
    sample: Sample, text_function: Function, say: Say
) -> None:
    want(sample, 2)
    say(0, "Refund")
    say(1, "Shipping")
    delete_label(label=text_function.labels.get(name="Shipping"))
    settle(sample)
    assert in_force(sample) == (None, False)
    assert (sample.n_opinions, Opinion.objects.count()) == (1, 2)
    with pytest.raises(InvalidInput):
        say(2, "Shipping")
    say(2, "Refund")
    assert in_force(sample) == ("Refund", False)


def test_undo_takes_ones_own_opinion_back_and_with_it_what_it_decided(
    sample: Sample, say: Say, people: list[User]
) -> None:
    want(sample, 2)
    say(0, "Refund")
    second = say(1, "Refund")
    for _ in range(2):
        undo_opinion(annotation=second, person=people[1])
    assert in_force(sample) == (None, False)
    assert (sample.n_opinions, Annotation.objects.filter(undoes=second).count()) == (1, 1)
    say(1, "Shipping")
    assert in_force(sample) == (None, True)


def test_undo_brings_a_persons_earlier_opinion_back(sample: Sample, say: Say, people: list[User]) -> None:
    want(sample, 2)
    first = say(0, "Refund")
    second = say(0, "Shipping")
    with pytest.raises(Conflict):
        undo_opinion(annotation=first, person=people[0])
    with pytest.raises(NotAllowed):
        undo_opinion(annotation=second, person=people[1])
    undo_opinion(annotation=second, person=people[0])
    say(1, "Refund")
    assert in_force(sample) == ("Refund", False)
    undo_opinion(annotation=first, person=people[0])
    assert in_force(sample) == (None, False)


def test_a_reviewer_decides_and_undoing_that_asks_the_opinions_again(
    sample: Sample, text_function: Function, say: Say, owner: User
) -> None:
    want(sample, 2)
    say(0, "Refund")
    say(1, "Shipping")
    thanks = text_function.labels.get(name="Thanks")
    decision = annotate_sample(sample=sample, label=thanks, person=owner, picked_by=PickedBy.PERSON)
    assert in_force(sample) == ("Thanks", False)
    assert decision.picked_by == PickedBy.QUEUE  # the sample's reason, not the reviewer's

    say(2, "Refund")
    assert in_force(sample) == ("Thanks", False)

    undo_annotation(annotation=decision, person=owner)
    assert in_force(sample) == ("Refund", False)


def test_a_reviewer_may_overrule_those_who_agree_and_take_that_back(
    sample: Sample, text_function: Function, say: Say, owner: User
) -> None:
    want(sample, 2)
    say(0, "Refund")
    say(1, "Refund")
    thanks = text_function.labels.get(name="Thanks")
    decision = annotate_sample(sample=sample, label=thanks, person=owner, picked_by=PickedBy.PERSON)
    undo_annotation(annotation=decision, person=owner)
    assert in_force(sample) == ("Refund", False)


@pytest.mark.parametrize("is_bulk", [False, True])
def test_what_a_reviewer_took_away_is_not_put_back_by_what_was_said_before(
    sample: Sample, text_function: Function, say: Say, owner: User, is_bulk: bool
) -> None:
    want(sample, 2)
    say(0, "Refund")
    say(1, "Refund")
    if is_bulk:
        pairs: list[tuple[int, int | None]] = [(sample.pk, None)]
        annotate_many(function=text_function, pairs=pairs, person=owner, picked_by=PickedBy.PERSON)
    else:
        annotate_sample(sample=sample, label=None, person=owner, picked_by=PickedBy.PERSON)
    assert in_force(sample) == (None, True)


def test_labelling_many_at_once_decides_and_keeps_why_they_were_asked(
    sample: Sample, text_function: Function, say: Say, owner: User
) -> None:
    want(sample, 2)
    say(0, "Refund")
    say(1, "Shipping")
    refund = text_function.labels.get(name="Refund")
    annotate_many(function=text_function, pairs=[(sample.pk, refund.pk)], person=owner, picked_by=PickedBy.PERSON)
    assert in_force(sample) == ("Refund", False)
    assert Annotation.objects.latest("pk").picked_by == PickedBy.QUEUE


def test_asking_more_people_takes_an_answer_out_of_force_until_they_have_spoken(
    sample: Sample, text_function: Function, say: Say, people: list[User]
) -> None:
    refund = text_function.labels.get(name="Refund")
    alone = annotate_sample(sample=sample, label=refund, person=people[0], picked_by=PickedBy.RANDOM)

    ask_more(sample=sample, n=3)

    assert in_force(sample) == (None, False)
    assert (sample.n_wanted, sample.n_opinions) == (3, 1)
    second = say(1, "Refund")
    say(2, "Shipping")
    assert in_force(sample) == ("Refund", False)
    assert (sample.annotation_id, second.picked_by) == (second.pk, PickedBy.RANDOM)
    alone.refresh_from_db()
    undo_opinion(annotation=alone, person=people[0])
    assert in_force(sample) == (None, False)


def test_asking_more_never_brings_an_older_answer_back(
    sample: Sample, text_function: Function, say: Say, people: list[User]
) -> None:
    for name, person in (("Thanks", people[3]), ("Refund", people[0])):
        label = text_function.labels.get(name=name)
        annotate_sample(sample=sample, label=label, person=person, picked_by=PickedBy.QUEUE)
    ask_more(sample=sample, n=2)
    assert in_force(sample) == (None, False)
    ask_more(sample=sample, n=1)
    assert in_force(sample) == (None, False)
    say(1, "Refund")
    assert in_force(sample) == ("Refund", False)


def test_asking_more_about_a_label_nobody_gave_starts_afresh(sample: Sample, text_function: Function, say: Say) -> None:
    refund = text_function.labels.get(name="Refund")
    annotate_sample(sample=sample, label=refund, person=None, picked_by=PickedBy.IMPORT)
    ask_more(sample=sample, n=2)
    assert in_force(sample) == (None, False)
    assert sample.n_opinions == 0
    say(0, "Shipping")
    say(1, "Shipping")
    assert in_force(sample) == ("Shipping", False)


def test_asking_more_after_a_consensus_waits_for_them(sample: Sample, say: Say) -> None:
    want(sample, 2)
    say(0, "Refund")
    say(1, "Refund")
    ask_more(sample=sample, n=3)
    assert in_force(sample) == (None, False)
    say(2, "Shipping")
    assert in_force(sample) == ("Refund", False)


def test_of_two_answers_that_crossed_the_first_stands_and_a_contradiction_is_seen(
    sample: Sample, text_function: Function, say: Say, people: list[User], owner: User
) -> None:
    refund = text_function.labels.get(name="Refund")
    first = annotate_sample(sample=sample, label=refund, person=people[0], picked_by=PickedBy.QUEUE)
    say(1, "Refund")
    assert in_force(sample) == ("Refund", False)
    late = say(2, "Shipping")
    assert in_force(sample) == ("Refund", True)
    assert sample.annotation_id == first.pk
    assert set(Opinion.objects.values_list("person", flat=True)) == {person.pk for person in people[:3]}

    undo_opinion(annotation=late, person=people[2])
    assert in_force(sample) == ("Refund", False)
    say(2, "Shipping")
    annotate_sample(sample=sample, label=refund, person=owner, picked_by=PickedBy.PERSON)
    assert in_force(sample) == ("Refund", False)


def test_where_the_first_of_two_crossed_answers_is_undone_the_other_holds(
    sample: Sample, text_function: Function, say: Say, people: list[User]
) -> None:
    refund = text_function.labels.get(name="Refund")
    first = annotate_sample(sample=sample, label=refund, person=people[0], picked_by=PickedBy.QUEUE)
    say(1, "Shipping")
    undo_annotation(annotation=first, person=people[0])
    assert in_force(sample) == ("Shipping", False)
    assert sample.n_opinions == 1


def test_a_sample_in_the_bin_keeps_what_is_said_of_it_for_later(sample: Sample, say: Say, people: list[User]) -> None:
    want(sample, 2)
    say(0, "Refund")
    Sample.objects.filter(pk=sample.pk).update(deleted_at=timezone.now())
    second = say(1, "Refund")
    undo_opinion(annotation=second, person=people[1])
    say(1, "Refund")
    ask_more(sample=sample, n=3)
    binned = Sample.everywhere.get(pk=sample.pk)
    assert (binned.annotation_id, binned.label_id, binned.n_wanted) == (None, None, 2)

    Sample.everywhere.filter(pk=sample.pk).update(deleted_at=None)
    settle(sample)
    assert in_force(sample) == ("Refund", False)


def test_a_deleted_sample_takes_its_opinions_along(sample: Sample, say: Say) -> None:
    say(0, "Refund")
    sample.delete()
    assert not Opinion.objects.exists()
    assert not Annotation.objects.exists()


def test_an_opinion_must_say_something_and_fit_the_function(
    sample: Sample, people: list[User], text_function: Function
) -> None:
    with pytest.raises(InvalidInput):
        give_opinion(sample=sample, person=people[0], picked_by=PickedBy.QUEUE)
    refund = text_function.labels.get(name="Refund")
    with pytest.raises(InvalidInput):
        give_opinion(sample=sample, person=people[0], tags={refund: True}, picked_by=PickedBy.QUEUE)
    assert not Annotation.objects.exists()


def test_tags_of_one_person_undone_leave_the_sample_bare(
    sample: Sample, people: list[User], text_function: Function
) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    refund = text_function.labels.get(name="Refund")
    said = tag_sample(sample=sample, tags={refund: True}, person=people[0], picked_by=PickedBy.QUEUE)
    undo_annotation(annotation=said, person=people[0])
    assert not sample.tags.exists()
