"""What happened in the workspace: a page to read and a file to keep."""

from datetime import UTC, date, datetime, time, timedelta

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.core.errors import InvalidInput
from apps.events.exporting import Format, lines_of
from apps.events.selectors import Asked
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.audit_selectors import SERVER, actors_of, audit_page_of
from apps.workspaces.audit_sentences import Topic
from apps.workspaces.functions_by_name import names_of_functions
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Action

BY_SERVER = "server"
FILTERS = ("topic", "person", "thing", "since", "until")
MOST_DIGITS = 18


@require_GET
@requires(Action.SEE_AUDIT)
def audit_page(request: AppHttpRequest, workspace_id: str) -> HttpResponse:
    workspace = request.access.fetch(Workspace, workspace_id)
    chosen = {name: request.GET.get(name, "") for name in FILTERS}
    topic = _topic(chosen["topic"])
    page = audit_page_of(workspace=workspace, asked=_asked(request, workspace, topic))
    query = request.GET.copy()
    query.pop("before", None)
    context = {
        "page": page,
        "topic": topic,
        "topics": list(Topic),
        "chosen": chosen,
        "is_narrowed": any(chosen[name] for name in FILTERS if name != "topic"),
        "is_first": not request.GET.get("before"),
        "query": query.urlencode(),
        "actors": actors_of(workspace, chosen=chosen["person"] if chosen["person"] != BY_SERVER else None),
        "server": SERVER,
        "functions": names_of_functions(workspace),
    }
    return render(request, "workspaces/audit_page.html", context)


@require_GET
@requires(Action.SEE_AUDIT)
def export_audit(request: AppHttpRequest, workspace_id: str, format: str) -> StreamingHttpResponse:
    """Send the whole chain, oldest first, with its hashes: it can be checked without us."""
    workspace = request.access.fetch(Workspace, workspace_id)
    written = Format(format)
    response = StreamingHttpResponse(lines_of(workspace.public_id, written), content_type=written.content_type)
    response["Content-Disposition"] = f'attachment; filename="audit-{workspace.public_id}.{written.value}"'
    return response


def _asked(request: HttpRequest, workspace: Workspace, topic: Topic) -> Asked:
    person, thing, before = (request.GET.get(name, "") for name in ("person", "thing", "before"))
    if before and not (before.isascii() and before.isdigit() and len(before) <= MOST_DIGITS):
        raise InvalidInput("Begin with the newest again: this page of the audit log is nowhere.")
    return Asked(
        workspace=workspace.public_id,
        kinds=None if topic is Topic.ALL else topic.kinds,
        actor="" if person == BY_SERVER else person.replace("\x00", "") or None,
        thing=thing.replace("\x00", "") or None,
        since=_midnight(request.GET.get("since", "")),
        until=_midnight(request.GET.get("until", ""), days=1),
        before=int(before) if before else None,
    )


def _topic(value: str) -> Topic:
    if value and value not in set(Topic):
        raise InvalidInput("There is no such topic in the audit log.")
    return Topic(value or Topic.ALL)


def _midnight(text: str, *, days: int = 0) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(), UTC) + timedelta(days=days)
    except (ValueError, OverflowError) as error:
        raise InvalidInput("Write dates as year, month and day, such as 2026-01-31.") from error
