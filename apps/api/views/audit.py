"""The audit log over the wire: who did what, newest first."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.paging import MAX_COUNT, page_asked, path_of
from apps.api.serializers.audit import EventReply
from apps.api.views.base import ApiView, acts
from apps.core.errors import InvalidInput
from apps.core.moments import moment_asked
from apps.events.kinds import Audit
from apps.events.selectors import Asked
from apps.workspaces.audit_selectors import audit_page_of
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Action

_MOST_DIGITS = 18
_EVENT = {
    "number": 1742,
    "kind": "key.revoked",
    "text": "revoked the API key “Help desk” (hf_k3j9x2m4p8qa…)",
    "createdAt": "2026-05-31T09:12:00Z",
    "personId": "user_b7c2d9e4f1a6h3k8",
    "person": "olga@example.com",
    "address": "203.0.113.9",
    "objectId": "key_q2w4e6r8t0y1u3i5",
    "data": {"name": "Help desk", "prefix": "k3j9x2m4p8qa", "address": "203.0.113.9"},
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "previousHash": "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
}
_TIME = {"type": "string", "format": "date-time"}
_PARAMETERS = [
    OpenApiParameter("kind", {"type": "string", "enum": [kind.value for kind in Audit]}, description="What happened."),
    OpenApiParameter("personId", {"type": "string"}, description="Who did it."),
    OpenApiParameter(
        "objectId", {"type": "string"}, description="What it happened to; of a function, all that happened in it."
    ),
    OpenApiParameter("from", _TIME, description="The first moment that counts."),
    OpenApiParameter("to", _TIME, description="The first moment that does not count any more."),
    OpenApiParameter(
        "before",
        {"type": "integer", "minimum": 1},
        description="Only events with a smaller number. The header Link has it right.",
    ),
    OpenApiParameter(
        "count",
        {"type": "integer", "minimum": 1, "default": 100},
        description=f"How many at once; more than {MAX_COUNT:,} are never answered.",
    ),
]


class AuditView(ApiView):
    """All that happened in the workspace."""

    @extend_schema(
        operation_id="listAuditEvents",
        summary="Read the audit log, the newest first",
        tags=["Workspace"],
        parameters=_PARAMETERS,
        responses=EventReply(many=True),
        examples=[OpenApiExample("One event", value=[_EVENT], response_only=True, status_codes=["200"])],
    )
    @acts(Action.SEE_AUDIT)
    def get(self, request: Request) -> Response:
        """Paged by number, so that reading on meets no event twice and misses none, whatever happens meanwhile."""
        workspace = self.access.own_workspace()
        _start, count = page_asked(request)
        page = audit_page_of(workspace=workspace, asked=_asked(request, workspace), n=count)
        response = Response(EventReply(page.rows, many=True).data)
        if page.before is not None:
            query = request.query_params.copy()
            query["before"] = str(page.before)
            response["Link"] = f'<{path_of(request)}?{query.urlencode()}>; rel="next"'
        return response


def _asked(request: Request, workspace: Workspace) -> Asked:
    given = {name: request.query_params.get(name, "") for name in ("kind", "personId", "objectId", "before")}
    if given["kind"] and given["kind"] not in set(Audit):
        raise InvalidInput("There is no such kind of event.")
    before = given["before"]
    if before and not (before.isascii() and before.isdigit() and len(before) <= _MOST_DIGITS):
        raise InvalidInput("before must be the number of an event.")
    return Asked(
        workspace=workspace.public_id,
        kinds=[Audit(given["kind"])] if given["kind"] else None,
        actor=given["personId"].replace("\x00", "") or None,
        thing=given["objectId"].replace("\x00", "") or None,
        since=moment_asked(request.query_params.get("from", ""), name="from"),
        until=moment_asked(request.query_params.get("to", ""), name="to"),
        before=int(before) if before else None,
    )
