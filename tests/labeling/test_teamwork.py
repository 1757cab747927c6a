"""Several people, one queue: who is asked what, who is shown what, and what becomes of their answers."""

from collections import Counter

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.core.lots import falls_in
from apps.functions.models import Function, ReviewLevel
from apps.labeling import selectors
from apps.labeling.items import QueueItem, Why
from apps.labeling.models import Handout
from apps.labeling.services import next_samples, save_answers, undo_answer
from apps.samples.models import Annotation, GoldSample, MarkKind, Opinion, PickedBy, ReviewState, Sample
from apps.samples.services.annotations import annotate_sample
from apps.samples.services.gold import make_gold
from apps.samples.services.marks import add_comment, set_mark
from apps.samples.services.reviews import send_back
from apps.training.models import Prediction, TrainedModel
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Role
from tests.conftest import make_user
from tests.labeling.rows import answer_of, make_samples

pytestmark = pytest.mark.django_db


@pytest.fixture
def third(workspace: Workspace) -> User:
    user = make_user("tara@example.com", "Tara Third")
    workspace.memberships.create(user=user, role=Role.LABELER)
    return user


def configure(function: Function, **changes: object) -> None:
    """Change the settings of teamwork, in the row and in the object at hand."""
    Function.objects.filter(pk=function.pk).update(**changes)
    function.refresh_from_db()


def ask(function: Function, person: User, n: int = 20) -> list[QueueItem]:
    return next_samples(function=function, person=person, n=n)


def say(sample: Sample, person: User, label: str | None, **more: object) -> None:
    answer = answer_of(sample, person, label, **more)
    assert save_answers(function=sample.function, person=person, answers=[answer]).refused == []


def in_force(sample: Sample) -> str | None:
    sample.refresh_from_db()
    return sample.label.name if sample.label else None


# Overlap


def test_the_share_that_goes_to_several_is_drawn_by_lot_once_and_for_all(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    configure(text_function, overlap_share=0.3)
    handed_out = {item.sample.public_id for person in (member, owner) for item in ask(text_function, person)}
    drawn = set(Sample.objects.filter(n_wanted=2).values_list("public_id", flat=True))
    assert drawn == {each for each in handed_out if falls_in(0.3, each, purpose="overlap")}
    assert 2 < len(drawn) < 25


def test_nobody_is_waited_for_who_is_not_there(text_function: Function, owner: User, samples: list[Sample]) -> None:
    configure(text_function, overlap_share=1.0, overlap_people=5)
    ask(text_function, owner, 3)
    assert not Sample.objects.filter(n_wanted__gt=1).exists()


@pytest.mark.usefixtures("member", "third")
def test_as_many_are_asked_as_there_are_at_most(text_function: Function, owner: User, samples: list[Sample]) -> None:
    configure(text_function, overlap_share=1.0, overlap_people=5)
    ask(text_function, owner, 3)
    assert set(Sample.objects.filter(n_wanted__gt=1).values_list("n_wanted", flat=True)) == {3}


@pytest.mark.usefixtures("predictions")
def test_each_of_several_is_asked_once_and_sees_neither_suggestion_nor_the_others(
    text_function: Function, owner: User, member: User, third: User
) -> None:
    configure(text_function, overlap_share=1.0)
    for item in (first := ask(text_function, member, 6)):
        assert item.may_not_suggest
        assert (item.suggestion, item.labels) == (None, ())
        say(item.sample, member, "Refund")
    add_comment(sample=first[0].sample, person=member, text="surely a refund")
    add_comment(sample=first[0].sample, person=owner, text="mine")

    for item in (second := [item for item in ask(text_function, owner, 40) if item.why is Why.OPINION]):
        assert item.may_not_suggest
        assert item.suggestion is None
        say(item.sample, owner, "Refund")
    assert {item.sample.pk for item in second} == {item.sample.pk for item in first}
    assert [comment.text for item in second for comment in item.comments] == ["mine"]

    assert Why.OPINION not in {item.why for item in ask(text_function, third)}
    assert Why.OPINION not in {item.why for item in ask(text_function, member)}


@pytest.mark.usefixtures("predictions")
def test_others_samples_are_mixed_in_the_oldest_first(text_function: Function, owner: User, member: User) -> None:
    configure(text_function, overlap_share=1.0)
    for item in ask(text_function, member, 9):
        say(item.sample, member, "Refund")
    items = ask(text_function, owner, 12)
    places = [place for place, item in enumerate(items) if item.why is Why.OPINION]
    assert places == [1, 7, 10]  # every third, but that the fifths stay random
    keys = [items[place].sample.pk for place in places]
    assert keys == sorted(keys)


def test_when_nothing_else_is_left_all_that_waits_for_opinions_comes(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    configure(text_function, overlap_share=1.0)
    while items := ask(text_function, member):
        for item in items:
            say(item.sample, member, "Refund")
    assert {item.sample.pk for item in ask(text_function, owner, 40)} == {sample.pk for sample in samples}


def test_the_majority_decides_through_the_queue(
    text_function: Function, owner: User, member: User, third: User, samples: list[Sample]
) -> None:
    Sample.objects.filter(pk=samples[0].pk).update(n_wanted=3)
    for person, label in ((owner, "Refund"), (member, "Shipping"), (third, "Refund")):
        assert in_force(samples[0]) is None
        say(samples[0], person, label)
    assert in_force(samples[0]) == "Refund"
    assert samples[0].annotation is not None
    assert samples[0].annotation.person == third


def test_progress_says_how_many_wait_for_somebody_else(
    member_client: Client, text_function: Function, member: User, owner: User, samples: list[Sample]
) -> None:
    Sample.objects.filter(pk__in=[samples[0].pk, samples[1].pk]).update(n_wanted=2)
    for sample in samples[:3]:
        say(sample, member, "Refund")
    found = selectors.progress(text_function)
    assert (found.n_labelled, found.n_waiting) == (1, 2)
    page = member_client.get(reverse("labeling:progress", args=[text_function.public_id])).content.decode()
    assert "2 more wait for another person" in page


def test_disputed_samples_wait_for_a_reviewer_and_not_in_the_queue(
    text_function: Function, owner: User, member: User, third: User, samples: list[Sample], model: TrainedModel
) -> None:
    Sample.objects.exclude(pk=samples[0].pk).delete()
    Sample.objects.filter(pk=samples[0].pk).update(n_wanted=2)
    say(samples[0], owner, "Refund")
    say(samples[0], member, "Shipping")
    assert in_force(samples[0]) is None
    assert samples[0].is_disputed
    for person in (owner, member, third):
        assert ask(text_function, person) == []


def test_an_opinion_is_undone_from_the_queue_and_asked_again(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    Sample.objects.filter(pk=samples[0].pk).update(n_wanted=2)
    say(samples[0], owner, "Refund")
    say(samples[0], member, "Refund")
    item = undo_answer(function=text_function, person=member)
    assert (item.sample.pk, item.may_not_suggest) == (samples[0].pk, True)
    assert in_force(samples[0]) is None
    say(samples[0], member, "Refund")
    assert in_force(samples[0]) == "Refund"


def test_a_random_sample_stays_one_whoever_decides_it(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    Sample.objects.filter(pk=samples[0].pk).update(n_wanted=2)
    say(samples[0], owner, "Refund", picked_by=PickedBy.RANDOM)
    say(samples[0], member, "Refund", picked_by=PickedBy.QUEUE)
    assert set(Annotation.objects.values_list("picked_by", flat=True)) == {PickedBy.RANDOM}


# Answers that cross


def test_a_late_answer_is_kept_the_first_stands_and_a_reviewer_sees_the_difference(
    text_function: Function, owner: User, member: User, third: User, samples: list[Sample]
) -> None:
    say(samples[0], owner, "Refund")
    say(samples[0], member, "Refund")
    assert (in_force(samples[0]), samples[0].is_disputed) == ("Refund", False)
    say(samples[0], third, "Shipping")
    assert (in_force(samples[0]), samples[0].is_disputed) == ("Refund", True)
    assert Counter(Opinion.objects.values_list("person__email", flat=True)).total() == 3

    undo_answer(function=text_function, person=third)
    assert (in_force(samples[0]), samples[0].is_disputed) == ("Refund", False)


def test_the_same_person_answering_again_corrects_themselves(
    text_function: Function, owner: User, samples: list[Sample]
) -> None:
    say(samples[0], owner, "Refund")
    say(samples[0], owner, "Shipping")
    assert (in_force(samples[0]), samples[0].is_disputed, Opinion.objects.count()) == ("Shipping", False, 0)


# Known answers


def test_known_answers_come_now_and_then_look_like_any_other_and_change_nothing(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    configure(text_function, gold_share=1.0)
    refund = text_function.labels.get(name="Refund")
    for sample in samples[:5]:
        make_gold(sample=sample, person=owner, label=refund)
    known = set(GoldSample.objects.values_list("sample", flat=True))

    items = ask(text_function, member, 20)

    mine = [item for item in items if item.sample.pk in known]
    assert {item.sample.pk for item in mine} == known
    assert {(item.why, item.picked_by, item.may_not_suggest) for item in mine} == {(Why.RANDOM, PickedBy.RANDOM, True)}
    for item in mine:
        say(item.sample, member, "Shipping")
    assert {in_force(sample) for sample in samples[:5]} == {"Refund"}
    assert Opinion.objects.filter(person=member).count() == 5
    assert known.isdisjoint({item.sample.pk for item in ask(text_function, member, 20)})
    assert known.isdisjoint({item.sample.pk for item in ask(text_function, owner, 20)})  # who said what they are

    undone = undo_answer(function=text_function, person=member)
    assert (undone.sample.pk in known, undone.picked_by) == (True, PickedBy.RANDOM)


def test_a_known_answer_is_never_given_for_want_of_anything_else(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    Sample.objects.exclude(pk=samples[0].pk).delete()
    make_gold(sample=samples[0], person=owner, label=text_function.labels.get(name="Refund"))
    configure(text_function, gold_share=0.0)
    assert ask(text_function, member) == []


# Sent back


def test_what_is_sent_back_comes_first_to_its_giver_alone_with_the_comment(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    say(samples[7], member, "Refund")
    send_back(sample=samples[7], reviewer=owner, comment="this is about a parcel")

    item = ask(text_function, member, 3)[0]
    assert (item.sample.pk, item.why, item.may_not_suggest) == (samples[7].pk, Why.SENT_BACK, True)
    assert item.sent_back is not None
    assert (item.sent_back.text, item.sent_back.person) == ("this is about a parcel", owner)
    Handout.objects.all().delete()
    assert samples[7].pk not in {item.sample.pk for item in ask(text_function, owner, 40)}

    say(samples[7], member, "Shipping")
    assert (in_force(samples[7]), samples[7].review) == ("Shipping", ReviewState.WANTED)


# Review


def test_answers_are_to_be_checked_as_the_level_says(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    configure(text_function, review_level=ReviewLevel.SPOT, review_share=0.4)
    for sample in samples:
        say(sample, member, "Refund")
    wanted = set(Sample.objects.filter(review=ReviewState.WANTED).values_list("public_id", flat=True))
    assert wanted == {each.public_id for each in samples if falls_in(0.4, each.public_id, purpose="review")}

    undo_answer(function=text_function, person=member)
    samples[-1].refresh_from_db()
    assert samples[-1].review == ReviewState.NONE


# Machine first


@pytest.fixture
def provisional(text_function: Function, model: TrainedModel, predictions: list[Prediction]) -> list[Prediction]:
    """The model's word stands where it is 90 % sure: for the first samples, all *Refund*."""
    configure(text_function, is_machine_first=True, automation_target=0.95)
    options = [{"target": 0.95, "threshold": 0.9, "share": 0.2, "right": 0.96}]
    TrainedModel.objects.filter(pk=model.pk).update(figures={"automation": options})
    return predictions


def test_who_contradicts_the_machine_is_joined_by_others(
    provisional: list[Prediction], owner: User, member: User, third: User, samples: list[Sample]
) -> None:
    say(samples[0], owner, "Shipping")
    assert (in_force(samples[0]), samples[0].n_wanted, samples[0].n_opinions) == (None, 3, 1)
    say(samples[0], member, "Shipping")
    say(samples[0], third, "Refund")
    assert in_force(samples[0]) == "Shipping"


def test_where_nobody_else_is_there_a_reviewer_looks_while_the_answer_stands(
    provisional: list[Prediction], owner: User, samples: list[Sample]
) -> None:
    say(samples[0], owner, "Shipping")
    assert (in_force(samples[0]), samples[0].is_disputed) == ("Shipping", True)


@pytest.mark.usefixtures("member")
def test_who_agrees_or_meets_an_unsure_machine_is_taken_at_their_word(
    text_function: Function, provisional: list[Prediction], owner: User, samples: list[Sample]
) -> None:
    say(samples[0], owner, "Refund")
    say(samples[20], owner, "Shipping")
    configure(text_function, is_machine_first=False)
    for sample in samples:
        sample.function.refresh_from_db()
    say(samples[1], owner, "Shipping")
    assert [in_force(samples[place]) for place in (0, 20, 1)] == ["Refund", "Shipping", "Shipping"]
    assert not Sample.objects.filter(n_wanted__gt=1).exists()


@pytest.mark.usefixtures("member")
def test_an_answer_against_the_machine_can_be_undone(
    text_function: Function, provisional: list[Prediction], owner: User, samples: list[Sample]
) -> None:
    say(samples[0], owner, "Shipping")
    undo_answer(function=text_function, person=owner)
    assert (in_force(samples[0]), samples[0].n_opinions) == (None, 0)


# What travels with an answer


def test_time_at_work_is_kept_within_reason(member: User, samples: list[Sample]) -> None:
    say(samples[0], member, "Refund", active_ms=4_200)
    say(samples[1], member, "Refund", active_ms=86_400_000)
    say(samples[2], member, "Refund")
    times = list(Annotation.objects.order_by("pk").values_list("active_ms", flat=True))
    assert times == [4_200, 600_000, None]


def test_not_sure_stays_with_the_sample_until_answered_surely_or_undone(
    text_function: Function, member: User, samples: list[Sample]
) -> None:
    say(samples[0], member, "Refund", is_unsure=True)
    assert list(samples[0].marks.values_list("person", "kind")) == [(member.pk, MarkKind.UNSURE)]
    say(samples[0], member, "Refund")
    assert not samples[0].marks.exists()
    say(samples[0], member, "Refund", is_unsure=True)
    undo_answer(function=text_function, person=member)
    assert not samples[0].marks.exists()


def test_items_carry_comments_and_ones_own_flag(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    add_comment(sample=samples[0], person=owner, text="whose desk is this?")
    set_mark(sample=samples[0], person=member, kind=MarkKind.FLAG, is_on=True)
    set_mark(sample=samples[1], person=owner, kind=MarkKind.FLAG, is_on=True)
    items = {item.sample.pk: item for item in ask(text_function, member, len(samples))}
    assert [comment.text for comment in items[samples[0].pk].comments] == ["whose desk is this?"]
    assert [items[sample.pk].is_flagged for sample in samples[:2]] == [True, False]


def test_a_sample_labelled_elsewhere_meanwhile_keeps_that_label(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    refund = text_function.labels.get(name="Refund")
    annotate_sample(sample=samples[0], label=refund, person=owner, picked_by=PickedBy.IMPORT)
    say(samples[0], member, "Shipping")
    assert (in_force(samples[0]), samples[0].is_disputed) == ("Refund", True)


def test_the_fair_draw_leaves_out_what_waits_for_others(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    more = make_samples(text_function, 5, "more")
    Sample.objects.filter(pk=more[0].pk).update(n_wanted=2)
    say(more[0], owner, "Refund")
    assert more[0].pk not in {sample.pk for sample in selectors.askable(text_function)}
    assert member.pk  # somebody else is there to be waited for
