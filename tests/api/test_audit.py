"""The audit log over the wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.accounts.models import User
from apps.events.kinds import Audit
from apps.events.models import Event
from apps.events.services import record
from apps.workspaces.models import Workspace
from tests.api.conftest import KeyClient

LOG = "/v1/audit"


def test_an_event_says_who_did_what_from_where_with_which_key(key_client: KeyClient, workspace: Workspace) -> None:
    made = key_client.post("/v1/functions", {"name": "Desks", "input": "Text", "output": "Tags"}).json()
    (newest, *_older) = key_client.get(LOG).json()
    event = Event.objects.order_by("-sequence")[0]
    assert newest["kind"] == "function.created"
    assert newest["text"] == "made the function “Desks”"
    assert newest["person"] == "olga@example.com"
    assert newest["objectId"] == newest["functionId"] == made["id"]
    assert newest["address"] == "127.0.0.1"
    assert newest["keyId"] == workspace.api_keys.get().public_id
    assert (newest["hash"], newest["previousHash"]) == (event.hash, event.previous_hash)


def test_it_is_read_to_its_end_without_doubles_while_more_happens(key_client: KeyClient, workspace: Workspace) -> None:
    for number in range(7):
        record(workspace=workspace.public_id, kind=Audit.SIGNED_IN, subject=f"user_{number}", by="password")
    address, numbers = f"{LOG}?count=3", []
    while address:
        response = key_client.get(address)
        numbers += [event["number"] for event in response.json()]
        record(workspace=workspace.public_id, kind=Audit.SIGNED_IN, subject="user_new", by="password")
        address = response.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert numbers == list(range(8, 0, -1))


def test_it_is_narrowed(key_client: KeyClient, workspace: Workspace, owner: User) -> None:
    here = workspace.public_id
    record(workspace=here, kind=Audit.FUNCTION_CREATED, actor=owner.public_id, subject="function_a", name="A")
    record(workspace=here, kind=Audit.LABEL_CREATED, subject="label_a", function="function_a", name="L")

    def kinds(**query: object) -> list[str]:
        return [event["kind"] for event in key_client.get(LOG, query).json()]

    assert kinds(kind="label.created") == ["label.created"]
    assert kinds(objectId="function_a") == ["label.created", "function.created"]
    assert kinds(objectId="function_a", personId=owner.public_id) == ["function.created"]
    assert kinds(**{"from": "2100-01-01T00:00:00Z"}) == []
    assert len(kinds(**{"to": "2100-01-01T00:00:00Z"})) == 3
    assert len(kinds(**{"from": "2020-01-01T00:00:00+02:00"})) == 3


@pytest.mark.parametrize(
    "query",
    [
        {"kind": "nothing"},
        {"before": "x"},
        {"before": "9" * 30},
        {"from": "yesterday"},
        {"to": "2026-13-01T00:00:00Z"},
        {"count": "0"},
    ],
)
def test_what_makes_no_sense_is_said(query: dict[str, object], key_client: KeyClient) -> None:
    assert key_client.get(LOG, query).status_code == 400


def test_other_workspaces_and_smaller_keys_read_nothing(
    workspace: Workspace, client_with: Callable[..., KeyClient], outsider_key_client: KeyClient
) -> None:
    record(workspace=workspace.public_id, kind=Audit.MEMBER_REMOVED, email="secret@example.com")
    assert client_with("invoke", "read", "write").get(LOG).status_code == 403
    assert "secret@example.com" not in outsider_key_client.get(LOG).content.decode()


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    "moment",
    ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "1200-01-01T00:00:00Z", "2026-13-45T99:99:99Z"],
)
def test_a_moment_at_the_end_of_the_calendar_is_refused(key_client: KeyClient, name: str, moment: str) -> None:
    response = key_client.get(f"{LOG}?{name}={moment}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_input")
