"""Whoever remembers what `authenticate` answered is told at once when that may not hold any more.

In this process by a call (`when_keys_change`), in every other one by the announcements `Live.KEYS_CHANGED` and
`Live.ACCESS_CHANGED` on the workspace's channel; all after the commit, so that asking again finds what is true.
"""

from collections.abc import Callable

from django.db import transaction

from apps.events.kinds import Live
from apps.events.services import announce
from apps.workspaces.models import Workspace

Listener = Callable[[str], None]
_listeners: list[Listener] = []


def when_keys_change(listener: Listener) -> None:
    """Call the listener from now on with the public id of each workspace whose keys change; it must not take long."""
    _listeners.append(listener)


def keys_changed(workspace: Workspace) -> None:
    """Tell everyone, once the surrounding transaction has committed."""
    access_changed(workspace)
    announce(workspace=workspace.public_id, kind=Live.KEYS_CHANGED)


def access_changed(workspace: Workspace) -> None:
    """Tell those in this process, where the caller announces `Live.ACCESS_CHANGED` to the others."""
    workspace_id = workspace.public_id
    transaction.on_commit(lambda: _tell(workspace_id), robust=True)


def _tell(workspace_id: str) -> None:
    for listener in list(_listeners):
        listener(workspace_id)
