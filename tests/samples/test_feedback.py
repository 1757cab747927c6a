"""What callers say of answers: kept until a reviewer has looked, settled by what that one says, followed to the end."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.events.models import Audience, Notice
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.services import delete_label
from apps.samples.models import (
    Capture,
    CaptureReason,
    Feedback,
    FeedbackState,
    Origin,
    PickedBy,
    Sample,
    Verdict,
)
from apps.samples.services.annotations import annotate_sample, tag_sample
from apps.samples.services.feedback import (
    Report,
    note_learned,
    reopen_reports,
    report,
    settle_reports,
)
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.surgery import merge_labels
from apps.training.models import TrainedModel
from apps.training.services import finish_work
from apps.training.services.choosing import pin_model, unpin_model
from apps.workspaces.models import Workspace
from tests.conftest import delete_for_good
from tests.told import undescribed, untold

pytestmark = pytest.mark.django_db

RIGHT, WRONG = Verdict.RIGHT, Verdict.WRONG


@pytest.fixture
def sample(text_function: Function, refund: Label) -> Sample:
    """A captured call that was answered *Refund*."""
    return captured(text_function, "where is my parcel", refund)


def captured(function: Function, text: str, answered: Label) -> Sample:
    add_texts(function=function, items=[NewText(text)], person=None, origin=Origin.CAPTURE)
    sample = Sample.objects.get(text=text)
    Capture.objects.create(
        sample=sample, function=function, reason=CaptureReason.LOW_CONFIDENCE, label=answered, confidence=0.6
    )
    return sample


def say(sample: Sample, label: Label | None, person: User) -> None:
    annotate_sample(sample=sample, label=label, person=person, picked_by=PickedBy.PERSON)
    sample.refresh_from_db()


def state_after(sample: Sample, said: Report, truth: Label, person: User) -> str:
    feedback = report(sample=sample, said=said)
    say(sample, truth, person)
    settle_reports(sample=sample, person=person)
    feedback.refresh_from_db()
    assert feedback.handled_by == person
    assert feedback.handled_at is not None
    return feedback.state


def test_a_wrong_answer_that_was_wrong_is_accepted_whatever_would_have_been_right(
    sample: Sample, shipping: Label, owner: User
) -> None:
    for said in (Report(WRONG), Report(WRONG, shipping)):
        assert state_after(sample, said, shipping, owner) == FeedbackState.ACCEPTED


def test_a_wrong_answer_that_was_right_is_declined(sample: Sample, refund: Label, shipping: Label, owner: User) -> None:
    for said in (Report(WRONG), Report(WRONG, shipping)):
        assert state_after(sample, said, refund, owner) == FeedbackState.DECLINED


def test_a_right_answer_is_accepted_if_it_was(sample: Sample, refund: Label, shipping: Label, owner: User) -> None:
    assert state_after(sample, Report(RIGHT), refund, owner) == FeedbackState.ACCEPTED
    assert state_after(sample, Report(RIGHT, note="again"), shipping, owner) == FeedbackState.DECLINED


def test_where_it_is_not_known_what_was_answered_the_label_decides(
    sample: Sample, refund: Label, shipping: Label, owner: User
) -> None:
    Capture.objects.all().delete()
    assert state_after(sample, Report(WRONG, shipping), shipping, owner) == FeedbackState.ACCEPTED
    assert state_after(sample, Report(WRONG, shipping, note="b"), refund, owner) == FeedbackState.DECLINED
    assert state_after(sample, Report(WRONG, note="c"), refund, owner) == FeedbackState.ACCEPTED
    assert state_after(sample, Report(RIGHT, note="d"), refund, owner) == FeedbackState.ACCEPTED


def test_a_label_merged_since_counts_as_the_one_it_is_now(
    sample: Sample, text_function: Function, refund: Label, shipping: Label, owner: User
) -> None:
    money = text_function.labels.create(name="Money back", position=2, colour=2)
    Capture.objects.update(label=money)
    merge_labels(source=money, target=refund, person=owner)
    assert state_after(sample, Report(WRONG), refund, owner) == FeedbackState.DECLINED


def test_seen_to_without_a_label_declines_it(sample: Sample, shipping: Label, owner: User) -> None:
    feedback = report(sample=sample, said=Report(WRONG, shipping))
    settle_reports(sample=sample, person=owner)
    feedback.refresh_from_db()
    assert feedback.state == FeedbackState.DECLINED


def test_tags_are_compared_as_a_whole(workspace: Workspace, owner: User) -> None:
    function = workspace.functions.create(name="Tags", input_kind=InputKind.TEXT, output_kind=OutputKind.TAGS)
    urgent = function.labels.create(name="Urgent", position=0, colour=0)
    angry = function.labels.create(name="Angry", position=1, colour=1)
    sample = captured(function, "help now", urgent)
    Capture.objects.update(tags=[urgent.public_id])
    right = report(sample=sample, said=Report(RIGHT))
    wrong = report(sample=sample, said=Report(WRONG, tags=[urgent, angry]))
    tag_sample(sample=sample, tags={urgent: True, angry: True}, person=owner, picked_by=PickedBy.PERSON)
    sample.refresh_from_db()
    settle_reports(sample=sample, person=owner)
    states = dict(Feedback.objects.values_list("pk", "state"))
    assert states == {right.pk: FeedbackState.DECLINED, wrong.pk: FeedbackState.ACCEPTED}


def test_the_same_while_it_waits_is_said_once(sample: Sample, shipping: Label, owner: User) -> None:
    first = report(sample=sample, said=Report(WRONG, shipping, reporter="desk-4"))
    assert report(sample=sample, said=Report(WRONG, shipping, reporter="desk-4")) == first
    assert report(sample=sample, said=Report(WRONG, shipping, reporter="desk-5")) != first
    say(sample, shipping, owner)
    settle_reports(sample=sample, person=owner)
    assert report(sample=sample, said=Report(WRONG, shipping, reporter="desk-4")) != first


def test_taking_a_decision_back_lets_it_wait_again(sample: Sample, shipping: Label, owner: User) -> None:
    feedback = report(sample=sample, said=Report(WRONG, shipping))
    other = report(sample=sample, said=Report(WRONG))
    Feedback.objects.filter(pk=other.pk).update(state=FeedbackState.DECLINED)
    say(sample, shipping, owner)
    settled = settle_reports(sample=sample, person=owner)
    assert settled == [feedback.public_id]
    assert reopen_reports(sample=sample, feedback_ids=settled) == 1
    feedback.refresh_from_db()
    assert (feedback.state, feedback.handled_by, feedback.handled_at) == (FeedbackState.WAITING, None, None)


def test_what_does_not_fit_the_function_is_refused(
    sample: Sample, text_function: Function, shipping: Label, workspace: Workspace
) -> None:
    other = workspace.functions.create(name="Another", input_kind=InputKind.TEXT)
    foreign = other.labels.create(name="Foreign", position=0, colour=0)
    with pytest.raises(InvalidInput):
        report(sample=sample, said=Report(WRONG, foreign))
    with pytest.raises(InvalidInput):
        report(sample=sample, said=Report(WRONG, tags=[shipping]))
    delete_label(label=shipping, actor=None)
    with pytest.raises(InvalidInput):
        report(sample=sample, said=Report(WRONG, shipping))
    delete_for_good(sample)
    with pytest.raises(Conflict):
        report(sample=sample, said=Report(WRONG))


def test_who_listens_is_told_of_it_without_its_words(sample: Sample, workspace: Workspace) -> None:
    Audience.objects.create(workspace_id=workspace.public_id)
    feedback = report(sample=sample, said=Report(WRONG, note="hunter2"))
    [notice] = Notice.objects.filter(kind="sample.reported")
    facts = {"sample_id": sample.public_id, "feedback_id": feedback.public_id, "verdict": "Wrong"}
    assert notice.data.items() >= facts.items()
    assert undescribed(notice.kind, notice.data) == untold(notice.kind, notice.data) == set()
    assert "hunter2" not in str(notice.data)


class TestLearning:
    @pytest.fixture
    def trained(self, text_function: Function, settings: Settings, tmp_path: Path, owner: User) -> Function:
        settings.ARTIFACTS_DIR = tmp_path / "models"
        items = [NewText(f"refund my money {n}", "Refund") for n in range(6)]
        items += [NewText(f"my parcel is late {n}", "Shipping") for n in range(6)]
        add_texts(function=text_function, items=items, person=owner, origin=Origin.IMPORT)
        finish_work(function_id=text_function.pk)
        return text_function

    def test_it_is_learned_once_a_model_answers_that_learned_from_it(
        self, trained: Function, refund: Label, shipping: Label, owner: User
    ) -> None:
        sample = captured(trained, "where on earth is my parcel", refund)
        accepted = report(sample=sample, said=Report(WRONG, shipping))
        waiting = report(sample=captured(trained, "something else", refund), said=Report(WRONG, shipping))
        finish_work(function_id=trained.pk)
        accepted.refresh_from_db()
        assert accepted.state == FeedbackState.WAITING
        say(sample, shipping, owner)
        settle_reports(sample=sample, person=owner)
        finish_work(function_id=trained.pk)
        accepted.refresh_from_db()
        waiting.refresh_from_db()
        live = TrainedModel.objects.get(function=trained, is_live=True)
        assert (accepted.state, accepted.learned_in) == (FeedbackState.LEARNED, live.public_id)
        assert waiting.state == FeedbackState.WAITING

    def test_a_model_that_does_not_answer_tells_nobody(
        self, trained: Function, refund: Label, shipping: Label, owner: User
    ) -> None:
        pin_model(model=TrainedModel.objects.get(function=trained, is_live=True), actor=owner)
        sample = captured(trained, "where on earth is my parcel", refund)
        feedback = report(sample=sample, said=Report(WRONG, shipping))
        say(sample, shipping, owner)
        settle_reports(sample=sample, person=owner)
        finish_work(function_id=trained.pk)
        feedback.refresh_from_db()
        assert feedback.state == FeedbackState.ACCEPTED
        newest = unpin_model(function=trained, actor=owner)
        feedback.refresh_from_db()
        assert (feedback.state, feedback.learned_in) == (FeedbackState.LEARNED, newest.public_id)

    def test_what_was_labelled_after_the_model_began_is_not_learned_yet(
        self, sample: Sample, shipping: Label, owner: User
    ) -> None:
        feedback = report(sample=sample, said=Report(WRONG, shipping))
        say(sample, shipping, owner)
        settle_reports(sample=sample, person=owner)
        newest = sample.annotation_id or 0
        function_id = sample.function_id
        assert note_learned(function_id=function_id, model_id="model_a", up_to_annotation_id=newest - 1) == 0
        assert note_learned(function_id=function_id, model_id="model_a", up_to_annotation_id=newest) == 1
        feedback.refresh_from_db()
        assert feedback.learned_in == "model_a"
