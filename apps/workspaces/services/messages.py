"""What is sent to webhooks: every thing that happened becomes one message for each webhook that wants to hear of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone

from apps.events.kinds import Notify
from apps.events.models import Notice
from apps.workspaces.models import Delivery, Webhook

LOT = 200


@transaction.atomic
def address_notices() -> int:
    """Make messages of what was noted and return of how many things. One of two workers at it does each."""
    notices = list(Notice.objects.order_by("id")[:LOT])
    listening: dict[str, list[Webhook]] = {notice.workspace_id: [] for notice in notices}
    for webhook in Webhook.objects.filter(workspace__public_id__in=listening, is_on=True).select_related("workspace"):
        listening[webhook.workspace.public_id].append(webhook)
    for notice in notices:
        if not Notice.objects.filter(pk=notice.pk).delete()[0]:
            continue
        for webhook in listening[notice.workspace_id]:
            if _wants(webhook, notice):
                write_message(
                    webhook=webhook,
                    kind=Notify(notice.kind),
                    function=notice.function_id,
                    data=notice.data,
                    happened_at=notice.created_at,
                )
    return len(notices)


def write_message(
    *, webhook: Webhook, kind: Notify, function: str, data: Mapping[str, object], happened_at: datetime
) -> Delivery:
    """Write one message, to be sent at once. Its body stays the same however often it is sent."""
    delivery = Delivery(webhook=webhook, kind=kind.value, next_at=timezone.now())
    body = {
        "id": delivery.public_id,
        "kind": kind.value,
        "createdAt": happened_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "workspaceId": webhook.workspace.public_id,
        **({"functionId": function} if function else {}),
        "data": {wire_name(name): value for name, value in data.items()},
    }
    delivery.body = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    delivery.save(force_insert=True)
    return delivery


def _wants(webhook: Webhook, notice: Notice) -> bool:
    is_kind = not webhook.kinds or notice.kind in webhook.kinds
    return is_kind and webhook.only_function in ("", notice.function_id)


def wire_name(name: str) -> str:
    """Return a name as other programs read it: in one word, with capitals."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)
