"""What the functions of a workspace are called, as its log says: this floor knows no functions, only their ids."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from apps.events.kinds import Audit
from apps.events.models import Event
from apps.workspaces.models import Workspace

_NAMING = (Audit.FUNCTION_CREATED, Audit.FUNCTION_RENAMED)


def names_of_functions(workspace: Workspace) -> dict[str, str]:
    """Return the names of all functions there are, by public id, oldest first."""
    events = Event.objects.filter(workspace_id=workspace.public_id, kind__in=(*_NAMING, Audit.FUNCTION_DELETED))
    names: dict[str, str] = {}
    # Sorted here: asked for in order, SQLite walks the whole log instead of the index of kinds.
    for _sequence, kind, function, data in sorted(_rows(events), key=lambda row: row[0]):
        if kind == Audit.FUNCTION_DELETED:
            names.pop(function, None)
        else:
            names[function] = str(data.get("name", ""))
    return names


def last_names(workspace: Workspace, functions: Iterable[str]) -> dict[str, str]:
    """Return what each of these was called last, those that were deleted as well."""
    named = Event.objects.filter(workspace_id=workspace.public_id, kind__in=_NAMING, subject__in=set(functions))
    return {
        function: str(data.get("name", ""))
        for _sequence, _kind, function, data in sorted(_rows(named), key=lambda row: row[0])
    }


def gone_of(workspace: Workspace, functions: Iterable[str]) -> set[str]:
    """Return those of these that were deleted."""
    deleted = Event.objects.filter(workspace_id=workspace.public_id, kind=Audit.FUNCTION_DELETED)
    return set(deleted.filter(subject__in=set(functions)).order_by().values_list("subject", flat=True))


def _rows(events: QuerySet[Event]) -> Iterable[tuple[int, str, str, dict[str, object]]]:
    return events.order_by().values_list("sequence", "kind", "subject", "data")
