"""Labels over the wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.functions.models import Function, Label
from apps.functions.services import delete_label
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.samples.services.surgery import merge_labels
from apps.workspaces.models import Workspace
from tests.api.conftest import KeyClient, on_wire

AWKWARD = [
    "",
    "null",
    "[]",
    '"Refund"',
    "{}",
    '{"name": null}',
    '{"name": "  "}',
    '{"name": "\\u0000"}',
    '{"name": "\\udfff"}',
    '{"name": {"a": 1}}',
    '{"name": "' + "x" * 201 + '"}',
    '{"name": "A", "description": ["x"]}',
    '{"name": "A", "description": "' + "x" * 1001 + '"}',
    '{"name": "A", "metadata": "x"}',
    '{"name": "A", "metadata": ["x"]}',
    '{"name": "A", "metadata": {"a": 1}}',
    '{"name": "A", "metadata": {"a": null}}',
    '{"name": "A", "metadata": {"a": {"b": "c"}}}',
    '{"name": "A", "metadata": {"\\u0000": "c"}}',
    '{"name": "A", "metadata": {"\\ud800": "c"}}',
    '{"name": "A", "metadata": {"a": "\\ud800"}}',
    '{"name": "A", "metadata": {"a": "' + "x" * 20_001 + '"}}',
]


@pytest.fixture
def path(text_function: Function) -> str:
    return f"/v1/functions/{text_function.public_id}/labels"


def test_a_label_is_made_read_changed_and_deleted(key_client: KeyClient, path: str, text_function: Function) -> None:
    body = {"name": "Other", "description": "Neither.", "metadata": {"queue": "3", "": "blank"}}
    made = key_client.post(path, body)
    assert made.status_code == 200
    label = text_function.labels.get(name="Other")
    assert made.json() == {"id": label.public_id, **body, "createdAt": on_wire(label.created_at)}
    one = f"{path}/{label.public_id}"
    assert key_client.get(one).json() == made.json()
    assert key_client.put(one, {"name": "None of them"}).json() == {**made.json(), "name": "None of them"}
    assert key_client.get(path).json()[-1] == {**made.json(), "name": "None of them"}
    assert key_client.delete(one).status_code == 200
    for method in (key_client.get, key_client.delete):
        assert method(one).status_code == 404
    assert key_client.put(one, {"name": "Again"}).status_code == 404
    assert [each["name"] for each in key_client.get(path).json()] == ["Refund", "Shipping"]


def test_what_is_absent_is_left_out_and_never_null(key_client: KeyClient, path: str) -> None:
    made = key_client.post(path, {"name": "Other", "description": None, "metadata": None}).json()
    assert set(made) == {"id", "name", "createdAt"}
    assert [set(each) for each in key_client.get(path).json()] == [{"id", "name", "createdAt"}] * 3


def test_null_keeps_and_empty_clears(key_client: KeyClient, path: str) -> None:
    body = {"name": "Other", "description": "Neither.", "metadata": {"a": "b"}}
    made = key_client.post(path, body).json()
    one = f"{path}/{made['id']}"
    assert key_client.put(one, {"name": "Other", "description": None, "metadata": None}).json() == made
    assert key_client.put(one, {}).json() == made
    cleared = key_client.put(one, {"Description": "", "METADATA": {}})
    assert cleared.json() == {"id": made["id"], "name": "Other", "createdAt": made["createdAt"]}
    assert key_client.get(one).json() == cleared.json()


@pytest.mark.parametrize("again", ["Refund", " Refund ", "Cafe\u0301"])
def test_a_label_that_is_there_is_a_conflict_that_names_it(key_client: KeyClient, path: str, again: str) -> None:
    key_client.post(path, {"name": "Caf\u00e9"})
    there = {each["name"]: each["id"] for each in key_client.get(path).json()}
    answer = key_client.post(path, {"name": again, "description": "another"})
    assert answer.status_code == 409
    assert answer.json()["id"] in there.values()
    assert answer.json()["code"] == "duplicate"
    assert "already exists" in answer.json()["message"]
    assert set(answer.json()) == {"message", "code", "requestId", "id"}
    assert Label.objects.count() == 3
    assert not Label.objects.exclude(description="").exists()


def test_a_name_comes_back_as_it_was_sent(key_client: KeyClient, path: str) -> None:
    names = ["two  blanks", "Cafe\u0301", "refund", "REFUND", "日本", "a/b?c#d"]
    for name in names:
        assert key_client.post(path, {"name": name}).json()["name"] == name
    assert [each["name"] for each in key_client.get(path).json()][2:] == names


def test_another_labels_name_cannot_be_taken(key_client: KeyClient, path: str, refund: Label, shipping: Label) -> None:
    answer = key_client.put(f"{path}/{refund.public_id}", {"name": "Shipping", "description": "lost"})
    assert (answer.status_code, answer.json()["id"]) == (409, shipping.public_id)
    refund.refresh_from_db()
    assert (refund.name, refund.description) == ("Refund", "")


@pytest.mark.parametrize("body", AWKWARD, ids=lambda body: body[:40])
def test_whatever_is_sent_is_refused_in_words(key_client: KeyClient, path: str, refund: Label, body: str) -> None:
    answer = key_client.post(path, body)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert key_client.put(f"{path}/{refund.public_id}", body).status_code in {200, 400}
    refund.refresh_from_db()
    assert (refund.name, refund.description, refund.metadata) == ("Refund", "", {})
    assert Label.objects.count() == 2


def test_a_label_of_another_function_is_not_there(
    key_client: KeyClient, workspace: Workspace, path: str, refund: Label
) -> None:
    other = workspace.functions.create(name="Other", input_kind="text")
    wrong = f"/v1/functions/{other.public_id}/labels/{refund.public_id}"
    answers = [key_client.get(wrong), key_client.put(wrong, {"name": "Mine"}), key_client.delete(wrong)]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert key_client.get(f"{path}/{refund.public_id.removeprefix('label_')}").status_code == 200


def test_a_merged_label_is_not_there(key_client: KeyClient, path: str, refund: Label, shipping: Label) -> None:
    merge_labels(source=refund, target=shipping, person=None)
    assert key_client.get(f"{path}/{refund.public_id}").status_code == 404
    assert [each["name"] for each in key_client.get(path).json()] == ["Shipping"]


def test_a_deleted_label_leaves_its_samples_without_one(
    key_client: KeyClient, path: str, text_function: Function, refund: Label, owner: object
) -> None:
    sample = Sample.objects.create(function=text_function, text="a", content_hash="a", origin=Origin.API)
    annotate_sample(sample=sample, label=refund, person=None, picked_by=PickedBy.PERSON)
    assert key_client.delete(f"{path}/{refund.public_id}").status_code == 200
    sample.refresh_from_db()
    assert (sample.label, sample.annotation) == (None, None)


def test_a_name_is_free_again_once_its_label_is_deleted(key_client: KeyClient, path: str, refund: Label) -> None:
    delete_label(label=refund)
    answer = key_client.post(path, {"name": "Refund"})
    assert answer.status_code == 200
    assert answer.json()["id"] != refund.public_id


def test_labels_are_listed_a_page_at_a_time(
    key_client: KeyClient, path: str, text_function: Function, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    Label.objects.bulk_create(
        Label(function=text_function, name=f"L{number}", position=number, colour=0) for number in range(2, 250)
    )
    names: list[str] = []
    where = path
    while where:
        with django_assert_max_num_queries(5):
            page = key_client.get(where)
        names += [each["name"] for each in page.json()]
        where = page.headers.get("Link", "").partition("<")[2].partition(">")[0]
    assert names == ["Refund", "Shipping", *(f"L{number}" for number in range(2, 250))]


def test_scopes_and_workspaces_are_kept_apart(
    client_with: Callable[..., KeyClient], outsider_key_client: KeyClient, path: str, refund: Label
) -> None:
    one = f"{path}/{refund.public_id}"
    for client, reads, writes in (
        (client_with("read"), 200, 403),
        (client_with("invoke"), 403, 403),
        (outsider_key_client, 404, 404),
    ):
        assert [client.get(path).status_code, client.get(one).status_code] == [reads] * 2
        answers = [client.post(path, {"name": "A"}), client.put(one, {"name": "A"}), client.delete(one)]
        assert [answer.status_code for answer in answers] == [writes] * 3
    writer = client_with("write")
    assert writer.post(path, {"name": "A"}).status_code == 200
    assert writer.put(one, {"name": "B"}).status_code == 200
    assert writer.delete(one).status_code == 200


def test_a_search_function_has_no_labels(key_client: KeyClient, workspace: Workspace) -> None:
    function = workspace.functions.create(name="Alike", input_kind="text", output_kind="search")
    path = f"/v1/functions/{function.public_id}/labels"
    assert key_client.get(path).json() == []
    assert key_client.post(path, {"name": "A"}).status_code == 400
