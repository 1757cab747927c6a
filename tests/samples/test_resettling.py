"""What several people said, after the labels they said it with were merged, parted, deleted or brought back."""

import pytest

from apps.accounts.models import User
from apps.functions.models import Function, ReviewLevel
from apps.functions.services import delete_label
from apps.samples.models import Annotation, Opinion, Origin, PickedBy, ReviewState, Sample
from apps.samples.services.acts import undo_act
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.opinions import give_opinion
from apps.samples.services.resettling import release_overlap, release_unanswerable, settle_stranded
from apps.samples.services.surgery import merge_labels
from tests.conftest import make_user


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    text_function.labels.create(name="Thanks", position=2, colour=2)
    items = [NewText(f"message {number}") for number in range(3)]
    added = add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples
    Sample.objects.update(n_wanted=2)
    return added


@pytest.fixture
def people(db: None) -> tuple[User, User]:
    return make_user("ada@example.com", "Ada"), make_user("ben@example.com", "Ben")


def say(sample: Sample, person: User, name: str) -> Annotation:
    label = sample.function.labels.get(name=name)
    return give_opinion(sample=sample, person=person, label=label, picked_by=PickedBy.QUEUE)


def in_force(sample: Sample) -> tuple[str | None, bool]:
    sample.refresh_from_db()
    return (sample.label.name if sample.label else None), sample.is_disputed


def test_a_merge_ends_disputes_and_undoing_it_brings_them_back(
    samples: list[Sample], people: tuple[User, User], text_function: Function, owner: User
) -> None:
    refund, shipping, _thanks = text_function.labels.order_by("position")
    for place, names in enumerate([("Refund", "Shipping"), ("Shipping", "Shipping"), ("Refund", "Thanks")]):
        for person, name in zip(people, names, strict=True):
            say(samples[place], person, name)
    assert [in_force(sample) for sample in samples] == [(None, True), ("Shipping", False), (None, True)]

    act = merge_labels(source=shipping, target=refund, person=owner)
    assert [in_force(sample) for sample in samples] == [("Refund", False), ("Refund", False), (None, True)]

    undo_act(act=act, person=owner)
    assert [in_force(sample) for sample in samples] == [(None, True), ("Shipping", False), (None, True)]


def test_after_a_label_was_deleted_its_samples_wait_for_answers_again(
    samples: list[Sample], people: tuple[User, User], text_function: Function
) -> None:
    for person in people:
        say(samples[0], person, "Shipping")
    say(samples[1], people[0], "Refund")
    delete_label(label=text_function.labels.get(name="Shipping"))

    assert settle_stranded() == 1

    assert in_force(samples[0]) == (None, False)
    assert (samples[0].n_opinions, Opinion.objects.count()) == (0, 3)
    assert settle_stranded() == 0
    for person in people:
        say(samples[0], person, "Refund")
    assert in_force(samples[0]) == ("Refund", False)


@pytest.mark.parametrize("is_swept", [True, False])
def test_a_label_brought_back_brings_its_opinions_back(
    samples: list[Sample], people: tuple[User, User], text_function: Function, owner: User, *, is_swept: bool
) -> None:
    for person in people:
        say(samples[0], person, "Shipping")
    act = delete_label(label=text_function.labels.get(name="Shipping"), actor=owner)
    if is_swept:
        settle_stranded()
    outcome = undo_act(act=act, person=owner)
    assert in_force(samples[0]) == ("Shipping", False)
    assert samples[0].n_opinions == 2
    assert (outcome.n_restored, outcome.n_left) == (1, 0)  # nobody is told that somebody changed it


def test_nobody_is_waited_for_who_has_left(
    samples: list[Sample], text_function: Function, owner: User, member: User
) -> None:
    say(samples[0], member, "Refund")
    say(samples[1], owner, "Shipping")
    assert release_unanswerable() == 0

    member.memberships.all().delete()

    assert release_unanswerable() == 1
    assert [in_force(sample) for sample in samples] == [(None, False), ("Shipping", False), (None, False)]
    say(samples[0], owner, "Refund")  # what the one who left had said still counts
    assert in_force(samples[0]) == ("Refund", False)
    assert release_unanswerable() == 0


def test_where_nobody_else_is_asked_any_more_what_was_said_is_enough(
    samples: list[Sample], people: tuple[User, User], text_function: Function
) -> None:
    Function.objects.update(overlap_share=1.0)
    say(samples[0], people[0], "Refund")
    assert release_overlap() == 0

    Function.objects.update(overlap_share=0.0, review_level=ReviewLevel.ALL)

    assert release_overlap() == 3
    assert [in_force(sample) for sample in samples] == [("Refund", False), (None, False), (None, False)]
    assert [(sample.n_wanted, sample.review) for sample in samples] == [
        (1, ReviewState.WANTED),
        (1, ReviewState.NONE),
        (1, ReviewState.NONE),
    ]
    assert release_overlap() == 0


def test_where_fewer_are_asked_those_who_spoke_decide_or_a_reviewer_does(
    samples: list[Sample], people: tuple[User, User], text_function: Function
) -> None:
    Sample.objects.update(n_wanted=3)
    Function.objects.update(overlap_share=1.0, overlap_people=3)
    for place, names in enumerate([("Refund", "Refund"), ("Refund", "Shipping"), ("Refund",)]):
        for person, name in zip(people, names, strict=False):
            say(samples[place], person, name)
    assert release_overlap() == 0

    Function.objects.update(overlap_people=2)

    assert release_overlap() == 3
    assert [in_force(sample) for sample in samples] == [("Refund", False), (None, True), (None, False)]
    assert {sample.n_wanted for sample in samples} == {2}


def test_what_the_machine_saw_differently_still_waits_for_others(
    samples: list[Sample], people: tuple[User, User], text_function: Function
) -> None:
    Function.objects.update(is_machine_first=True)
    Sample.objects.update(n_wanted=3)
    say(samples[0], people[0], "Refund")
    assert release_overlap() == 2
    assert in_force(samples[0]) == (None, False)
    assert samples[0].n_wanted == 3
