"""Columns of table functions over the wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.functions.models import Field, Function, InputKind
from apps.samples.models import Origin, Sample
from apps.samples.rows import cells_by_name, typed
from apps.workspaces.models import Workspace
from tests.api.conftest import KeyClient, on_wire

AWKWARD = [
    "",
    "null",
    "[]",
    "{}",
    '{"name": "Age"}',
    '{"type": "Text"}',
    '{"name": "  ", "type": "Text"}',
    '{"name": "\\u0000", "type": "Text"}',
    '{"name": "\\ud800", "type": "Text"}',
    '{"name": ["x"], "type": "Text"}',
    '{"name": "Age", "type": "Everything"}',
    '{"name": "Age", "type": ["Text"]}',
    '{"name": "Age", "type": 1e400}',
    '{"name": "' + "x" * 201 + '", "type": "Text"}',
]


@pytest.fixture
def table(workspace: Workspace) -> Function:
    return workspace.functions.create(name="Churn?", input_kind=InputKind.TABLE)


@pytest.fixture
def path(table: Function) -> str:
    return f"/v1/functions/{table.public_id}/fields"


@pytest.mark.parametrize("type", ["Number", "Text", "Image", "Category", "Date"])
def test_a_field_is_made_read_and_deleted(key_client: KeyClient, path: str, table: Function, type: str) -> None:
    made = key_client.post(path, {"name": "Age  (years)", "type": type.upper()})
    assert made.status_code == 200
    field = table.fields.get()
    assert made.json() == {
        "id": field.public_id,
        "name": "Age  (years)",
        "type": type,
        "createdAt": on_wire(field.created_at),
    }
    one = f"{path}/{field.public_id.removeprefix('field_')}"
    assert key_client.get(one).json() == made.json()
    assert key_client.get(path).json() == [made.json()]
    assert key_client.delete(one).status_code == 200
    assert key_client.get(one).status_code == 404
    assert key_client.get(path).json() == []


def test_a_field_that_is_there_is_a_conflict_that_names_it(key_client: KeyClient, path: str) -> None:
    made = key_client.post(path, {"name": "Age", "type": "Number"}).json()
    answer = key_client.post(path, {"name": " age ", "type": "Text"})
    assert (answer.status_code, answer.json()["id"]) == (409, made["id"])
    assert "already exists" in answer.json()["message"]
    assert key_client.get(path).json() == [made]


def test_a_field_gets_another_name_and_another_type(key_client: KeyClient, path: str, table: Function) -> None:
    made = key_client.post(path, {"name": "Age", "type": "Text"}).json()
    row = {made["id"]: "41"}
    sample = Sample.objects.create(function=table, row=row, text="Age: 41", content_hash="a", origin=Origin.API)
    one = f"{path}/{made['id']}"
    assert key_client.put(one, {"name": "Years", "type": None}).json() == {**made, "name": "Years"}
    assert key_client.put(one, {"type": "Number"}).json() == {**made, "name": "Years", "type": "Number"}
    assert key_client.put(one, {}).json() == {**made, "name": "Years", "type": "Number"}
    sample.refresh_from_db()
    assert (sample.row, sample.text) == ({made["id"]: 41.0}, "Years: 41")


def test_another_fields_name_cannot_be_taken(key_client: KeyClient, path: str) -> None:
    age = key_client.post(path, {"name": "Age", "type": "Number"}).json()
    town = key_client.post(path, {"name": "Town", "type": "Text"}).json()
    answer = key_client.put(f"{path}/{town['id']}", {"name": "AGE", "type": "Number"})
    assert (answer.status_code, answer.json()["id"]) == (409, age["id"])
    assert key_client.get(path).json() == [age, town]


def test_a_deleted_field_takes_its_values_along(key_client: KeyClient, path: str, table: Function) -> None:
    age = key_client.post(path, {"name": "Age", "type": "Number"}).json()["id"]
    town = key_client.post(path, {"name": "Town", "type": "Text"}).json()["id"]
    sample = Sample.objects.create(function=table, row={age: 4.0, town: "Ulm"}, content_hash="a", origin=Origin.API)
    assert key_client.delete(f"{path}/{age}").status_code == 200
    sample.refresh_from_db()
    assert sample.row == {town: "Ulm"}


@pytest.mark.parametrize("name", ["Age  (years)", "age (years)", " AGE (years)"])
def test_values_find_their_field_by_the_name_sent(key_client: KeyClient, path: str, table: Function, name: str) -> None:
    made = key_client.post(path, {"name": "Age  (years)", "type": "Number"}).json()
    assert cells_by_name({name: 4}, typed(table.fields.all())) == {made["id"]: 4}


@pytest.mark.parametrize("body", AWKWARD, ids=lambda body: body[:40])
def test_whatever_is_sent_is_refused_in_words(key_client: KeyClient, path: str, body: str) -> None:
    answer = key_client.post(path, body)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert not Field.objects.exists()


def test_only_table_functions_have_fields(key_client: KeyClient, text_function: Function) -> None:
    path = f"/v1/functions/{text_function.public_id}/fields"
    assert key_client.get(path).json() == []
    assert key_client.post(path, {"name": "Age", "type": "Number"}).status_code == 400


def test_a_field_of_another_function_is_not_there(key_client: KeyClient, path: str, text_function: Function) -> None:
    made = key_client.post(path, {"name": "Age", "type": "Number"}).json()
    wrong = f"/v1/functions/{text_function.public_id}/fields/{made['id']}"
    answers = [key_client.get(wrong), key_client.put(wrong, {"name": "Mine"}), key_client.delete(wrong)]
    assert [answer.status_code for answer in answers] == [404] * 3


def test_scopes_and_workspaces_are_kept_apart(
    client_with: Callable[..., KeyClient], outsider_key_client: KeyClient, key_client: KeyClient, path: str
) -> None:
    new = {"name": "Age", "type": "Number"}
    one = f"{path}/{key_client.post(path, new).json()['id']}"
    for client, reads, writes, deletes in (
        (client_with("read"), 200, 403, 403),
        (client_with("invoke"), 403, 403, 403),
        (client_with("write"), 403, 200, 403),
        (outsider_key_client, 404, 404, 404),
    ):
        assert [client.get(path).status_code, client.get(one).status_code] == [reads] * 2
        assert client.put(one, {"name": "Years"}).status_code == writes
        assert client.delete(one).status_code == deletes
