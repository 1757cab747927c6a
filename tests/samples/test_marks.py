"""Flags, *not sure* and comments: each person's own, once, and gone with the sample."""

from uuid import uuid4

import pytest

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.events.models import Notice
from apps.events.services import keep_audience
from apps.functions.models import Function
from apps.samples.models import Comment, Mark, MarkKind, Origin, Sample
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.marks import add_comment, clear_marks, set_mark
from tests.conftest import delete_for_good
from tests.told import undescribed, untold


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText("money back please"), NewText("where is my parcel")]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples


def marks_on(sample: Sample) -> set[tuple[str, str]]:
    return set(Mark.objects.filter(sample=sample).values_list("person__email", "kind"))


def test_a_flag_is_put_on_once_and_taken_off(samples: list[Sample], member: User, owner: User) -> None:
    for _ in range(2):
        set_mark(sample=samples[0], person=member, kind=MarkKind.FLAG, is_on=True)
    set_mark(sample=samples[0], person=owner, kind=MarkKind.UNSURE, is_on=True)
    assert marks_on(samples[0]) == {(member.email, "flag"), (owner.email, "unsure")}

    for _ in range(2):
        set_mark(sample=samples[0], person=member, kind=MarkKind.FLAG, is_on=False)
    assert marks_on(samples[0]) == {(owner.email, "unsure")}


def test_a_flag_is_told_to_other_programs_once_and_without_the_text(samples: list[Sample], member: User) -> None:
    function = samples[0].function
    keep_audience(workspace=function.workspace.public_id, is_there=True)
    for is_on in (True, True, False):
        set_mark(sample=samples[0], person=member, kind=MarkKind.FLAG, is_on=is_on)
    set_mark(sample=samples[0], person=member, kind=MarkKind.UNSURE, is_on=True)
    notice = Notice.objects.get()
    assert (notice.kind, notice.function_id) == ("sample.flagged", function.public_id)
    assert notice.data == {"sample_id": samples[0].public_id, "flagged_by": member.public_id}
    assert undescribed(notice.kind, notice.data) == untold(notice.kind, notice.data) == set()


def test_a_reviewer_clears_everybodys_marks_of_one_kind_or_of_all(
    samples: list[Sample], member: User, owner: User
) -> None:
    for person in (member, owner):
        for kind in MarkKind:
            set_mark(sample=samples[0], person=person, kind=kind, is_on=True)
    set_mark(sample=samples[1], person=member, kind=MarkKind.FLAG, is_on=True)

    assert clear_marks(sample=samples[0], kind=MarkKind.FLAG) == 2
    assert {kind for _who, kind in marks_on(samples[0])} == {"unsure"}
    assert clear_marks(sample=samples[0]) == 2
    assert clear_marks(sample=samples[0]) == 0
    assert marks_on(samples[1]) == {(member.email, "flag")}


def test_a_comment_sent_twice_is_kept_once(samples: list[Sample], member: User) -> None:
    token = uuid4()
    first, again = (
        add_comment(sample=samples[0], person=member, text="  is this one ours?\n", client_token=token)
        for _ in range(2)
    )
    assert first.pk == again.pk
    assert [comment.text for comment in Comment.objects.all()] == ["is this one ours?"]
    add_comment(sample=samples[0], person=member, text="is this one ours?")
    assert Comment.objects.count() == 2


def test_the_token_of_anothers_comment_gives_nothing_away(samples: list[Sample], member: User, owner: User) -> None:
    token = uuid4()
    add_comment(sample=samples[0], person=owner, text="see the contract", client_token=token)
    with pytest.raises(Conflict):
        add_comment(sample=samples[0], person=member, text="mine", client_token=token)
    with pytest.raises(Conflict):
        add_comment(sample=samples[1], person=owner, text="mine", client_token=token)
    assert Comment.objects.count() == 1


@pytest.mark.parametrize(("text", "words"), [(" \n", "Write something"), ("x" * 2_001, "2,000 characters")])
def test_empty_and_endless_comments_are_refused_in_a_sentence(
    samples: list[Sample], member: User, text: str, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words):
        add_comment(sample=samples[0], person=member, text=text)
    assert not Comment.objects.exists()


def test_marks_and_comments_go_with_their_sample(samples: list[Sample], member: User) -> None:
    for sample in samples:
        set_mark(sample=sample, person=member, kind=MarkKind.FLAG, is_on=True)
        add_comment(sample=sample, person=member, text="x" * 2_000)
    delete_for_good(samples[0])
    assert list(Mark.objects.values_list("sample", flat=True)) == [samples[1].pk]
    assert list(Comment.objects.values_list("sample", flat=True)) == [samples[1].pk]
