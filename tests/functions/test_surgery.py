"""Renaming, merging, splitting and deleting labels: instant, and undone as one."""

import json
import uuid
from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.events.models import Event
from apps.functions import services
from apps.functions.models import Act, ActKind, Function, Label, OutputKind
from apps.functions.selectors import label_lines, rules_of
from apps.samples.models import Annotation, Origin, PickedBy, Sample, SampleTag
from apps.samples.services import surgery
from apps.samples.services.acts import undo_act
from apps.samples.services.annotations import annotate_sample, tag_sample
from apps.samples.services.intake import NewText, add_texts

Say = Callable[[int, Label], Annotation]


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(f"message {i}") for i in range(6)]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples


@pytest.fixture
def say(samples: list[Sample], owner: User) -> Say:
    def say(index: int, label: Label) -> Annotation:
        return annotate_sample(sample=samples[index], label=label, person=owner, picked_by=PickedBy.PERSON)

    return say


@pytest.fixture
def money(text_function: Function) -> Label:
    return services.add_label(function=text_function, name="Money back")


def names_of(samples: list[Sample]) -> list[str | None]:
    rows = Sample.objects.filter(pk__in=[sample.pk for sample in samples]).order_by("pk")
    return list(rows.values_list("label__name", flat=True))


def lines(function: Function) -> dict[str, int]:
    return {line.label.name: line.n_samples for line in label_lines(function)}


def act_of(kind: ActKind) -> Act:
    return Act.objects.select_related("function__workspace").filter(kind=kind).latest("id")


@pytest.mark.parametrize(
    ("change", "column", "after"),
    [
        (lambda label: services.rename_label(label=label, name="Money"), "name", "Money"),
        (lambda label: services.describe_label(label=label, description="gives back"), "description", "gives back"),
        (lambda label: services.recolour_label(label=label, colour=7), "colour", 7),
    ],
)
def test_a_change_of_a_label_is_undone(
    refund: Label, owner: User, change: Callable[[Label], Act], column: str, after: object
) -> None:
    before = getattr(refund, column)
    act = change(refund)
    refund.refresh_from_db()
    assert getattr(refund, column) == after
    assert change(refund) is None  # nothing to undo
    undo_act(act=act, person=owner)
    refund.refresh_from_db()
    assert getattr(refund, column) == before


def test_a_label_renamed_again_since_is_not_renamed_back(refund: Label, owner: User) -> None:
    act = services.rename_label(label=refund, name="Money")
    services.rename_label(label=refund, name="Cash")
    assert act is not None
    with pytest.raises(Conflict, match="changed again"):
        undo_act(act=act, person=owner)
    act.refresh_from_db()
    assert act.undone_at is None  # it can still be undone once the other has been


def test_no_colour_outside_the_palette(refund: Label) -> None:
    with pytest.raises(InvalidInput):
        services.recolour_label(label=refund, colour=Label.N_COLOURS)


def test_merging_counts_everything_as_the_other_and_rewrites_no_annotation(
    text_function: Function, samples: list[Sample], say: Say, refund: Label, money: Label, owner: User
) -> None:
    for index, label in enumerate([money, money, refund]):
        say(index, label)
    act = surgery.merge_labels(source=money, target=refund, person=owner)
    assert act.n_samples == 2
    assert names_of(samples) == ["Refund", "Refund", "Refund", None, None, None]
    assert Annotation.objects.filter(label=money).count() == 2
    assert lines(text_function) == {"Refund": 3, "Shipping": 0}
    assert Event.objects.get(kind="label.merged").data["into"] == "Refund"


def test_undoing_a_merge_restores_exactly_who_said_what(
    samples: list[Sample], say: Say, refund: Label, shipping: Label, money: Label, owner: User
) -> None:
    for index, label in enumerate([money, money, refund, money]):
        say(index, label)
    act = surgery.merge_labels(source=money, target=refund, person=owner)
    say(1, shipping)  # somebody thought better of it
    say(4, money)  # a page that was still open: it counts, and is kept, as what it means now
    assert names_of(samples)[4] == "Refund"
    outcome = undo_act(act=act, person=owner)
    assert (outcome.n_restored, outcome.n_left) == (2, 1)
    assert names_of(samples) == ["Money back", "Shipping", "Refund", "Money back", "Refund", None]
    assert Event.objects.filter(kind="label.unmerged").exists()


def test_a_label_that_was_merged_is_refused_and_its_aliases_follow(
    samples: list[Sample], say: Say, refund: Label, shipping: Label, money: Label, owner: User
) -> None:
    say(0, money)
    say(1, refund)
    first = surgery.merge_labels(source=money, target=refund, person=owner)
    with pytest.raises(Conflict):
        surgery.merge_labels(source=shipping, target=Label.objects.get(pk=money.pk), person=owner)
    with pytest.raises(Conflict):
        surgery.merge_labels(source=Label.objects.get(pk=refund.pk), target=money, person=owner)  # a cycle
    second = surgery.merge_labels(source=refund, target=shipping, person=owner)
    money.refresh_from_db()
    assert money.merged_into == shipping
    assert names_of(samples)[:2] == ["Shipping", "Shipping"]
    undo_act(act=first, person=owner)  # out of order
    assert names_of(samples)[:2] == ["Money back", "Shipping"]
    undo_act(act=second, person=owner)
    assert names_of(samples)[:2] == ["Money back", "Refund"]
    money.refresh_from_db()
    assert money.merged_into is None


def test_undoing_the_later_of_two_merges_brings_its_aliases_along(
    samples: list[Sample], say: Say, refund: Label, shipping: Label, money: Label, owner: User
) -> None:
    say(0, money)
    surgery.merge_labels(source=money, target=refund, person=owner)
    second = surgery.merge_labels(source=refund, target=shipping, person=owner)
    undo_act(act=second, person=owner)
    money.refresh_from_db()
    assert money.merged_into == refund
    assert names_of(samples)[0] == "Refund"


def test_a_label_is_not_merged_into_itself_or_into_one_of_another_function(refund: Label, owner: User) -> None:
    other = Function.objects.create(workspace=refund.function.workspace, name="other", input_kind="text")
    foreign = other.labels.create(name="x", position=0, colour=0)
    for target in (refund, foreign):
        with pytest.raises(InvalidInput):
            surgery.merge_labels(source=refund, target=target, person=owner)


def test_rules_go_along_and_come_back(text_function: Function, refund: Label, money: Label, owner: User) -> None:
    services.add_rule(label=money, words="cash")
    act = surgery.merge_labels(source=money, target=refund, person=owner)
    assert [rule.label for rule in rules_of(text_function)] == [refund]
    undo_act(act=act, person=owner)
    assert [rule.label for rule in rules_of(text_function)] == [money]


def test_a_merge_cannot_be_undone_while_another_has_the_name(
    text_function: Function, refund: Label, money: Label, owner: User
) -> None:
    act = surgery.merge_labels(source=money, target=refund, person=owner)
    services.add_label(function=text_function, name="money BACK")
    with pytest.raises(Conflict, match="already a label"):
        undo_act(act=act, person=owner)
    act.refresh_from_db()
    assert act.undone_at is None
    money.refresh_from_db()
    assert money.merged_into == refund


def test_the_name_of_a_merged_label_in_a_file_means_the_other(
    text_function: Function, refund: Label, money: Label, owner: User
) -> None:
    surgery.merge_labels(source=money, target=refund, person=owner)
    items = [NewText("I want my money", label_name="Money back")]
    add_texts(function=text_function, items=items, person=owner, origin=Origin.IMPORT)
    assert text_function.samples.get().label == refund
    assert text_function.labels.count() == 3


def test_a_merge_that_died_half_way_is_finished(
    samples: list[Sample], say: Say, refund: Label, money: Label, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(4):
        say(index, money)
    monkeypatch.setattr(surgery, "move_samples", lambda _source: None)
    surgery.merge_labels(source=money, target=refund, person=owner)
    monkeypatch.undo()
    assert names_of(samples)[0] == "Money back"
    assert surgery.finish_surgery() == 1
    assert names_of(samples)[:4] == ["Refund"] * 4
    assert surgery.finish_surgery() == 0


@pytest.fixture
def tagging(text_function: Function) -> Function:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    text_function.refresh_from_db()
    return text_function


def tags_of(sample: Sample) -> dict[str, bool]:
    return dict(SampleTag.objects.filter(sample=sample).values_list("label__name", "is_present"))


def test_merged_tags_are_on_where_either_was(tagging: Function, samples: list[Sample], owner: User) -> None:
    refund, shipping = tagging.labels.order_by("position")
    money = services.add_label(function=tagging, name="Money back")
    said = [
        {refund: True, money: False, shipping: False},
        {refund: False, money: True, shipping: True},
        {refund: False, money: False, shipping: False},
    ]
    tagged = Sample.objects.select_related("function").order_by("pk")[:3]
    for sample, tags in zip(tagged, said, strict=True):
        tag_sample(sample=sample, tags=tags, person=owner, picked_by=PickedBy.PERSON)
    before = [tags_of(sample) for sample in tagged]
    money = Label.objects.select_related("function").get(pk=money.pk)
    act = surgery.merge_labels(source=money, target=refund, person=owner)
    assert [tags_of(sample)["Refund"] for sample in tagged] == [True, True, False]
    assert not SampleTag.objects.filter(label=money).exists()
    undo_act(act=act, person=owner)
    assert [tags_of(sample) for sample in tagged] == before


def test_a_deleted_tag_comes_back_where_it_was(tagging: Function, samples: list[Sample], owner: User) -> None:
    refund, shipping = tagging.labels.order_by("position")
    sample = Sample.objects.select_related("function").first()
    assert sample is not None
    tag_sample(sample=sample, tags={refund: True, shipping: True}, person=owner, picked_by=PickedBy.PERSON)
    act = services.delete_label(label=refund, actor=owner)
    assert tags_of(sample) == {"Shipping": True}
    undo_act(act=act, person=owner)
    assert tags_of(sample) == {"Refund": True, "Shipping": True}


def test_a_deleted_label_comes_back_with_its_samples_and_rules(
    text_function: Function, samples: list[Sample], say: Say, refund: Label, shipping: Label, owner: User
) -> None:
    for index in range(4):
        say(index, refund)
    say(3, shipping)
    services.add_rule(label=refund, words="money")
    act = services.delete_label(label=refund, actor=owner)
    assert names_of(samples) == [None, None, None, "Shipping", None, None]
    assert rules_of(text_function) == []
    say(1, shipping)
    outcome = undo_act(act=act, person=owner)
    assert (outcome.n_restored, outcome.n_left) == (2, 1)
    assert names_of(samples) == ["Refund", "Shipping", "Refund", "Shipping", None, None]
    assert [rule.words for rule in rules_of(text_function)] == ["money"]


def test_what_was_taken_away_before_the_deletion_does_not_come_back(
    samples: list[Sample], say: Say, refund: Label, owner: User
) -> None:
    say(0, refund)
    annotate_sample(sample=samples[0], label=None, person=owner, picked_by=PickedBy.PERSON)
    undo_act(act=services.delete_label(label=refund, actor=owner), person=owner)
    assert names_of(samples)[0] is None


def test_some_samples_become_a_label_of_their_own(
    text_function: Function, samples: list[Sample], say: Say, refund: Label, shipping: Label, owner: User
) -> None:
    for index, label in enumerate([refund, refund, refund, shipping]):
        say(index, label)
    chosen = [samples[0].public_id, samples[2].public_id, samples[3].public_id]
    act = surgery.split_label(label=refund, name="Partial refund", sample_ids=chosen, person=owner)
    assert act.n_samples == 2
    assert names_of(samples)[:4] == ["Partial refund", "Refund", "Partial refund", "Shipping"]
    undo_act(act=act, person=owner)
    assert names_of(samples)[:4] == ["Refund", "Refund", "Refund", "Shipping"]
    assert lines(text_function) == {"Refund": 3, "Shipping": 1}


def test_a_label_split_off_stays_where_someone_has_used_it_since(
    text_function: Function, samples: list[Sample], say: Say, refund: Label, owner: User
) -> None:
    say(0, refund)
    act = surgery.split_label(label=refund, name="Partial", sample_ids=[samples[0].public_id], person=owner)
    say(1, text_function.labels.get(name="Partial"))
    undo_act(act=act, person=owner)
    assert lines(text_function) == {"Refund": 1, "Shipping": 0, "Partial": 1}


def test_a_split_of_nothing_makes_no_label(
    text_function: Function, samples: list[Sample], refund: Label, owner: User
) -> None:
    with pytest.raises(InvalidInput, match="None of the samples"):
        surgery.split_label(label=refund, name="Partial", sample_ids=[samples[0].public_id], person=owner)
    assert text_function.labels.count() == 2


def test_tags_split_off_leave_the_others_as_they_are(tagging: Function, samples: list[Sample], owner: User) -> None:
    refund, shipping = tagging.labels.select_related("function").order_by("position")
    sample = Sample.objects.select_related("function").order_by("pk")[0]
    tag_sample(sample=sample, tags={refund: True, shipping: True}, person=owner, picked_by=PickedBy.PERSON)
    act = surgery.split_label(label=refund, name="Partial", sample_ids=[sample.public_id], person=owner)
    assert tags_of(sample) == {"Refund": False, "Partial": True, "Shipping": True}
    undo_act(act=act, person=owner)
    assert tags_of(sample) == {"Refund": True, "Shipping": True}


def test_every_door_takes_a_merged_label_for_the_other(
    text_function: Function, samples: list[Sample], owner_client: Client, refund: Label, money: Label, owner: User
) -> None:
    """A page that was open before the merge still sends the old label's id."""
    surgery.merge_labels(source=money, target=refund, person=owner)
    fix = reverse("review:fix_label", args=[samples[0].public_id])
    assert owner_client.post(fix, {"label": money.public_id}).status_code == 200
    body = json.dumps({"samples": [samples[1].public_id], "label": money.public_id, "kind": "selection"})
    door = reverse("labeling:label_selection", args=[text_function.public_id])
    assert owner_client.post(door, body, content_type="application/json").status_code == 200
    queue = owner_client.get(reverse("labeling:queue", args=[text_function.public_id])).json()
    item = queue["items"][0]
    assert money.public_id not in [label["id"] for label in queue["labels"]]
    said = {
        "token": str(uuid.uuid4()),
        "sampleId": item["sampleId"],
        "proof": item["proof"],
        "labelId": money.public_id,
    }
    answers = reverse("labeling:answers", args=[text_function.public_id])
    answer = owner_client.post(answers, json.dumps([said]), content_type="application/json")
    assert answer.json()["refused"] == []
    assert lines(text_function) == {"Refund": 3, "Shipping": 0}
