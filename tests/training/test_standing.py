"""What programs that wait for a function are told is true of one moment, and never makes them wait for ever."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.services import delete_label
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import tag_sample
from apps.samples.services.bin import bin_samples
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.surgery import merge_labels
from apps.training.models import FunctionWork, TrainedModel, WorkKind
from apps.training.services import finish_work
from apps.training.standing import GIVEN_UP_AFTER, Standing, label_counts, standing_of
from apps.workspaces.models import Workspace
from tests.training.conftest import bring, embed_all, label


def counts_of(function: Function) -> tuple[dict[str, int], dict[str, int]]:
    counts = label_counts(function, standing_of(function))
    names = dict(Label.objects.values_list("public_id", "name"))
    said, present = ({names[key]: n for key, n in part.items()} for part in (counts.said, counts.present))
    return said, present


def test_a_fresh_function_cannot_answer(text_function: Function) -> None:
    assert standing_of(text_function) == Standing(0, 0, 0, 0, is_at_work=False, can_answer=False)
    assert counts_of(text_function) == ({"Refund": 0, "Shipping": 0}, {"Refund": 0, "Shipping": 0})


def test_what_was_brought_and_not_read_yet_is_work(text_function: Function) -> None:
    bring(text_function, ["one", "two"])
    standing = standing_of(text_function)
    assert (standing.n_samples, standing.is_at_work, standing.can_answer) == (2, True, False)
    embed_all(text_function)
    assert not standing_of(text_function).is_at_work


def test_a_label_is_work_until_it_has_been_learned_from(
    text_function: Function, samples: dict[str, list[Sample]]
) -> None:
    waiting = standing_of(text_function)
    assert (waiting.n_samples, waiting.n_labelled, waiting.n_predicted) == (16, 12, 0)
    assert waiting.is_at_work
    assert not waiting.can_answer
    finish_work(function_id=text_function.pk)
    done = standing_of(text_function)
    assert (done.n_predicted, done.is_at_work, done.can_answer) == (16, False, True)
    label(text_function, samples[""][:1], "Refund")
    assert standing_of(text_function).is_at_work
    assert standing_of(text_function).can_answer
    bring(text_function, ["something new"])
    finish_work(function_id=text_function.pk)
    assert standing_of(text_function).n_predicted == 17


def test_too_few_labels_are_no_work_once_that_is_found_out(text_function: Function) -> None:
    label(text_function, bring(text_function, ["one"]), "Refund")
    finish_work(function_id=text_function.pk)
    standing = standing_of(text_function)
    assert (standing.is_at_work, standing.can_answer, standing.n_labelled) == (False, False, 1)


@pytest.mark.parametrize("kind", [WorkKind.TRAIN, WorkKind.PREDICT])
def test_what_fails_again_and_again_is_not_waited_for(learned: Function, kind: WorkKind) -> None:
    Function.objects.filter(pk=learned.pk).update(data_revision=99)
    work = FunctionWork.objects.filter(function=learned)
    work.filter(kind=WorkKind.TRAIN).update(done_revision=99 if kind == WorkKind.PREDICT else 1)
    work.filter(kind=WorkKind.PREDICT).update(wanted_revision=99 if kind == WorkKind.PREDICT else 0)
    assert standing_of(learned).is_at_work
    work.filter(kind=kind).update(n_failures=GIVEN_UP_AFTER)
    assert not standing_of(learned).is_at_work
    assert standing_of(learned).n_predicted == standing_of(learned).n_samples


def test_a_sample_that_can_never_be_read_is_not_waited_for(learned: Function) -> None:
    bring(learned, ["a picture in a strange format, say"])
    assert standing_of(learned).is_at_work
    FunctionWork.objects.update_or_create(
        function=learned, kind=WorkKind.EMBED, defaults={"n_failures": GIVEN_UP_AFTER}
    )
    standing = standing_of(learned)
    assert not standing.is_at_work
    assert standing.n_predicted == standing.n_samples == 41


def test_a_round_that_is_at_it_is_waited_for(learned: Function) -> None:
    train = FunctionWork.objects.filter(function=learned, kind=WorkKind.TRAIN)
    train.update(lease_holder="another", lease_expires_at=timezone.now() + timedelta(seconds=9))
    assert standing_of(learned).is_at_work
    train.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert not standing_of(learned).is_at_work


def test_counts_follow_every_change_of_labels_and_samples(text_function: Function) -> None:
    add_texts(
        function=text_function,
        items=[NewText("one", label_name="Refund"), NewText("two", label_name="Refund"), NewText("three")],
        person=None,
        origin=Origin.API,
    )
    assert counts_of(text_function)[0] == {"Refund": 2, "Shipping": 0}
    one, two, three = Sample.objects.order_by("pk")
    label(text_function, [three], "Shipping")
    assert counts_of(text_function)[0] == {"Refund": 2, "Shipping": 1}
    label(text_function, [two], "Shipping")
    assert counts_of(text_function)[0] == {"Refund": 1, "Shipping": 2}
    bin_samples(function=text_function, sample_ids=[one.public_id], person=None)
    assert counts_of(text_function)[0] == {"Refund": 0, "Shipping": 2}
    text_function.labels.create(name="Other", position=2, colour=2)
    assert counts_of(text_function)[1] == {"Refund": 0, "Shipping": 2, "Other": 0}
    delete_label(label=text_function.labels.get(name="Shipping"))
    assert counts_of(text_function)[0] == {"Refund": 0, "Other": 0}


def test_a_merged_label_counts_as_the_other(text_function: Function, refund: Label, shipping: Label) -> None:
    label(text_function, bring(text_function, ["one", "two"]), "Refund")
    merge_labels(source=refund, target=shipping, person=None)
    assert counts_of(text_function)[0] == {"Shipping": 2}
    Sample.objects.update(label=refund)  # as while they are still being moved
    Function.objects.update(data_revision=50)
    assert counts_of(text_function)[0] == {"Shipping": 2}


def test_of_tags_it_is_counted_what_is_said_and_what_is_there(workspace: Workspace) -> None:
    function = workspace.functions.create(name="Topics", input_kind=InputKind.TEXT, output_kind=OutputKind.TAGS)
    food, music, sport = (
        function.labels.create(name=name, position=at, colour=at) for at, name in enumerate(["Food", "Music", "Sport"])
    )
    one, two = bring(function, ["one", "two"])
    tag_sample(sample=one, tags={food: True, music: False}, person=None, picked_by=PickedBy.PERSON, is_whole=False)
    tag_sample(sample=two, tags={food: True, sport: False}, person=None, picked_by=PickedBy.PERSON, is_whole=False)
    assert counts_of(function) == ({"Food": 2, "Music": 1, "Sport": 1}, {"Food": 2, "Music": 0, "Sport": 0})


def test_what_finds_samples_answers_once_they_are_read(workspace: Workspace) -> None:
    function = workspace.functions.create(name="Alike", input_kind=InputKind.TEXT, output_kind=OutputKind.SEARCH)
    assert not standing_of(function).can_answer
    bring(function, ["one", "two"])
    assert (standing_of(function).is_at_work, standing_of(function).can_answer) == (True, False)
    embed_all(function)
    assert standing_of(function) == Standing(0, 2, 0, 2, is_at_work=False, can_answer=True)


def test_all_of_it_is_one_statement(learned: Function, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        standing = standing_of(learned)
    label_counts(learned, standing)
    with django_assert_num_queries(1):  # the labels there are; what they count was counted above
        label_counts(learned, standing)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="other databases choose by what is in the tables")
def test_counts_read_nothing_but_indexes(text_function: Function) -> None:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        label_counts(text_function, standing_of(text_function))
    plans = []
    for query in asked.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            plans += [str(row[-1]) for row in cursor.fetchall()]
    walked = [plan for plan in plans if "samples_sample" in plan or "training_prediction" in plan or " U0" in plan]
    assert walked
    assert not [plan for plan in walked if "SCAN" in plan], plans


def test_a_deleted_function_is_not_found(text_function: Function) -> None:
    from apps.core.errors import NotFound

    Function.objects.filter(pk=text_function.pk).delete()
    with pytest.raises(NotFound):
        standing_of(text_function)


def test_a_model_that_was_published_answers_even_if_labels_are_too_few_now(
    learned: Function, start_fresh: Callable[[], None]
) -> None:
    delete_label(label=learned.labels.order_by("position")[0])
    finish_work(function_id=learned.pk)
    assert TrainedModel.objects.filter(function=learned, is_live=True).exists() == standing_of(learned).can_answer
    assert not standing_of(learned).is_at_work
