"""What the pages about webhooks show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from django.core.paginator import Page, Paginator
from django.db.models import Max
from django.utils import timezone

from apps.events.kinds import Notify
from apps.workspaces.functions_by_name import names_of_functions
from apps.workspaces.models import Delivery, DeliveryState, Webhook, Workspace
from apps.workspaces.webhook_words import WORDS

MESSAGES_PER_PAGE = 50
SOON = timedelta(minutes=1)


@dataclass(frozen=True)
class WebhookRow:
    """A webhook, what it hears of, and the newest message to it."""

    webhook: Webhook
    hears: str
    function: str
    newest: Delivery | None


@dataclass(frozen=True)
class LogRow:
    delivery: Delivery
    what: str

    @property
    def is_waiting(self) -> bool:
        return self.delivery.state == DeliveryState.WAITING

    @property
    def is_new(self) -> bool:
        """Whether it has not been tried yet."""
        return self.is_waiting and not self.delivery.n_attempts


@dataclass(frozen=True)
class DeliveryLog:
    """A page of messages; `is_moving` says that something on it will change within the minute."""

    page: Page[LogRow]
    is_moving: bool


def webhook_rows(workspace: Workspace) -> list[WebhookRow]:
    webhooks = list(workspace.webhooks.order_by("id"))
    names = names_of_functions(workspace) if webhooks else {}
    newest_ids = Delivery.objects.filter(webhook__in=webhooks).order_by().values("webhook").annotate(newest=Max("id"))
    newest = Delivery.objects.in_bulk([row["newest"] for row in newest_ids])
    by_webhook = {delivery.webhook_id: delivery for delivery in newest.values()}
    return [
        WebhookRow(
            webhook,
            hears=hears(webhook),
            function=names.get(webhook.only_function, webhook.only_function),
            newest=by_webhook.get(webhook.pk),
        )
        for webhook in webhooks
    ]


def hears(webhook: Webhook) -> str:
    """Return in a few words what a webhook hears of."""
    wanted = [words for kind, words in WORDS.items() if kind in webhook.kinds]
    return ", ".join([wanted[0], *map(_lower, wanted[1:])]) if wanted else "Everything"


def delivery_log(*, webhook: Webhook, page_number: str) -> DeliveryLog:
    """Return a page of the messages to a webhook, newest first."""
    rows = Delivery.objects.filter(webhook=webhook).order_by("-id").defer("body")
    page = Paginator(rows, MESSAGES_PER_PAGE).get_page(page_number)
    shown = [LogRow(delivery, _words(delivery.kind)) for delivery in page]
    soon = timezone.now() + SOON
    is_moving = any(row.is_waiting and (row.delivery.next_at or soon) < soon for row in shown)
    return DeliveryLog(Page(shown, page.number, cast("Paginator[LogRow]", page.paginator)), is_moving)


def _words(kind: str) -> str:
    return WORDS[Notify(kind)] if kind in set(Notify) else kind


def _lower(words: str) -> str:
    return words[0].lower() + words[1:]
