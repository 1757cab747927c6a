"""State and counts as older clients ask for them while they wait."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from apps.functions.models import Function
from apps.samples.models import Origin, PickedBy
from apps.samples.services.annotations import annotate_many
from apps.samples.services.intake import NewText, add_texts
from apps.training.services import finish_work
from apps.workspaces.models import Workspace
from tests.api.conftest import KeyClient

TEXTS = {
    "Refund": ["please refund my money", "i want a refund", "money back please", "refund the charge on my card"],
    "Shipping": ["where is my parcel", "the parcel is late", "track my delivery", "parcel not delivered yet"],
}


@pytest.fixture(autouse=True)
def own_artifacts(settings: Settings, tmp_path: Path) -> None:
    settings.ARTIFACTS_DIR = tmp_path / "models"


@pytest.fixture
def path(text_function: Function) -> str:
    return f"/v0.9/functions/{text_function.public_id}"


def bring(function: Function, texts: list[str], label_name: str = "") -> None:
    items = [NewText(text, label_name=label_name) for text in texts]
    add_texts(function=function, items=items, person=None, origin=Origin.API)


def is_trained(client: KeyClient, path: str) -> bool:
    """As the package asks."""
    metrics, state = client.get(f"{path}/metrics").json(), client.get(path).json()["state"]
    is_done = not metrics["isTraining"] and metrics["sampleCount"] == metrics["predictionCount"]
    return is_done and state in {"Browsing", "Tuning"}


def test_a_fresh_function_is_not_trained(key_client: KeyClient, path: str, text_function: Function) -> None:
    v1 = key_client.get(path.replace("v0.9", "v1")).json()
    assert key_client.get(path).json() == {**v1, "state": "Labeling"}
    zeros = {label.public_id: 0 for label in text_function.labels.all()}
    assert key_client.get(f"{path}/metrics").json() == {
        "sampleCount": 0,
        "predictionCount": 0,
        "annotatedSampleCount": 0,
        "isTraining": False,
        "annotatedLabelCounts": zeros,
        "positiveAnnotatedLabelCounts": zeros,
    }
    assert not is_trained(key_client, path)


def test_two_samples_of_two_labels_are_enough_to_be_trained(
    key_client: KeyClient, path: str, text_function: Function
) -> None:
    for name, texts in TEXTS.items():
        bring(text_function, texts[:2], name)
    bring(text_function, ["neither of them", "nor this one"])
    assert key_client.get(path).json()["state"] == "Training"
    assert key_client.get(f"{path}/metrics").json()["isTraining"]
    finish_work(function_id=text_function.pk)
    assert is_trained(key_client, path)
    metrics = key_client.get(f"{path}/metrics").json()
    assert (metrics["sampleCount"], metrics["predictionCount"], metrics["annotatedSampleCount"]) == (6, 6, 4)
    assert sorted(metrics["annotatedLabelCounts"].values()) == [2, 2]


def test_what_is_new_is_waited_for_although_the_model_before_answers(
    key_client: KeyClient, path: str, text_function: Function
) -> None:
    for name, texts in TEXTS.items():
        bring(text_function, texts, name)
    finish_work(function_id=text_function.pk)
    bring(text_function, ["one more"])
    assert key_client.get(path).json()["state"] == "Tuning"
    assert not is_trained(key_client, path)
    finish_work(function_id=text_function.pk)
    assert is_trained(key_client, path)
    refund, sample = text_function.labels.order_by("position")[0], text_function.samples.order_by("-pk")[0]
    annotate_many(function=text_function, pairs=[(sample.pk, refund.pk)], person=None, picked_by=PickedBy.PERSON)
    assert not is_trained(key_client, path)


def test_too_few_labels_leave_it_untrained_and_idle(key_client: KeyClient, path: str, text_function: Function) -> None:
    bring(text_function, TEXTS["Refund"], "Refund")
    finish_work(function_id=text_function.pk)
    assert key_client.get(path).json()["state"] == "Labeling"
    assert not key_client.get(f"{path}/metrics").json()["isTraining"]


def test_asking_is_cheap(
    key_client: KeyClient, path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    key_client.get(path)
    with django_assert_max_num_queries(4):
        key_client.get(path)
    with django_assert_max_num_queries(6):
        key_client.get(f"{path}/metrics")


def test_scopes_and_workspaces_are_kept_apart(
    client_with: Callable[..., KeyClient], outsider_key_client: KeyClient, path: str
) -> None:
    for client, status in ((client_with("read"), 200), (client_with("write"), 403), (outsider_key_client, 404)):
        assert [client.get(path).status_code, client.get(f"{path}/metrics").status_code] == [status] * 2


def test_a_function_that_finds_samples_is_usable_once_they_are_read(
    key_client: KeyClient, workspace: Workspace
) -> None:
    function = workspace.functions.create(name="Alike", input_kind="text", output_kind="search")
    path = f"/v0.9/functions/{function.public_id}"
    bring(function, ["one", "two"])
    assert not is_trained(key_client, path)
    finish_work(function_id=function.pk)
    assert is_trained(key_client, path)
