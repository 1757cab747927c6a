"""Making, rotating and revoking API keys."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import InvalidInput, NotAllowed
from apps.events.kinds import Audit
from apps.events.services import record
from apps.workspaces.models import ApiKey, Membership, Workspace
from apps.workspaces.roles import Action, may
from apps.workspaces.services.key_texts import hash_of, new_prefix, new_text


@transaction.atomic
def create_key(
    *, workspace: Workspace, owner: User, name: str, actions: Sequence[Action], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Make a key and its text, which is shown once. A key can do no more than its owner."""
    name = name.strip()
    if not 1 <= len(name) <= 80:
        raise InvalidInput("Give the key a name of 1 to 80 characters, such as the program that will use it.")
    role = Membership.objects.filter(workspace=workspace, user=owner).values_list("role", flat=True).first() or ""
    if not actions:
        raise InvalidInput("Choose what the key may do.")
    if not all(may(role, action) for action in actions):
        raise NotAllowed("A key cannot do more than you can here.")
    prefix = new_prefix()
    text = new_text(prefix)
    key = ApiKey.objects.create(
        workspace=workspace,
        owner=owner,
        name=name,
        prefix=prefix,
        client_id=f"hf_{prefix}",
        secret_hash=hash_of(text),
        actions=sorted({action.value for action in actions}),
        expires_at=expires_at,
    )
    record(
        workspace=workspace.public_id,
        kind=Audit.KEY_CREATED,
        actor=owner.public_id,
        subject=key.public_id,
        name=name,
        prefix=prefix,
        actions=key.actions,
    )
    return key, text


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


def revoke_keys_of(*, workspace: Workspace, owner: User, actor: User) -> None:
    for key in ApiKey.objects.filter(workspace=workspace, owner=owner, revoked_at=None).select_related("workspace"):
        revoke_key(key=key, actor=actor)
