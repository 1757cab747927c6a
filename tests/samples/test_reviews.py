"""Reviewers: which answers they are shown, and what becomes of those they accept, mend or send back."""

import pytest

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.core.lots import falls_in
from apps.functions.models import Function, OutputKind, ReviewLevel
from apps.samples.models import Annotation, MarkKind, Opinion, Origin, PickedBy, ReviewState, Sample
from apps.samples.services.annotations import annotate_sample, tag_sample, undo_annotation
from apps.samples.services.bulk import label_selection
from apps.samples.services.gold import make_gold
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.marks import add_comment, set_mark
from apps.samples.services.opinions import give_opinion
from apps.samples.services.reviews import (
    accept,
    ask_for_review,
    ask_for_review_of_act,
    fetch_back,
    send_back,
)


@pytest.fixture
def sample(text_function: Function) -> Sample:
    added = add_texts(function=text_function, items=[NewText("money back")], person=None, origin=Origin.BROWSER)
    return added.samples[0]


def answer(sample: Sample, person: User, name: str = "Refund") -> Annotation:
    label = sample.function.labels.get(name=name)
    return annotate_sample(sample=sample, label=label, person=person, picked_by=PickedBy.QUEUE)


def say(sample: Sample, person: User, name: str = "Refund") -> Annotation:
    label = sample.function.labels.get(name=name)
    return give_opinion(sample=sample, person=person, label=label, picked_by=PickedBy.QUEUE)


def set_level(function: Function, level: ReviewLevel, share: float = 0.1) -> None:
    Function.objects.filter(pk=function.pk).update(review_level=level, review_share=share)


def state(sample: Sample) -> tuple[str | None, str]:
    sample.refresh_from_db()
    return (sample.label.name if sample.label else None), sample.review


@pytest.mark.parametrize(
    ("level", "share", "expected"),
    [
        (ReviewLevel.OFF, 1.0, ReviewState.NONE),
        (ReviewLevel.ALL, 0.0, ReviewState.WANTED),
        (ReviewLevel.SPOT, 0.0, ReviewState.NONE),
        (ReviewLevel.SPOT, 1.0, ReviewState.WANTED),
    ],
)
def test_the_level_says_which_answers_are_checked(
    sample: Sample, text_function: Function, member: User, level: ReviewLevel, share: float, expected: ReviewState
) -> None:
    set_level(text_function, level, share)
    ask_for_review(sample=sample)
    assert state(sample) == (None, ReviewState.NONE)
    answer(sample, member)
    ask_for_review(sample=sample)
    assert state(sample) == ("Refund", expected)


def test_answers_known_beforehand_are_not_checked(sample: Sample, text_function: Function, owner: User) -> None:
    set_level(text_function, ReviewLevel.ALL)
    make_gold(sample=sample, person=owner, label=text_function.labels.get(name="Refund"))
    ask_for_review(sample=sample)
    assert state(sample) == ("Refund", ReviewState.NONE)


def test_accepting_settles_marks_and_disputes(sample: Sample, member: User, owner: User) -> None:
    answer(sample, member)
    say(sample, owner, "Shipping")
    set_mark(sample=sample, person=member, kind=MarkKind.UNSURE, is_on=True)
    sample.refresh_from_db()
    assert sample.is_disputed

    accept(sample=sample)

    assert state(sample) == ("Refund", ReviewState.ACCEPTED)
    assert (sample.is_disputed, sample.marks.count()) == (False, 0)


def test_there_must_be_an_answer_to_accept_or_send_back(sample: Sample, owner: User) -> None:
    with pytest.raises(Conflict):
        accept(sample=sample)
    with pytest.raises(Conflict):
        send_back(sample=sample, reviewer=owner, comment="look again")


def test_a_new_answer_is_not_accepted_because_the_one_before_was(sample: Sample, member: User, owner: User) -> None:
    answer(sample, member)
    accept(sample=sample)
    answer(sample, member, "Shipping")
    assert state(sample) == ("Shipping", ReviewState.NONE)


def test_a_mended_answer_is_accepted_and_undone_to_be_checked(sample: Sample, member: User, owner: User) -> None:
    answer(sample, member)
    mended = answer(sample, owner, "Shipping")
    accept(sample=sample)
    assert state(sample) == ("Shipping", ReviewState.ACCEPTED)
    undo_annotation(annotation=mended, person=owner)
    assert state(sample) == ("Refund", ReviewState.WANTED)


def test_an_answer_of_tags_sent_back_leaves_none(sample: Sample, member: User, owner: User) -> None:
    Function.objects.filter(pk=sample.function_id).update(output_kind=OutputKind.TAGS)
    refund = sample.function.labels.get(name="Refund")
    tag_sample(sample=sample, tags={refund: True}, person=member, picked_by=PickedBy.QUEUE)
    send_back(sample=sample, reviewer=owner, comment="both, I think")
    assert not sample.tags.exists()


def test_an_answer_sent_back_goes_out_of_force_to_its_giver_with_the_comment(
    sample: Sample, member: User, owner: User
) -> None:
    answer(sample, member)
    send_back(sample=sample, reviewer=owner, comment="this is about a parcel")
    assert state(sample) == (None, ReviewState.SENT_BACK)
    assert (sample.sent_back_to, sample.annotation) == (member, None)
    assert list(sample.comments.values_list("person", "text")) == [(owner.pk, "this is about a parcel")]

    anew = answer(sample, member, "Shipping")
    ask_for_review(sample=sample, was_sent_back=True)

    assert state(sample) == ("Shipping", ReviewState.WANTED)
    assert (sample.sent_back_to, anew.picked_by) == (None, PickedBy.QUEUE)


def test_sending_back_needs_a_comment(sample: Sample, member: User, owner: User) -> None:
    answer(sample, member)
    with pytest.raises(InvalidInput):
        send_back(sample=sample, reviewer=owner, comment=" ")
    assert state(sample) == ("Refund", ReviewState.NONE)


def test_what_the_reviewer_wrote_beside_the_answer_is_reason_enough(sample: Sample, member: User, owner: User) -> None:
    add_comment(sample=sample, person=owner, text="written before there was an answer")
    answer(sample, member)
    add_comment(sample=sample, person=member, text="not by the reviewer")
    with pytest.raises(InvalidInput):
        send_back(sample=sample, reviewer=owner, comment="")
    written = add_comment(sample=sample, person=owner, text="this is about a parcel")
    assert send_back(sample=sample, reviewer=owner, comment="") == written
    assert state(sample) == (None, ReviewState.SENT_BACK)
    assert sample.comments.count() == 3


def test_where_the_giver_has_left_anybody_is_asked(sample: Sample, member: User, owner: User) -> None:
    answer(sample, member)
    member.memberships.update(role="viewer")
    send_back(sample=sample, reviewer=owner, comment="look again")
    assert state(sample) == (None, ReviewState.SENT_BACK)
    assert sample.sent_back_to is None


def test_what_was_sent_back_can_be_fetched_until_it_is_answered(sample: Sample, member: User, owner: User) -> None:
    given = answer(sample, member)
    send_back(sample=sample, reviewer=owner, comment="look again")
    fetch_back(sample=sample, reviewer=owner)
    assert state(sample) == ("Refund", ReviewState.WANTED)
    assert (sample.annotation_id, sample.sent_back_to) == (given.pk, None)

    send_back(sample=sample, reviewer=owner, comment="look again")
    answer(sample, member)
    with pytest.raises(Conflict):
        fetch_back(sample=sample, reviewer=owner)


def test_of_several_only_the_one_whose_answer_was_in_force_is_asked_again(
    sample: Sample, member: User, owner: User, outsider: User
) -> None:
    Sample.objects.filter(pk=sample.pk).update(n_wanted=2)
    say(sample, outsider)
    say(sample, member)
    send_back(sample=sample, reviewer=owner, comment="look again")
    assert state(sample) == (None, ReviewState.SENT_BACK)
    assert (sample.sent_back_to, sample.n_opinions) == (member, 1)

    fetch_back(sample=sample, reviewer=owner)
    assert state(sample) == ("Refund", ReviewState.WANTED)
    assert Opinion.objects.count() == 2

    send_back(sample=sample, reviewer=owner, comment="look again")
    say(sample, member, "Shipping")
    ask_for_review(sample=sample, was_sent_back=True)
    assert state(sample) == (None, ReviewState.NONE)
    assert (sample.is_disputed, sample.sent_back_to) == (True, None)


def test_answers_given_many_at_once_are_checked_like_others(
    sample: Sample, text_function: Function, member: User
) -> None:
    items = [NewText(f"message {number}") for number in range(60)]
    add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER)
    ids = list(Sample.objects.values_list("public_id", flat=True))
    refund = text_function.labels.get(name="Refund")
    set_level(text_function, ReviewLevel.SPOT, 0.3)
    text_function.refresh_from_db()

    act = label_selection(function=text_function, sample_ids=ids, label=refund, person=member)
    n_asked = ask_for_review_of_act(act=act)

    wanted = set(Sample.objects.filter(review=ReviewState.WANTED).values_list("public_id", flat=True))
    assert wanted == {each for each in ids if falls_in(0.3, each, purpose="review")}
    assert len(wanted) == n_asked


def test_where_nothing_is_checked_many_at_once_are_not_either(
    sample: Sample, text_function: Function, member: User
) -> None:
    refund = text_function.labels.get(name="Refund")
    act = label_selection(function=text_function, sample_ids=[sample.public_id], label=refund, person=member)
    assert ask_for_review_of_act(act=act) == 0
    assert state(sample) == ("Refund", ReviewState.NONE)
