"""The unmodified `nyckel` package against a real server: functions of one label, of every input there is.

Left out is `nyckel.invoke`, which calls its makers' own address wherever the server is.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import requests
from nyckel import (
    ClassificationAnnotation,
    ClassificationFunctionFactory,
    ClassificationLabel,
    Credentials,
    ImageClassificationFunction,
    ImageClassificationSample,
    ImageDecoder,
    TabularClassificationFunction,
    TabularClassificationSample,
    TabularFunctionField,
    TextClassificationFunction,
    TextClassificationSample,
)

from tests.clients.inputs import INPUTS, SORTS, Used, picture_of, text_of, wait_until_trained

pytestmark = pytest.mark.xdist_group("clients")

CLASSES = {
    "Text": (TextClassificationFunction, TextClassificationSample),
    "Image": (ImageClassificationFunction, ImageClassificationSample),
    "Tabular": (TabularClassificationFunction, TabularClassificationSample),
}
FIELDS = [
    TabularFunctionField(name="Message", type="Text"),
    TabularFunctionField(name="Amount", type="Number"),
    TabularFunctionField(name="Photo", type="Image"),
]
N_OF_SORT = 6


def made(kind: str, credentials: Credentials, name: str = "Which desk?") -> Used:
    function = Used(CLASSES[kind][0].create(name, credentials))
    if kind == "Tabular":
        function.create_fields(FIELDS)
    return function


def samples_of(kind: str, n: int = N_OF_SORT) -> list[Any]:
    make = CLASSES[kind][1]
    return [
        make(
            data=INPUTS[kind](sort, number),
            external_id=f"{sort}-{number}",
            annotation=ClassificationAnnotation(label_name=sort),
        )
        for sort in SORTS
        for number in range(n)
    ]


@pytest.mark.parametrize("kind", CLASSES)
def test_a_function_lives_its_whole_life_through_the_package(kind: str, credentials: Credentials) -> None:
    function = made(kind, credentials)
    a_fresh_function_is_empty(function, kind, credentials)
    labels_come_and_go(function)
    if kind == "Tabular":
        fields_come_and_go(function)
    ids = samples_come_with_labels(function, kind)
    wait_until_trained(function)
    what_was_learned_is_answered(function, kind)
    annotations_change(function, ids)
    samples_and_labels_go(function, ids)
    function.delete()
    assert function.unused == set()
    with pytest.raises(ValueError, match="404"):
        CLASSES[kind][0](function.function_id, credentials)


def a_fresh_function_is_empty(function: Used, kind: str, credentials: Credentials) -> None:
    assert (function.name, function.sample_count, function.label_count) == ("Which desk?", 0, 0)
    assert function.has_trained_model() is False
    assert (function.list_samples(), function.list_labels()) == ([], [])
    assert function.function_id in repr(function.function)
    for again in (
        CLASSES[kind][0](f"function_{function.function_id}", credentials),
        ClassificationFunctionFactory.load(function.function_id, credentials),
    ):
        assert (type(again), again.function_id) == (CLASSES[kind][0], function.function_id)


def labels_come_and_go(function: Used) -> None:
    wanted = ClassificationLabel(name=" Refund ", description="Money\nback", metadata={"queue": "7", "Ünï": "çödé"})
    [refund, other] = function.create_labels([wanted, "Other"])
    assert function.create_labels(["Other", "Refund", "Other"]) == [other, refund, other]
    there = ClassificationLabel(name="Refund", id=refund, description="Money\nback", metadata=wanted.metadata)
    assert function.read_label(refund) == there
    assert by_name(function.list_labels()) == [ClassificationLabel(name="Other", id=other), there]
    assert function.label_count == 2
    function.update_label(ClassificationLabel(name="Refunds", id=f"label_{refund}"))
    assert function.read_label(refund) == replace(there, name="Refunds")
    function.update_label(ClassificationLabel(name="Refund", id=refund, description="", metadata={}))
    assert function.read_label(refund) == ClassificationLabel(name="Refund", id=refund)
    function.delete_labels([f"label_{other}"])
    assert [label.name for label in function.list_labels()] == ["Refund"]
    with pytest.raises(RuntimeError, match="404"):
        function.read_label(other)


def by_name(there: list[Any]) -> list[Any]:
    """Ten are sent at once, so that they come in any order."""
    return sorted(there, key=lambda each: each.name)


def fields_come_and_go(function: Used) -> None:
    fields = by_name(function.list_fields())
    assert [(field.name, field.type) for field in fields] == [(each.name, each.type) for each in by_name(FIELDS)]
    town = TabularFunctionField(name="Town  of birth", type="Text")
    ids = function.create_fields([town, *by_name(FIELDS), town])
    assert ids[1:-1] == [field.id for field in fields]
    assert ids[0] == ids[-1]
    assert function.read_field(ids[0]) == TabularFunctionField(name=town.name, type="Text", id=ids[0])
    function.delete_field(ids[0])
    assert by_name(function.list_fields()) == fields


def samples_come_with_labels(function: Used, kind: str) -> list[str]:
    """Twelve with labels, and two without, each sent several times over: at once, and again afterwards."""
    samples = samples_of(kind)
    bare = [INPUTS[kind](sort, 90) for sort in SORTS]
    ids: list[str] = function.create_samples(copy.deepcopy(samples) + copy.deepcopy(samples))
    assert ids[: len(samples)] == ids[len(samples) :]
    assert len(set(ids)) == len(samples)
    plain = function.create_samples([copy.deepcopy(each) for each in bare * 3])
    assert (len(plain), len(set(plain))) == (6, 2)
    assert function.sample_count == len(samples) + 2
    assert {label.name for label in function.list_labels()} == set(SORTS)
    listed = function.list_samples()
    assert {sample.id for sample in listed[:2]} == set(plain)
    by_id = {sample.id: sample for sample in listed}
    for sample_id, sent in zip(ids, samples, strict=False):
        for found in (by_id[sample_id], function.read_sample(sample_id)):
            assert (found.annotation, found.external_id) == (sent.annotation, sent.external_id)
            is_same(found.data, sent.data, kind)
    assert by_id[plain[0]].annotation is None
    return ids[: len(samples)]


def is_same(found: Any, sent: Any, kind: str) -> None:
    if kind == "Text":
        assert found == sent
    elif kind == "Image":
        is_picture(found)
    else:
        is_picture(found["Photo"])
        assert {**found, "Photo": ""} == {**sent, "Photo": ""}


def is_picture(data: str) -> None:
    """Opened as the package does: a data URI, or an address fetched without any key."""
    assert ImageDecoder().to_image(data).size == (40, 30)


def what_was_learned_is_answered(function: Used, kind: str) -> None:
    unseen = [INPUTS[kind](sort, number) for sort in SORTS for number in (100, 101, 102)]
    answers = function.invoke([copy.deepcopy(each) for each in unseen])
    assert [answer.label_name for answer in answers] == [SORTS[0]] * 3 + [SORTS[1]] * 3
    assert all(0.5 < answer.confidence <= 1 for answer in answers)
    assert all(sample.prediction for sample in function.list_samples())


def annotations_change(function: Used, ids: list[str]) -> None:
    sample = function.read_sample(ids[0])
    sample.annotation = ClassificationAnnotation(label_name="Shipping")
    function.update_annotation(sample)
    assert function.read_sample(ids[0]).annotation == sample.annotation
    sample.annotation = None
    function.update_annotation(sample)
    assert function.read_sample(ids[0]).annotation is None


def samples_and_labels_go(function: Used, ids: list[str]) -> None:
    n_before = function.sample_count
    function.delete_samples([ids[0], f"sample_{ids[1]}"])
    assert function.sample_count == n_before - 2
    with pytest.raises(RuntimeError, match="404"):
        function.read_sample(ids[0])
    gone = next(label for label in function.list_labels() if label.name == "Shipping")
    function.delete_labels([gone.id])
    listed = function.list_samples()
    assert {sample.annotation.label_name for sample in listed if sample.annotation} == {"Refund"}
    assert {sample.prediction.label_name for sample in listed if sample.prediction} <= {"Refund"}
    if hasattr(function.function, "list_fields"):
        amount = next(field for field in function.list_fields() if field.name == "Amount")
        function.delete_field(amount.id)
        assert all(set(sample.data) == {"Message", "Photo"} for sample in function.list_samples())


def test_text_comes_back_byte_for_byte(credentials: Credentials) -> None:
    function = TextClassificationFunction.create("Bytes", credentials)
    texts = ["Grüße 👋🏽 \u202eabc", "a\r\nb\n\tc  d", "e\u0301 and \u00e9", "0", '{"json": [1]}', "x" * 50_000]
    ids = function.create_samples(texts)
    assert [function.read_sample(sample_id).data for sample_id in ids] == texts
    function.delete()


@pytest.mark.parametrize(
    "name", ["Cafe\u0301", "two  blanks", "no\u00a0break", "日本", "a/b?c#d%20", "refund", "x" * 200]
)
def test_labels_are_found_again_under_the_names_they_were_sent(credentials: Credentials, name: str) -> None:
    function = TextClassificationFunction.create("Names", credentials)
    function.create_labels(["Refund"])
    [sample_id] = function.create_samples([("one", name)])
    assert function.read_sample(sample_id).annotation == ClassificationAnnotation(label_name=name)
    assert [label.name for label in function.list_labels()] == ["Refund", name]
    function.delete()


def test_many_labels_are_listed_page_by_page(credentials: Credentials) -> None:
    function = TextClassificationFunction.create("Many labels", credentials)
    names = [f"Label {number}" for number in range(130)]
    ids = function.create_labels(names)
    assert len(set(ids)) == 130
    assert {label.id: label.name for label in function.list_labels()} == dict(zip(ids, names, strict=True))
    function.delete()


def test_a_deleted_sample_can_be_sent_again(credentials: Credentials) -> None:
    function = TextClassificationFunction.create("Again", credentials)
    [first] = function.create_samples([("one and the same", "Refund")])
    function.delete_samples([first])
    [second] = function.create_samples([("one and the same", "Shipping")])
    assert function.read_sample(second).annotation == ClassificationAnnotation(label_name="Shipping")
    assert function.sample_count == 1
    function.delete()


def test_the_annotation_of_a_duplicate_changes_nothing(credentials: Credentials) -> None:
    function = TextClassificationFunction.create("Twice", credentials)
    ids = function.create_samples([("the same", "Refund")]) + function.create_samples([("the same", "Shipping")])
    assert ids[0] == ids[1]
    assert function.read_sample(ids[0]).annotation == ClassificationAnnotation(label_name="Refund")
    function.delete()


def test_a_picture_read_is_a_picture_sent(credentials: Credentials) -> None:
    """Large ones are made smaller by the package; what comes back can be sent and asked about as it is."""
    function = ImageClassificationFunction.create("Photos", credentials)
    large = picture_of("Refund", 1, (1600, 800))
    [sample_id] = function.create_samples([(large, "Refund")])
    sample = function.read_sample(sample_id)
    assert ImageDecoder().to_image(sample.data).size == (1024, 512)
    assert function.create_samples([(sample.data, "Refund")])
    if sample.data.startswith("http"):
        assert requests.get(sample.data, timeout=5).status_code == 200
    function.delete()


def test_transparency_is_white(credentials: Credentials, tmp_path: Any) -> None:
    function = ImageClassificationFunction.create("Logos", credentials)
    clear = picture_of("Refund", 1).convert("RGBA")
    clear.paste((0, 0, 0, 0), (20, 0, 40, 30))
    clear.save(tmp_path / "clear.png")
    clear.quantize(method=2).save(tmp_path / "few-colours.png")
    for path in (tmp_path / "clear.png", tmp_path / "few-colours.png"):
        [sample_id] = function.create_samples([str(path)])
        pixel = ImageDecoder().to_image(function.read_sample(sample_id).data).convert("RGB").getpixel((35, 15))
        assert min(pixel) >= 250
    function.delete()


def test_rows_may_lack_values(credentials: Credentials) -> None:
    function = made("Tabular", credentials)
    sent = [{"Message": "one"}, {"Amount": 2}, {"Amount": 0.1, "Message": "three"}]
    ids = function.create_samples(copy.deepcopy(sent))
    assert [function.read_sample(sample_id).data for sample_id in ids] == sent
    function.delete()


def test_what_cannot_be_answered_is_an_error_with_its_reason(credentials: Credentials) -> None:
    """The package tries five times, for 15.5 s, whatever is wrong."""
    function = TextClassificationFunction.create("Nothing yet", credentials)
    with pytest.warns(RuntimeWarning, match="400"):
        [answer] = function.invoke(["anything"])
    assert answer.status_code == 400
    assert "No model available to invoke function" in answer.error
    function.delete()


def test_a_function_answers_as_soon_as_it_is_trained_and_not_with_an_older_model(credentials: Credentials) -> None:
    """What waits for training is answered from all that was sent before it began to wait."""
    function = TextClassificationFunction.create("Soon", credentials)
    function.create_samples([(text_of(sort, number), sort) for sort in SORTS for number in range(2)])
    wait_until_trained(function)
    assert {sample.prediction is not None for sample in function.list_samples()} == {True}
    function.create_samples([(f"the new sort of thing, number {number}", "New") for number in range(4)])
    wait_until_trained(function)
    [answer] = function.invoke(["the new sort of thing, number 9"])
    assert answer.label_name == "New"
    function.delete()
