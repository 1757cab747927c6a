"""Tags: several a sample, each there or not; history only grows, the rows repeat what is in force, undo restores."""

from uuid import uuid4

import pytest

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.services import add_label, create_function, delete_label
from apps.samples.models import Annotation, Origin, PickedBy, Sample
from apps.samples.services.annotations import (
    annotate_many,
    annotate_sample,
    tag_many,
    tag_sample,
    undo_annotation,
)
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.settling import standing_annotations
from apps.workspaces.models import Workspace


@pytest.fixture
def tags_function(workspace: Workspace) -> Function:
    return create_function(
        workspace=workspace,
        name="What is it about?",
        input_kind=InputKind.TEXT,
        output_kind=OutputKind.TAGS,
        label_names=["Food", "Travel", "Money"],
        actor=None,
    )


@pytest.fixture
def sample(tags_function: Function) -> Sample:
    return samples_of(tags_function, "cheap noodles in Rome")[0]


def samples_of(function: Function, *texts: str) -> list[Sample]:
    items = [NewText(text) for text in texts]
    return add_texts(function=function, items=items, person=None, origin=Origin.BROWSER).samples


def tag(function: Function, name: str) -> Label:
    return function.labels.get(name=name)


def say(sample: Sample, person: User | None = None, **tags: bool) -> Annotation:
    said = {tag(sample.function, name): is_present for name, is_present in tags.items()}
    return tag_sample(sample=sample, tags=said, person=person, picked_by=PickedBy.QUEUE)


def in_force(sample: Sample) -> dict[str, bool] | None:
    sample.refresh_from_db()
    if sample.annotation_id is None:
        assert not sample.tags.exists()
        return None
    assert sample.label is None
    return {row.label.name: row.is_present for row in sample.tags.select_related("label").order_by("pk")}


def test_tags_that_are_not_mentioned_are_not_there(sample: Sample, tags_function: Function, member: User) -> None:
    annotation = say(sample, member, Travel=True)
    assert in_force(sample) == {"Travel": True, "Food": False, "Money": False}
    assert sample.annotation_id == annotation.pk
    assert annotation.label is None
    assert annotation.tags == {
        tag(tags_function, name).public_id: name == "Travel" for name in ("Travel", "Food", "Money")
    }
    tags_function.refresh_from_db()
    assert tags_function.data_revision == 1


def test_nothing_there_is_an_answer(sample: Sample) -> None:
    say(sample)
    assert in_force(sample) == {"Food": False, "Travel": False, "Money": False}


def test_what_was_said_explicitly_keeps_its_order(sample: Sample) -> None:
    say(sample, Money=False, Food=True)
    assert list(in_force(sample) or {}) == ["Money", "Food", "Travel"]


def test_a_tag_made_later_is_unknown_on_samples_tagged_before(sample: Sample, tags_function: Function) -> None:
    say(sample, Food=True)
    add_label(function=tags_function, name="Rome")
    assert in_force(sample) == {"Food": True, "Travel": False, "Money": False}
    say(sample, Food=True)
    assert in_force(sample) == {"Food": True, "Travel": False, "Money": False, "Rome": False}


def test_a_tag_the_person_was_not_shown_stays_unknown(sample: Sample, tags_function: Function) -> None:
    shown = {label: label.name == "Food" for label in tags_function.labels.all()}
    add_label(function=tags_function, name="Rome")
    tag_sample(sample=sample, tags=shown, person=None, picked_by=PickedBy.QUEUE, is_whole=False)
    assert in_force(sample) == {"Food": True, "Travel": False, "Money": False}


def test_the_same_token_twice_gives_one_annotation(sample: Sample, tags_function: Function, member: User) -> None:
    token = uuid4()
    answers = [
        tag_sample(
            sample=sample,
            tags={tag(tags_function, name): True},
            person=member,
            picked_by=PickedBy.QUEUE,
            client_token=token,
        )
        for name in ("Food", "Travel")
    ]
    assert answers[0].pk == answers[1].pk
    assert in_force(sample) == {"Food": True, "Travel": False, "Money": False}
    other = samples_of(tags_function, "another")[0]
    with pytest.raises(Conflict):
        tag_sample(sample=other, tags={}, person=member, picked_by=PickedBy.QUEUE, client_token=token)


def test_undo_walks_back_step_by_step(sample: Sample, member: User) -> None:
    first, second = say(sample, member, Food=True), say(sample, member, Travel=True, Money=True)
    assert undo_annotation(annotation=second, person=member).tags == first.tags
    assert in_force(sample) == {"Food": True, "Travel": False, "Money": False}
    assert sample.annotation_id == first.pk
    assert [standing.pk for standing in standing_annotations(sample)] == [first.pk]
    undo_annotation(annotation=first, person=member)
    assert in_force(sample) is None
    assert sample.annotations.count() == 4


def test_undo_leaves_out_deleted_tags_and_knows_nothing_of_new_ones(
    sample: Sample, tags_function: Function, member: User
) -> None:
    say(sample, member, Food=True, Travel=True)
    delete_label(label=tag(tags_function, "Travel"))
    add_label(function=tags_function, name="Rome")
    last = say(sample, member, Rome=True)
    undo_annotation(annotation=last, person=member)
    assert in_force(sample) == {"Food": True, "Money": False}


def test_deleting_a_tag_leaves_its_samples_annotated(sample: Sample, tags_function: Function, member: User) -> None:
    say(sample, member, Travel=True)
    other = samples_of(tags_function, "another")[0]
    say(other, member, Travel=True, Food=True)
    assert delete_label(label=tag(tags_function, "Travel")).n_samples == 2
    assert in_force(sample) == {"Food": False, "Money": False}
    assert in_force(other) == {"Food": True, "Money": False}
    assert len(sample.annotations.get().tags or {}) == 3  # history keeps what was said


def test_a_tag_deleted_since_it_was_read_is_passed_over(sample: Sample, tags_function: Function) -> None:
    read_before = tag(tags_function, "Travel")
    delete_label(label=tag(tags_function, "Travel"))
    tag_sample(
        sample=sample,
        tags={read_before: True, tag(tags_function, "Food"): True},
        person=None,
        picked_by=PickedBy.QUEUE,
    )
    assert in_force(sample) == {"Food": True, "Money": False}


def test_what_does_not_fit_the_function_is_refused(
    sample: Sample, tags_function: Function, text_function: Function
) -> None:
    refund = text_function.labels.get(name="Refund")
    one_label = samples_of(text_function, "money back")[0]
    with pytest.raises(InvalidInput, match="does not belong"):
        tag_sample(sample=sample, tags={refund: True}, person=None, picked_by=PickedBy.PERSON)
    with pytest.raises(InvalidInput, match="gives tags"):
        annotate_sample(sample=sample, label=tag(tags_function, "Food"), person=None, picked_by=PickedBy.PERSON)
    with pytest.raises(InvalidInput, match="gives one label"):
        tag_sample(sample=one_label, tags={refund: True}, person=None, picked_by=PickedBy.PERSON)
    assert not Annotation.objects.exists()


def test_taking_away_what_was_said_of_a_sample(sample: Sample) -> None:
    say(sample, Food=True)
    annotate_sample(sample=sample, label=None, person=None, picked_by=PickedBy.PERSON)
    assert in_force(sample) is None


def test_a_correction_keeps_why_the_sample_was_drawn(sample: Sample, tags_function: Function) -> None:
    food = tag(tags_function, "Food")
    tag_sample(sample=sample, tags={food: True}, person=None, picked_by=PickedBy.RANDOM)
    assert say(sample, Travel=True).picked_by == PickedBy.RANDOM


def test_many_at_once_store_exactly_what_is_said_and_pass_over_what_is_there(tags_function: Function) -> None:
    first, second, third = samples_of(tags_function, "one", "two", "three")
    food, travel = tag(tags_function, "Food"), tag(tags_function, "Travel")
    said = {
        first.pk: {food.pk: True, travel.pk: False},
        second.pk: {travel.pk: True},
        third.pk: dict[int, bool](),
    }
    count = tag_many(function=tags_function, tags_of=said, person=None, picked_by=PickedBy.IMPORT)
    assert count == 3
    assert in_force(first) == {"Food": True, "Travel": False}
    assert in_force(second) == {"Travel": True}
    assert in_force(third) == {}
    changed = said | {second.pk: {travel.pk: False}}
    assert tag_many(function=tags_function, tags_of=changed, person=None, picked_by=PickedBy.IMPORT) == 1
    assert in_force(second) == {"Travel": False}
    assert Annotation.objects.count() == 4
    taken = [(first.pk, None), (second.pk, None)]
    assert annotate_many(function=tags_function, pairs=taken, person=None, picked_by=PickedBy.PERSON) == 2
    assert in_force(first) is None
