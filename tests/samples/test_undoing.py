"""Taking back what is large: the request begins, a worker goes on, and it comes to the same whoever dies on the way."""

import importlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch

import pytest
from django.apps import apps as installed
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import User
from apps.core.jobs import JobName
from apps.events.models import Event
from apps.functions import services
from apps.functions.models import Act, ActKind, Function, Label, OutputKind
from apps.samples.actors import undo_act as message
from apps.samples.models import Annotation, Opinion, Origin, PickedBy, Sample, SampleTag
from apps.samples.services import acts, import_acts, set_aside, undoing, unsurgery
from apps.samples.services import bin as recycling
from apps.samples.services.acts import UndoOutcome, undo_act
from apps.samples.services.annotations import annotate_many, annotate_sample
from apps.samples.services.bin import bin_samples
from apps.samples.services.bulk import label_selection
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.set_aside import set_answers_aside
from apps.samples.services.surgery import merge_labels, split_label
from tests.conftest import make_user

N_SAMPLES = 7
TAG = ("sample__text", "label__name", "is_present")


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(f"message {i}") for i in range(N_SAMPLES)]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples


@pytest.fixture
def by_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is large: two samples a step, three keys read at a time, one step a message."""
    monkeypatch.setattr(acts, "IN_A_REQUEST", 0)
    monkeypatch.setattr(undoing, "RESTORED_AT_ONCE", 2)
    for module in (undoing, recycling, import_acts, set_aside, unsurgery):
        monkeypatch.setattr(module, "SLICE_KEYS", 3)
    for module, name in ((unsurgery, "MOVED_AT_ONCE"), (unsurgery, "POINTED_AT_ONCE"), (recycling, "RESTORED_AT_ONCE")):
        monkeypatch.setattr(module, name, 2)
    monkeypatch.setattr(undoing, "samples_per_transaction", lambda _n_tags, _most: 2)
    whole = undoing.go_on_undoing
    monkeypatch.setattr(acts, "go_on_undoing", lambda **given: whole(**given, budget_seconds=0.0))


def go_on(act: Act) -> int | None:
    """One message's worth."""
    act.refresh_from_db()
    progress = undoing.progress_of(act)
    assert progress is not None
    return undoing.go_on_undoing(act_id=act.pk, n_steps=progress.n_steps, budget_seconds=0.0)


def go_on_to_the_end(act: Act) -> int:
    """As many messages as it takes. Returns how many that were."""
    n = 1
    while go_on(act) is not None:
        n += 1
    return n


def label_all(samples: Sequence[Sample], label: Label | None, person: User) -> Act:
    ids = [sample.public_id for sample in samples]
    return label_selection(function=samples[0].function, sample_ids=ids, label=label, person=person)


def labels_of(function: Function) -> list[str | None]:
    return list(Sample.objects.filter(function=function).order_by("pk").values_list("label__name", flat=True))


class TestManySamples:
    pytestmark = pytest.mark.usefixtures("by_steps")

    def test_the_request_does_a_little_and_messages_the_rest(
        self,
        samples: list[Sample],
        refund: Label,
        member: User,
        django_capture_on_commit_callbacks: Callable[..., object],
    ) -> None:
        act = label_all(samples, refund, member)
        with patch.object(acts, "enqueue_on_commit") as ask:
            outcome = undo_act(act=act, person=member)
        ask.assert_called_once_with(JobName.UNDO_ACT, act.pk, 1)
        assert outcome == UndoOutcome(2, 0, n_in_all=7)
        assert outcome.words == (
            "Undoing: 2 of 7 samples so far. You can go on working; the History page shows how far it is."
        )
        assert labels_of(refund.function).count(None) == 2
        assert not Event.objects.filter(kind="act.undone").exists()
        assert go_on_to_the_end(act) == 3
        assert labels_of(refund.function) == [None] * N_SAMPLES
        act.refresh_from_db()
        assert (act.undoing, act.facts["undone"]) == (None, {"n_restored": 7, "n_left": 0, "n_binned": 0})
        assert Event.objects.get(kind="act.undone").data["n_samples"] == 7

    def test_asked_again_meanwhile_it_says_how_far_it_is_and_afterwards_that_it_is_done(
        self, samples: list[Sample], refund: Label, member: User
    ) -> None:
        act = label_all(samples, refund, member)
        undo_act(act=act, person=member)
        again = undo_act(act=Act.objects.get(pk=act.pk), person=member)
        assert again.words.startswith("This is being undone already: 2 of 7 samples so far.")
        assert labels_of(refund.function).count(None) == 2
        go_on_to_the_end(act)
        assert undo_act(act=act, person=member).words == "This was undone already."

    def test_what_a_killed_worker_left_is_asked_for_again_and_done_once(
        self, samples: list[Sample], refund: Label, member: User
    ) -> None:
        act = label_all(samples, refund, member)
        undo_act(act=act, person=member)
        with patch.object(undoing, "enqueue", return_value=True) as ask:
            assert undoing.enqueue_unfinished() == 1
        ask.assert_called_once_with(JobName.UNDO_ACT, act.pk, 1)
        message(act.pk, 1)
        message(act.pk, 1)  # one too many
        assert Annotation.objects.filter(undoes__act=act).count() == N_SAMPLES
        assert Event.objects.filter(kind="act.undone").count() == 1
        assert undoing.enqueue_unfinished() == 0

    def test_dying_in_the_middle_of_a_step_leaves_it_undone_whole_and_counted_once(
        self, samples: list[Sample], refund: Label, member: User
    ) -> None:
        act = label_all(samples, refund, member)
        undo_act(act=act, person=member)
        with patch.object(undoing, "note_data_change", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
            go_on(act)
        assert labels_of(refund.function).count(None) == 2
        go_on_to_the_end(act)
        act.refresh_from_db()
        assert act.facts["undone"]["n_restored"] == N_SAMPLES

    def test_whoever_comes_second_to_a_step_stops(self, samples: list[Sample], refund: Label, member: User) -> None:
        act = label_all(samples, refund, member)
        undo_act(act=act, person=member)
        read = undoing._said_by

        def overtaken(of: Act, after: int) -> list[int]:
            keys = read(of, after)
            with patch.object(undoing, "_said_by", read):
                go_on(act)
            return keys

        with patch.object(undoing, "_said_by", overtaken):
            assert undoing.go_on_undoing(act_id=act.pk, n_steps=1, budget_seconds=9.0) is None
        assert labels_of(refund.function).count(None) == 4
        assert Annotation.objects.filter(undoes__act=act).count() == 4

    def test_what_somebody_says_meanwhile_stays(
        self, samples: list[Sample], refund: Label, shipping: Label, member: User
    ) -> None:
        act = label_all(samples, refund, member)
        undo_act(act=act, person=member)
        annotate_sample(sample=samples[6], label=shipping, person=None, picked_by=PickedBy.PERSON)
        annotate_sample(sample=samples[0], label=shipping, person=None, picked_by=PickedBy.PERSON)
        go_on_to_the_end(act)
        assert labels_of(refund.function) == ["Shipping", *[None] * 5, "Shipping"]
        act.refresh_from_db()
        assert act.facts["undone"] == {"n_restored": 6, "n_left": 1, "n_binned": 0}

    def test_two_acts_are_taken_back_in_the_order_asked_for(
        self, samples: list[Sample], refund: Label, shipping: Label, member: User
    ) -> None:
        earlier, later = label_all(samples, refund, member), label_all(samples, shipping, member)
        undo_act(act=later, person=member)
        assert undo_act(act=earlier, person=member) == UndoOutcome(0, 0, n_in_all=7)
        assert go_on(earlier) is None
        assert labels_of(refund.function) == ["Refund"] * 2 + ["Shipping"] * 5
        with patch.object(undoing, "enqueue_on_commit") as ask:
            go_on_to_the_end(later)
        ask.assert_called_once_with(JobName.UNDO_ACT, earlier.pk, 0)
        assert labels_of(refund.function) == ["Refund"] * N_SAMPLES
        go_on_to_the_end(earlier)
        assert labels_of(refund.function) == [None] * N_SAMPLES

    def test_a_name_is_given_back_at_once_though_a_large_act_is_being_taken_back(
        self, samples: list[Sample], refund: Label, member: User
    ) -> None:
        act = label_all(samples, refund, member)
        renamed = services.rename_label(label=refund, name="Money back", actor=member)
        assert renamed is not None
        undo_act(act=act, person=member)
        assert undo_act(act=renamed, person=member).words == "Undone."
        refund.refresh_from_db()
        assert refund.name == "Refund"

    def test_of_a_function_that_was_deleted_nothing_is_left_to_do(
        self, samples: list[Sample], refund: Label, member: User, text_function: Function
    ) -> None:
        act = label_all(samples, refund, member)
        undo_act(act=act, person=member)
        step = undoing._step

        def deleted(*given: object) -> object:
            Function.objects.filter(pk=text_function.pk).delete()
            return step(*given)  # type: ignore[arg-type]  # passed on as they came

        with patch.object(undoing, "_step", deleted):
            assert undoing.go_on_undoing(act_id=act.pk, n_steps=1, budget_seconds=9.0) is None
        assert undoing.enqueue_unfinished() == 0

    def test_a_label_deleted_again_meanwhile_gets_nothing_back(
        self, samples: list[Sample], refund: Label, member: User
    ) -> None:
        label_all(samples, refund, member)
        act = services.delete_label(label=refund, actor=member)
        undo_act(act=act, person=member)
        refund.refresh_from_db()
        services.delete_label(label=refund, actor=member)
        go_on_to_the_end(act)
        assert not Sample.objects.filter(label=refund).exists()


def imported(function: Function, member: User) -> Act:
    act = services.begin_act(function=function, kind=ActKind.IMPORT, person=member)
    items = [NewText(f"brought {i}") for i in range(5)]
    brought = add_texts(function=function, items=items, person=member, origin=Origin.BROWSER).samples
    Sample.objects.filter(pk__in=[sample.pk for sample in brought]).update(brought_by=act)
    refund = function.labels.get(name="Refund")
    here = list(function.samples.filter(brought_by=None).values_list("pk", flat=True))
    pairs = [(pk, refund.pk) for pk in [*here, *(sample.pk for sample in brought)]]
    # A file that says something of a sample twice.
    annotate_many(function=function, pairs=pairs, person=member, picked_by=PickedBy.IMPORT, act=act)
    other = function.labels.get(name="Shipping")
    pairs = [(pk, other.pk) for pk in here[:1]]
    annotate_many(function=function, pairs=pairs, person=member, picked_by=PickedBy.IMPORT, act=act)
    return services.count_act(act=act, n_samples=5 + len(here))


def merged(function: Function, member: User) -> Act:
    refund, shipping = function.labels.get(name="Refund"), function.labels.get(name="Shipping")
    label_all(list(function.samples.all()), refund, member)
    return merge_labels(source=refund, target=shipping, person=member)


def deleted_label(function: Function, member: User) -> Act:
    refund = function.labels.get(name="Refund")
    label_all(list(function.samples.all()), refund, member)
    return services.delete_label(label=refund, actor=member)


def split(function: Function, member: User) -> Act:
    refund = function.labels.get(name="Refund")
    label_all(list(function.samples.all()), refund, member)
    ids = [sample.public_id for sample in function.samples.all()[:5]]
    return split_label(label=refund, name="Partial refund", sample_ids=ids, person=member)


def binned(function: Function, member: User) -> Act:
    refund = function.labels.get(name="Refund")
    label_all(list(function.samples.all()), refund, member)
    ids = [sample.public_id for sample in function.samples.all()]
    return bin_samples(function=function, sample_ids=ids, person=member)


def put_aside(function: Function, member: User) -> Act:
    refund = function.labels.get(name="Refund")
    rows = list(function.samples.order_by("pk"))
    pairs = [(sample.pk, refund.pk) for sample in rows[:5]]
    annotate_many(function=function, pairs=pairs, person=member, picked_by=PickedBy.QUEUE)
    for sample in rows[5:]:
        Sample.objects.filter(pk=sample.pk).update(n_wanted=2)
        said = Annotation.objects.create(
            sample=sample, label=refund, person=member, picked_by=PickedBy.QUEUE, is_opinion=True
        )
        Opinion.objects.create(sample=sample, person=member, annotation=said, label=refund)
    act = set_answers_aside(function=function, person=member, actor=member)
    while set_aside.is_under_way(act):  # on a slow machine the request leaves some of it to a worker
        set_aside.go_on_setting_aside(act_id=act.pk, n_done=act.n_samples)
        act.refresh_from_db()
    return act


def state_of(function: Function) -> dict[str, object]:
    """What there is of samples, labels and what was said."""
    rows = Sample.everywhere.filter(function=function).order_by("pk")
    return {
        "samples": list(rows.values_list("text", "label__name", "deleted_by__kind", "n_opinions")),
        "tags": sorted(SampleTag.objects.filter(sample__function=function).values_list(*TAG)),
        "labels": sorted(function.labels.in_use().values_list("name", flat=True)),
        "restoring": Annotation.objects.filter(sample__function=function, undoes__isnull=False).count(),
        "opinions": Opinion.objects.filter(sample__function=function).count(),
    }


ACTS = [imported, merged, deleted_label, split, binned, put_aside]


@pytest.mark.parametrize("output_kind", [OutputKind.LABEL, OutputKind.TAGS])
@pytest.mark.parametrize("do", ACTS)
def test_every_kind_of_act_taken_back_by_steps_is_as_if_taken_back_at_once(
    do: Callable[[Function, User], Act],
    output_kind: OutputKind,
    text_function: Function,
    samples: list[Sample],
    owner: User,
    request: pytest.FixtureRequest,
) -> None:
    if output_kind == OutputKind.TAGS and do in {imported, put_aside}:
        pytest.skip("what it says is said with labels")
    Function.objects.filter(pk=text_function.pk).update(output_kind=output_kind)
    twin = copy_of(text_function, samples)
    at_once, by_steps = do(text_function, owner), do(twin, owner)
    whole = undo_act(act=at_once, person=owner)
    assert not whole.is_under_way
    request.getfixturevalue("by_steps")
    assert undo_act(act=by_steps, person=owner).is_under_way
    assert go_on_to_the_end(by_steps) > 1
    by_steps.refresh_from_db()
    counts = {"n_restored": whole.n_restored, "n_left": whole.n_left, "n_binned": whole.n_binned}
    assert by_steps.facts["undone"] == counts
    assert state_of(twin) == state_of(text_function)
    assert state_of(twin)["labels"] == ["Refund", "Shipping"]


def copy_of(function: Function, samples: Sequence[Sample]) -> Function:
    function.refresh_from_db()
    twin = function.workspace.functions.create(
        name="The same again", input_kind=function.input_kind, output_kind=function.output_kind
    )
    for label in function.labels.order_by("position"):
        services.add_label(function=twin, name=label.name)
    items = [NewText(sample.text) for sample in samples]
    add_texts(function=twin, items=items, person=None, origin=Origin.BROWSER)
    return twin


def test_a_small_act_is_undone_before_the_answer_however_slow_the_machine(
    samples: list[Sample], refund: Label, member: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undoing, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(undoing, "RESTORED_AT_ONCE", 2)
    assert undo_act(act=label_all(samples, refund, member), person=member) == UndoOutcome(7, 0)


def test_going_on_costs_the_same_however_much_is_done_already(
    samples: list[Sample], refund: Label, member: User, by_steps: None
) -> None:
    act = label_all(samples, refund, member)
    undo_act(act=act, person=member)
    counts = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            go_on(act)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_what_an_earlier_version_was_at_is_gone_on_with(samples: list[Sample], refund: Label, member: User) -> None:
    act = label_all(samples, refund, member)
    Act.objects.filter(pk=act.pk).update(undone_at=act.created_at, facts={**act.facts, "undoing": member.public_id})
    importlib.import_module("apps.functions.migrations.0005_act_undoing").carry_over(installed, None)
    act.refresh_from_db()
    assert "undoing" not in act.facts
    message(act.pk, 0)
    assert labels_of(refund.function) == [None] * N_SAMPLES
    assert Event.objects.get(kind="act.undone").actor == member.public_id


class TestPages:
    pytestmark = pytest.mark.usefixtures("by_steps")

    def test_the_door_says_that_it_goes_on_and_the_history_how_far_it_is(
        self, samples: list[Sample], refund: Label, shipping: Label, member: User, member_client: Client
    ) -> None:
        act = label_all(samples, refund, member)
        annotate_sample(sample=samples[3], label=shipping, person=None, picked_by=PickedBy.PERSON)
        address = reverse("samples:undo_act", args=[refund.function.public_id, act.public_id])
        response = member_client.post(address, headers={"Accept": "application/json"})
        assert response.status_code == 202
        assert response.json()["words"].startswith("Undoing: 2 of 7 samples so far.")
        history = reverse("samples:history_page", args=[refund.function.public_id])
        page = member_client.get(history).content.decode()
        assert "Being undone: 2 of 7" in page
        assert "every 2s" in page
        assert "is-undone" not in page
        go_on_to_the_end(act)
        page = member_client.get(history, headers={"HX-Request": "true"}).content.decode()
        assert ">Undone<" in page
        assert "1 changed since stays as it is" in page
        assert "every 2s" not in page

    def test_another_persons_act_under_way_cannot_be_asked_for_by_who_may_not_undo_it(
        self, samples: list[Sample], refund: Label, owner: User, member_client: Client
    ) -> None:
        act = label_all(samples, refund, owner)
        undo_act(act=act, person=owner)
        address = reverse("samples:undo_act", args=[refund.function.public_id, act.public_id])
        assert member_client.post(address).status_code == 403


@pytest.mark.django_db(transaction=True)
def test_several_workers_with_the_same_message_take_it_back_once(
    text_function: Function, samples: list[Sample], refund: Label, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = make_user("several@example.com", "Sev Eral")
    act = label_all(samples, refund, person)
    monkeypatch.setattr(undoing, "RESTORED_AT_ONCE", 2)
    Act.objects.filter(pk=act.pk).update(undone_at=act.created_at, undoing={"person": person.public_id})
    all_there = threading.Barrier(4)

    def one() -> None:
        all_there.wait()
        try:
            undoing.go_on_undoing(act_id=act.pk, n_steps=0, budget_seconds=60.0)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(one) for _ in range(4)]:
            future.result()
    assert labels_of(text_function) == [None] * N_SAMPLES
    assert Annotation.objects.filter(undoes__act=act).count() == N_SAMPLES
    assert Event.objects.filter(kind="act.undone").count() == 1
    act.refresh_from_db()
    assert act.facts["undone"]["n_restored"] == N_SAMPLES
