"""The pages about webhooks: made, tried, changed and ended there, and a secret that is shown once."""

from __future__ import annotations

import html
import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from apps.accounts.models import User
from apps.events.kinds import Audit, Notify
from apps.events.services import record
from apps.workspaces.models import Delivery, DeliveryState, Webhook, Workspace
from apps.workspaces.roles import Role
from apps.workspaces.services.webhooks import WANTED, create_webhook, ping, turn_off
from apps.workspaces.signing import secret_of, signature
from apps.workspaces.webhook_words import JAVASCRIPT, PYTHON, WORDS
from tests.conftest import client_of
from tests.workspaces.conftest import Join

URL = "http://127.0.0.1:9999/hook"


@pytest.fixture(autouse=True)
def allowed(settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]


@pytest.fixture
def page(workspace: Workspace) -> str:
    return f"/workspaces/{workspace.public_id}/webhooks/"


@pytest.fixture
def webhook(workspace: Workspace, owner: User) -> Webhook:
    return create_webhook(workspace=workspace, actor=owner, url=URL, kinds=[kind.value for kind in WANTED])[0]


def test_one_is_made_and_its_secret_shown_once(page: str, workspace: Workspace, owner_client: Client) -> None:
    record(workspace=workspace.public_id, kind=Audit.FUNCTION_CREATED, subject="function_a", name="Which desk?")
    assert "No webhooks yet" in owner_client.get(page).content.decode()
    sent = {"url": URL, "kinds": ["import.done", "model.trained"], "only_function": "function_a"}
    response = owner_client.post(f"{page}new/", sent)
    webhook = Webhook.objects.get()
    assert secret_of(webhook) in response.content.decode()
    assert "no-store" in response.headers["Cache-Control"]
    assert (webhook.url, webhook.only_function) == (URL, "function_a")
    assert set(webhook.kinds) == {"import.done", "model.trained"}
    for address in (page, f"/webhooks/{webhook.public_id}/"):
        text = owner_client.get(address).content.decode()
        assert "whsec_" not in text
        assert "Which desk?" in text


def test_one_hears_of_everything_until_kinds_are_chosen(page: str, owner_client: Client) -> None:
    owner_client.post(f"{page}new/", {"url": URL, "everything": "on", "kinds": ["import.done"]})
    webhook = Webhook.objects.get()
    assert webhook.kinds == []
    here = f"/webhooks/{webhook.public_id}/"
    assert "Everything" in owner_client.get(page).content.decode()
    assert 'name="everything" id="id_everything" checked' in owner_client.get(here).content.decode()
    owner_client.post(f"{here}change/", {"url": URL, "kinds": ["import.done"]})
    webhook.refresh_from_db()
    assert webhook.kinds == ["import.done"]
    assert 'id="id_everything" checked' not in owner_client.get(here).content.decode()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"url": "http://10.0.0.1/", "kinds": ["import.done"]}, "that the public internet knows"),
        ({"url": "ftp://example.com/", "kinds": ["import.done"]}, "https://"),
        ({"url": URL}, "Choose when it hears from us."),
        ({"url": URL, "kinds": ["import.done"], "only_function": "function_x"}, "valid choice"),
    ],
)
def test_what_is_refused_is_said_in_the_form(
    sent: dict[str, object], said: str, page: str, owner_client: Client
) -> None:
    response = owner_client.post(f"{page}new/", sent)
    assert response.status_code == 422
    assert said in response.content.decode()
    assert not Webhook.objects.exists()


@pytest.mark.parametrize("role", [Role.ADMIN, Role.REVIEWER, Role.LABELER, Role.VIEWER])
def test_s24_only_owners_may(role: Role, page: str, webhook: Webhook, join: Join) -> None:
    client = client_of(join(role))
    assert client.get(page).status_code == 403
    assert client.post(f"{page}new/", {"url": URL, "kinds": ["import.done"]}).status_code == 403
    assert client.get(f"/webhooks/{webhook.public_id}/").status_code == 403
    assert client.post(f"/webhooks/{webhook.public_id}/secret/").status_code == 403
    assert Webhook.objects.get().secret_version == 1
    assert "Webhooks" not in client.get("/").content.decode()


def test_it_is_changed(webhook: Webhook, owner_client: Client) -> None:
    here = f"/webhooks/{webhook.public_id}/"
    owner_client.post(f"{here}change/", {"url": f"{URL}2", "kinds": ["import.done"]})
    webhook.refresh_from_db()
    assert (webhook.url, webhook.kinds) == (f"{URL}2", ["import.done"])
    refused = owner_client.post(f"{here}change/", {"url": "http://10.0.0.1/", "kinds": ["import.done"]})
    assert refused.status_code == 422
    webhook.refresh_from_db()
    assert webhook.url == f"{URL}2"


def test_a_test_is_sent_and_stands_in_the_log(webhook: Webhook, owner_client: Client) -> None:
    here = f"/webhooks/{webhook.public_id}/"
    text = owner_client.post(f"{here}ping/", follow=True).content.decode()
    assert "on its way" in text
    assert 'hx-trigger="every 2s"' in text
    Delivery.objects.update(state=DeliveryState.DELIVERED, status=204, milliseconds=12.4, n_attempts=1, next_at=None)
    text = owner_client.get(here, headers={"HX-Request": "true"}).content.decode()
    assert "received (204, 12 ms)" in text
    assert "every 2s" not in text
    assert "<html" not in text


def test_a_failed_message_says_why_and_is_sent_again(webhook: Webhook, owner_client: Client) -> None:
    ping(webhook=webhook)
    delivery = Delivery.objects.get()
    Delivery.objects.update(state=DeliveryState.GIVEN_UP, n_attempts=9, next_at=None, problem="It broke off.")
    assert "It broke off." in owner_client.get(f"/webhooks/{webhook.public_id}/").content.decode()
    text = owner_client.post(f"/deliveries/{delivery.public_id}/again/", follow=True).content.decode()
    assert "sent again" in text
    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.WAITING
    assert delivery.next_at is not None
    assert delivery.next_at <= timezone.now()


def test_it_is_turned_off_and_on_and_says_why_it_is_off(webhook: Webhook, owner_client: Client) -> None:
    here = f"/webhooks/{webhook.public_id}/"
    owner_client.post(f"{here}switch/")
    webhook.refresh_from_db()
    assert not webhook.is_on
    assert "Turn it on first" in owner_client.post(f"{here}ping/", follow=True).content.decode()
    owner_client.post(f"{here}switch/")
    webhook.refresh_from_db()
    assert webhook.is_on
    turn_off(webhook=webhook, actor=None, because="Nothing got through for a week.")
    assert "Nothing got through for a week." in owner_client.get(here).content.decode()


def test_a_new_secret_is_shown_once(webhook: Webhook, owner_client: Client) -> None:
    here = f"/webhooks/{webhook.public_id}/"
    old = secret_of(webhook)
    text = owner_client.post(f"{here}secret/").content.decode()
    webhook.refresh_from_db()
    assert secret_of(webhook) in text
    assert old not in text
    assert "whsec_" not in owner_client.get(here).content.decode()


def test_it_is_deleted_with_its_log(page: str, webhook: Webhook, owner_client: Client) -> None:
    ping(webhook=webhook)
    response = owner_client.post(f"/webhooks/{webhook.public_id}/delete/", follow=True)
    assert response.redirect_chain[0][0] == page
    assert not Webhook.objects.exists()
    assert not Delivery.objects.exists()


def test_the_log_is_paged_and_costs_the_same_however_long(
    webhook: Webhook, owner_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(60):
        ping(webhook=webhook)
    with django_assert_max_num_queries(12):
        text = owner_client.get(f"/webhooks/{webhook.public_id}/").content.decode()
    assert "1–50 of 60" in text
    assert "51–60 of 60" in owner_client.get(f"/webhooks/{webhook.public_id}/", {"page": "2"}).content.decode()


def test_every_kind_has_words() -> None:
    assert set(WORDS) == set(Notify)


def test_s27_the_program_for_python_tells_true_from_false() -> None:
    said: dict[str, object] = {}
    exec(PYTHON, said)  # what receivers copy from the page
    check = said["is_from_hundredfold"]
    assert callable(check)
    for body, header, secret, is_right in cases():
        assert check(secret, header, body) is is_right, (header, secret)


def test_the_description_of_the_api_holds_the_same_programs(client: Client) -> None:
    page = html.unescape(client.get("/api/docs/").content.decode())
    assert (PYTHON in page, JAVASCRIPT in page) == (True, True)


def test_s27_the_program_for_javascript_tells_true_from_false(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is needed to run it")
    given = [[secret, header, body.decode(), is_right] for body, header, secret, is_right in cases()]
    program = tmp_path / "check.mjs"
    program.write_text(
        f"{JAVASCRIPT}\nconst cases = {json.dumps(given)};\n"
        "console.log(JSON.stringify(cases.map(([secret, header, body]) => "
        "isFromHundredfold(secret, header, Buffer.from(body)))));\n",
        encoding="utf-8",
    )
    output = subprocess.run(["node", str(program)], check=True, capture_output=True, text=True).stdout
    assert json.loads(output) == [is_right for *_rest, is_right in given]


def cases() -> list[tuple[bytes, str, str, bool]]:
    """Return bodies, headers and secrets, and whether they belong together: S27's forgeries and replays."""
    body, secret, now = '{"kind":"ping","ü":1}'.encode(), "whsec_a", int(time.time())
    good = signature(secret, now, body)
    old = signature(secret, now - 400, body)
    early = signature(secret, now + 400, body)
    return [
        (body, f"t={now},v1={good}", secret, True),
        (body, f"t={now},v1={signature('whsec_b', now, body)},v1={good}", secret, True),
        (body, f"t={now},v1={good}", "whsec_b", False),
        (body + b" ", f"t={now},v1={good}", secret, False),
        (body, f"t={now - 1},v1={good}", secret, False),
        (body, f"t={now - 400},v1={old}", secret, False),
        (body, f"t={now + 400},v1={early}", secret, False),
        (body, f"t={now},v0={good}", secret, False),
        (body, f"t={now},v1=", secret, False),
        (body, f"t={now}", secret, False),
        (body, f"v1={good}", secret, False),
        (body, f"t=x,v1={good}", secret, False),
        (body, "", secret, False),
        (body, f"t={now},v1=é{good[1:]}", secret, False),
    ]
