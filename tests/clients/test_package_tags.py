"""The unmodified `nyckel` package against a real server: functions that give tags, of every input there is.

Left out is `TagsFunctionFactory.load`, which asks its class for what only instances have, and so cannot work anywhere.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from nyckel import (
    ClassificationLabel,
    Credentials,
    ImageDecoder,
    ImageTagsFunction,
    ImageTagsSample,
    TabularFunctionField,
    TabularTagsFunction,
    TabularTagsSample,
    TagsAnnotation,
    TextTagsFunction,
    TextTagsSample,
)

from tests.clients.inputs import INPUTS, SORTS, Used, picture_of, wait_until_trained

pytestmark = pytest.mark.xdist_group("clients")

CLASSES = {
    "Text": (TextTagsFunction, TextTagsSample),
    "Image": (ImageTagsFunction, ImageTagsSample),
    "Tabular": (TabularTagsFunction, TabularTagsSample),
}
FIELDS = [
    TabularFunctionField(name="Message", type="Text"),
    TabularFunctionField(name="Amount", type="Number"),
    TabularFunctionField(name="Photo", type="Image"),
]
N_OF_SORT = 6


def made(kind: str, credentials: Credentials) -> Used:
    function = Used(CLASSES[kind][0].create("Topics", credentials))
    if kind == "Tabular":
        function.create_fields(FIELDS)
    return function


def samples_of(kind: str) -> list[Any]:
    make = CLASSES[kind][1]
    return [
        make(
            data=INPUTS[kind](sort, number),
            external_id=f"{sort}-{number}",
            annotation=[TagsAnnotation(sort), TagsAnnotation("Even", present=number % 2 == 0)],
        )
        for sort in SORTS
        for number in range(N_OF_SORT)
    ]


@pytest.mark.parametrize("kind", CLASSES)
def test_a_function_lives_its_whole_life_through_the_package(kind: str, credentials: Credentials) -> None:
    function = made(kind, credentials)
    a_fresh_function_is_empty(function, kind, credentials)
    labels_come_and_go(function)
    ids = samples_come_with_tags(function, kind)
    wait_until_trained(function)
    what_was_learned_is_answered(function, kind)
    annotations_change(function, ids)
    samples_and_labels_go(function, ids)
    if kind == "Tabular":
        fields_go(function)
    function.delete()
    assert function.unused == set()
    with pytest.raises(ValueError, match="404"):
        CLASSES[kind][0](function.function_id, credentials)


def a_fresh_function_is_empty(function: Used, kind: str, credentials: Credentials) -> None:
    assert (function.name, function.sample_count, function.label_count) == ("Topics", 0, 0)
    assert function.has_trained_model() is False
    assert (function.list_samples(), function.list_labels()) == ([], [])
    again = CLASSES[kind][0](f"function_{function.function_id}", credentials)
    assert again.function_id == function.function_id


def labels_come_and_go(function: Used) -> None:
    wanted = ClassificationLabel(name="Even", description="An even number", metadata={"queue": "7"})
    [even] = function.create_labels([wanted])
    [other, again] = function.create_labels(["Other", "Even"])
    assert again == even
    there = ClassificationLabel(name="Even", id=even, description="An even number", metadata={"queue": "7"})
    assert function.read_label(even) == there
    function.update_label(ClassificationLabel(name="Evens", id=even))
    assert function.read_label(even).metadata == {"queue": "7"}
    function.update_label(ClassificationLabel(name="Even", id=even))
    assert (function.list_labels()[0], function.label_count) == (there, 2)
    function.delete_labels([other])
    assert function.list_labels() == [there]


def samples_come_with_tags(function: Used, kind: str) -> list[str]:
    samples = samples_of(kind)
    ids: list[str] = function.create_samples(copy.deepcopy(samples) + copy.deepcopy(samples))
    assert ids[: len(samples)] == ids[len(samples) :]
    bare = INPUTS[kind]("Refund", 90)
    [plain] = function.create_samples([copy.deepcopy(bare)])
    assert function.sample_count == len(samples) + 1 == len(set(ids)) + 1
    by_id = {sample.id: sample for sample in function.list_samples()}
    for sample_id, sent in zip(ids, samples, strict=False):
        for found in (by_id[sample_id], function.read_sample(sample_id)):
            absent = TagsAnnotation(next(sort for sort in SORTS if sort != sent.annotation[0].label_name), False)
            assert found.annotation == [*sent.annotation, absent]
            assert found.external_id == sent.external_id
            is_same(found.data, sent.data, kind)
    assert by_id[plain].annotation is None
    return ids[: len(samples)]


def is_same(found: Any, sent: Any, kind: str) -> None:
    if kind == "Text":
        assert found == sent
    elif kind == "Image":
        assert ImageDecoder().to_image(found).size == (40, 30)
    else:
        assert ImageDecoder().to_image(found["Photo"]).size == (40, 30)
        assert {**found, "Photo": ""} == {**sent, "Photo": ""}


def what_was_learned_is_answered(function: Used, kind: str) -> None:
    unseen = [INPUTS[kind](sort, number) for sort in SORTS for number in (100, 102)]
    answers = function.invoke([copy.deepcopy(each) for each in unseen])
    names = [{tag.label_name for tag in answer} & set(SORTS) for answer in answers]
    assert names == [{SORTS[0]}] * 2 + [{SORTS[1]}] * 2
    assert all(0 < tag.confidence <= 1 for answer in answers for tag in answer)
    assert all(sample.prediction is not None for sample in function.list_samples())


def annotations_change(function: Used, ids: list[str]) -> None:
    sample = function.read_sample(ids[0])
    sample.annotation = [TagsAnnotation("Shipping", True), TagsAnnotation("Refund", False), TagsAnnotation("Even")]
    function.update_annotation(sample)
    assert function.read_sample(ids[0]).annotation == sample.annotation
    function.create_labels(["Later"])
    assert function.read_sample(ids[0]).annotation == sample.annotation


def samples_and_labels_go(function: Used, ids: list[str]) -> None:
    n_before = function.sample_count
    function.delete_samples([ids[1], f"sample_{ids[2]}"])
    assert function.sample_count == n_before - 2
    with pytest.raises(RuntimeError, match="404"):
        function.read_sample(ids[1])
    gone = next(label for label in function.list_labels() if label.name == "Shipping")
    function.delete_labels([gone.id])
    listed = function.list_samples()
    assert {tag.label_name for sample in listed for tag in sample.annotation or []} == {"Refund", "Even"}
    assert {tag.label_name for sample in listed for tag in sample.prediction or []} <= {"Refund", "Even"}


def fields_go(function: Used) -> None:
    amount = next(field for field in function.list_fields() if field.name == "Amount")
    assert function.read_field(amount.id) == amount
    function.delete_field(amount.id)
    assert all(set(sample.data) == {"Message", "Photo"} for sample in function.list_samples())


def test_a_sample_said_to_have_none_of_the_tags_is_annotated(credentials: Credentials) -> None:
    function = TextTagsFunction.create("None", credentials)
    function.create_labels(["A", "B"])
    [sample_id] = function.create_samples([TextTagsSample(data="one", annotation=[TagsAnnotation("A", False)])])
    said = function.read_sample(sample_id).annotation
    assert {(tag.label_name, tag.present) for tag in said or []} == {("A", False), ("B", False)}
    function.delete()


def test_pictures_may_be_files_and_objects_too(credentials: Credentials, tmp_path: Any) -> None:
    function = ImageTagsFunction.create("Files", credentials)
    picture_of("Refund", 1).save(tmp_path / "one.png")
    [one, two] = function.create_samples([str(tmp_path / "one.png"), picture_of("Shipping", 2)])
    assert one != two
    [again] = function.create_samples([function.read_sample(one).data])
    assert isinstance(again, str)
    function.delete()
