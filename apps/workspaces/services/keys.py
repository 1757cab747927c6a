"""Making, rotating and revoking API keys."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, NotAllowed
from apps.core.ids import with_prefix
from apps.events.kinds import Audit
from apps.events.services import record
from apps.workspaces.models import ApiKey, Membership, Workspace
from apps.workspaces.roles import Action, may
from apps.workspaces.services.key_texts import hash_of, new_prefix, new_text, slow_hash_of
from apps.workspaces.services.watching import keys_changed

LONGEST_OVERLAP = timedelta(days=30)
_CLIENT_ID = re.compile(r"[A-Za-z0-9._~@+-]{3,80}")


@transaction.atomic
def create_key(
    *,
    workspace: Workspace,
    owner: User,
    name: str,
    actions: Sequence[Action],
    expires_at: datetime | None = None,
    only_function: str = "",
    client_id: str = "",
    secret: str = "",
) -> tuple[ApiKey, str]:
    """Make a key and return it with its secret, which is shown once. A key can do no more than its owner.

    Client id and secret are made here, unless somebody chose them: then the secret works at `/connect/token` alone.
    """
    name = _checked_name(name)
    _require_power(workspace, owner, actions)
    prefix = new_prefix()
    text = secret or new_text(prefix)
    kept = {"chosen_hash": slow_hash_of(secret)} if secret else {"secret_hash": hash_of(text)}
    key = _insert(
        workspace=workspace,
        owner=owner,
        name=name,
        prefix=prefix,
        client_id=_checked_client_id(client_id) if client_id else f"hf_{prefix}",
        actions=sorted({action.value for action in actions}),
        expires_at=expires_at,
        only_function=_checked_function(workspace, only_function) if only_function else "",
        **kept,
    )
    record(
        workspace=workspace.public_id,
        kind=Audit.KEY_CREATED,
        actor=owner.public_id,
        subject=key.public_id,
        name=name,
        prefix=prefix,
        actions=key.actions,
        only_function=key.only_function,
    )
    return key, text


@transaction.atomic
def rotate_key(*, key: ApiKey, actor: User, overlap: timedelta = timedelta(0), secret: str = "") -> str:
    """Give a key a new secret and return it; the one before works on for `overlap`, any older one no more.

    Only the key's owner may: whoever holds the secret acts under the owner's name.
    """
    if key.owner_id != actor.pk:
        raise NotAllowed("Only the person a key belongs to can rotate it. Revoke it and make another.")
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidInput(f"The old secret can work on for {LONGEST_OVERLAP.days} days at most.")
    row = ApiKey.objects.select_for_update().get(pk=key.pk)
    if not row.is_usable:
        raise Conflict("This key does not work any more. Make another.")
    text = secret or new_text(row.prefix)
    row.old_secret_hash, row.old_chosen_hash = row.secret_hash, row.chosen_hash
    row.secret_hash, row.chosen_hash = ("", slow_hash_of(secret)) if secret else (hash_of(text), "")
    row.old_until = timezone.now() + overlap
    row.save(update_fields=["secret_hash", "chosen_hash", "old_secret_hash", "old_chosen_hash", "old_until"])
    record(
        workspace=key.workspace.public_id,
        kind=Audit.KEY_ROTATED,
        actor=actor.public_id,
        subject=key.public_id,
        name=key.name,
        prefix=key.prefix,
        old_ends=f"in {int(overlap.total_seconds() // 3600)} hours" if overlap else "at once",
    )
    keys_changed(key.workspace)
    return text


@transaction.atomic
def revoke_key(*, key: ApiKey, actor: User) -> None:
    """Make a key stop working at once; it stays in the list, so that its calls keep their meaning."""
    changed = ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now())
    if changed:
        record(
            workspace=key.workspace.public_id,
            kind=Audit.KEY_REVOKED,
            actor=actor.public_id,
            subject=key.public_id,
            name=key.name,
            prefix=key.prefix,
        )
        keys_changed(key.workspace)


def revoke_keys_of(*, workspace: Workspace, owner: User, actor: User) -> None:
    for key in ApiKey.objects.filter(workspace=workspace, owner=owner, revoked_at=None).select_related("workspace"):
        revoke_key(key=key, actor=actor)


def _insert(**fields: object) -> ApiKey:
    try:
        with transaction.atomic():
            return ApiKey.objects.create(**fields)
    except IntegrityError as error:  # of what is unique only the client id can have been chosen
        raise Conflict("There is a key with this client id already. Choose another, or rotate that one.") from error


def _require_power(workspace: Workspace, owner: User, actions: Sequence[Action]) -> None:
    if not actions:
        raise InvalidInput("Choose what the key may do.")
    role = Membership.objects.filter(workspace=workspace, user=owner).values_list("role", flat=True).first() or ""
    if not all(may(role, action) for action in actions):
        raise NotAllowed("A key cannot do more than you can here.")


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 80:
        raise InvalidInput("Give the key a name of 1 to 80 characters, such as the program that will use it.")
    return name


def _checked_client_id(client_id: str) -> str:
    if not _CLIENT_ID.fullmatch(client_id):
        raise InvalidInput("Choose a client id of 3 to 80 letters, digits and . _ ~ @ + -")
    return client_id


def _checked_function(workspace: Workspace, function_id: str) -> str:
    public_id = with_prefix("function", function_id)
    if not workspace.functions.filter(public_id=public_id).exists():
        raise InvalidInput("There is no such function in this workspace.")
    return public_id
