"""The worker's side of webhooks: sends what is due, each webhook from a thread of its own, and notes what came of it.

A slow receiver holds up its own messages and nothing else, neither another's nor training. Whatever ends without a
code of 200 to 299 is tried again, ever more rarely, and given up after a day and a half. A process that dies between
sending and noting sends once more: receivers know a message again by its id. Their words are neither read nor kept.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

import structlog
from django.db import close_old_connections, transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from apps.core import leases, outbound
from apps.core.errors import InvalidInput
from apps.core.jobs import JobName, enqueue
from apps.events.models import Notice
from apps.workspaces.models import Delivery, DeliveryState, Webhook
from apps.workspaces.services.messages import address_notices
from apps.workspaces.services.webhooks import turn_off
from apps.workspaces.signing import signature_header

MINUTE, HOUR = 60.0, 3600.0
BACK_OFF_S = (5.0, 30.0, 2 * MINUTE, 10 * MINUTE, HOUR, 3 * HOUR, 8 * HOUR, 24 * HOUR)
JITTER = 0.2
PAUSE = timedelta(seconds=BACK_OFF_S[0])
FAILS_FOR = timedelta(days=7)
KEPT_FOR = timedelta(days=30)
MOST_AT_ONCE = 16
LOT = 500
SECONDS = 10.0

GONE = "The receiver said that it is gone (410). Turn the webhook on again once it is back."
FAILED_A_WEEK = "Nothing got through for a week. Turn the webhook on again once its receiver answers."

logger = structlog.get_logger(__name__)
_lock = threading.Lock()
_at_work: set[int] = set()


@dataclass(frozen=True)
class Outcome:
    """What one try came to; no code means that there was no answer, and `problem` says why."""

    status: int | None = None
    milliseconds: int | None = None
    problem: str = ""

    @property
    def is_good(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def hand_out() -> list[threading.Thread]:
    """Have everything that is due sent, and return who is at it. Does not wait for any receiver."""
    while address_notices():
        pass
    threads = []
    for webhook_id in _due_webhooks():
        if _begin(webhook_id):
            threads.append(threading.Thread(target=_carry, args=(webhook_id,), name="webhook", daemon=True))
            threads[-1].start()
    return threads


def deliver_due(webhook_id: int) -> None:
    """Send a webhook's due messages one after another, until one fails: then those behind it wait a moment as well."""
    while True:
        due = _due().filter(webhook=webhook_id).order_by("next_at", "id").first()
        if due is None:
            return
        if not deliver(due.pk):
            _due().filter(webhook=webhook_id).update(next_at=timezone.now() + PAUSE)
            return


def deliver(delivery_id: int) -> bool:
    """Try to send one message, unless somebody else is at it. False means that it did not get through."""
    if not leases.claim(Delivery, delivery_id):
        return True
    try:
        delivery = _due(taken=True).filter(pk=delivery_id).select_related("webhook__workspace").first()
        if delivery is None:
            return True
        outcome = _send(delivery)
        _note(delivery, outcome)
        return outcome.is_good
    finally:
        leases.release(Delivery, delivery_id)


def enqueue_unfinished_deliveries() -> None:
    """Ask for what is due and not being done, and drop what is old; called by the sweeper."""
    if Notice.objects.exists() or _due().exists():
        enqueue(JobName.DELIVER)
    oldest = Delivery.objects.order_by("id").values_list("id", "created_at")[:LOT]
    old = [key for key, created_at in oldest[:1] if created_at < timezone.now() - KEPT_FOR]
    if old:
        old = [key for key, created_at in oldest if created_at < timezone.now() - KEPT_FOR]
        Delivery.objects.filter(pk__in=old).delete()


def pause_after(n_attempts: int) -> timedelta | None:
    """Return how long to wait after so many tries, a little more or less so that not all come back at once."""
    if n_attempts > len(BACK_OFF_S):
        return None
    spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # no secret depends on it
    return timedelta(seconds=BACK_OFF_S[n_attempts - 1] * spread)


def _due(*, taken: bool = False) -> QuerySet[Delivery]:
    rows = Delivery.objects.filter(state=DeliveryState.WAITING, next_at__lte=timezone.now(), webhook__is_on=True)
    return rows if taken else rows.filter(leases.is_free())


def _due_webhooks() -> list[int]:
    first = _due().order_by().values("webhook").annotate(first=Min("next_at")).order_by("first")
    return list(first.values_list("webhook", flat=True)[:LOT])


def _begin(webhook_id: int) -> bool:
    with _lock:
        is_free = webhook_id not in _at_work and len(_at_work) < MOST_AT_ONCE
        if is_free:
            _at_work.add(webhook_id)
        return is_free


def _end(webhook_id: int) -> None:
    with _lock:
        _at_work.discard(webhook_id)


def _carry(webhook_id: int | None) -> None:
    """One thread: this webhook, then any other that is due and that nobody is at."""
    try:
        while webhook_id is not None:
            try:
                deliver_due(webhook_id)
            finally:
                _end(webhook_id)
            webhook_id = next(filter(_begin, _due_webhooks()), None)
    except Exception:  # the border of a thread: the sweeper asks again
        logger.exception("delivering_broke", webhook=webhook_id)
    finally:
        close_old_connections()


def _send(delivery: Delivery) -> Outcome:
    body = delivery.body.encode()
    headers = {
        "Content-Type": "application/json",
        "Hundredfold-Delivery": delivery.public_id,
        "Hundredfold-Event": delivery.kind,
        "Hundredfold-Signature": signature_header(delivery.webhook, body, at=timezone.now()),
    }
    try:
        posted = outbound.post(delivery.webhook.url, body=body, headers=headers, seconds=SECONDS)
    except InvalidInput as error:
        return Outcome(problem=error.message)
    problem = "" if 200 <= posted.status < 300 else f"The receiver answered with the code {posted.status}."
    return Outcome(posted.status, round(posted.milliseconds), problem)


@transaction.atomic
def _note(delivery: Delivery, outcome: Outcome) -> None:
    now = timezone.now()
    delivery.n_attempts += 1
    delivery.status, delivery.milliseconds, delivery.problem = outcome.status, outcome.milliseconds, outcome.problem
    pause = None if outcome.is_good else pause_after(delivery.n_attempts)
    if outcome.is_good:
        delivery.state, delivery.delivered_at = DeliveryState.DELIVERED, now
    elif pause is None:
        delivery.state = DeliveryState.GIVEN_UP
    delivery.next_at = now + pause if pause else None
    fields = ["n_attempts", "status", "milliseconds", "problem", "state", "delivered_at", "next_at"]
    row = Delivery.objects.filter(pk=delivery.pk)
    if not outcome.is_good:  # given up meanwhile, with its webhook: it stays so
        row = row.filter(state=DeliveryState.WAITING)
    if not row.update(**{name: getattr(delivery, name) for name in fields}):
        return
    _note_of_webhook(delivery, outcome, now)


def _note_of_webhook(delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    webhook = delivery.webhook
    if outcome.is_good:
        if webhook.failing_since is not None:
            Webhook.objects.filter(pk=webhook.pk).update(failing_since=None)
        return
    Webhook.objects.filter(pk=webhook.pk, failing_since=None).update(failing_since=now)
    if outcome.status == HTTPStatus.GONE:
        turn_off(webhook=webhook, actor=None, because=GONE)
    elif delivery.state == DeliveryState.GIVEN_UP and (webhook.failing_since or now) < now - FAILS_FOR:
        turn_off(webhook=webhook, actor=None, because=FAILED_A_WEEK)
