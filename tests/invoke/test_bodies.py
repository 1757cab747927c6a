"""What answers look like in JSON: one label, or those of the tags that are there."""

import json

import pytest
from django.template.loader import render_to_string

from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.services import create_function
from apps.invoke.bodies import answer_body, tags_body
from apps.invoke.services import Answer, Guess
from apps.invoke.snippets import snippets
from apps.invoke.wire import Options, Payload
from apps.training.models import TrainedModel
from apps.workspaces.models import Workspace

PAYLOAD = Payload("text")


@pytest.fixture
def labels(workspace: Workspace) -> list[Label]:
    function = create_function(
        workspace=workspace,
        name="What is it about?",
        input_kind=InputKind.TEXT,
        output_kind=OutputKind.TAGS,
        label_names=["Food", "Travel", "Money"],
        actor=None,
    )
    return list(function.labels.all())


@pytest.fixture
def guesses(labels: list[Label]) -> tuple[Guess, ...]:
    sure = zip(labels, (0.9, 0.4, 0.1), strict=True)
    return tuple(Guess(label, confidence, label.name) for label, confidence in sure)


@pytest.fixture
def model(labels: list[Label]) -> TrainedModel:
    """A model that promises 95 % right from a confidence of 0.8 on, and no more than that."""
    automation = [
        {"target": 0.95, "threshold": 0.8, "share": 0.5, "right": 0.96},
        {"target": 0.99, "threshold": None, "share": 0.0, "right": None},
    ]
    return TrainedModel(public_id="model_1", function=labels[0].function, figures={"automation": automation})


def test_one_label_comes_with_its_confidence(guesses: tuple[Guess, ...], model: TrainedModel) -> None:
    answer = Answer(model.function, model, guesses)
    assert answer_body(answer, Options(), PAYLOAD) == {
        "labelName": "Food",
        "labelId": guesses[0].label.public_id,
        "confidence": 0.9,
        "decision": "auto",
        "modelId": "model_1",
    }
    assert (answer.label, answer.confidence) == (guesses[0].label, 0.9)


def test_tags_that_are_there_come_as_a_list_the_likeliest_first(
    guesses: tuple[Guess, ...], model: TrainedModel
) -> None:
    answer = Answer(model.function, model, guesses, tags=guesses[:2])
    body = answer_body(answer, Options(), Payload("text", external_id="mine"))
    assert body == {
        "tags": [
            {"labelName": "Food", "labelId": guesses[0].label.public_id, "confidence": 0.9},
            {"labelName": "Travel", "labelId": guesses[1].label.public_id, "confidence": 0.4},
        ],
        "decision": "review",
        "modelId": "model_1",
        "externalId": "mine",
    }
    assert body["tags"] == tags_body(answer.tags or (), Options())
    assert json.loads(json.dumps(body)) == body
    assert answer.label == guesses[0].label
    assert answer.confidence == pytest.approx(0.9 * 0.4 * 0.9)


def test_no_tag_is_an_answer_too(guesses: tuple[Guess, ...], model: TrainedModel) -> None:
    answer = Answer(model.function, model, guesses, tags=())
    assert answer_body(answer, Options(), PAYLOAD) == {"tags": [], "decision": "review", "modelId": "model_1"}
    assert answer.label is None
    assert answer.confidence == pytest.approx(0.1 * 0.6 * 0.9)


def test_label_count_adds_tags_that_are_not_there(guesses: tuple[Guess, ...], model: TrainedModel) -> None:
    answer = Answer(model.function, model, guesses, tags=guesses[:1])
    body = answer_body(answer, Options(n_labels=2, includes_metadata=True), PAYLOAD)
    listed = body["labelConfidences"]
    assert isinstance(listed, list)
    assert [each["labelName"] for each in listed] == ["Food", "Travel"]
    assert listed[0]["labelMetadata"] == {}


def test_programs_print_every_tag(labels: list[Label]) -> None:
    made = {snippet.id: snippet.text for snippet in snippets(labels[0].function, "http://x/invoke")}
    compile(made["python"], "snippet", "exec")
    assert 'for tag in answer["tags"]' in made["python"]
    assert "for (const tag of answer.tags)" in made["javascript"]


@pytest.mark.parametrize(("said", "words"), [((), "None of the tags is there."), (None, "Travel")])
def test_the_page_says_what_is_there_or_that_nothing_is(
    guesses: tuple[Guess, ...], model: TrainedModel, said: tuple[Guess, ...] | None, words: str
) -> None:
    answer = Answer(model.function, model, guesses, tags=guesses[1:2] if said is None else said)
    function: Function = guesses[0].label.function
    context = {
        "answer": answer,
        "function": function,
        "said": [(guess, "fairly sure") for guess in answer.tags or ()],
        "others": guesses[2:],
    }
    page = render_to_string("invoke/call_page.html#answer", context, request=None)
    assert words in page
    assert "Tags it does not see" in page


def test_the_decision_follows_what_the_owner_wants_right(guesses: tuple[Guess, ...], model: TrainedModel) -> None:
    function = model.function
    sure, unsure = Answer(function, model, guesses), Answer(function, model, guesses[1:])
    assert (sure.decision, unsure.decision) == ("auto", "review")
    function.automation_target = 0.97  # no threshold keeps that promise
    assert sure.decision == "review"
    function.automation_target = 0.8
    assert sure.decision == "auto"
    nothing_known = TrainedModel(function=function)
    assert Answer(function, nothing_known, guesses).decision == "review"
    assert Answer(function, None, guesses).decision == "review"  # not trained yet
