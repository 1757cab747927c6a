"""Making, changing and trying webhooks: who hears what, and secrets that are shown once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from pytest_django import Settings

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, NotFound
from apps.core.outbound import Refused
from apps.events.kinds import Audit, Notify
from apps.events.models import Audience, Event, Notice
from apps.events.services import notify, record
from apps.workspaces.models import Delivery, DeliveryState, Webhook, Workspace
from apps.workspaces.services import webhooks
from apps.workspaces.services.messages import address_notices
from apps.workspaces.services.webhooks import (
    change_webhook,
    create_webhook,
    delete_webhook,
    ping,
    rotate_secret,
    send_again,
    turn_off,
    turn_on,
)
from apps.workspaces.signing import secret_of
from apps.workspaces.webhook_words import message
from tests.told import undescribed, untold

URL = "http://127.0.0.1:9999/hook?token=theirs"
ALL = [kind.value for kind in webhooks.WANTED]


@pytest.fixture(autouse=True)
def allowed(settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]


@pytest.fixture
def webhook(workspace: Workspace, owner: User) -> Webhook:
    return create_webhook(workspace=workspace, actor=owner, url=URL, kinds=ALL)[0]


def kinds_recorded(workspace: Workspace) -> list[str]:
    events = Event.objects.filter(workspace_id=workspace.public_id, kind__startswith="webhook.")
    return [kind.removeprefix("webhook.") for kind in events.values_list("kind", flat=True)]


def test_what_happens_becomes_a_message_for_whoever_wants_it(workspace: Workspace, owner: User) -> None:
    record(workspace=workspace.public_id, kind=Audit.FUNCTION_CREATED, subject="function_a", name="A")
    for kinds, function in [(["model.trained"], ""), (["import.done"], ""), (ALL, "function_a"), (ALL, "")]:
        create_webhook(workspace=workspace, actor=owner, url=URL, kinds=kinds, only_function=function)
    trained, imports, of_a, everything = Webhook.objects.order_by("id")
    notify(workspace=workspace.public_id, kind=Notify.MODEL_TRAINED, function="function_b", learned_from=12, number=1)
    notify(workspace=workspace.public_id, kind=Notify.IMPORT_DONE, function="function_a")
    assert address_notices() == 2
    assert not Notice.objects.exists()
    heard = Delivery.objects.order_by("id").values_list("webhook", "kind")
    assert sorted(heard) == sorted(
        [
            (trained.pk, "model.trained"),
            (everything.pk, "model.trained"),
            (imports.pk, "import.done"),
            (of_a.pk, "import.done"),
            (everything.pk, "import.done"),
        ]
    )


def test_a_message_says_what_when_and_where(webhook: Webhook) -> None:
    here = webhook.workspace.public_id
    notify(workspace=here, kind=Notify.MODEL_TRAINED, function="function_b", learned_from=12, name="Größe")
    address_notices()
    delivery = Delivery.objects.get()
    body = json.loads(delivery.body)
    assert list(body) == ["id", "kind", "createdAt", "workspaceId", "functionId", "data"]
    assert body["id"] == delivery.public_id
    assert (body["kind"], body["workspaceId"], body["functionId"]) == ("model.trained", here, "function_b")
    assert body["data"] == {"learnedFrom": 12, "name": "Größe"}
    assert body["createdAt"].endswith("Z")
    assert delivery.state == DeliveryState.WAITING


def test_a_test_says_which_webhook_is_tried(webhook: Webhook) -> None:
    body = json.loads(ping(webhook=webhook).body)
    assert (body["kind"], body["data"]) == ("ping", {"webhookId": webhook.public_id})
    assert undescribed(body["kind"], body["data"]) == untold(body["kind"], body["data"]) == set()
    assert set(body) == set(message(Notify.PING))


def test_other_workspaces_hear_nothing(webhook: Webhook, outsider: User) -> None:
    other = Workspace.objects.exclude(pk=webhook.workspace_id).get()
    create_webhook(workspace=other, actor=outsider, url=URL, kinds=ALL)
    notify(workspace=webhook.workspace.public_id, kind=Notify.DRIFT, function="function_a")
    address_notices()
    assert [delivery.webhook_id for delivery in Delivery.objects.all()] == [webhook.pk]


def test_the_secret_is_derived_and_stored_nowhere(workspace: Workspace, owner: User) -> None:
    webhook, secret = create_webhook(workspace=workspace, actor=owner, url=URL, kinds=ALL)
    assert secret.startswith("whsec_")
    assert len(secret) == 49
    assert secret == secret_of(Webhook.objects.get())
    new = rotate_secret(webhook=webhook, actor=owner)
    assert new != secret
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            assert not any(text in str(row) for row in cursor.fetchall() for text in (secret, new))
    other, other_secret = create_webhook(workspace=workspace, actor=owner, url=URL, kinds=ALL)
    assert other_secret not in (secret, new)
    assert other.secret_version == 1


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "file:///etc/passwd", "", "http://169.254.169.254/latest"])
def test_s20_inner_addresses_are_refused_when_they_are_saved(url: str, webhook: Webhook, owner: User) -> None:
    with pytest.raises(Refused):
        create_webhook(workspace=webhook.workspace, actor=owner, url=url, kinds=ALL)
    with pytest.raises(Refused):
        change_webhook(webhook=webhook, actor=owner, url=url)
    assert Webhook.objects.get().url == URL


@pytest.mark.parametrize("kinds", [[""], ["model.deleted"], ["ping"], ["model.trained", "x"]])
def test_it_must_hear_of_something_that_there_is(kinds: list[str], webhook: Webhook, owner: User) -> None:
    with pytest.raises(InvalidInput):
        create_webhook(workspace=webhook.workspace, actor=owner, url=URL, kinds=kinds)
    with pytest.raises(InvalidInput):
        change_webhook(webhook=webhook, actor=owner, kinds=kinds)


@pytest.mark.parametrize("kind", webhooks.WANTED)
def test_without_kinds_it_hears_of_everything(workspace: Workspace, owner: User, kind: Notify) -> None:
    webhook, _secret = create_webhook(workspace=workspace, actor=owner, url=URL)
    assert webhook.kinds == []  # so that it hears of those that are added later too
    notify(workspace=workspace.public_id, kind=kind, function="function_a")
    address_notices()
    assert Delivery.objects.get().kind == kind


def test_s12_it_cannot_be_of_a_function_elsewhere(webhook: Webhook, owner: User) -> None:
    record(workspace="workspace_elsewhere", kind=Audit.FUNCTION_CREATED, subject="function_x", name="X")
    for function in ("function_x", "x", "function_gone"):
        with pytest.raises(InvalidInput):
            change_webhook(webhook=webhook, actor=owner, only_function=function)


def test_a_change_keeps_what_is_not_given(webhook: Webhook, owner: User) -> None:
    change_webhook(webhook=webhook, actor=owner, kinds=["import.done"])
    change_webhook(webhook=webhook, actor=owner, url="http://127.0.0.1:1234/")
    change_webhook(webhook=webhook, actor=owner)
    row = Webhook.objects.get()
    assert (row.url, row.kinds, row.is_on) == ("http://127.0.0.1:1234/", ["import.done"], True)
    assert kinds_recorded(webhook.workspace) == ["created", "changed", "changed"]


def test_the_log_names_the_host_and_not_what_may_be_secret(webhook: Webhook, owner: User) -> None:
    turn_off(webhook=webhook, actor=owner)
    turn_on(webhook=webhook, actor=owner)
    rotate_secret(webhook=webhook, actor=owner)
    send_again(delivery=ping(webhook=webhook), actor=owner)
    delete_webhook(webhook=webhook, actor=owner)
    assert kinds_recorded(webhook.workspace) == [
        "created",
        "turned_off",
        "turned_on",
        "secret_rotated",
        "message_sent_again",
        "deleted",
    ]
    for event in Event.objects.filter(kind__startswith="webhook."):
        assert event.data["host"] == "127.0.0.1"
        assert event.actor == owner.public_id
        assert "theirs" not in json.dumps(event.data)


def test_turned_off_it_hears_nothing_and_what_waited_is_given_up(webhook: Webhook, owner: User) -> None:
    here = webhook.workspace.public_id
    ping(webhook=webhook)
    turn_off(webhook=webhook, actor=owner)
    assert Delivery.objects.get().state == DeliveryState.GIVEN_UP
    assert not Audience.objects.exists()
    notify(workspace=here, kind=Notify.DRIFT)
    address_notices()
    assert Delivery.objects.count() == 1
    for act in (lambda: ping(webhook=webhook), lambda: send_again(delivery=Delivery.objects.get(), actor=owner)):
        with pytest.raises(Conflict, match="off"):
            act()
    turn_on(webhook=webhook, actor=owner)
    notify(workspace=here, kind=Notify.DRIFT)
    address_notices()
    assert Delivery.objects.filter(state=DeliveryState.WAITING).count() == 1


def test_somebody_listens_until_the_last_is_gone(webhook: Webhook, owner: User) -> None:
    other, _secret = create_webhook(workspace=webhook.workspace, actor=owner, url=URL, kinds=ALL)
    delete_webhook(webhook=webhook, actor=owner)
    assert Audience.objects.count() == 1
    delete_webhook(webhook=other, actor=owner)
    assert not Audience.objects.exists()


def test_there_is_an_end_to_how_many_there_can_be(
    webhook: Webhook, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_WEBHOOKS", 1)
    with pytest.raises(Conflict):
        create_webhook(workspace=webhook.workspace, actor=owner, url=URL, kinds=ALL)


def test_one_deleted_that_moment_is_said_to_be_gone(webhook: Webhook, owner: User) -> None:
    message = ping(webhook=webhook)
    stale = Webhook.objects.get(pk=webhook.pk)
    message.webhook = stale
    delete_webhook(webhook=webhook, actor=owner)
    for act in (
        lambda: change_webhook(webhook=stale, actor=owner, kinds=["model.trained"]),
        lambda: rotate_secret(webhook=stale, actor=owner),
        lambda: ping(webhook=stale),
        lambda: send_again(delivery=message, actor=owner),
        lambda: delete_webhook(webhook=stale, actor=owner),
    ):
        with pytest.raises(NotFound):
            act()


def test_a_message_deleted_that_moment_is_not_sent_again(webhook: Webhook, owner: User) -> None:
    message = ping(webhook=webhook)
    Delivery.objects.all().delete()
    with pytest.raises(NotFound):
        send_again(delivery=message, actor=owner)


@pytest.mark.django_db(transaction=True)
def test_of_many_made_at_once_there_are_no_more_than_may_be(
    workspace: Workspace, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST_WEBHOOKS", 3)

    def make(_index: int) -> bool:
        try:
            create_webhook(workspace=workspace, actor=owner, url=URL, kinds=ALL)
        except Conflict:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(8)))
    assert made.count(True) == workspace.webhooks.count() == 3
