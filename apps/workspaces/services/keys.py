"""API keys: `hf_<12 characters>_<43 characters>`. The middle finds the row, an HMAC of the whole text proves it.

256 random bits need no slow hash; the HMAC's secret keeps a stolen database from being of use.
"""

import hmac
import re
import secrets
import string
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import InvalidInput, NotAllowed, NotSignedIn
from apps.events.kinds import Audit
from apps.events.services import record
from apps.workspaces.models import ApiKey, Membership, Workspace
from apps.workspaces.roles import Action, may

PREFIX_LENGTH = 12
NOTE_USE_EVERY = timedelta(minutes=1)
_PATTERN = re.compile(r"hf_([a-z0-9]{12})_[A-Za-z0-9_-]{43}")
_ALPHABET = string.ascii_lowercase + string.digits


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
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(PREFIX_LENGTH))
    text = f"hf_{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        workspace=workspace,
        owner=owner,
        name=name,
        prefix=prefix,
        client_id=f"hf_{prefix}",
        secret_hash=_hash(text),
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


def authenticate(bearer: str) -> ApiKey:
    """Return the key whose text this is, with its owner's role of this moment. Raises NotSignedIn for any other text.

    One query; a second one, at most once a minute, notes the use.
    """
    match = _PATTERN.fullmatch(bearer)
    key = _find_usable(match[1]) if match else None
    # Compared in either case, so that the time taken does not tell which prefixes exist.
    is_right = hmac.compare_digest(_hash(bearer), key.secret_hash if key else "0" * 64)
    if key is None or not is_right:
        raise NotSignedIn("This key is not valid. Make a new one on the page API keys.")
    _note_use(key)
    return key


def _find_usable(prefix: str) -> ApiKey | None:
    """Return the key with that prefix if it is neither revoked nor expired and its owner is still a member."""
    key = (
        ApiKey.objects.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), prefix=prefix, revoked_at=None)
        .filter(owner__is_active=True, workspace__memberships__user=F("owner"))
        .annotate(membership_role=F("workspace__memberships__role"))
        .select_related("workspace", "owner")
        .first()
    )
    if key is not None:
        key.role_of_owner = key.membership_role
    return key


def _note_use(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at < now - NOTE_USE_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def _hash(text: str) -> str:
    return hmac.new(settings.SECRET_KEY.encode(), b"hundredfold.api-key:" + text.encode(), "sha256").hexdigest()
