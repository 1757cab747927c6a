"""The audit log in words, and as a file whose hashes anyone can check."""

import csv
import hashlib
import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.core import caller
from apps.events.kinds import Audit
from apps.events.models import Event
from apps.events.selectors import Asked, newest_events
from apps.events.services import record
from apps.workspaces.audit_sentences import SENTENCES, Topic, sentence
from apps.workspaces.functions_by_name import gone_of, last_names, names_of_functions
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Action, Role
from apps.workspaces.services import create_key
from tests.conftest import client_of
from tests.workspaces.conftest import Join


@contextmanager
def time_machine(moment: datetime) -> Iterator[None]:
    with patch("apps.events.services.timezone.now", return_value=moment):
        yield


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


def test_it_is_read_page_by_page(page: str, workspace: Workspace, owner_client: Client) -> None:
    for number in range(120):
        record(workspace=workspace.public_id, kind=Audit.MEMBER_REMOVED, email=f"person{number}@example.com")
    shown, address, seen = "", page, []
    while address:
        shown = owner_client.get(address).content.decode()
        found = re.findall(r"person(\d+)@example", shown)
        assert 1 <= len(found) <= 50
        seen += [int(number) for number in found]
        older = re.search(r'href="(\?[^"]*before=\d+)"', shown)
        address = page + html.unescape(older[1]) if older else ""
    assert seen == sorted(range(120), reverse=True)
    assert "Newest" in shown
    for before in ("x", "-1", "9" * 30):
        assert owner_client.get(page, {"before": before}).status_code == 400
    assert owner_client.get(page, {"before": "0"}).status_code == 200


def test_it_is_narrowed_to_a_person_a_thing_and_days(
    page: str, workspace: Workspace, owner: User, member: User, owner_client: Client
) -> None:
    here = workspace.public_id
    events: list[tuple[Audit, User | None, str, dict[str, str]]] = [
        (Audit.FUNCTION_CREATED, owner, "function_a", {"name": "Desks"}),
        (Audit.LABEL_CREATED, member, "label_a", {"name": "Refund", "function": "function_a"}),
        (Audit.LABEL_CREATED, owner, "label_b", {"name": "Shipping", "function": "function_b"}),
        (Audit.MODEL_DAMAGED, None, "model_a", {"function": "function_a"}),
    ]
    for day, (kind, actor, subject, data) in enumerate(events, start=1):
        with time_machine(datetime(2026, 3, day, 23, 59, 59, tzinfo=UTC)):
            record(workspace=here, kind=kind, actor=actor.public_id if actor else "", subject=subject, **data)

    def seen(**query: str) -> set[str]:
        text = owner_client.get(page, query).content.decode()
        rows = text[text.index("<tbody>") :] if "<tbody>" in text else ""
        return {word for word in ("made the function", "Refund", "Shipping", "damaged") if word in rows}

    assert seen() == {"made the function", "Refund", "Shipping", "damaged"}
    assert seen(person=owner.public_id) == {"made the function", "Shipping"}
    assert seen(person="server") == {"damaged"}
    assert seen(person="user_nobody") == set()
    assert seen(thing="function_a") == {"made the function", "Refund", "damaged"}
    assert seen(thing="label_b") == {"Shipping"}
    assert seen(thing="function_a", person=member.public_id, topic="data") == {"Refund"}
    assert seen(since="2026-03-02", until="2026-03-03") == {"Refund", "Shipping"}
    assert seen(since="2026-03-05") == set()
    assert seen(until="2026-03-01") == {"made the function"}
    for wrong in ({"since": "yesterday"}, {"until": "9999-12-31"}, {"since": "2026-02-30"}):
        assert owner_client.get(page, wrong).status_code == 400
    assert owner_client.get(page, {"person": "\x00", "thing": "\x00"}).status_code == 200


def test_it_says_from_where_with_which_key_and_leads_to_what_is_there(
    page: str, workspace: Workspace, owner: User, owner_client: Client
) -> None:
    here = workspace.public_id
    key, _text = create_key(workspace=workspace, owner=owner, name="Help desk", actions=[Action.INVOKE])
    record(workspace=here, kind=Audit.FUNCTION_CREATED, subject="function_a", name="Desks")
    record(workspace=here, kind=Audit.FUNCTION_CREATED, subject="function_b", name="Parcels")
    record(workspace=here, kind=Audit.FUNCTION_DELETED, subject="function_b", name="Parcels", n_samples=1)
    with caller.calling("203.0.113.9"):
        caller.shown(key.public_id)
        record(workspace=here, kind=Audit.KEY_REVOKED, subject="key_gone", name="Old", prefix="x")
    text = owner_client.get(page).content.decode()
    assert "203.0.113.9" in text
    assert "with the key “Help desk”" in text
    assert f"/workspaces/{here}/keys/#{key.public_id}" in text
    assert "#key_gone" not in text
    assert "/functions/function_a/" in text
    assert "/functions/function_b/" not in text


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.LABELER, Role.VIEWER])
def test_only_owners_and_admins_read_it(role: Role, page: str, join: Join) -> None:
    client = client_of(join(role))
    for address in (page, f"{page[:-1]}.jsonl", f"{page[:-1]}.csv"):
        assert client.get(address).status_code == 403


def test_a_page_costs_the_same_however_long_the_log_is(
    page: str, workspace: Workspace, owner: User, owner_client: Client
) -> None:
    here = workspace.public_id
    queries = []
    for n_more in (5, 300):
        for number in range(n_more):
            record(workspace=here, kind=Audit.SIGNED_IN, actor=owner.public_id, subject=f"user_{number}", by="password")
        with CaptureQueriesContext(connection) as captured:
            owner_client.get(page)
        queries.append(len(captured))
    assert queries[1] <= queries[0]


@pytest.mark.parametrize(
    "asked",
    [
        Asked(workspace="w"),
        Asked(workspace="w", kinds=Topic.PEOPLE.kinds),
        Asked(workspace="w", kinds=Topic.MODELS.kinds, actor="user_a"),
        Asked(workspace="w", actor=""),
        Asked(workspace="w", thing="function_a"),
        Asked(workspace="w", thing="label_a", before=500),
        Asked(workspace="w", since=datetime(2026, 1, 1, tzinfo=UTC), until=datetime(2026, 2, 1, tzinfo=UTC)),
        Asked(workspace="w", actor="user_a", since=datetime(2026, 1, 1, tzinfo=UTC), before=900),
    ],
)
@pytest.mark.django_db
def test_whatever_is_asked_is_found_by_an_index_in_order(asked: Asked) -> None:
    """In a million events no row is read that is not shown, and nothing is sorted but what is."""
    if connection.vendor != "sqlite":
        pytest.skip("reads the plans of SQLite; the indexes are the same everywhere")
    here = Workspace(public_id="w")
    with CaptureQueriesContext(connection) as captured:
        newest_events(asked, n=50)
        names_of_functions(here), last_names(here, ["function_a"]), gone_of(here, ["function_a"])
    for query in captured:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            plan = " | ".join(str(row[3]) for row in cursor.fetchall())
        assert "SCAN" not in plan, plan
        if '"kind"' in query["sql"].partition("WHERE")[2]:
            assert "kind" in plan, (plan, query["sql"])
        assert "TEMP B-TREE" not in plan or "sequence IN" in query["sql"].replace('"', ""), (plan, query["sql"])


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
    with time_machine(datetime(2026, 3, 1, tzinfo=UTC)):  # a whole second is written in full as well
        record(workspace=workspace.public_id, kind=Audit.FUNCTION_CREATED, name="First")
    for number in range(2):
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


def test_the_table_holds_the_same_and_runs_no_formulas(page: str, workspace: Workspace, owner_client: Client) -> None:
    record(
        workspace=workspace.public_id, kind=Audit.MEMBER_INVITED, actor="=1+1", email="=cmd@example.com", role="admin"
    )
    response = owner_client.get(f"{page[:-1]}.csv")
    assert "attachment" in response.headers["Content-Disposition"]
    (row,) = csv.DictReader(response.getvalue().decode().splitlines())
    assert row["actor"] == "'=1+1"
    assert json.loads(row["data"])["email"] == "=cmd@example.com"
    assert row["hash"] == Event.objects.get().hash
