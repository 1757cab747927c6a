"""Setting a person's answers aside, and bringing them back."""

from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.core.jobs import JobName
from apps.events.models import Event
from apps.functions.models import Act, Function
from apps.samples.models import Annotation, Opinion, Origin, PickedBy, Sample
from apps.samples.services import set_aside
from apps.samples.services.acts import undo_act
from apps.samples.services.annotations import annotate_many, annotate_sample
from apps.samples.services.gold import make_gold
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.saying import KnownLabels
from apps.samples.services.set_aside import set_answers_aside
from apps.samples.services.settling import settle


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(f"message {i}") for i in range(5)]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples


def labels_of(function: Function) -> list[str | None]:
    return list(Sample.objects.filter(function=function).order_by("pk").values_list("label__name", flat=True))


def test_their_samples_are_asked_anew_and_undoing_brings_the_answers_back(
    samples: list[Sample], text_function: Function, owner: User, member: User
) -> None:
    refund, shipping = text_function.labels.in_use()[:2]
    annotate_sample(sample=samples[0], label=refund, person=owner, picked_by=PickedBy.QUEUE)
    annotate_sample(sample=samples[1], label=refund, person=member, picked_by=PickedBy.QUEUE)
    annotate_sample(sample=samples[2], label=shipping, person=member, picked_by=PickedBy.RANDOM)
    annotate_many(function=text_function, pairs=[(samples[3].pk, refund.pk)], person=member, picked_by=PickedBy.IMPORT)
    before = labels_of(text_function)
    act = set_answers_aside(function=text_function, person=member, actor=owner)
    assert act.n_samples == 2
    assert labels_of(text_function) == ["Refund", None, None, "Refund", None]
    assert Event.objects.filter(kind="samples.answers_set_aside", subject=member.public_id).count() == 1
    annotate_sample(sample=samples[1], label=shipping, person=owner, picked_by=PickedBy.QUEUE)
    outcome = undo_act(act=act, person=owner)
    assert (outcome.n_restored, outcome.n_left) == (1, 1)
    assert labels_of(text_function) == [before[0], "Shipping", "Shipping", "Refund", None]


def test_opinions_of_theirs_count_no_longer_until_that_is_undone(
    samples: list[Sample], text_function: Function, owner: User, member: User
) -> None:
    refund = text_function.labels.in_use()[0]
    sample = samples[0]
    Sample.objects.filter(pk=sample.pk).update(n_wanted=2)
    for person in (owner, member):
        annotation = Annotation.objects.create(
            sample=sample, label=refund, person=person, picked_by=PickedBy.QUEUE, is_opinion=True
        )
        Opinion.objects.create(sample=sample, person=person, annotation=annotation, label=refund)
    settle(sample, KnownLabels(text_function.pk))
    assert sample.label_id == refund.pk
    act = set_answers_aside(function=text_function, person=member, actor=owner)
    after = Sample.objects.get(pk=sample.pk)
    assert (act.n_samples, after.label_id, after.n_opinions) == (1, None, 1)
    assert undo_act(act=act, person=owner).n_restored == 1
    sample.refresh_from_db()
    assert (sample.label_id, sample.n_opinions) == (refund.pk, 2)


def test_what_is_known_beforehand_stays_whoever_said_it(
    samples: list[Sample], text_function: Function, owner: User, member: User
) -> None:
    refund = text_function.labels.in_use()[0]
    make_gold(sample=samples[0], label=refund, person=member)
    annotate_sample(sample=samples[1], label=refund, person=member, picked_by=PickedBy.QUEUE)
    assert set_answers_aside(function=text_function, person=member, actor=owner).n_samples == 1
    assert labels_of(text_function)[:2] == ["Refund", None]


def test_who_answered_nothing_has_nothing_to_set_aside(text_function: Function, owner: User, member: User) -> None:
    with pytest.raises(InvalidInput, match="no answers"):
        set_answers_aside(function=text_function, person=member, actor=owner)


class TestManyAnswers:
    """More than one slice: the request begins, a worker goes on."""

    @pytest.fixture
    def many(self, text_function: Function, member: User, monkeypatch: pytest.MonkeyPatch) -> list[Sample]:
        monkeypatch.setattr(set_aside, "SAMPLES_PER_TRANSACTION", 2)
        items = [NewText(f"sample {i}") for i in range(7)]
        found = add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples
        refund = text_function.labels.in_use()[0]
        pairs = [(sample.pk, refund.pk) for sample in found]
        annotate_many(function=text_function, pairs=pairs, person=member, picked_by=PickedBy.QUEUE)
        return found

    def go_on(self, act: Act) -> int | None:
        """One message's worth: with no time left after it, a slice is one transaction."""
        act.refresh_from_db()
        return set_aside.go_on_setting_aside(act_id=act.pk, n_done=act.n_samples, budget_seconds=0.0)

    def test_the_request_does_a_little_and_messages_the_rest(
        self,
        many: list[Sample],
        text_function: Function,
        owner: User,
        member: User,
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        with (
            patch.object(set_aside, "enqueue_on_commit") as message,
            django_capture_on_commit_callbacks(execute=True),
        ):
            act = self.begun(text_function, owner, member)
        message.assert_called_once_with(JobName.SET_ASIDE, act.pk, 2)
        assert (act.n_samples, labels_of(text_function).count(None)) == (2, 2)
        assert set_aside.is_under_way(act)
        assert Event.objects.get(kind="samples.answers_set_aside").data["n_samples"] == 7
        assert [self.go_on(act) for _message in range(4)] == [4, 6, None, None]
        act.refresh_from_db()
        assert (act.n_samples, set_aside.is_under_way(act)) == (7, False)
        assert labels_of(text_function) == [None] * 7
        assert undo_act(act=act, person=owner).n_restored == 7
        assert labels_of(text_function) == ["Refund"] * 7

    def test_what_a_killed_worker_left_is_asked_for_again_and_done_once(
        self, many: list[Sample], text_function: Function, owner: User, member: User
    ) -> None:
        act = self.begun(text_function, owner, member)
        with patch.object(set_aside, "enqueue", return_value=True) as message:
            assert set_aside.enqueue_unfinished() == 1
        message.assert_called_once_with(JobName.SET_ASIDE, act.pk, 2)
        assert set_aside.go_on_setting_aside(act_id=act.pk, n_done=2, budget_seconds=9.0) is None
        assert set_aside.go_on_setting_aside(act_id=act.pk, n_done=2, budget_seconds=9.0) is None  # one too many
        assert Annotation.objects.filter(act=act).count() == 7
        assert set_aside.enqueue_unfinished() == 0

    def begun(self, function: Function, owner: User, member: User) -> Act:
        with patch.object(set_aside, "go_on_setting_aside", partial(set_aside.go_on_setting_aside, budget_seconds=0.0)):
            return set_answers_aside(function=function, person=member, actor=owner)

    def test_undone_half_way_it_stops_and_brings_back_what_it_took(
        self, many: list[Sample], text_function: Function, owner: User, member: User
    ) -> None:
        act = self.begun(text_function, owner, member)
        assert undo_act(act=act, person=owner).n_restored == 2
        assert self.go_on(act) is None
        assert labels_of(text_function) == ["Refund"] * 7
        assert set_aside.enqueue_unfinished() == 0

    def test_what_they_say_meanwhile_stays(
        self, many: list[Sample], text_function: Function, owner: User, member: User
    ) -> None:
        act = self.begun(text_function, owner, member)
        bare = Sample.objects.filter(function=text_function, annotation=None).first()
        assert bare is not None
        shipping = text_function.labels.get(name="Shipping")
        annotate_sample(sample=bare, label=shipping, person=member, picked_by=PickedBy.QUEUE)
        while self.go_on(act) is not None:
            pass
        assert sorted(labels_of(text_function), key=str) == [*[None] * 6, "Shipping"]

    def test_asking_twice_is_refused_while_the_first_is_under_way(
        self, many: list[Sample], text_function: Function, owner: User, member: User
    ) -> None:
        self.begun(text_function, owner, member)
        with pytest.raises(Conflict, match="already"):
            set_answers_aside(function=text_function, person=member, actor=owner)

    def test_the_people_page_says_how_far_it_is_until_it_is_done(
        self, many: list[Sample], text_function: Function, owner: User, member: User, owner_client: Client
    ) -> None:
        act = self.begun(text_function, owner, member)
        page = owner_client.get(reverse("review:people_page", args=[text_function.public_id])).content.decode()
        assert "The answers of Mika Member are being set aside: 2 of 7." in page
        address = reverse("review:setting_aside", args=[text_function.public_id])
        fragment = owner_client.get(address, headers={"HX-Request": "true"})
        assert 'hx-trigger="every 2s"' in fragment.content.decode()
        history = owner_client.get(reverse("samples:history_page", args=[text_function.public_id])).content.decode()
        assert "so far" in history
        while self.go_on(act) is not None:
            pass
        assert owner_client.get(address, headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"
        page = owner_client.get(reverse("review:people_page", args=[text_function.public_id])).content.decode()
        assert "being set aside" not in page
