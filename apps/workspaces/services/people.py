"""What follows from a person's coming, going and changing, in every workspace they belong to."""

from django.db import transaction

from apps.accounts.models import User
from apps.events.kinds import Audit, Live
from apps.events.services import announce, record
from apps.workspaces.models import Workspace


@transaction.atomic
def record_sign_in(*, person: User, by: str) -> None:
    """Write a sign-in into the audit log of each of the person's workspaces; `by` is "password" or "link"."""
    for workspace in _workspaces_of(person):
        record(workspace=workspace, kind=Audit.SIGNED_IN, actor=person.public_id, subject=person.public_id, by=by)


def announce_access_change(*, person: User) -> None:
    """Have every open page of that person ask again whether it may stay open."""
    for workspace in _workspaces_of(person):
        announce(workspace=workspace, kind=Live.ACCESS_CHANGED, subject=person.public_id)


def _workspaces_of(person: User) -> list[str]:
    return list(Workspace.objects.filter(memberships__user=person).order_by("id").values_list("public_id", flat=True))
