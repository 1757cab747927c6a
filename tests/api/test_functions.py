"""Functions over the wire."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.events.kinds import Audit
from apps.events.models import Event
from apps.functions.models import Function
from apps.workspaces.models import Workspace
from tests.api.conftest import KeyClient, on_wire

NEW = {"name": "Which desk?", "input": "Text", "output": "Classification"}
AWKWARD = [
    "",
    "null",
    "[]",
    "[[{}]]",
    '"text"',
    "5",
    "{",
    "[" * 100_000,
    '{"name": {"a": []}, "input": [], "output": {}}',
    '{"name": "\\ud800", "input": "Text", "output": "Tags"}',
    '{"name": "a\\u0000b", "input": "Text", "output": "Tags"}',
    '{"name": ["x"], "input": 5, "output": true}',
    '{"name": 1e400, "input": "Text", "output": "Everything"}',
    '{"name": "' + "x" * 121 + '", "input": "Text", "output": "Tags"}',
    '{"input": "Text", "output": "Tags", "projectId": "\\ud800"}',
    b"\xff\xfe",
]


def test_a_function_is_made_read_renamed_and_deleted(key_client: KeyClient, workspace: Workspace, owner: User) -> None:
    made = key_client.post("/v1/functions", NEW)
    assert made.status_code == 200
    function = Function.objects.get()
    project = "project_" + workspace.public_id.removeprefix("workspace_")
    assert made.json() == {
        "id": function.public_id,
        **NEW,
        "projectId": project,
        "createdAt": on_wire(function.created_at),
    }
    assert not function.labels.exists()
    assert Event.objects.get(kind=Audit.FUNCTION_CREATED).actor == owner.public_id
    path = f"/v1/functions/{function.public_id}"
    assert key_client.get(path).json() == made.json()
    assert key_client.put(path, {"name": "Which team?"}).json()["name"] == "Which team?"
    assert key_client.get(path).json()["name"] == "Which team?"
    assert key_client.delete(path).status_code == 200
    assert key_client.get(path).status_code == 404
    assert key_client.delete(path).status_code == 404


@pytest.mark.parametrize("input_kind", ["Text", "Image", "Tabular"])
@pytest.mark.parametrize("output_kind", ["Classification", "Tags"])
def test_every_kind_there_is_can_be_made(key_client: KeyClient, input_kind: str, output_kind: str) -> None:
    made = key_client.post("/v1/functions", {"input": input_kind, "output": output_kind})
    assert made.status_code == 200
    assert (made.json()["input"], made.json()["output"]) == (input_kind, output_kind)


@pytest.mark.parametrize("name", [{}, {"name": None}, {"name": ""}, {"name": "  "}])
def test_a_function_without_a_name_gets_a_plain_one(key_client: KeyClient, name: dict[str, str]) -> None:
    made = key_client.post("/v1/functions", {**name, "input": "Text", "output": "Classification"})
    assert made.json()["name"] == "New function"


def test_keys_and_words_compare_without_case_and_others_are_ignored(key_client: KeyClient) -> None:
    body = {"NAME": "Desk", "Input": "text", "OutPut": "CLASSIFICATION", "isNew": True, "description": None}
    made = key_client.post("/v1/functions/", body)
    assert made.status_code == 200
    assert made.json()["input"] == "Text"


def test_an_id_is_taken_with_and_without_its_kind_and_through_the_mount(
    key_client: KeyClient, text_function: Function
) -> None:
    bare = text_function.public_id.removeprefix("function_")
    for path in (f"/v1/functions/{bare}", f"/api.com/v1/functions/{text_function.public_id}/"):
        assert key_client.get(path).json()["id"] == text_function.public_id


def test_a_project_that_is_not_the_keys_is_not_there(key_client: KeyClient, workspace: Workspace) -> None:
    bare = workspace.public_id.removeprefix("workspace_")
    for mine in (bare, f"project_{bare}"):
        assert key_client.post("/v1/functions", {**NEW, "projectId": mine}).status_code == 200
    assert key_client.post("/v1/functions", {**NEW, "projectId": "project_b7c2d9e4f1a6h3k8"}).status_code == 404
    assert Function.objects.count() == 2


@pytest.mark.parametrize("body", AWKWARD, ids=lambda body: repr(body)[:40])
def test_whatever_is_sent_is_understood_or_refused_in_words(
    key_client: KeyClient, text_function: Function, body: str | bytes
) -> None:
    path = f"/v1/functions/{text_function.public_id}"
    for method, where in ((key_client.post, "/v1/functions"), (key_client.put, path)):
        answer = method(where, body)
        assert answer.status_code in ({400} if method == key_client.post else {200, 400})
        if answer.status_code == 400:
            assert answer.json()["message"]
            assert answer.json()["code"] == "invalid_input"


@pytest.mark.parametrize("function_id", ["x", "function_", "%ED%A0%80", "a%00b", "x" * 3000, "label_k3j9x2m4p8qazw1s"])
def test_an_odd_id_is_an_id_that_nothing_has(key_client: KeyClient, function_id: str) -> None:
    for method in (key_client.get, key_client.delete):
        assert method(f"/v1/functions/{function_id}").status_code == 404


def test_functions_are_listed_a_page_at_a_time_newest_first(
    key_client: KeyClient, workspace: Workspace, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(5):
        workspace.functions.create(name=f"F{number}", input_kind="text")
    with django_assert_max_num_queries(4):
        first = key_client.get("/api.com/v1/functions/", {"count": 2})
    assert [each["name"] for each in first.json()] == ["F4", "F3"]
    assert first["Link"] == '</v1/functions?count=2&startIndex=2>; rel="next"'
    last = key_client.get("/v1/functions", {"startIndex": 4, "batchSize": 1000})
    assert [each["name"] for each in last.json()] == ["F0"]
    assert "Link" not in last


@pytest.mark.parametrize("query", [{"startIndex": "-1"}, {"count": "x"}, {"count": "0"}, {"startIndex": "9" * 40}])
def test_a_page_that_cannot_be_is_refused(key_client: KeyClient, query: dict[str, object]) -> None:
    assert key_client.get("/v1/functions", query).status_code == 400


def test_another_workspaces_functions_do_not_exist(
    outsider_key_client: KeyClient, text_function: Function, key_client: KeyClient
) -> None:
    path = f"/v1/functions/{text_function.public_id}"
    assert outsider_key_client.get("/v1/functions").json() == []
    answers = [outsider_key_client.get(path), outsider_key_client.put(path, NEW), outsider_key_client.delete(path)]
    assert [answer.status_code for answer in answers] == [404] * 3
    text_function.refresh_from_db()
    assert text_function.name == "Which desk?"


def test_a_scope_does_only_what_it_says(client_with: Callable[..., KeyClient], text_function: Function) -> None:
    path = f"/v1/functions/{text_function.public_id}"
    reader, writer, caller = client_with("read"), client_with("write"), client_with("invoke")
    assert reader.get(path).status_code == 200
    assert [caller.get(path).status_code, caller.get("/v1/functions").status_code] == [403, 403]
    for client in (reader, writer, caller):
        refused = [client.post("/v1/functions", NEW), client.put(path, {"name": "Mine"}), client.delete(path)]
        assert [answer.status_code for answer in refused] == [403] * 3


def test_what_is_there_cannot_be_done_by_other_methods(key_client: KeyClient) -> None:
    answer = key_client.delete("/v1/functions")
    assert answer.status_code == 405
    assert json.loads(answer.content)["code"] == "method_not_allowed"


def test_a_key_that_may_not_is_told_which_scope_it_lacks(client_with: Callable[..., KeyClient]) -> None:
    refused = client_with("invoke", "read", "write").post("/v1/functions", {"input": "Text", "output": "Tags"})
    assert refused.status_code == 403
    assert "scope admin (“Change functions, members and keys”)" in refused.json()["message"]
