"""Figures over the API are those of the pages, and every number leads to exactly its samples."""

from __future__ import annotations

from typing import Any

import pytest

from apps.functions.models import Function, OutputKind
from apps.review.selectors import expectation, figures
from apps.samples.models import Annotation, PickedBy, Sample, SampleTag
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.training.services import finish_work
from apps.workspaces.models import Workspace
from tests.api.conftest import KeyClient
from tests.api.test_sample_lists import model_of
from tests.review.conftest import Add, add, model  # noqa: F401  # fixtures
from tests.training.conftest import PARCELS, REFUNDS


def count(client: KeyClient, address: str) -> int:
    response = client.get(address)
    assert response.status_code == 200, response.json()
    return len(response.json())


def path_of(function: Function, name: str) -> str:
    return f"/v1/functions/{function.public_id}/{name}"


def test_before_anything_is_learned_all_is_nought(key_client: KeyClient, text_function: Function) -> None:
    body = key_client.get(path_of(text_function, "accuracy")).json()
    assert (body["judgedCount"], body["guessingShare"]) == (0, 0)
    assert not {"accuracy", "modelId"} & body.keys()
    assert [line["sampleCount"] for line in body["labels"]] == [0, 0]
    assert key_client.get(path_of(text_function, "confusion")).json() == {
        "judgedCount": 0,
        "wrongCount": 0,
        "cells": [],
        "moreCellCount": 0,
    }


def test_the_estimate_is_the_one_of_the_page(key_client: KeyClient, text_function: Function) -> None:
    texts = [(text, "Refund") for text in REFUNDS] + [(text, "Shipping") for text in PARCELS]
    items = [{"data": text, "annotation": {"labelName": name}} for text, name in texts]
    key_client.post(path_of(text_function, "samples/batch"), {"items": items})
    finish_work(function_id=text_function.pk)
    text_function.refresh_from_db()
    shown = expectation(text_function, figures(text_function))
    assert shown is not None
    body = key_client.get(path_of(text_function, "accuracy")).json()
    said = body["accuracy"]
    assert (said["value"], said["low"], said["high"], said["sampleCount"]) == (
        shown.value,
        shown.low,
        shown.high,
        shown.n,
    )
    assert said["randomSampleCount"] == 12
    assert body["modelId"] == TrainedModel.objects.get(is_live=True).public_id
    assert body["guessingShare"] == 0.5


@pytest.fixture
def judged(text_function: Function, add: Add) -> Function:  # noqa: F811  # the fixture
    for label, said, n in [("Refund", "Refund", 4), ("Refund", "Shipping", 2), ("Shipping", "Refund", 1)]:
        for _time in range(n):
            add(label, said)
    add("Shipping", "Refund", picked_by=PickedBy.GRID)
    add("Refund", None)
    add(None, "Refund")
    return text_function


def test_every_number_of_a_label_leads_to_its_samples(key_client: KeyClient, judged: Function) -> None:
    body = key_client.get(path_of(judged, "accuracy")).json()
    assert (body["annotatedCount"], body["judgedCount"], body["rightCount"], body["wrongCount"]) == (9, 7, 4, 3)
    refund, shipping = body["labels"]
    assert [refund[name] for name in ("sampleCount", "caughtCount", "missedCount", "falseAlarmCount")] == [6, 4, 2, 1]
    for line in (refund, shipping):
        for name in ("caught", "missed", "falseAlarms"):
            assert count(key_client, line[name]) == line[f"{name.removesuffix('s')}Count"]


def test_every_cell_leads_to_its_samples(key_client: KeyClient, judged: Function) -> None:
    body = key_client.get(path_of(judged, "confusion")).json()
    cells = [(cell["annotationLabelName"], cell["predictionLabelName"], cell["count"]) for cell in body["cells"]]
    assert cells == [("Refund", "Refund", 4), ("Refund", "Shipping", 2), ("Shipping", "Refund", 1)]
    assert (body["judgedCount"], body["wrongCount"], body["moreCellCount"]) == (7, 3, 0)
    for cell in body["cells"]:
        assert count(key_client, cell["samples"]) == cell["count"]


def test_every_number_of_a_tag_leads_to_its_samples(key_client: KeyClient, workspace: Workspace) -> None:
    function = workspace.functions.create(name="About?", input_kind="text", output_kind=OutputKind.TAGS)
    labels = [function.labels.create(name=name, position=at, colour=at) for at, name in enumerate(["Angry", "Price"])]
    judge = model_of(function, is_live=True)
    for number, (truth, said) in enumerate(
        [((1, 0), (0.9, 0.1)), ((1, 1), (0.9, 0.2)), ((0, 1), (0.8, 0.9)), ((0, 0), (0.1, 0.7))]
    ):
        tag(function, f"text {number}", dict(zip(labels, truth, strict=True)), judge, said)
    accuracy: dict[str, Any] = key_client.get(path_of(function, "accuracy")).json()
    assert (accuracy["judgedCount"], accuracy["rightCount"]) == (4, 1)
    angry, price = accuracy["labels"]
    assert [angry[name] for name in ("sampleCount", "caughtCount", "missedCount", "falseAlarmCount")] == [2, 2, 0, 1]
    assert [price[name] for name in ("sampleCount", "caughtCount", "missedCount", "falseAlarmCount")] == [2, 1, 1, 1]
    for line in (angry, price):
        for name in ("caught", "missed", "falseAlarms"):
            assert count(key_client, line[name]) == line[f"{name.removesuffix('s')}Count"]
    confusion = key_client.get(path_of(function, "confusion")).json()
    assert "cells" not in confusion
    for line in confusion["tags"]:
        assert count(key_client, line["missed"]) == line["missedCount"]
        assert count(key_client, line["wrong"]) == line["wrongCount"]


def tag(function: Function, text: str, truth: dict[Any, int], judge: TrainedModel, said: tuple[float, float]) -> None:
    sample = Sample.objects.create(function=function, text=text, content_hash=text, origin="api")
    tags = {label.public_id: bool(there) for label, there in truth.items()}
    sample.annotation = Annotation.objects.create(sample=sample, tags=tags, picked_by=PickedBy.IMPORT)
    sample.save()
    SampleTag.objects.bulk_create(
        SampleTag(sample=sample, label=label, is_present=bool(there)) for label, there in truth.items()
    )
    Prediction.objects.create(
        sample=sample,
        function=function,
        kind=PredictionKind.OUT_OF_FOLD,
        model=judge,
        label=next(iter(truth)),
        tags=dict(zip(tags, said, strict=True)),
        confidence=0.8,
        margin=0.5,
    )


def test_strangers_read_no_figures(outsider_key_client: KeyClient, text_function: Function) -> None:
    for name in ("accuracy", "confusion"):
        assert outsider_key_client.get(path_of(text_function, name)).status_code == 404
