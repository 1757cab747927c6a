"""Saying over the API what is right for a sample, and taking it back."""

from __future__ import annotations

import json

import pytest

from apps.functions.models import Function, OutputKind
from apps.samples.models import Annotation
from apps.workspaces.models import Workspace
from tests.api.conftest import KeyClient


@pytest.fixture
def sample_path(key_client: KeyClient, text_function: Function) -> str:
    path = f"/v1/functions/{text_function.public_id}/samples"
    return f"{path}/{key_client.post(path, {'data': 'money back'}).json()['id']}"


@pytest.fixture
def tagged_path(key_client: KeyClient, workspace: Workspace) -> str:
    function = workspace.functions.create(name="About?", input_kind="text", output_kind=OutputKind.TAGS)
    for position, name in enumerate(["Angry", "Price"]):
        function.labels.create(name=name, position=position, colour=position)
    path = f"/v0.9/functions/{function.public_id}/samples"
    return f"{path}/{key_client.post(path, {'data': 'too dear'}).json()['id']}"


@pytest.mark.parametrize("method", ["put", "post"])
def test_a_label_is_given_and_what_changes_nothing_is_not_noted(
    key_client: KeyClient, sample_path: str, method: str
) -> None:
    for _time in range(2):
        response = getattr(key_client, method)(f"{sample_path}/annotation", {"labelName": " Refund "})
        assert response.status_code == 200
        assert response.json()["labelName"] == "Refund"
    assert Annotation.objects.count() == 1
    assert key_client.get(sample_path).json()["annotation"] == response.json()


def test_an_annotation_is_taken_away_and_its_history_stays(key_client: KeyClient, sample_path: str) -> None:
    key_client.put(f"{sample_path}/annotation", {"labelName": "Refund"})
    for _time in range(2):
        response = key_client.delete(f"{sample_path}/annotation")
        assert response.status_code == 200
    assert "annotation" not in key_client.get(sample_path).json()
    assert Annotation.objects.count() == 2


def test_tags_are_said_in_the_order_sent(key_client: KeyClient, tagged_path: str) -> None:
    response = key_client.put(f"{tagged_path}/annotation", [{"labelName": "Price", "present": True}])
    assert [(tag["labelName"], tag["present"]) for tag in response.json()] == [("Price", True), ("Angry", False)]
    key_client.put(
        f"{tagged_path}/annotation",
        [{"labelName": "Angry", "present": True}, {"labelName": "Price", "present": False}],
    )
    read = key_client.get(tagged_path).json()["annotation"]
    assert [(tag["labelName"], tag["present"]) for tag in read] == [("Angry", True), ("Price", False)]


def test_no_tags_at_all_are_an_answer_too(key_client: KeyClient, tagged_path: str) -> None:
    response = key_client.put(f"{tagged_path}/annotation", [])
    assert [tag["present"] for tag in response.json()] == [False, False]
    key_client.delete(f"{tagged_path}/annotation")
    assert "annotation" not in key_client.get(tagged_path).json()


@pytest.mark.parametrize(
    "body",
    [
        None,
        17,
        "Refund",
        {},
        [],
        {"labelName": ""},
        {"labelName": "Nothing"},
        {"labelName": ["Refund"]},
        {"labelId": 5},
        {"labelName": "\ud83d"},
        [{"labelName": "Refund"}] * 3000,
        {"labelName": "Refund", "present": 1},
    ],
)
def test_what_names_no_label_is_refused(key_client: KeyClient, sample_path: str, body: object) -> None:
    response = key_client.put(f"{sample_path}/annotation", json.dumps(body))
    assert response.status_code == 400
    assert response.json()["message"]
    assert not Annotation.objects.exists()


def test_an_unknown_tag_is_refused_by_its_name(key_client: KeyClient, tagged_path: str) -> None:
    response = key_client.put(f"{tagged_path}/annotation", [{"labelName": "Prize", "present": True}])
    assert response.status_code == 400
    assert response.json()["message"] == "A label with name 'Prize' was not found"
