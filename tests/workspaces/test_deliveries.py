"""S27 and what receivers rely on: signed, tried again, given up in the end, and never held up by one another."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import User
from apps.core import leases, outbound
from apps.core.outbound import NoAnswer, Posted
from apps.events.kinds import Notify
from apps.events.models import Event, Notice
from apps.events.services import notify
from apps.workspaces.actors import deliver as deliver_actor
from apps.workspaces.models import Delivery, DeliveryState, Webhook, Workspace
from apps.workspaces.services import deliveries
from apps.workspaces.services.deliveries import (
    BACK_OFF_S,
    deliver,
    deliver_due,
    enqueue_unfinished_deliveries,
    hand_out,
    pause_after,
)
from apps.workspaces.services.webhooks import (
    create_webhook,
    delete_webhook,
    ping,
    rotate_secret,
    send_again,
    turn_off,
)
from apps.workspaces.signing import secret_of, signature_header
from tests.workspaces.webhook_receiver import WebhookReceiver, receiving_webhooks

Answer = Callable[[int], None]


@pytest.fixture(autouse=True)
def allowed(settings: Settings) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with receiving_webhooks() as receiver:
        yield receiver


@pytest.fixture
def webhook(workspace: Workspace, owner: User, receiver: WebhookReceiver) -> Webhook:
    return webhook_to(receiver.url, workspace, owner)


def webhook_to(url: str, workspace: Workspace, owner: User) -> Webhook:
    return create_webhook(workspace=workspace, actor=owner, url=url, kinds=["model.trained", "import.done"])[0]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Return a function that has all receivers answer with a code from now on; 0 is no answer."""

    def answer_with(status: int) -> None:
        def post(_url: str, **_options: object) -> Posted:
            if not status:
                raise NoAnswer("The address did not answer in time.")
            return Posted(status, 12.5)

        monkeypatch.setattr(outbound, "post", post)

    return answer_with


def make_due(**fields: object) -> None:
    Delivery.objects.filter(state=DeliveryState.WAITING).update(next_at=timezone.now(), **fields)


def test_s27_a_message_is_signed_over_its_moment_and_its_body(webhook: Webhook, receiver: WebhookReceiver) -> None:
    notify(workspace=webhook.workspace.public_id, kind=Notify.IMPORT_DONE, function="function_a", n_added=3)
    deliveries.address_notices()
    deliver_due(webhook.pk)
    (one,) = receiver.received
    stamp, signature = (part.partition("=")[2] for part in one.headers["hundredfold-signature"].split(","))
    assert abs(int(stamp) - timezone.now().timestamp()) < 60
    signed = hmac.new(secret_of(webhook).encode(), f"{stamp}.".encode() + one.body, hashlib.sha256)
    assert signature == signed.hexdigest()
    delivery = Delivery.objects.get()
    assert one.headers["hundredfold-delivery"] == delivery.public_id == json.loads(one.body)["id"]
    assert one.headers["hundredfold-event"] == "import.done"
    assert one.headers["content-type"] == "application/json"
    assert (delivery.state, delivery.status, delivery.n_attempts) == (DeliveryState.DELIVERED, 200, 1)
    assert delivery.delivered_at is not None
    assert delivery.milliseconds is not None
    assert delivery.milliseconds.is_integer()


def test_for_a_day_after_a_new_secret_both_sign(webhook: Webhook, owner: User) -> None:
    old = secret_of(webhook)
    new = rotate_secret(webhook=webhook, actor=owner)

    def signatures(at: datetime) -> list[str]:
        return [part for part in signature_header(webhook, b"{}", at=at).split(",") if part.startswith("v1=")]

    def by(secret: str, at: datetime) -> str:
        return "v1=" + hmac.new(secret.encode(), f"{int(at.timestamp())}.{{}}".encode(), hashlib.sha256).hexdigest()

    soon, later = timezone.now() + timedelta(hours=23), timezone.now() + timedelta(hours=25)
    assert signatures(soon) == [by(new, soon), by(old, soon)]
    assert signatures(later) == [by(new, later)]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_success(status: int, webhook: Webhook, answer: Answer) -> None:
    answer(status)
    assert deliver(ping(webhook=webhook).pk)
    assert Delivery.objects.get().state == DeliveryState.DELIVERED


@pytest.mark.parametrize("status", [0, 301, 302, 400, 404, 429, 500, 503])
def test_anything_else_is_tried_again_ever_more_rarely_and_then_given_up(
    status: int, webhook: Webhook, answer: Answer
) -> None:
    answer(status)
    delivery = ping(webhook=webhook)
    for n_attempts, seconds in enumerate(BACK_OFF_S, start=1):
        before = timezone.now()
        assert not deliver(delivery.pk)
        delivery.refresh_from_db()
        assert delivery.next_at is not None
        assert 0.75 * seconds < (delivery.next_at - before).total_seconds() < 1.25 * seconds + 5
        assert (delivery.state, delivery.n_attempts) == (DeliveryState.WAITING, n_attempts)
        assert delivery.status == (status or None)
        deliver(delivery.pk)
        delivery.refresh_from_db()
        assert delivery.n_attempts == n_attempts, "it was sent before its time"
        make_due()
    assert not deliver(delivery.pk)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.next_at, delivery.n_attempts) == (DeliveryState.GIVEN_UP, None, 9)
    assert delivery.problem
    assert Webhook.objects.get().is_on


def test_pauses_differ_a_little_so_that_not_all_come_back_at_once() -> None:
    pauses = {pause_after(3) for _ in range(20)}
    assert len(pauses) > 10
    assert pause_after(len(BACK_OFF_S) + 1) is None


def test_410_turns_it_off(webhook: Webhook, answer: Answer) -> None:
    answer(410)
    deliver(ping(webhook=webhook).pk)
    row = Webhook.objects.get()
    assert not row.is_on
    assert "410" in row.off_because
    assert Delivery.objects.get().state == DeliveryState.GIVEN_UP
    event = Event.objects.order_by("-sequence")[0]
    assert (event.kind, event.actor) == ("webhook.turned_off", "")


@pytest.mark.parametrize(("days", "is_on"), [(6, True), (8, False)])
def test_a_week_without_any_success_turns_it_off(days: int, is_on: bool, webhook: Webhook, answer: Answer) -> None:
    answer(500)
    delivery = ping(webhook=webhook)
    deliver(delivery.pk)
    assert Webhook.objects.get().failing_since is not None
    Webhook.objects.update(failing_since=timezone.now() - timedelta(days=days))
    make_due(n_attempts=7)
    deliver(delivery.pk)
    assert Webhook.objects.get().is_on, "not before a message was given up"
    make_due(n_attempts=8)
    deliver(delivery.pk)
    row = Webhook.objects.get()
    assert row.is_on is is_on
    assert ("a week" in row.off_because) is not is_on


def test_one_success_ends_the_week(webhook: Webhook, answer: Answer) -> None:
    answer(500)
    deliver(ping(webhook=webhook).pk)
    answer(200)
    make_due()
    deliver(Delivery.objects.get().pk)
    assert Webhook.objects.get().failing_since is None


def test_s24_s25_nothing_of_a_reply_is_kept(webhook: Webhook, receiver: WebhookReceiver) -> None:
    receiver.status = 500
    deliver(ping(webhook=webhook).pk)
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            assert "inner secrets" not in str(cursor.fetchall())
    assert Delivery.objects.get().problem == "The receiver answered with the code 500."


def test_s20_the_address_is_checked_again_when_it_is_sent(
    webhook: Webhook, receiver: WebhookReceiver, settings: Settings
) -> None:
    settings.OUTBOUND_ALLOW = []
    deliver(ping(webhook=webhook).pk)
    assert not receiver.received
    assert Delivery.objects.get().state == DeliveryState.WAITING


def test_behind_one_that_failed_the_others_wait_a_moment(webhook: Webhook, receiver: WebhookReceiver) -> None:
    receiver.status = 500
    for _ in range(3):
        ping(webhook=webhook)
    deliver_due(webhook.pk)
    assert len(receiver.received) == 1
    make_due()
    receiver.status = 200
    deliver_due(webhook.pk)
    assert len(receiver.received) == 4


def test_sent_again_it_is_the_same_message(webhook: Webhook, receiver: WebhookReceiver, owner: User) -> None:
    delivery = ping(webhook=webhook)
    deliver(delivery.pk)
    delivery.refresh_from_db()
    send_again(delivery=delivery, actor=owner)
    deliver_due(webhook.pk)
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["hundredfold-delivery"] == second.headers["hundredfold-delivery"]


def test_one_that_somebody_is_at_is_not_sent_twice(webhook: Webhook, receiver: WebhookReceiver) -> None:
    delivery = ping(webhook=webhook)
    assert leases.claim(Delivery, delivery.pk)
    deliver(delivery.pk)
    deliver_due(webhook.pk)
    assert not receiver.received
    Delivery.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    deliver_due(webhook.pk)
    assert len(receiver.received) == 1


def test_what_its_worker_died_with_is_taken_up_again(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(deliveries, "enqueue", lambda job: asked.append(job))
    enqueue_unfinished_deliveries()
    assert not asked
    delivery = ping(webhook=webhook)
    leases.claim(Delivery, delivery.pk)
    enqueue_unfinished_deliveries()
    assert not asked
    Delivery.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    enqueue_unfinished_deliveries()
    assert asked == ["deliver"]
    Delivery.objects.all().delete()
    Notice.objects.create(workspace_id=webhook.workspace.public_id, kind="import.done")
    enqueue_unfinished_deliveries()
    assert asked == ["deliver", "deliver"]


def test_messages_are_kept_for_thirty_days(webhook: Webhook) -> None:
    old, new = ping(webhook=webhook), ping(webhook=webhook)
    Delivery.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=31))
    enqueue_unfinished_deliveries()
    assert [delivery.pk for delivery in Delivery.objects.all()] == [new.pk]


@pytest.mark.django_db(transaction=True)
def test_one_slow_receiver_holds_up_nobody(
    webhook: Webhook, receiver: WebhookReceiver, workspace: Workspace, owner: User
) -> None:
    with receiving_webhooks() as slow:
        slow.may_answer.clear()
        for _ in range(2):
            ping(webhook=webhook_to(slow.url, workspace, owner))
        threads = hand_out()
        slow.wait_for(2)
        for _ in range(3):
            ping(webhook=webhook)
        threads += hand_out()
        assert len(receiver.wait_for(3, seconds=5)) == 3
        slow.may_answer.set()
        for thread in threads:
            thread.join(10)
    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.DELIVERED}
    assert len(slow.received) == 2


@pytest.mark.django_db(transaction=True)
def test_the_actor_sends_what_happened(webhook: Webhook, receiver: WebhookReceiver) -> None:
    notify(workspace=webhook.workspace.public_id, kind=Notify.MODEL_TRAINED, function="function_a", number=1)
    deliver_actor()
    assert json.loads(receiver.wait_for(1)[0].body)["data"] == {"number": 1}
    for thread in list(deliveries.threading.enumerate()):
        if thread.name == "webhook":
            thread.join(10)


@pytest.mark.django_db(transaction=True)
def test_messages_of_one_thing_are_written_once_whoever_does_it(webhook: Webhook) -> None:
    from concurrent.futures import ThreadPoolExecutor

    for number in range(20):
        notify(workspace=webhook.workspace.public_id, kind=Notify.MODEL_TRAINED, function="function_a", number=number)

    def in_a_thread(_number: int) -> None:
        try:
            deliveries.address_notices()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(in_a_thread, range(4)))
    assert Delivery.objects.count() == 20


@pytest.mark.parametrize("status", [200, 503])
def test_one_whose_webhook_is_deleted_while_it_is_sent_holds_up_no_other(
    webhook: Webhook, owner: User, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    ping(webhook=webhook)

    def post(_url: str, **_options: object) -> Posted:
        delete_webhook(webhook=webhook, actor=owner)
        return Posted(status, 1.0)

    monkeypatch.setattr(outbound, "post", post)
    deliver_due(webhook.pk)
    assert not Delivery.objects.exists()


def test_one_given_up_while_it_is_sent_waits_no_more(
    webhook: Webhook, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ping(webhook=webhook)

    def post(_url: str, **_options: object) -> Posted:
        turn_off(webhook=Webhook.objects.get(), actor=owner)
        return Posted(503, 1.0)

    monkeypatch.setattr(outbound, "post", post)
    deliver_due(webhook.pk)
    assert Delivery.objects.get().state == DeliveryState.GIVEN_UP
