"""Making, changing and trying webhooks. Only owners may: what a workspace does leaves it here."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.core import outbound
from apps.core.errors import Conflict, InvalidInput, NotFound
from apps.core.jobs import JobName, enqueue_on_commit
from apps.events.kinds import Audit, Notify
from apps.events.services import keep_audience, record
from apps.workspaces.functions_by_name import names_of_functions
from apps.workspaces.models import Delivery, DeliveryState, Webhook, Workspace
from apps.workspaces.services.members import lock_workspace
from apps.workspaces.services.messages import write_message
from apps.workspaces.signing import secret_of

MOST_WEBHOOKS = 50
WANTED = [kind for kind in Notify if kind is not Notify.PING]
TURNED_OFF = "The webhook was turned off before this got through."


def create_webhook(
    *, workspace: Workspace, actor: User, url: str, kinds: Sequence[str] = (), only_function: str = ""
) -> tuple[Webhook, str]:
    """Make a webhook and its secret, which is shown once. Looks its address up.

    Without kinds it hears of everything, also of kinds that later versions add.
    """
    url = url.strip()
    outbound.check(url)
    with transaction.atomic():
        lock_workspace(workspace)
        if workspace.webhooks.count() >= MOST_WEBHOOKS:
            raise Conflict(f"A workspace has at most {MOST_WEBHOOKS} webhooks. Delete one that nobody needs.")
        webhook = Webhook.objects.create(
            workspace=workspace,
            url=url,
            kinds=_kinds(kinds),
            only_function=_function(workspace, only_function),
            created_by=actor,
        )
        _keep_audience(workspace)
        _record(webhook, Audit.WEBHOOK_CREATED, actor, kinds=webhook.kinds, function=webhook.only_function)
    return webhook, secret_of(webhook)


def change_webhook(
    *,
    webhook: Webhook,
    actor: User,
    url: str | None = None,
    kinds: Sequence[str] | None = None,
    only_function: str | None = None,
) -> None:
    """Change what is given; no kinds mean all. Messages that wait go to the new address."""
    before = (webhook.url, webhook.kinds, webhook.only_function)
    if url is not None and url.strip() != webhook.url:
        outbound.check(url.strip())
        webhook.url = url.strip()
    if kinds is not None:
        webhook.kinds = _kinds(kinds)
    if only_function is not None:
        webhook.only_function = _function(webhook.workspace, only_function)
    if before == (webhook.url, webhook.kinds, webhook.only_function):
        return
    with transaction.atomic():
        _lock(webhook)
        webhook.save(update_fields=["url", "kinds", "only_function"])
        _record(webhook, Audit.WEBHOOK_CHANGED, actor, kinds=webhook.kinds, function=webhook.only_function)


@transaction.atomic
def delete_webhook(*, webhook: Webhook, actor: User) -> None:
    """Delete a webhook with all its messages."""
    _lock(webhook)
    _record(webhook, Audit.WEBHOOK_DELETED, actor)
    workspace = webhook.workspace
    Delivery.objects.filter(webhook=webhook).delete()
    webhook.delete()
    _keep_audience(workspace)


@transaction.atomic
def rotate_secret(*, webhook: Webhook, actor: User) -> str:
    """Return a new secret, which is shown once. For a day messages are signed with the one before as well."""
    locked = _lock(webhook)
    webhook.secret_version, webhook.rotated_at = locked.secret_version + 1, timezone.now()
    webhook.save(update_fields=["secret_version", "rotated_at"])
    _record(webhook, Audit.WEBHOOK_ROTATED, actor)
    return secret_of(webhook)


@transaction.atomic
def turn_on(*, webhook: Webhook, actor: User) -> None:
    """Have a webhook hear what happens from now on."""
    changed = Webhook.objects.filter(pk=webhook.pk, is_on=False).update(is_on=True, off_because="", failing_since=None)
    if changed:
        webhook.is_on, webhook.off_because, webhook.failing_since = True, "", None
        _keep_audience(webhook.workspace)
        _record(webhook, Audit.WEBHOOK_TURNED_ON, actor)


@transaction.atomic
def turn_off(*, webhook: Webhook, actor: User | None, because: str = "") -> None:
    """Have a webhook hear nothing more; what still waits is given up. Without an actor the page says why."""
    changed = Webhook.objects.filter(pk=webhook.pk, is_on=True).update(is_on=False, off_because=because)
    if changed:
        webhook.is_on, webhook.off_because = False, because
        waiting = Delivery.objects.filter(webhook=webhook, state=DeliveryState.WAITING)
        waiting.update(state=DeliveryState.GIVEN_UP, next_at=None, problem=TURNED_OFF)
        _keep_audience(webhook.workspace)
        _record(webhook, Audit.WEBHOOK_TURNED_OFF, actor, because=because)


@transaction.atomic
def ping(*, webhook: Webhook) -> Delivery:
    """Send a message that says nothing, to see whether it gets there."""
    _require_on(_lock(webhook))
    delivery = write_message(
        webhook=webhook,
        kind=Notify.PING,
        function=webhook.only_function,
        data={"webhook_id": webhook.public_id},
        happened_at=timezone.now(),
    )
    enqueue_on_commit(JobName.DELIVER)
    return delivery


@transaction.atomic
def send_again(*, delivery: Delivery, actor: User) -> None:
    """Send a message once more, under its own id; one that still waits is sent at once."""
    _require_on(_lock(delivery.webhook))
    if not Delivery.objects.filter(pk=delivery.pk).exists():
        raise NotFound("This message is too old: it has been deleted.")
    delivery.state, delivery.next_at, delivery.n_attempts = DeliveryState.WAITING, timezone.now(), 0
    delivery.save(update_fields=["state", "next_at", "n_attempts"])
    _record(delivery.webhook, Audit.MESSAGE_SENT_AGAIN, actor, message=delivery.public_id, event=delivery.kind)
    enqueue_on_commit(JobName.DELIVER)


def _lock(webhook: Webhook) -> Webhook:
    """Return the webhook as it is, for this transaction alone to change. Raises NotFound once it has been deleted."""
    row = Webhook.objects.select_for_update().filter(pk=webhook.pk).first()
    if row is None:
        raise NotFound("This webhook has been deleted.")
    return row


def host_of(webhook: Webhook) -> str:
    """Return what may be said of an address in the log: the rest of it often holds a secret of the receiver's."""
    return urlsplit(webhook.url).hostname or ""


def _kinds(kinds: Sequence[str]) -> list[str]:
    wanted = [kind.value for kind in WANTED if kind in kinds]
    if set(kinds) - set(wanted):
        raise InvalidInput(f"Choose what it hears of among: {', '.join(WANTED)}.")
    return wanted


def _function(workspace: Workspace, function: str) -> str:
    function = function if function.startswith("function_") or not function else f"function_{function}"
    if function and function not in names_of_functions(workspace):
        raise InvalidInput("There is no such function here.")
    return function


def _require_on(webhook: Webhook) -> None:
    if not webhook.is_on:
        raise Conflict("This webhook is off. Turn it on first.")


def _keep_audience(workspace: Workspace) -> None:
    keep_audience(workspace=workspace.public_id, is_there=workspace.webhooks.filter(is_on=True).exists())


def _record(webhook: Webhook, kind: Audit, actor: User | None, **data: str | list[str]) -> None:
    record(
        workspace=webhook.workspace.public_id,
        kind=kind,
        actor=actor.public_id if actor else "",
        subject=webhook.public_id,
        host=host_of(webhook),
        **{name: value for name, value in data.items() if value},
    )
