"""What happened in the workspace: a page to read and a file to keep."""

import json
from collections.abc import Iterator

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.core.errors import InvalidInput
from apps.events.models import Event
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.audit_sentences import Topic
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Action
from apps.workspaces.selectors import audit_rows


@require_GET
@requires(Action.SEE_AUDIT)
def audit_page(request: AppHttpRequest, workspace_id: str) -> HttpResponse:
    workspace = request.access.fetch(Workspace, workspace_id)
    chosen = request.GET.get("topic", Topic.ALL)
    if chosen not in set(Topic):
        raise InvalidInput("There is no such topic in the audit log.")
    topic = Topic(chosen)
    page = audit_rows(workspace=workspace, topic=topic, page_number=request.GET.get("page", "1"))
    return render(request, "workspaces/audit_page.html", {"page": page, "topic": topic, "topics": list(Topic)})


@require_GET
@requires(Action.SEE_AUDIT)
def export_audit(request: AppHttpRequest, workspace_id: str) -> StreamingHttpResponse:
    """Send the whole chain, oldest first, with its hashes: it can be checked without us."""
    workspace = request.access.fetch(Workspace, workspace_id)
    response = StreamingHttpResponse(_lines(workspace), content_type="application/x-ndjson")
    response["Content-Disposition"] = f'attachment; filename="audit-{workspace.public_id}.jsonl"'
    return response


def _lines(workspace: Workspace) -> Iterator[str]:
    fields = ("sequence", "created_at", "kind", "actor", "subject", "data", "previous_hash", "hash")
    rows = Event.objects.filter(workspace_id=workspace.public_id).order_by("sequence").values(*fields)
    for row in rows.iterator(chunk_size=1000):
        yield json.dumps({**row, "created_at": row["created_at"].isoformat()}) + "\n"
