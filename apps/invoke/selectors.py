"""What the call page shows."""

from django.conf import settings
from django.http import HttpRequest

from apps.functions.models import Function
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.roles import Action

MAX_KEYS = 20


def invoke_url(request: HttpRequest, function: Function) -> str:
    """Return the address programs call: the configured one where there is one, else as this page was reached."""
    path = f"/v1/{'search-functions' if function.searches else 'functions'}/{function.public_id}/invoke"
    return settings.BASE_URL + path if settings.BASE_URL else request.build_absolute_uri(path)


def usable_keys(workspace: Workspace) -> list[ApiKey]:
    """Return the newest keys that may call, revoked ones left out."""
    keys = workspace.api_keys.filter(revoked_at=None).select_related("owner").order_by("-id")
    return [key for key in keys if Action.INVOKE in key.actions][:MAX_KEYS]
