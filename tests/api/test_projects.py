"""Projects over the wire: a key works in one workspace, and that is its project."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.workspaces.models import Workspace
from tests.api.conftest import KeyClient

PATH = "/v0.9/projects"


def test_the_workspace_of_the_key_is_its_one_project(
    key_client: KeyClient, outsider_key_client: KeyClient, workspace: Workspace
) -> None:
    mine = {"id": "project_" + workspace.public_id.removeprefix("workspace_"), "name": "Support desk"}
    assert key_client.get(PATH).json() == [mine]
    assert [each["name"] for each in outsider_key_client.get(PATH).json()] == ["Elsewhere"]
    made = key_client.post("/v1/functions", {"input": "Text", "output": "Tags", "projectId": mine["id"]})
    assert made.json()["projectId"] == mine["id"]


@pytest.mark.parametrize("body", [{"name": "Another"}, {"name": None}, {}, None])
def test_asking_for_one_gives_the_one_there_is(
    key_client: KeyClient, workspace: Workspace, outsider_key_client: KeyClient, body: object
) -> None:
    n_before = Workspace.objects.count()
    answer = key_client.post(PATH, body)
    assert answer.status_code == 200
    assert answer.json() == key_client.get(PATH).json()[0]
    assert Workspace.objects.count() == n_before


@pytest.mark.parametrize("body", ["[]", '"x"', '{"name": ["x"]}', '{"name": "\\ud800"}', "{"])
def test_whatever_is_sent_is_refused_in_words(key_client: KeyClient, body: str) -> None:
    answer = key_client.post(PATH, body)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_a_key_that_cannot_read_is_refused(client_with: Callable[..., KeyClient]) -> None:
    assert client_with("invoke").get(PATH).status_code == 403
