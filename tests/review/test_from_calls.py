"""Samples that came in as calls, and answers that callers reported: the queues of review for both."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.review.decisions import Answer, Decision, Did, decide, take_back
from apps.review.queues import QueueName
from apps.review.selectors.queue_items import Item, queue_items
from apps.review.selectors.queues import _rows, menu, n_in_queue
from apps.samples.models import Capture, CaptureReason, Feedback, FeedbackState, MarkKind, Origin, Sample, Verdict
from apps.samples.services.bin import bin_samples
from apps.samples.services.feedback import Report, report
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.marks import set_mark
from apps.workspaces.models import Workspace
from tests.review.conftest import Add

pytestmark = pytest.mark.django_db

RIGHT, WRONG = Verdict.RIGHT, Verdict.WRONG


def captured(function: Function, text: str, answered: Label | None, **beside: object) -> Sample:
    add_texts(function=function, items=[NewText(text)], person=None, origin=Origin.CAPTURE)
    sample = Sample.objects.get(text=text)
    facts = {"reason": CaptureReason.LOW_CONFIDENCE, "label": answered, "confidence": 0.61} | beside
    Capture.objects.create(sample=sample, function=function, **facts)
    return sample


def items(function: Function, name: QueueName, *, after: str = "") -> list[Item]:
    return queue_items(function, list(function.labels.in_use()), name, after=after)


def names_in(function: Function, name: QueueName) -> list[str]:
    found = [item.row.sample.text for item in items(function, name)]
    assert n_in_queue(function, name) == len(found)
    return [Sample.objects.get(pk=item.row.sample.pk).text for item in items(function, name)]


class TestCaptured:
    def test_what_nobody_has_labelled_waits_with_what_was_answered_and_why_it_was_kept(
        self, text_function: Function, refund: Label
    ) -> None:
        captured(text_function, "first", refund)
        captured(text_function, "second", None, reason=CaptureReason.RANDOM, is_random=True)
        newest, oldest = items(text_function, QueueName.CAPTURED)
        assert (newest.heard, newest.answered) != (None, (refund,))
        assert oldest.heard is not None
        assert (oldest.heard.answered, oldest.heard.confidence) == ((refund,), 0.61)
        assert oldest.heard.why == "the model was not sure"
        assert (oldest.answered, oldest.proposed) == ((refund,), (refund,))

    def test_of_what_was_drawn_at_random_the_answer_is_shown_only_when_asked_for(
        self, text_function: Function, refund: Label, shipping: Label, owner_client: Client, owner: User
    ) -> None:
        drawn = captured(text_function, "drawn", refund, is_random=True)  # whatever else it was kept for
        page = reverse("review:queue_page", args=[text_function.public_id, "captured"])
        (item,) = items(text_function, QueueName.CAPTURED)
        assert (item.is_blind, item.answered, item.proposed) == (True, (), ())
        html = owner_client.get(page).content.decode()
        assert "data-answered" not in html
        assert f'data-proposed="{refund.public_id}' not in html
        before, behind = html.split("<summary>Show the answer</summary>")
        assert "It was answered" not in before
        assert "It was answered" in behind[: behind.index("</details>")]
        decide(sample=drawn, decision=Decision.CHANGE, answer=Answer(shipping.public_id), person=owner)
        assert names_in(text_function, QueueName.CAPTURED) == []

    def test_of_what_was_kept_for_a_reason_the_answer_is_accepted_by_one_key(
        self, text_function: Function, refund: Label, owner_client: Client
    ) -> None:
        captured(text_function, "not sure", refund)
        html = owner_client.get(
            reverse("review:queue_page", args=[text_function.public_id, "captured"])
        ).content.decode()
        assert f'data-answered="{refund.public_id} "' in html
        assert "Show the answer" not in html

    def test_what_a_caller_reported_is_shown_though_it_was_drawn_at_random(
        self, text_function: Function, refund: Label
    ) -> None:
        report(sample=captured(text_function, "drawn", refund, is_random=True), said=Report(WRONG))
        (item,) = items(text_function, QueueName.REPORTED)
        assert (item.is_blind, item.answered) == (False, (refund,))

    def test_others_without_a_label_are_not_in_it(
        self, text_function: Function, refund: Label, owner: User, add: Add
    ) -> None:
        add(None)
        add_texts(function=text_function, items=[NewText("sent from a file")], person=None, origin=Origin.CAPTURE)
        samples = {name: captured(text_function, name, refund) for name in ["waits", "labelled", "binned", "unsure"]}
        decide(sample=samples["labelled"], decision=Decision.CHANGE, answer=Answer(refund.public_id), person=owner)
        bin_samples(function=text_function, sample_ids=[samples["binned"].public_id], person=owner)
        set_mark(sample=samples["unsure"], person=owner, kind=MarkKind.UNSURE, is_on=True)
        assert names_in(text_function, QueueName.CAPTURED) == ["waits"]

    def test_a_page_goes_on_behind_the_last(self, text_function: Function, refund: Label) -> None:
        for number in range(15):
            captured(text_function, f"call {number}", refund)
        first = items(text_function, QueueName.CAPTURED)
        rest = items(text_function, QueueName.CAPTURED, after=first[-1].place)
        assert [item.row.excerpt for item in [*first, *rest]] == [f"call {number}" for number in range(14, -1, -1)]

    @pytest.mark.skipif(connection.vendor != "sqlite", reason="other databases choose by what is in the tables")
    def test_it_is_found_by_its_index(self, text_function: Function) -> None:
        for name, index in [(QueueName.CAPTURED, "sample_captured"), (QueueName.REPORTED, "feedback_waiting")]:
            rows = _rows(text_function, name)
            assert index in rows.order_by().explain()
            assert index in rows.order_by("rank", "of_sample", "pk").explain()


class TestReported:
    def test_wrong_ones_come_first_and_the_newest_of_them(self, text_function: Function, refund: Label) -> None:
        for name, verdict in [("a", WRONG), ("b", RIGHT), ("c", WRONG), ("d", RIGHT)]:
            report(sample=captured(text_function, name, refund), said=Report(verdict))
        assert names_in(text_function, QueueName.REPORTED) == ["c", "a", "d", "b"]

    def test_a_sample_reported_more_than_once_is_asked_about_once(
        self, text_function: Function, refund: Label, shipping: Label
    ) -> None:
        sample = captured(text_function, "parcel", refund)
        report(sample=sample, said=Report(WRONG, shipping, note="Not money", reporter="desk-4"))
        report(sample=sample, said=Report(RIGHT, reporter="desk-5"))
        [item] = items(text_function, QueueName.REPORTED)
        assert [(told.who, told.is_wrong, told.right, told.note) for told in item.told] == [
            ("desk-4", True, (shipping,), "Not money"),
            ("desk-5", False, None, ""),
        ]
        assert (item.answered, item.proposed) == ((refund,), (shipping,))

    def test_it_goes_on_behind_the_last_across_both_kinds(self, text_function: Function, refund: Label) -> None:
        for number in range(16):
            verdict = WRONG if number % 2 else RIGHT
            report(sample=captured(text_function, f"call {number}", refund), said=Report(verdict))
        first = items(text_function, QueueName.REPORTED)
        rest = items(text_function, QueueName.REPORTED, after=first[-1].place)
        order = [f"call {n}" for n in [*range(15, 0, -2), *range(14, -1, -2)]]
        assert [item.row.excerpt for item in [*first, *rest]] == order

    def test_another_functions_reports_are_not_in_it(
        self, text_function: Function, refund: Label, workspace: Workspace
    ) -> None:
        report(sample=captured(text_function, "mine", refund), said=Report(WRONG))
        other = workspace.functions.create(name="Another", input_kind=InputKind.TEXT)
        assert names_in(other, QueueName.REPORTED) == []

    def test_tags_that_should_be_there_are_proposed(self, workspace: Workspace) -> None:
        function = workspace.functions.create(name="Tags", input_kind=InputKind.TEXT, output_kind=OutputKind.TAGS)
        urgent = function.labels.create(name="Urgent", position=0, colour=0)
        angry = function.labels.create(name="Angry", position=1, colour=1)
        sample = captured(function, "help now", urgent, tags=[urgent.public_id])
        report(sample=sample, said=Report(WRONG, tags=[angry, urgent]))
        [item] = items(function, QueueName.REPORTED)
        assert (item.answered, item.proposed) == ((urgent,), (urgent, angry))


class TestDeciding:
    def test_taking_it_over_accepts_the_report_and_labels_the_sample(
        self, text_function: Function, refund: Label, shipping: Label, owner: User
    ) -> None:
        sample = captured(text_function, "parcel", refund)
        feedback = report(sample=sample, said=Report(WRONG, shipping))
        done = decide(sample=sample, decision=Decision.CHANGE, answer=Answer(shipping.public_id), person=owner)
        assert (done.did, state_of(feedback)) == (Did.LABELLED, FeedbackState.ACCEPTED)
        assert Sample.objects.get().label == shipping
        assert names_in(text_function, QueueName.REPORTED) == names_in(text_function, QueueName.CAPTURED) == []
        assert take_back(sample=sample, note=done.note, person=owner) is Did.LABELLED
        assert state_of(feedback) == FeedbackState.WAITING
        assert Sample.objects.get().label is None
        assert names_in(text_function, QueueName.REPORTED) == ["parcel"]

    def test_saying_that_the_answer_was_right_declines_it(
        self, text_function: Function, refund: Label, shipping: Label, owner: User
    ) -> None:
        sample = captured(text_function, "money", refund)
        feedback = report(sample=sample, said=Report(WRONG, shipping))
        decide(sample=sample, decision=Decision.CHANGE, answer=Answer(refund.public_id), person=owner)
        assert state_of(feedback) == FeedbackState.DECLINED
        assert Sample.objects.get().label == refund

    def test_keeping_the_label_of_a_labelled_one_settles_it_and_can_be_taken_back(
        self, text_function: Function, shipping: Label, add: Add, owner: User
    ) -> None:
        sample = add("Refund", "Refund")
        feedback = report(sample=sample, said=Report(WRONG, shipping))
        done = decide(sample=sample, decision=Decision.KEEP, answer=Answer(), person=owner)
        assert state_of(feedback) == FeedbackState.DECLINED
        take_back(sample=sample, note=done.note, person=owner)
        assert state_of(feedback) == FeedbackState.WAITING

    def test_seen_to_declines_it_without_a_label(
        self, text_function: Function, refund: Label, shipping: Label, owner: User
    ) -> None:
        sample = captured(text_function, "noise", refund)
        feedback = report(sample=sample, said=Report(WRONG, shipping))
        decide(sample=sample, decision=Decision.SETTLE, answer=Answer(), person=owner)
        assert state_of(feedback) == FeedbackState.DECLINED
        assert Sample.objects.get().label is None

    def test_not_sure_and_sent_back_leave_it_waiting(
        self, text_function: Function, shipping: Label, add: Add, owner: User
    ) -> None:
        sample = add("Refund", "Refund")
        feedback = report(sample=sample, said=Report(WRONG, shipping))
        decide(sample=sample, decision=Decision.UNSURE, answer=Answer(), person=owner)
        assert state_of(feedback) == FeedbackState.WAITING
        decide(sample=sample, decision=Decision.SEND_BACK, answer=Answer(comment="Look again"), person=owner)
        assert state_of(feedback) == FeedbackState.WAITING


def state_of(feedback: Feedback) -> str:
    feedback.refresh_from_db()
    return feedback.state


class TestPages:
    def url(self, function: Function, rest: str = "") -> str:
        return f"/functions/{function.public_id}/{rest}"

    def test_the_queues_stand_first_once_there_is_something_in_them(
        self, text_function: Function, refund: Label
    ) -> None:
        assert {QueueName.REPORTED, QueueName.CAPTURED}.isdisjoint(entry.queue.name for entry in menu(text_function))
        report(sample=captured(text_function, "parcel", refund), said=Report(WRONG))
        assert [entry.queue.name for entry in menu(text_function)][:2] == [QueueName.REPORTED, QueueName.CAPTURED]

    def test_the_home_says_how_many_wait(
        self, text_function: Function, refund: Label, owner_client: Client, member_client: Client
    ) -> None:
        home = self.url(text_function)
        assert "data-reported" not in owner_client.get(home).content.decode()
        for number in range(3):
            report(sample=captured(text_function, f"call {number}", refund), said=Report(WRONG))
        page = owner_client.get(home).content.decode()
        assert "<strong>3</strong> reported answers wait for you" in page
        assert "data-reported" not in member_client.get(home).content.decode()

    def test_a_report_is_shown_with_its_words_escaped(
        self, text_function: Function, refund: Label, shipping: Label, owner_client: Client
    ) -> None:
        sample = captured(text_function, "parcel", refund)
        report(sample=sample, said=Report(WRONG, shipping, note="<script>x</script>", reporter="<b>me</b>"))
        page = owner_client.get(self.url(text_function, "review/reported/")).content.decode()
        assert "&lt;script&gt;x&lt;/script&gt;" in page
        assert "&lt;b&gt;me&lt;/b&gt;" in page
        assert f'data-answered="{refund.public_id} "' in page
        assert f'data-proposed="{shipping.public_id} "' in page
        assert "the model was not sure" in page

    def test_what_came_of_reports_is_said_beside_the_queue(
        self, text_function: Function, refund: Label, shipping: Label, owner: User, owner_client: Client
    ) -> None:
        sample = captured(text_function, "parcel", refund)
        feedback = report(sample=sample, said=Report(WRONG, shipping))
        beside = self.url(text_function, "review/reports/")
        assert "What came of reports" not in owner_client.get(beside).content.decode()
        decide(sample=sample, decision=Decision.CHANGE, answer=Answer(shipping.public_id), person=owner)
        assert "Accepted, not learned yet" in owner_client.get(beside).content.decode()
        Feedback.objects.filter(pk=feedback.pk).update(state=FeedbackState.LEARNED)
        page = owner_client.get(self.url(text_function, "review/reported/")).content.decode()
        assert "Learned" in page

    def test_who_may_not_review_sees_neither(
        self, text_function: Function, member_client: Client, outsider_client: Client
    ) -> None:
        for rest in ("review/reported/", "review/captured/", "review/reports/"):
            assert member_client.get(self.url(text_function, rest)).status_code == 403
            assert outsider_client.get(self.url(text_function, rest)).status_code == 404
