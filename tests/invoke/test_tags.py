"""Calls of a trained function that gives tags, and that every door says the same of the same text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.test import Client

from apps.functions.models import Function, InputKind, OutputKind, Weight
from apps.functions.services import create_function, delete_label
from apps.invoke.models import Invocation
from apps.invoke.services import Predictions
from apps.review import selectors
from apps.review.filters import SampleFilter, Tab, Verdict
from apps.review.services import weigh_label
from apps.samples.models import Origin, PickedBy
from apps.samples.services.annotations import tag_sample
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.training.services import finish_work
from apps.workspaces.models import Workspace
from tests.invoke.conftest import path_of

pytestmark = pytest.mark.django_db(transaction=True)

Post = Callable[..., httpx.Response]

WORDS = {"Food": "noodles and soup", "Travel": "a train to Rome", "Money": "cheap with a refund"}


def text_about(bits: int, number: int) -> str:
    parts = [words for place, words in enumerate(WORDS.values()) if bits >> place & 1]
    return f"note {number}: {', '.join(parts) or 'nothing to report'}"


@pytest.fixture
def tagged(workspace: Workspace) -> Function:
    """Thirty-two texts with an answer each, eight without, and a published model."""
    function = create_function(
        workspace=workspace,
        name="What is it about?",
        input_kind=InputKind.TEXT,
        output_kind=OutputKind.TAGS,
        label_names=list(WORDS),
        actor=None,
    )
    texts = [NewText(text_about(number % 8, number)) for number in range(40)]
    samples = add_texts(function=function, items=texts, person=None, origin=Origin.BROWSER).samples
    labels = {label.name: label for label in function.labels.all()}
    for sample in samples[:32]:
        there = {label: WORDS[name] in sample.text for name, label in labels.items()}
        tag_sample(sample=sample, tags=there, person=None, picked_by=PickedBy.RANDOM)
    finish_work(function_id=function.pk)
    function.refresh_from_db()
    return function


def names_of(reply: httpx.Response) -> list[str]:
    assert reply.status_code == 200, reply.text
    return [tag["labelName"] for tag in reply.json()["tags"]]


def test_a_call_names_the_tags_that_are_there(tagged: Function, post: Post, predictions: Predictions) -> None:
    reply = post(path_of(tagged), json={"data": text_about(0b101, 99), "externalId": "mine"})
    assert set(names_of(reply)) == {"Food", "Money"}
    body: dict[str, Any] = reply.json()
    sure = [tag["confidence"] for tag in body["tags"]]
    assert sure == sorted(sure, reverse=True)
    assert body["externalId"] == "mine"
    assert "labelName" not in body
    assert names_of(post(path_of(tagged), json={"data": text_about(0, 99)})) == []
    predictions.close()
    first, second = Invocation.objects.order_by("pk")
    assert first.label is not None
    assert first.label.name == names_of(reply)[0]
    assert second.label is None
    assert 0 < second.confidence <= 1


def test_every_door_says_the_same_of_the_same_text(tagged: Function, post: Post, owner_client: Client) -> None:
    labels = list(tagged.labels.in_use())
    page = selectors.samples_page(tagged, labels, SampleFilter(tab=Tab.UNLABELLED))
    assert len(page.rows) == 8
    for row in page.rows:
        said = {label.name for label in row.said or ()}  # type: ignore[union-attr]  # rows of a function with tags
        assert said == set(names_of(post(path_of(tagged), json={"data": row.sample.text})))
    url = f"/functions/{tagged.public_id}/call/try/"
    answer = owner_client.post(url, {"text": text_about(0b110, 99)}).content.decode()
    assert ">Travel</span>" in answer
    assert ">Money</span>" in answer


def test_the_home_counts_what_the_model_was_judged_by(tagged: Function) -> None:
    figures = selectors.figures(tagged)
    model = TrainedModel.objects.get(function=tagged, is_live=True)
    assert (figures.n_judged, figures.n_waiting) == (32, 0)
    assert figures.n_right == model.n_right
    labels = list(tagged.labels.in_use())
    wrong = selectors.samples_page(tagged, labels, SampleFilter(verdict=Verdict.WRONG))
    assert wrong.n_total == figures.n_wrong


def test_a_deleted_tag_is_answered_no_more_and_the_others_stay(tagged: Function, post: Post) -> None:
    delete_label(label=tagged.labels.get(name="Money"))
    finish_work(function_id=tagged.pk)
    assert names_of(post(path_of(tagged), json={"data": text_about(0b101, 99)})) == ["Food"]
    assert Prediction.objects.filter(function=tagged, kind=PredictionKind.OUT_OF_FOLD).count() == 32
    assert selectors.figures(Function.objects.get(pk=tagged.pk)).n_judged == 32


def test_a_tag_that_is_worse_to_miss_is_said_sooner(tagged: Function, post: Post) -> None:
    money = tagged.labels.get(name="Money")
    before = TrainedModel.objects.get(function=tagged, is_live=True).figures["thresholds"][money.public_id]
    weigh_label(label=money, weight=Weight.MUCH_WORSE, person=tagged.workspace.memberships.first().user)
    model = TrainedModel.objects.get(function=tagged, is_live=True)
    threshold = model.figures["thresholds"][money.public_id]
    assert threshold < before
    options = "?labelCount=3"
    for number in range(4):
        body = post(path_of(tagged) + options, json={"data": text_about(number, 200 + number)}).json()
        sure = {each["labelName"]: each["confidence"] for each in body["labelConfidences"]}
        assert ("Money" in {tag["labelName"] for tag in body["tags"]}) == (sure["Money"] >= threshold)
