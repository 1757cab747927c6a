"""What every page's frame needs: the workspace one is in, the others, and what one may do here."""

from django.http import HttpRequest

from apps.workspaces.access import SESSION_KEY, Access
from apps.workspaces.models import Membership
from apps.workspaces.roles import ALLOWED, Role


def workspace(request: HttpRequest) -> dict[str, object]:
    """Add `workspace`, `memberships` and `can` (a set of action names) for signed-in people."""
    if not hasattr(request, "user") or not request.user.is_authenticated:
        return {}
    memberships = list(Membership.objects.filter(user=request.user).select_related("workspace").order_by("id"))
    access = getattr(request, "access", None)
    fetched = access.workspace.pk if isinstance(access, Access) and access.workspace else None
    chosen = request.session.get(SESSION_KEY)
    here = next((m for m in memberships if m.workspace_id == fetched), None) or next(
        (m for m in memberships if m.workspace.public_id == chosen), memberships[0] if memberships else None
    )
    return {
        "workspace": here.workspace if here else None,
        "memberships": memberships,
        "can": {action.value for action in ALLOWED[Role(here.role)]} if here else set(),
    }
