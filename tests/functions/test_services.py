from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.core.jobs import JobName
from apps.events.kinds import Audit
from apps.events.models import Event
from apps.functions import services
from apps.functions.models import Function, InputKind, Label, Weight
from apps.functions.services import changes, functions, surgery
from apps.samples.models import Annotation, Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.workspaces.models import Workspace

Enqueued = list[tuple[JobName, tuple[int | str, ...]]]


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> Enqueued:
    sent: Enqueued = []
    monkeypatch.setattr(changes, "enqueue_on_commit", lambda job, *args: sent.append((job, args)))
    return sent


@pytest.fixture
def make_sample(text_function: Function) -> Callable[[str], Sample]:
    def make(text: str) -> Sample:
        return Sample.objects.create(function=text_function, text=text, content_hash=text, origin=Origin.BROWSER)

    return make


def names_of(function: Function) -> list[str]:
    return [label.name for label in function.labels.in_use()]


def test_a_new_function_has_its_labels_in_the_order_typed(workspace: Workspace, owner: User) -> None:
    function = services.create_function(
        workspace=workspace,
        name=" Which  desk? ",
        input_kind=InputKind.TEXT,
        label_names=["Refund", " Shipping", "refund", "Other"],
        actor=owner,
    )
    assert function.name == "Which desk?"
    assert names_of(function) == ["Refund", "Shipping", "Other"]
    assert [label.colour for label in function.labels.all()] == [0, 1, 2]
    event = Event.objects.get(kind=Audit.FUNCTION_CREATED)
    assert (event.actor, event.subject, event.workspace_id) == (
        owner.public_id,
        function.public_id,
        workspace.public_id,
    )


@pytest.mark.parametrize("label_names", [[], ["Refund"], ["Refund", "REFUND "]])
def test_a_function_needs_two_different_labels(workspace: Workspace, label_names: list[str]) -> None:
    with pytest.raises(InvalidInput, match="two different labels"):
        services.create_function(
            workspace=workspace, name="Desk", input_kind=InputKind.TEXT, label_names=label_names, actor=None
        )
    assert not Function.objects.exists()
    assert not Event.objects.exists()


def test_an_import_may_begin_without_labels(workspace: Workspace) -> None:
    function = services.create_function(
        workspace=workspace, name="D", input_kind=InputKind.IMAGE, label_names=[], actor=None, allow_no_labels=True
    )
    assert names_of(function) == []


def test_an_unknown_kind_of_input_is_refused(workspace: Workspace) -> None:
    with pytest.raises(InvalidInput, match="text, pictures or table rows"):
        services.create_function(workspace=workspace, name="D", input_kind="sound", label_names=["a", "b"], actor=None)


def test_a_label_is_added_at_the_end_in_a_fresh_colour(text_function: Function, owner: User) -> None:
    label = services.add_label(function=text_function, name="Other", actor=owner)
    assert names_of(text_function) == ["Refund", "Shipping", "Other"]
    assert label.colour == 2
    assert Event.objects.get(kind=Audit.LABEL_CREATED).subject == label.public_id


def test_colours_return_only_when_all_twelve_are_taken(text_function: Function) -> None:
    for number in range(11):
        services.add_label(function=text_function, name=f"Label {number}")
    colours = [label.colour for label in text_function.labels.in_use()]
    assert sorted(colours[:12]) == list(range(Label.N_COLOURS))
    assert colours[12] in colours[:12]


@pytest.mark.parametrize("name", ["Refund", "refund", " REFUND  "])
def test_a_name_that_is_taken_is_a_conflict(text_function: Function, name: str) -> None:
    with pytest.raises(Conflict, match="already a label “Refund”"):
        services.add_label(function=text_function, name=name)


def test_the_name_of_a_deleted_label_is_free_again(text_function: Function) -> None:
    old = text_function.labels.get(name="Refund")
    services.delete_label(label=old)
    new = services.add_label(function=text_function, name="Refund")
    assert new.pk != old.pk
    assert names_of(text_function) == ["Shipping", "Refund"]


def test_imports_get_the_labels_that_are_there_and_make_the_others_once(text_function: Function) -> None:
    labels = services.get_or_create_labels(function=text_function, names=["Refund", "New", " New ", "new"])
    again = services.get_or_create_labels(function=text_function, names=["New", "new"])
    assert labels["New"] == labels[" New "] == again["New"]
    assert labels["new"] == again["new"] != labels["New"]
    assert names_of(text_function) == ["Refund", "Shipping", "New", "new"]


def test_three_hundred_labels_cost_no_query_each(text_function: Function) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        services.get_or_create_labels(function=text_function, names=[f"Label {n}" for n in range(300)])
    assert text_function.labels.count() == 302
    assert len(queries) < 25


def test_renaming_changes_the_display_and_asks_for_a_model_that_answers_so(
    text_function: Function, owner: User, enqueued: Enqueued
) -> None:
    label = text_function.labels.get(name="Refund")
    services.rename_label(label=label, name="Money back", actor=owner)
    assert names_of(text_function) == ["Money back", "Shipping"]
    assert enqueued == [(JobName.TRAIN_FUNCTION, (text_function.pk,))]
    assert Event.objects.get(kind=Audit.LABEL_RENAMED).data["old_name"] == "Refund"


def test_a_label_may_change_its_own_upper_and_lower_case(text_function: Function) -> None:
    services.rename_label(label=text_function.labels.get(name="Refund"), name="REFUND")
    assert names_of(text_function) == ["REFUND", "Shipping"]


def test_a_label_cannot_take_the_name_of_another(text_function: Function) -> None:
    with pytest.raises(Conflict, match="Shipping"):
        services.rename_label(label=text_function.labels.get(name="Refund"), name="shipping")


def test_deleting_a_label_frees_its_samples_and_keeps_their_history(
    text_function: Function, owner: User, make_sample: Callable[[str], Sample], enqueued: Enqueued
) -> None:
    refund, shipping = text_function.labels.all()
    freed, kept = make_sample("money back please"), make_sample("where is it")
    annotate_sample(sample=freed, label=refund, person=owner, picked_by=PickedBy.PERSON)
    annotate_sample(sample=kept, label=shipping, person=owner, picked_by=PickedBy.PERSON)
    before = Function.objects.get(pk=text_function.pk).data_revision
    enqueued.clear()

    assert services.delete_label(label=refund, actor=owner).n_samples == 1

    freed.refresh_from_db()
    kept.refresh_from_db()
    assert (freed.label, freed.annotation, freed.labelled_at) == (None, None, None)
    assert kept.label == shipping
    assert Annotation.objects.filter(label=refund).count() == 1
    assert names_of(text_function) == ["Shipping"]
    assert Function.objects.get(pk=text_function.pk).data_revision > before
    assert set(enqueued) == {(JobName.TRAIN_FUNCTION, (text_function.pk,))}
    assert Event.objects.get(kind=Audit.LABEL_DELETED).data["n_samples"] == 1


def test_a_label_with_many_samples_is_freed_in_short_transactions(
    text_function: Function, make_sample: Callable[[str], Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surgery, "ROWS_PER_TRANSACTION", 2)
    refund = text_function.labels.get(name="Refund")
    for number in range(5):
        annotate_sample(sample=make_sample(f"s{number}"), label=refund, person=None, picked_by=PickedBy.IMPORT)
    assert services.delete_label(label=refund).n_samples == 5
    assert not text_function.samples.exclude(label=None).exists()


def test_a_label_cannot_be_deleted_or_renamed_twice(text_function: Function) -> None:
    label = text_function.labels.get(name="Refund")
    stale = text_function.labels.get(name="Refund")
    services.delete_label(label=label)
    with pytest.raises(Conflict, match="deleted meanwhile"):
        services.delete_label(label=stale)
    with pytest.raises(Conflict, match="deleted meanwhile"):
        services.rename_label(label=stale, name="Again")


def test_renaming_a_function_is_written_down_once(text_function: Function, owner: User) -> None:
    services.rename_function(function=text_function, name="Whose desk?", actor=owner)
    services.rename_function(function=text_function, name=" Whose desk? ", actor=owner)
    text_function.refresh_from_db()
    assert text_function.name == "Whose desk?"
    assert Event.objects.filter(kind=Audit.FUNCTION_RENAMED).count() == 1


def test_deleting_a_function_takes_everything_of_it_and_nothing_else(
    text_function: Function,
    owner: User,
    make_sample: Callable[[str], Sample],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(functions, "ROWS_PER_TRANSACTION", 2)
    other = services.create_function(
        workspace=text_function.workspace, name="Other", input_kind=InputKind.TEXT, label_names=["a", "b"], actor=owner
    )
    Sample.objects.create(function=other, text="stays", content_hash="stays", origin=Origin.BROWSER)
    label = text_function.labels.get(name="Refund")
    for number in range(5):
        annotate_sample(sample=make_sample(f"s{number}"), label=label, person=owner, picked_by=PickedBy.PERSON)
    public_id = text_function.public_id

    services.delete_function(function=text_function, actor=owner)

    assert list(Function.objects.all()) == [other]
    assert [sample.text for sample in Sample.objects.all()] == ["stays"]
    assert not Annotation.objects.exists()
    event = Event.objects.get(kind=Audit.FUNCTION_DELETED)
    assert (event.subject, event.data["n_samples"]) == (public_id, 5)


def test_noting_a_change_raises_the_revision_and_asks_for_training(text_function: Function, enqueued: Enqueued) -> None:
    services.note_data_change(text_function.pk)
    services.note_data_change(text_function.pk)
    text_function.refresh_from_db()
    assert text_function.data_revision == 2
    assert enqueued == [(JobName.TRAIN_FUNCTION, (text_function.pk,))] * 2


def test_a_label_is_weighed_once_and_the_audit_log_says_so(text_function: Function, owner: User) -> None:
    label = text_function.labels.all()[0]
    before = text_function.data_revision
    services.weigh_label(label=label, weight=Weight.MUCH_WORSE, actor=owner)
    services.weigh_label(label=label, weight=Weight.MUCH_WORSE, actor=owner)
    label.refresh_from_db()
    assert label.weight == 10
    event = Event.objects.get(kind=Audit.LABEL_WEIGHED)
    assert (event.data["name"], event.data["weight"]) == (label.name, "much worse")
    text_function.refresh_from_db()
    assert text_function.data_revision == before  # nothing to learn anew


def test_a_label_has_no_other_weights_and_a_deleted_one_none(text_function: Function) -> None:
    label = text_function.labels.all()[0]
    with pytest.raises(InvalidInput):
        services.weigh_label(label=label, weight=2)
    services.delete_label(label=label)
    with pytest.raises(Conflict):
        services.weigh_label(label=label, weight=Weight.WORSE)


def test_the_share_of_automated_answers_to_be_right_is_saved_and_recorded(text_function: Function, owner: User) -> None:
    services.set_automation_target(function=text_function, target=0.995, actor=owner)
    services.set_automation_target(function=text_function, target=0.995, actor=owner)
    text_function.refresh_from_db()
    assert text_function.automation_target == 0.995
    event = Event.objects.get(kind=Audit.AUTOMATION_CHANGED)
    assert (event.data["target"], event.data["old_target"]) == ("99.5", "95")


@pytest.mark.parametrize("target", [0.0, 0.49, 1.0, 2.0, float("nan")])
def test_nobody_may_ask_for_less_than_half_right_or_for_certainty(text_function: Function, target: float) -> None:
    with pytest.raises(InvalidInput):
        services.set_automation_target(function=text_function, target=target)
