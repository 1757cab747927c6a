"""The audit log in words, and as a file whose hashes anyone can check."""

import hashlib
import json

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.events.kinds import Audit
from apps.events.models import Event
from apps.events.services import record
from apps.workspaces.audit_sentences import SENTENCES, Topic, sentence
from apps.workspaces.models import Workspace


@pytest.fixture
def page(workspace: Workspace) -> str:
    return f"/workspaces/{workspace.public_id}/audit/"


def test_it_reads_newest_first_with_names(page: str, workspace: Workspace, owner: User, owner_client: Client) -> None:
    here = workspace.public_id
    record(workspace=here, kind=Audit.KEY_CREATED, actor=owner.public_id, name="Help desk", prefix="abc")
    record(workspace=here, kind=Audit.MEMBER_REMOVED, actor="gone@example.com", email="mika@example.com")
    record(workspace=here, kind=Audit.MODEL_PUBLISHED, number=3, n_annotations=40)
    text = owner_client.get(page).content.decode()
    parts = ["Hundredfold", "published model 3", "gone@example.com", "removed mika@example.com", "olga@example.com"]
    assert [text.index(part, text.index("<tbody>")) for part in parts] == sorted(
        text.index(part, text.index("<tbody>")) for part in parts
    )
    assert "made the API key “Help desk” (hf_abc…)" in text


def test_it_names_the_function_even_after_it_was_renamed_and_deleted(
    page: str, workspace: Workspace, owner_client: Client
) -> None:
    here = workspace.public_id
    record(workspace=here, kind=Audit.FUNCTION_CREATED, subject="function_a", name="Old name")
    record(
        workspace=here, kind=Audit.MODEL_PUBLISHED, subject="model_b", function="function_a", number=1, n_annotations=9
    )
    record(workspace=here, kind=Audit.FUNCTION_RENAMED, subject="function_a", name="New name", old_name="Old name")
    text = owner_client.get(page, {"topic": "models"}).content.decode()
    assert "New name" in text
    assert "Old name" not in text


def test_it_shows_this_workspace_only(page: str, owner_client: Client) -> None:
    record(workspace="workspace_elsewhere", kind=Audit.MEMBER_REMOVED, email="secret@example.com")
    assert "secret@example.com" not in owner_client.get(page).content.decode()


def test_it_is_paged(page: str, workspace: Workspace, owner_client: Client) -> None:
    for number in range(60):
        record(workspace=workspace.public_id, kind=Audit.MEMBER_REMOVED, email=f"person{number}@example.com")
    first, second = (owner_client.get(page, {"page": number}).content.decode() for number in (1, 2))
    assert "person59@" in first
    assert "person9@" not in first
    assert "person9@" in second
    assert owner_client.get(page, {"page": "x"}).status_code == 200
    assert owner_client.get(page, {"page": "999999999999"}).status_code == 200


def test_it_can_be_narrowed_to_a_topic(page: str, workspace: Workspace, owner_client: Client) -> None:
    record(workspace=workspace.public_id, kind=Audit.MODEL_PUBLISHED, number=3, n_annotations=40)
    record(workspace=workspace.public_id, kind=Audit.MEMBER_REMOVED, email="mika@example.com")
    models = owner_client.get(page, {"topic": "models"}).content.decode()
    assert "published model 3" in models
    assert "mika@example.com" not in models
    assert owner_client.get(page, {"topic": "kind__contains"}).status_code == 400


def test_every_kind_has_words_and_a_topic() -> None:
    assert set(SENTENCES) == set(Audit)
    topics = [topic for topic in Topic if topic is not Topic.ALL]
    assert sorted(kind for topic in topics for kind in topic.kinds) == sorted(Audit)
    assert sorted(Topic.ALL.kinds) == sorted(Audit)


@pytest.mark.parametrize("kind", [*Audit, "something.of_a_later_version"])
def test_an_event_without_the_data_of_today_still_reads(kind: str) -> None:
    assert sentence(Event(kind=kind, data={}))


def test_several_labels_are_listed_up_to_a_few() -> None:
    many = Event(kind=Audit.LABEL_CREATED, data={"labels": [f"L{number}" for number in range(7)]})
    assert sentence(many) == "added to the labels: “L0”, “L1”, “L2”, “L3”, “L4” and 2 more"
    one = Event(kind=Audit.LABEL_CREATED, data={"name": "Refund"})
    assert sentence(one) == "added to the labels: “Refund”"


def test_braces_in_a_name_are_just_a_name() -> None:
    event = Event(kind=Audit.FUNCTION_CREATED, data={"name": "{email.__class__} {0}"})
    assert sentence(event) == "made the function “{email.__class__} {0}”"


def test_s58_the_file_can_be_checked_without_us(page: str, workspace: Workspace, owner_client: Client) -> None:
    for number in range(3):
        record(workspace=workspace.public_id, kind=Audit.FUNCTION_CREATED, actor="user_a", name=f"Größe {number}")
    response = owner_client.get(f"{page[:-1]}.jsonl")
    assert "attachment" in response.headers["Content-Disposition"]
    lines = [json.loads(line) for line in response.getvalue().decode().splitlines()]
    previous = ""
    for position, line in enumerate(lines, start=1):
        fields = [
            workspace.public_id,
            position,
            *(line[name] for name in ("kind", "actor", "subject", "data", "created_at")),
            previous,
        ]
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        assert hashlib.sha256(text.encode()).hexdigest() == line["hash"]
        previous = line["hash"]
    assert len(lines) == 3
