"""The queues of review: what is in each and why, what deciding does, and that all of it can be taken back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.events.models import Event
from apps.functions.models import Function, Label, ReviewLevel
from apps.review.decisions import Answer, Decision, Did, decide, take_back
from apps.review.pairs import decide_pair, take_back_pair
from apps.review.queues import QueueName
from apps.review.selectors.queue_items import N_AT_ONCE, Item, queue_items
from apps.review.selectors.queues import menu, n_in_queue
from apps.samples.models import Annotation, Comment, Confirmation, Mark, MarkKind, PickedBy, ReviewState, Sample
from apps.samples.services.annotations import annotate_sample
from apps.samples.services.opinions import ask_more, give_opinion
from apps.training.models import Finding, FindingKind, Prediction, PredictionKind, TrainedModel
from tests.review.conftest import Add

pytestmark = pytest.mark.django_db


def find(
    kind: FindingKind, sample: Sample, *, score: float = 1.0, label: Label | None = None, **more: object
) -> Finding:
    annotation = sample.annotation if kind == FindingKind.WRONG_LABEL else more.pop("annotation", None)
    return Finding.objects.create(
        function=sample.function, kind=kind, sample=sample, score=score, label=label, annotation=annotation, **more
    )


def items(function: Function, name: QueueName, **options: object) -> list[Item]:
    return queue_items(function, list(function.labels.in_use()), name, **options)


def samples_in(function: Function, name: QueueName) -> list[Sample]:
    found = [item.row.sample for item in items(function, name)]
    assert n_in_queue(function, name) == len(found)
    return found


def fixed(label: Label) -> Answer:
    return Answer(label=label.public_id)


class TestWhatIsInThem:
    def test_likely_wrong_labels_say_what_else_and_show_the_nearest(
        self, text_function: Function, add: Add, shipping: Label
    ) -> None:
        near = [add("Shipping", text=f"parcel {n}") for n in range(3)]
        mild, bad = add("Refund", "Shipping"), add("Refund", "Shipping")
        find(FindingKind.WRONG_LABEL, mild, score=0.5, label=shipping)
        find(FindingKind.WRONG_LABEL, bad, score=0.9, label=shipping, facts={"neighbours": [s.pk for s in near]})
        first, second = items(text_function, QueueName.WRONG_LABELS)
        assert (first.row.sample, second.row.sample) == (bad, mild)
        assert first.proposed == (shipping,)
        assert [row.excerpt for row in first.nearby] == ["parcel 0", "parcel 1", "parcel 2"]

    def test_unsure_ones_are_those_the_model_is_torn_about(self, text_function: Function, add: Add) -> None:
        calm, torn, most = add(None, "Refund"), add(None, "Refund", margin=0.1), add(None, "Refund", margin=0.01)
        doubtful, sure = add("Refund", "Shipping", margin=0.1), add("Refund", "Refund")
        assert samples_in(text_function, QueueName.UNSURE) == [most, torn]
        assert samples_in(text_function, QueueName.UNSURE_LABELLED) == [doubtful]
        assert calm.label is None
        assert sure.label is not None

    def test_what_was_kept_is_not_asked_again(self, text_function: Function, add: Add, owner: User) -> None:
        doubtful = add("Refund", "Shipping", margin=0.1)
        decide(sample=doubtful, decision=Decision.KEEP, answer=Answer(), person=owner)
        assert samples_in(text_function, QueueName.UNSURE_LABELLED) == []

    def test_disputed_ones_say_who_said_what(
        self, text_function: Function, add: Add, owner: User, member: User, refund: Label, shipping: Label
    ) -> None:
        sample = add(None)
        ask_more(sample=sample, n=2)
        for person, label in ((owner, refund), (member, shipping)):
            give_opinion(sample=sample, person=person, label=label, picked_by=PickedBy.QUEUE)
        [item] = items(text_function, QueueName.DISPUTED)
        assert [(voice.who, voice.labels) for voice in item.voices] == [
            ("Olga Owner", (refund,)),
            ("Mika Member", (shipping,)),
        ]
        assert item.proposed == ()
        decide(sample=item.row.sample, decision=Decision.CHANGE, answer=fixed(shipping), person=owner)
        assert samples_in(text_function, QueueName.DISPUTED) == []

    def test_flagged_ones_come_once_whoever_marked_them(
        self, text_function: Function, add: Add, owner: User, member: User, workspace: object
    ) -> None:
        flagged, doubted, plain = add("Refund"), add(None), add("Refund")
        for person in (owner, member):
            Mark.objects.create(sample=flagged, person=person, kind=MarkKind.FLAG)
        Mark.objects.create(sample=doubted, person=member, kind=MarkKind.UNSURE)
        Comment.objects.create(sample=flagged, person=member, text="Is this one ours?")
        first, second = items(text_function, QueueName.FLAGGED)
        assert (first.row.sample, second.row.sample) == (flagged, doubted)
        assert first.row.notes.flagged_by == ("Olga Owner", "Mika Member")
        assert [(each.who, each.text) for each in first.row.notes.remarks] == [("Mika Member", "Is this one ours?")]
        assert second.row.notes.doubted_by == ("Mika Member",)
        assert plain.pk
        assert n_in_queue(text_function, QueueName.FLAGGED) == 2

    def test_marks_of_another_function_stay_there(self, text_function: Function, add: Add, owner: User) -> None:
        Mark.objects.create(sample=add("Refund"), person=owner, kind=MarkKind.FLAG)
        other = text_function.workspace.functions.create(name="Other", input_kind="text")
        assert samples_in(other, QueueName.FLAGGED) == []

    def test_new_kinds_are_gone_once_labelled(
        self, text_function: Function, add: Add, owner: User, refund: Label
    ) -> None:
        odd = add(None, "Refund")
        find(FindingKind.NEW_KIND, odd)
        assert samples_in(text_function, QueueName.NEW_KINDS) == [odd]
        decided = decide(sample=odd, decision=Decision.CHANGE, answer=fixed(refund), person=owner)
        assert (decided.did, decided.words) == (Did.LABELLED, "Labelled Refund.")
        assert samples_in(text_function, QueueName.NEW_KINDS) == []

    def test_of_near_duplicates_those_that_differ_come_first(
        self, text_function: Function, add: Add, shipping: Label
    ) -> None:
        alike, twin = add("Refund"), add("Refund")
        one, other = add("Refund"), add("Shipping")
        find(FindingKind.NEAR_DUPLICATE, alike, score=0.99, other=twin)
        find(FindingKind.NEAR_DUPLICATE, one, score=0.9, other=other, label=shipping, annotation=one.annotation)
        first, second = items(text_function, QueueName.NEAR_DUPLICATES)
        assert (first.row.sample, first.is_same_as_other) == (one, False)
        assert (second.row.sample, second.is_same_as_other) == (alike, True)
        assert first.other is not None
        assert first.other.sample == other

    def test_provisional_ones_are_those_the_promise_covers(
        self, text_function: Function, add: Add, model: TrainedModel
    ) -> None:
        model.figures = {"automation": [{"target": 0.95, "threshold": 0.9, "share": 0.5, "right": 0.95}]}
        model.save()
        sure, surer, torn = add(None, "Refund", margin=0.8), add(None, "Refund", margin=0.9), add(None, margin=0.1)
        assert samples_in(text_function, QueueName.PROVISIONAL) == []
        text_function.is_machine_first = True
        assert samples_in(text_function, QueueName.PROVISIONAL) == [surer, sure]
        assert torn.pk

    def test_what_somebody_was_not_sure_of_waits_among_the_flagged(
        self, text_function: Function, add: Add, owner: User, shipping: Label
    ) -> None:
        sample = add("Refund", "Shipping")
        find(FindingKind.WRONG_LABEL, sample, label=shipping)
        decide(sample=sample, decision=Decision.UNSURE, answer=Answer(), person=owner)
        assert samples_in(text_function, QueueName.WRONG_LABELS) == []
        assert samples_in(text_function, QueueName.FLAGGED) == [sample]

    def test_the_bin_is_in_none_of_them(self, text_function: Function, add: Add, owner: User) -> None:
        from django.utils import timezone

        sample = add("Refund")
        Mark.objects.create(sample=sample, person=owner, kind=MarkKind.FLAG)
        Sample.objects.filter(pk=sample.pk).update(deleted_at=timezone.now())
        assert samples_in(text_function, QueueName.FLAGGED) == []


class TestGoingOn:
    def test_it_goes_on_behind_what_was_seen_whatever_became_of_that(
        self, text_function: Function, add: Add, owner: User, refund: Label
    ) -> None:
        samples = [add(None, "Refund", margin=0.001 * (n // 3)) for n in range(N_AT_ONCE + 5)]
        first = items(text_function, QueueName.UNSURE)
        assert [item.row.sample for item in first] == samples[:N_AT_ONCE]
        decide(sample=first[-1].row.sample, decision=Decision.CHANGE, answer=fixed(refund), person=owner)
        rest = items(text_function, QueueName.UNSURE, after=first[-1].place)
        assert [item.row.sample for item in rest] == samples[N_AT_ONCE:]

    @pytest.mark.parametrize("place", ["x", "0.5~sample_0000000000000000", "nan~{}", "inf~{}", "~{}", "1e999~{}"])
    def test_a_place_that_is_none_is_refused(self, text_function: Function, add: Add, place: str) -> None:
        sample = add(None, "Refund", margin=0.1)
        with pytest.raises(InvalidInput):
            items(text_function, QueueName.UNSURE, after=place.format(sample.public_id))

    def test_the_number_of_queries_does_not_grow_with_the_queue(
        self, text_function: Function, add: Add, shipping: Label, django_assert_num_queries: Callable[..., object]
    ) -> None:
        near = add("Shipping")
        for _ in range(8):
            find(FindingKind.WRONG_LABEL, add("Refund", "Shipping"), label=shipping, facts={"neighbours": [near.pk]})
        labels = list(text_function.labels.in_use())
        with django_assert_num_queries(10):
            assert len(queue_items(text_function, labels, QueueName.WRONG_LABELS)) == 8


class TestDeciding:
    def test_keeping_confirms_and_undo_withdraws(self, add: Add, owner: User) -> None:
        sample = add("Refund", "Shipping")
        decided = decide(sample=sample, decision=Decision.KEEP, answer=Answer(), person=owner)
        assert decided.words == "Kept Refund."
        assert Confirmation.objects.get().annotation == sample.annotation
        assert take_back(sample=sample, note=decided.note, person=owner) == Did.KEPT
        assert not Confirmation.objects.exists()

    def test_changing_gives_the_label_and_undo_brings_the_old_one_back(
        self, add: Add, owner: User, shipping: Label, refund: Label
    ) -> None:
        sample = add("Refund", "Shipping")
        decided = decide(sample=sample, decision=Decision.CHANGE, answer=fixed(shipping), person=owner)
        sample.refresh_from_db()
        assert (sample.label, decided.words) == (shipping, "Changed Refund to Shipping.")
        take_back(sample=sample, note=decided.note, person=owner)
        sample.refresh_from_db()
        assert sample.label == refund

    def test_a_change_to_what_it_is_keeps_it(self, add: Add, owner: User, refund: Label) -> None:
        sample = add("Refund", "Shipping")
        decided = decide(sample=sample, decision=Decision.CHANGE, answer=fixed(refund), person=owner)
        assert decided.did == Did.KEPT
        assert sample.annotations.count() == 1

    def test_deciding_sees_to_the_marks_and_undo_puts_them_back(self, add: Add, owner: User, member: User) -> None:
        sample = add("Refund")
        Mark.objects.create(sample=sample, person=member, kind=MarkKind.FLAG)
        Mark.objects.create(sample=sample, person=owner, kind=MarkKind.UNSURE)
        decided = decide(sample=sample, decision=Decision.KEEP, answer=Answer(), person=owner)
        assert not sample.marks.exists()
        take_back(sample=sample, note=decided.note, person=owner)
        assert set(sample.marks.values_list("person", "kind")) == {
            (member.pk, MarkKind.FLAG),
            (owner.pk, MarkKind.UNSURE),
        }

    def test_not_sure_is_a_mark_and_undo_takes_it_off(self, add: Add, owner: User) -> None:
        sample = add("Refund")
        decided = decide(sample=sample, decision=Decision.UNSURE, answer=Answer(), person=owner)
        assert sample.marks.get().kind == MarkKind.UNSURE
        take_back(sample=sample, note=decided.note, person=owner)
        assert not sample.marks.exists()

    def test_what_was_kept_before_stays_kept(self, add: Add, owner: User) -> None:
        sample = add("Refund")
        decide(sample=sample, decision=Decision.KEEP, answer=Answer(), person=owner)
        again = decide(sample=sample, decision=Decision.KEEP, answer=Answer(), person=owner)
        take_back(sample=sample, note=again.note, person=owner)
        assert Confirmation.objects.count() == 1

    def test_seen_to_leaves_a_sample_without_a_label_as_it_is(self, add: Add, owner: User) -> None:
        sample = add(None)
        Mark.objects.create(sample=sample, person=owner, kind=MarkKind.FLAG)
        decide(sample=sample, decision=Decision.SETTLE, answer=Answer(), person=owner)
        sample.refresh_from_db()
        assert (sample.annotation, sample.marks.count()) == (None, 0)

    def test_nothing_is_kept_where_nothing_is_said(self, add: Add, owner: User) -> None:
        with pytest.raises(Conflict):
            decide(sample=add(None), decision=Decision.KEEP, answer=Answer(), person=owner)

    def test_what_somebody_else_said_since_is_not_taken_back(
        self, add: Add, owner: User, member: User, shipping: Label, refund: Label
    ) -> None:
        sample = add("Refund", "Shipping")
        decided = decide(sample=sample, decision=Decision.CHANGE, answer=fixed(shipping), person=owner)
        annotate_sample(sample=sample, label=refund, person=member, picked_by=PickedBy.PERSON)
        with pytest.raises(Conflict):
            take_back(sample=sample, note=decided.note, person=owner)

    def test_what_somebody_else_kept_since_is_not_taken_back(
        self, add: Add, owner: User, member: User, shipping: Label
    ) -> None:
        sample = add("Refund")
        first = decide(sample=sample, decision=Decision.KEEP, answer=Answer(), person=owner).note
        take_back(sample=sample, note=first, person=owner)
        decide(sample=sample, decision=Decision.KEEP, answer=Answer(), person=member)
        with pytest.raises(Conflict):
            take_back(sample=sample, note=first, person=owner)
        assert Confirmation.objects.get().person == member
        annotate_sample(sample=sample, label=shipping, person=member, picked_by=PickedBy.PERSON)
        with pytest.raises(Conflict):
            take_back(sample=sample, note=first, person=owner)

    def test_a_note_of_another_sample_or_nobodys_undoes_nothing(self, add: Add, owner: User) -> None:
        one, other = add("Refund"), add("Refund")
        decided = decide(sample=one, decision=Decision.KEEP, answer=Answer(), person=owner)
        for note in (decided.note + "x", "", "nonsense"):
            with pytest.raises(InvalidInput):
                take_back(sample=one, note=note, person=owner)
        with pytest.raises(InvalidInput):
            take_back(sample=other, note=decided.note, person=owner)
        assert Confirmation.objects.count() == 1


class TestChecking:
    @pytest.fixture
    def asked(self, add: Add, member: User) -> Sample:
        sample = add("Refund", "Shipping")
        Annotation.objects.filter(pk=sample.annotation_id).update(person=member)
        Sample.objects.filter(pk=sample.pk).update(review=ReviewState.WANTED)
        sample.refresh_from_db()
        return sample

    def test_they_wait_with_who_said_it(self, text_function: Function, asked: Sample, refund: Label) -> None:
        [item] = items(text_function, QueueName.TO_CHECK)
        assert item.author is not None
        assert (item.author.who, item.author.labels) == ("Mika Member", (refund,))

    def test_keeping_accepts_and_undo_asks_again(self, asked: Sample, owner: User) -> None:
        decided = decide(sample=asked, decision=Decision.KEEP, answer=Answer(), person=owner)
        asked.refresh_from_db()
        assert asked.review == ReviewState.ACCEPTED
        take_back(sample=asked, note=decided.note, person=owner)
        asked.refresh_from_db()
        assert asked.review == ReviewState.WANTED

    def test_changing_mends_and_undo_brings_the_first_answer_back_to_be_checked(
        self, asked: Sample, owner: User, shipping: Label, refund: Label
    ) -> None:
        decided = decide(sample=asked, decision=Decision.CHANGE, answer=fixed(shipping), person=owner)
        asked.refresh_from_db()
        assert (asked.label, asked.review) == (shipping, ReviewState.ACCEPTED)
        take_back(sample=asked, note=decided.note, person=owner)
        asked.refresh_from_db()
        assert (asked.label, asked.review) == (refund, ReviewState.WANTED)

    def test_sent_back_with_a_comment_and_fetched_back(
        self, asked: Sample, owner: User, member: User, refund: Label
    ) -> None:
        answer = Answer(comment="The order number says otherwise.")
        decided = decide(sample=asked, decision=Decision.SEND_BACK, answer=answer, person=owner)
        asked.refresh_from_db()
        assert (asked.annotation, asked.sent_back_to) == (None, member)
        assert asked.comments.get().text == "The order number says otherwise."
        take_back(sample=asked, note=decided.note, person=owner)
        asked.refresh_from_db()
        assert (asked.label, asked.review) == (refund, ReviewState.WANTED)

    def test_without_a_comment_nothing_is_sent_back(self, asked: Sample, owner: User) -> None:
        with pytest.raises(InvalidInput):
            decide(sample=asked, decision=Decision.SEND_BACK, answer=Answer(comment=" "), person=owner)
        asked.refresh_from_db()
        assert asked.annotation is not None


class TestPairs:
    @pytest.fixture
    def pair(self, add: Add, shipping: Label) -> tuple[Sample, Sample]:
        one, other = add("Refund"), add("Shipping")
        find(FindingKind.NEAR_DUPLICATE, one, other=other, label=shipping, annotation=one.annotation)
        return one, other

    def decide(self, pair: tuple[Sample, Sample], decision: Decision, person: User, label: str = "") -> str:
        one, other = pair
        return decide_pair(sample=one, other=other, decision=decision, answer=Answer(label=label), person=person).note

    def test_both_may_stand_and_undo_asks_again(
        self, text_function: Function, pair: tuple[Sample, Sample], owner: User
    ) -> None:
        note = self.decide(pair, Decision.KEEP, owner)
        assert samples_in(text_function, QueueName.NEAR_DUPLICATES) == []
        assert Confirmation.objects.count() == 2
        take_back_pair(sample=pair[0], note=note, person=owner)
        assert samples_in(text_function, QueueName.NEAR_DUPLICATES) == [pair[0]]

    def test_one_label_goes_to_both_and_undo_gives_each_its_own_back(
        self, text_function: Function, pair: tuple[Sample, Sample], owner: User, shipping: Label
    ) -> None:
        note = self.decide(pair, Decision.CHANGE, owner, shipping.public_id)
        assert set(Sample.objects.values_list("label__name", flat=True)) == {"Shipping"}
        take_back_pair(sample=pair[0], note=note, person=owner)
        assert list(Sample.objects.order_by("pk").values_list("label__name", flat=True)) == ["Refund", "Shipping"]

    def test_two_without_a_label_may_stand_as_well(self, text_function: Function, add: Add, owner: User) -> None:
        one, other = add(None), add(None)
        find(FindingKind.NEAR_DUPLICATE, one, other=other)
        self.decide((one, other), Decision.KEEP, owner)
        assert samples_in(text_function, QueueName.NEAR_DUPLICATES) == []

    def test_samples_of_two_functions_are_no_pair(self, pair: tuple[Sample, Sample], owner: User) -> None:
        other_function = pair[0].function.workspace.functions.create(name="Other", input_kind="text")
        stranger = Sample.objects.create(function=other_function, text="x", content_hash="y", origin="browser")
        with pytest.raises(InvalidInput):
            self.decide((pair[0], stranger), Decision.KEEP, owner)

    def test_by_the_page(self, pair: tuple[Sample, Sample], owner_client: Client) -> None:
        path = f"/samples/{pair[0].public_id}/review/"
        answer = owner_client.post(path, {"decision": "keep", "other": pair[1].public_id}).json()
        assert answer["words"] == "Kept both."
        undone = owner_client.post(f"{path}undo/", {"note": answer["note"], "is_pair": "yes"})
        assert undone.status_code == 204
        assert not Confirmation.objects.exists()


class TestPages:
    def test_the_menu_counts_and_leaves_out_what_is_not_used(
        self, text_function: Function, add: Add, owner_client: Client
    ) -> None:
        add(None, "Refund", margin=0.1)
        html = owner_client.get(f"/functions/{text_function.public_id}/review/").content.decode()
        counts = dict(re.findall(r'data-count="([a-z-]+)">(\S+?)<', html))
        assert counts["unsure"] == "1"
        assert "to-check" not in counts
        assert "provisional" not in counts
        text_function.review_level = ReviewLevel.ALL
        assert QueueName.TO_CHECK in [entry.queue.name for entry in menu(text_function)]

    def test_the_menu_takes_a_fixed_number_of_queries(
        self, text_function: Function, add: Add, django_assert_max_num_queries: Callable[..., object]
    ) -> None:
        for _ in range(5):
            add(None, "Refund", margin=0.1)
        text_function.is_machine_first = True
        with django_assert_max_num_queries(len(QueueName) + 1):  # one each, and the live model of what is provisional
            assert len(menu(text_function)) >= 6

    @pytest.mark.parametrize("name", list(QueueName))
    def test_every_queue_has_a_page_even_when_it_is_empty(
        self, text_function: Function, owner_client: Client, member_client: Client, outsider_client: Client, name: str
    ) -> None:
        path = f"/functions/{text_function.public_id}/review/{name}/"
        assert owner_client.get(path).status_code == 200
        assert owner_client.get(f"{path}more/").status_code == 200
        assert member_client.get(path).status_code == 403
        assert outsider_client.get(path).status_code == 404

    def test_there_is_no_other_queue(self, text_function: Function, owner_client: Client) -> None:
        assert owner_client.get(f"/functions/{text_function.public_id}/review/nonsense/").status_code == 404

    def test_a_decision_by_the_page(self, add: Add, owner_client: Client, shipping: Label) -> None:
        sample = add("Refund", "Shipping")
        path = f"/samples/{sample.public_id}/review/"
        answer = owner_client.post(path, {"decision": "change", "label": shipping.public_id}).json()
        assert (answer["did"], answer["words"]) == ("changed", "Changed Refund to Shipping.")
        assert owner_client.post(f"{path}undo/", {"note": answer["note"]}).status_code == 204
        sample.refresh_from_db()
        assert sample.label is not None
        assert sample.label.name == "Refund"
        assert owner_client.post(path, {"decision": "nonsense"}).status_code == 400

    def test_a_labeler_decides_nothing_here(self, add: Add, member_client: Client) -> None:
        sample = add("Refund")
        assert member_client.post(f"/samples/{sample.public_id}/review/", {"decision": "keep"}).status_code == 403

    def test_flag_and_comment_come_back_as_they_are_shown(self, add: Add, owner_client: Client) -> None:
        sample = add("Refund")
        flagged = owner_client.post(f"/samples/{sample.public_id}/flag/").content.decode()
        assert "flagged" in flagged
        assert "Olga Owner" in flagged
        assert "flagged" not in owner_client.post(f"/samples/{sample.public_id}/flag/").content.decode()
        written = owner_client.post(f"/samples/{sample.public_id}/comments/", {"text": "<b>hm</b>"}).content.decode()
        assert "&lt;b&gt;hm&lt;/b&gt;" in written

    def test_what_people_wrote_is_never_markup(self, text_function: Function, add: Add, owner_client: Client) -> None:
        add(None, "Refund", margin=0.1, text="<script>alert(1)</script>")
        html = owner_client.get(f"/functions/{text_function.public_id}/review/unsure/").content.decode()
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html


def test_only_the_published_models_word_counts_for_what_has_no_label(text_function: Function, add: Add) -> None:
    sample = add(None, "Refund", margin=0.1, kind=PredictionKind.OUT_OF_FOLD)
    assert Prediction.objects.filter(sample=sample).exists()
    assert samples_in(text_function, QueueName.UNSURE) == []


class TestProvisional:
    @pytest.fixture
    def standing(self, text_function: Function, add: Add, model: TrainedModel) -> list[Sample]:
        model.figures = {"automation": [{"target": 0.95, "threshold": 0.9, "share": 0.5, "right": 0.95}]}
        model.save()
        text_function.is_machine_first = True
        text_function.save()
        return [add(None, "Refund", margin=0.9), add(None, "Shipping", margin=0.85), add(None, "Refund", margin=0.1)]

    def accept(self, client: Client, function: Function, samples: list[Sample]) -> dict[str, object]:
        path = f"/functions/{function.public_id}/review/provisional/accept/"
        answer: dict[str, object] = client.post(path, {"sample": [each.public_id for each in samples]}).json()
        return answer

    def test_many_are_accepted_as_one_act_and_remembered_as_such(
        self, text_function: Function, standing: list[Sample], owner_client: Client
    ) -> None:
        answer = self.accept(owner_client, text_function, standing)
        assert (answer["n"], answer["words"]) == (2, "2 accepted")
        said = list(Annotation.objects.order_by("sample").values_list("label__name", "picked_by"))
        assert said == [("Refund", PickedBy.GRID), ("Shipping", PickedBy.GRID)]
        history = owner_client.get(f"/functions/{text_function.public_id}/history/").content.decode()
        assert "accepted provisional answers" in history
        assert "labelled in the grid" not in history
        owner_client.post(str(answer["undoUrl"]))
        assert not Sample.objects.filter(annotation__isnull=False).exists()
        assert Event.objects.get(kind="act.undone").data["what"] == "accepted provisional answers"

    def test_one_alone_was_looked_at(
        self, text_function: Function, standing: list[Sample], owner_client: Client
    ) -> None:
        self.accept(owner_client, text_function, standing[:1])
        assert Annotation.objects.get().picked_by == PickedBy.QUEUE

    def test_what_does_not_stand_is_not_accepted(
        self, text_function: Function, standing: list[Sample], owner_client: Client, member_client: Client
    ) -> None:
        path = f"/functions/{text_function.public_id}/review/provisional/accept/"
        doubtful = {"sample": [standing[2].public_id]}
        assert owner_client.post(path, doubtful).status_code == 409
        assert owner_client.post(path, {}).status_code == 400
        assert member_client.post(path, doubtful).status_code == 403
        assert not Annotation.objects.exists()

    def test_the_page_shows_them_and_asked_for_the_list_alone_only_that(
        self, text_function: Function, standing: list[Sample], owner_client: Client
    ) -> None:
        path = f"/functions/{text_function.public_id}/review/provisional/"
        whole = owner_client.get(path).content.decode()
        alone = owner_client.get(f"{path}?items").content.decode()
        for html in (whole, alone):
            assert re.findall(r'data-sample="([^"]+)"', html) == [standing[0].public_id, standing[1].public_id]
        assert "<html" not in alone


def test_a_pair_let_stand_is_not_asked_about_after_the_next_inspection(
    text_function: Function, add: Add, owner: User
) -> None:
    from apps.training.services.inspection import _carry_over  # the step alone: an inspection needs a survey

    one, other = add("Refund"), add("Refund")
    find(FindingKind.NEAR_DUPLICATE, one, other=other)
    decide_pair(sample=one, other=other, decision=Decision.KEEP, answer=Answer(), person=owner)
    anew = [
        Finding(function=text_function, kind=FindingKind.NEAR_DUPLICATE, sample=other, other=one, score=0.9),
        Finding(function=text_function, kind=FindingKind.NEAR_DUPLICATE, sample=one, other=add("Refund"), score=0.9),
    ]
    _carry_over(Finding.objects.all(), anew)
    assert [row.facts.get("kept", False) for row in anew] == [True, False]


def test_what_a_sitting_did_is_said_in_words(
    text_function: Function, owner_client: Client, model: TrainedModel
) -> None:
    path = f"/functions/{text_function.public_id}/review/effect/"
    assert owner_client.get(f"{path}?since=5").json()["isWaiting"] is True
    for bad in ("", "x", "-1", "9" * 40, "٣"):
        assert owner_client.get(path, {"since": bad}).status_code == 400
