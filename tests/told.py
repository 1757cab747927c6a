"""Whether what webhooks are told has the names that the description shows."""

from __future__ import annotations

from collections.abc import Mapping

from apps.events.kinds import Notify
from apps.workspaces.services.messages import wire_name
from apps.workspaces.webhook_words import TOLD


def undescribed(kind: str, data: Mapping[str, object]) -> set[str]:
    """The names in the data of a message that its example lacks."""
    return {wire_name(name) for name in data} - set(TOLD[Notify(kind)].data)


def untold(kind: str, data: Mapping[str, object]) -> set[str]:
    """The names in the example of a message that its data lack."""
    return set(TOLD[Notify(kind)].data) - {wire_name(name) for name in data}
