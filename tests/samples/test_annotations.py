"""People's labels: history only grows, the sample repeats what is in force, undo restores."""

from uuid import uuid4

import pytest

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, NotAllowed
from apps.functions.models import Function, Label
from apps.functions.services import create_function, delete_label
from apps.samples.models import Annotation, Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_many, annotate_sample, undo_annotation
from apps.samples.services.intake import NewText, add_texts


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(text) for text in ("money back please", "where is my parcel", "thanks")]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples


def label_named(function: Function, name: str) -> Label:
    return function.labels.get(name=name)


def in_force(sample: Sample) -> tuple[str | None, int | None]:
    sample.refresh_from_db()
    return (sample.label.name if sample.label else None), sample.annotation_id


def test_annotating_writes_history_and_the_sample_and_asks_for_training(
    samples: list[Sample], text_function: Function, member: User
) -> None:
    refund = label_named(text_function, "Refund")
    annotation = annotate_sample(sample=samples[0], label=refund, person=member, picked_by=PickedBy.QUEUE)
    assert in_force(samples[0]) == ("Refund", annotation.pk)
    assert samples[0].labelled_at == annotation.created_at
    text_function.refresh_from_db()
    assert text_function.data_revision == 1


def test_the_same_token_twice_gives_one_annotation(
    samples: list[Sample], text_function: Function, member: User
) -> None:
    token = uuid4()
    answers = [
        annotate_sample(
            sample=samples[0],
            label=label_named(text_function, name),
            person=member,
            picked_by=PickedBy.QUEUE,
            client_token=token,
        )
        for name in ("Refund", "Shipping")
    ]
    assert answers[0].pk == answers[1].pk
    assert Annotation.objects.count() == 1
    assert in_force(samples[0])[0] == "Refund"


def test_a_token_used_for_another_sample_is_a_conflict(
    samples: list[Sample], text_function: Function, member: User
) -> None:
    token, refund = uuid4(), label_named(text_function, "Refund")
    annotate_sample(sample=samples[0], label=refund, person=member, picked_by=PickedBy.QUEUE, client_token=token)
    with pytest.raises(Conflict):
        annotate_sample(sample=samples[1], label=refund, person=member, picked_by=PickedBy.QUEUE, client_token=token)


def test_a_label_of_another_function_is_refused(samples: list[Sample], text_function: Function) -> None:
    other = create_function(
        workspace=text_function.workspace, name="Other", input_kind="text", label_names=["a", "b"], actor=None
    )
    foreign = other.labels.all()[0]
    with pytest.raises(InvalidInput):
        annotate_sample(sample=samples[0], label=foreign, person=None, picked_by=PickedBy.PERSON)
    with pytest.raises(InvalidInput):
        annotate_many(
            function=text_function, pairs=[(samples[0].pk, foreign.pk)], person=None, picked_by=PickedBy.PERSON
        )
    assert Annotation.objects.count() == 0


def test_a_label_deleted_since_it_was_read_is_refused(samples: list[Sample], text_function: Function) -> None:
    read_before = label_named(text_function, "Refund")
    delete_label(label=label_named(text_function, "Refund"))
    with pytest.raises(InvalidInput, match="does not belong"):
        annotate_sample(sample=samples[0], label=read_before, person=None, picked_by=PickedBy.QUEUE)
    assert in_force(samples[0]) == (None, None)


def test_a_correction_keeps_why_the_sample_was_drawn(samples: list[Sample], text_function: Function) -> None:
    refund, shipping = label_named(text_function, "Refund"), label_named(text_function, "Shipping")
    annotate_sample(sample=samples[0], label=refund, person=None, picked_by=PickedBy.RANDOM)
    corrected = annotate_sample(sample=samples[0], label=shipping, person=None, picked_by=PickedBy.PERSON)
    assert corrected.picked_by == PickedBy.RANDOM


def test_undo_walks_back_step_by_step(samples: list[Sample], text_function: Function, member: User) -> None:
    sample = samples[0]
    first, second = (
        annotate_sample(sample=sample, label=label_named(text_function, name), person=member, picked_by=PickedBy.QUEUE)
        for name in ("Refund", "Shipping")
    )
    undo_annotation(annotation=second, person=member)
    assert in_force(sample) == ("Refund", first.pk)
    undo_annotation(annotation=first, person=member)
    assert in_force(sample) == (None, None)
    assert sample.labelled_at is None
    assert Annotation.objects.filter(sample=sample).count() == 4
    newest = Annotation.objects.filter(sample=sample).latest("id")
    assert newest.label is None


def test_undoing_twice_undoes_once(samples: list[Sample], text_function: Function, member: User) -> None:
    refund = label_named(text_function, "Refund")
    annotation = annotate_sample(sample=samples[0], label=refund, person=member, picked_by=PickedBy.QUEUE)
    once = undo_annotation(annotation=annotation, person=member)
    again = undo_annotation(annotation=annotation, person=member)
    assert once.pk == again.pk
    assert Annotation.objects.count() == 2


def test_one_cannot_undo_what_somebody_labelled_anew(
    samples: list[Sample], text_function: Function, member: User, owner: User
) -> None:
    refund, shipping = label_named(text_function, "Refund"), label_named(text_function, "Shipping")
    mine = annotate_sample(sample=samples[0], label=refund, person=member, picked_by=PickedBy.QUEUE)
    annotate_sample(sample=samples[0], label=shipping, person=owner, picked_by=PickedBy.PERSON)
    with pytest.raises(Conflict):
        undo_annotation(annotation=mine, person=member)
    assert in_force(samples[0])[0] == "Shipping"


def test_one_cannot_undo_somebody_elses_label(
    samples: list[Sample], text_function: Function, member: User, owner: User
) -> None:
    refund = label_named(text_function, "Refund")
    theirs = annotate_sample(sample=samples[0], label=refund, person=owner, picked_by=PickedBy.QUEUE)
    with pytest.raises(NotAllowed):
        undo_annotation(annotation=theirs, person=member)


def test_many_are_labelled_at_once_and_again_changes_nothing(
    samples: list[Sample], text_function: Function, owner: User
) -> None:
    refund, shipping = label_named(text_function, "Refund"), label_named(text_function, "Shipping")
    pairs: list[tuple[int, int | None]] = [(samples[0].pk, refund.pk), (samples[1].pk, shipping.pk)]
    for expected in (2, 0):
        n = annotate_many(function=text_function, pairs=pairs, person=owner, picked_by=PickedBy.PERSON)
        assert n == expected
    assert in_force(samples[0]) == ("Refund", samples[0].annotations.get().pk)
    assert in_force(samples[1]) == ("Shipping", samples[1].annotations.get().pk)
    assert in_force(samples[2]) == (None, None)


def test_many_labels_can_be_taken_away(samples: list[Sample], text_function: Function, owner: User) -> None:
    refund = label_named(text_function, "Refund")
    annotate_sample(sample=samples[0], label=refund, person=owner, picked_by=PickedBy.QUEUE)
    n = annotate_many(function=text_function, pairs=[(samples[0].pk, None)], person=owner, picked_by=PickedBy.PERSON)
    assert n == 1
    assert in_force(samples[0]) == (None, None)


def test_samples_of_another_function_are_left_alone(
    samples: list[Sample], text_function: Function, owner: User
) -> None:
    other = create_function(
        workspace=text_function.workspace, name="Other", input_kind="text", label_names=["a", "b"], actor=None
    )
    n = annotate_many(
        function=other, pairs=[(samples[0].pk, other.labels.all()[0].pk)], person=owner, picked_by=PickedBy.PERSON
    )
    assert n == 0
    assert in_force(samples[0]) == (None, None)
