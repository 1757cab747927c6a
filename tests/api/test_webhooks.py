"""Webhooks over the wire."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_django import Settings

from apps.accounts.models import User
from apps.events.kinds import Audit
from apps.events.services import record
from apps.workspaces.models import Delivery, DeliveryState, IdempotentReply, Webhook, Workspace
from apps.workspaces.roles import Role
from apps.workspaces.services.webhooks import WANTED, create_webhook, ping
from apps.workspaces.signing import secret_of
from tests.api.conftest import KeyClient, make_client
from tests.workspaces.conftest import Join, join

__all__ = ["join"]
HOOKS = "/v1/webhooks"
URL = "http://127.0.0.1:9999/hook"


@pytest.fixture(autouse=True)
def allowed(settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]


@pytest.fixture
def webhook(workspace: Workspace, owner: User) -> Webhook:
    return create_webhook(workspace=workspace, actor=owner, url=URL, kinds=["import.done"])[0]


def test_one_is_made_listed_read_and_deleted(key_client: KeyClient, workspace: Workspace) -> None:
    record(workspace=workspace.public_id, kind=Audit.FUNCTION_CREATED, subject="function_a", name="A")
    made = key_client.post(HOOKS, {"URL": URL, "kinds": ["Model.Trained", "import.done"], "functionId": "a"}).json()
    webhook = Webhook.objects.get()
    assert made["secret"] == secret_of(webhook)
    assert set(made) == {"id", "url", "kinds", "functionId", "isOn", "createdAt", "secret"}
    assert made["kinds"] == ["model.trained", "import.done"]
    assert made["functionId"] == "function_a"
    without = {name: value for name, value in made.items() if name != "secret"}
    assert key_client.get(HOOKS).json() == [without]
    assert key_client.get(f"{HOOKS}/{made['id']}").json() == without
    assert key_client.get(f"{HOOKS}/{made['id'].partition('_')[2]}").json() == without
    assert key_client.delete(f"{HOOKS}/{made['id']}").json() == {"id": made["id"]}
    assert key_client.get(f"{HOOKS}/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kinds": ["import.done"]},
        {"url": URL, "kinds": [""]},
        {"url": URL, "kinds": ["ping"]},
        {"url": URL, "kinds": "import.done"},
        {"url": "http://10.0.0.1/", "kinds": ["import.done"]},
        {"url": "http://169.254.169.254/latest", "kinds": ["import.done"]},
        {"url": "not an address", "kinds": ["import.done"]},
        {"url": URL, "kinds": ["import.done"], "functionId": "function_nowhere"},
        {"url": URL + "\u0000", "kinds": ["import.done"]},
    ],
)
def test_what_cannot_be_is_refused(body: dict[str, object], key_client: KeyClient) -> None:
    response = key_client.post(HOOKS, body)
    assert response.status_code == 400
    assert response.json()["code"] == "invalid_input"
    assert not Webhook.objects.exists()


@pytest.mark.parametrize("asked", [{}, {"kinds": []}, {"kinds": None}])
def test_without_kinds_it_hears_of_everything(key_client: KeyClient, asked: dict[str, object]) -> None:
    made = key_client.post(HOOKS, {"url": URL, **asked}).json()
    assert set(made) == {"id", "url", "isOn", "createdAt", "secret"}
    here = f"{HOOKS}/{made['id']}"
    assert key_client.put(here, {"kinds": ["import.done"]}).json()["kinds"] == ["import.done"]
    assert key_client.put(here, {"isOn": True}).json()["kinds"] == ["import.done"]
    assert "kinds" not in key_client.put(here, {"kinds": []}).json()


def test_it_is_changed_and_turned_off_and_on(key_client: KeyClient, webhook: Webhook) -> None:
    here = f"{HOOKS}/{webhook.public_id}"
    changed = key_client.put(here, {"kinds": [kind.value for kind in WANTED], "isOn": False}).json()
    assert (changed["url"], len(changed["kinds"]), changed["isOn"]) == (URL, len(WANTED), False)
    assert key_client.post(f"{here}/ping").status_code == 409
    assert key_client.put(here, {"isOn": True}).json()["isOn"] is True
    assert key_client.put(here, {"url": "http://10.0.0.1/"}).status_code == 400
    assert Webhook.objects.get().url == URL


def test_a_new_secret_is_given_once(key_client: KeyClient, webhook: Webhook) -> None:
    response = key_client.post(f"{HOOKS}/{webhook.public_id}/secret")
    webhook.refresh_from_db()
    assert response.json()["secret"] == secret_of(webhook)
    assert response.headers["Cache-Control"] == "no-store"
    assert webhook.secret_version == 2


def test_messages_are_listed_and_sent_again(key_client: KeyClient, webhook: Webhook) -> None:
    here = f"{HOOKS}/{webhook.public_id}"
    sent = key_client.post(f"{here}/ping").json()
    assert (sent["kind"], sent["state"], sent["attempts"]) == ("ping", "waiting", 0)
    Delivery.objects.update(state=DeliveryState.GIVEN_UP, n_attempts=9, next_at=None, status=500, problem="It failed.")
    (listed,) = key_client.get(f"{here}/deliveries").json()
    assert listed["id"] == sent["id"]
    assert (listed["state"], listed["status"], listed["problem"]) == ("given_up", 500, "It failed.")
    assert "nextAt" not in listed
    assert key_client.get(f"{here}/deliveries", {"state": "delivered"}).json() == []
    assert key_client.get(f"{here}/deliveries", {"state": "lost"}).status_code == 400
    again = key_client.post(f"{here}/deliveries/{sent['id']}/redeliver").json()
    assert (again["id"], again["state"]) == (sent["id"], "waiting")


def test_a_message_of_another_webhook_is_not_sent_from_here(
    key_client: KeyClient, webhook: Webhook, owner: User
) -> None:
    other, _secret = create_webhook(workspace=webhook.workspace, actor=owner, url=URL, kinds=["import.done"])
    delivery = ping(webhook=other)
    path = f"{HOOKS}/{webhook.public_id}/deliveries/{delivery.public_id}/redeliver"
    assert key_client.post(path).status_code == 404


def test_s24_keys_of_admins_and_keys_without_the_scope_may_not(
    workspace: Workspace, webhook: Webhook, join: Join, client_with: Callable[..., KeyClient]
) -> None:
    admin = make_client(workspace, join(Role.ADMIN))
    for client in (admin, client_with("invoke", "read", "write")):
        assert client.get(HOOKS).status_code == 403
        assert client.post(HOOKS, {"url": URL, "kinds": ["import.done"]}).status_code == 403
        assert client.post(f"{HOOKS}/{webhook.public_id}/secret").status_code == 403
    assert Webhook.objects.count() == 1


def test_s27_a_secret_that_is_shown_once_is_not_kept_for_who_asks_again(
    key_client: KeyClient, workspace: Workspace
) -> None:
    again = {"Idempotency-Key": "hook-1"}
    body = {"url": URL, "kinds": ["import.done"]}
    secret = key_client.post(HOOKS, body, headers=again).json()["secret"]
    assert [bytes(each) for each in IdempotentReply.objects.values_list("body", flat=True)] == [b""]
    second = key_client.post(HOOKS, body, headers=again)
    assert (second.status_code, second.json()["code"]) == (409, "conflict")
    assert secret not in second.content.decode()
    assert workspace.webhooks.count() == 1
