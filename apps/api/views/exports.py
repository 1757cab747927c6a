"""Everything that went in, out again: asked for, waited for, fetched."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.paging import page_reply
from apps.api.parameters import PAGING
from apps.api.serializers.base import read
from apps.api.serializers.exports import ExportReply, NewExport
from apps.api.serializers.functions import Done
from apps.api.views.base import ApiView, acts
from apps.core.errors import NotFound
from apps.core.ids import with_prefix
from apps.functions.models import Function
from apps.samples.models import Export
from apps.samples.services.export_runs import create_export, delete_export, result_chunks
from apps.samples.views.downloads import CONTENT_TYPES, download, file_name
from apps.workspaces.roles import Action

_EXPORT = {
    "id": "export_b7k2r9f4d1s6h3j8",
    "state": "running",
    "format": "jsonl",
    "rowCount": 4000,
    "expectedRowCount": 12500,
    "createdAt": "2026-05-31T08:00:00Z",
}
_REPLY = OpenApiExample("An export", value=_EXPORT, response_only=True, status_codes=["200"])


class ExportsView(ApiView):
    """All exports of a function."""

    @extend_schema(
        operation_id="createExport",
        summary="Make an export: a file of all samples",
        tags=["Exports"],
        request=NewExport,
        responses=ExportReply,
        examples=[OpenApiExample("JSON lines", value={"format": "jsonl"}, request_only=True), _REPLY],
    )
    @acts(Action.EXPORT)
    def post(self, request: Request, function_id: str) -> Response:
        """It is written in the background: ask how far it is, then fetch its result. It is kept for seven days."""
        function = self.access.fetch(Function, function_id)
        format_name = read(NewExport, request)["format"]
        export = create_export(function=function, person=self.key.owner, format_name=format_name)
        return Response(ExportReply(export).data)

    @extend_schema(
        operation_id="listExports",
        summary="List exports, the newest first",
        tags=["Exports"],
        parameters=PAGING,
        responses=ExportReply(many=True),
        examples=[OpenApiExample("One export", value=[_EXPORT], response_only=True, status_codes=["200"])],
    )
    @acts(Action.EXPORT)
    def get(self, request: Request, function_id: str) -> Response:
        rows = self.access.fetch(Function, function_id).exports.order_by("-id")
        return page_reply(request, rows, lambda page: ExportReply(page, many=True).data)


class ExportView(ApiView):
    """One export."""

    @extend_schema(
        operation_id="getExport",
        summary="Read how far an export is",
        tags=["Exports"],
        responses=ExportReply,
        examples=[_REPLY],
    )
    @acts(Action.EXPORT)
    def get(self, request: Request, function_id: str, export_id: str) -> Response:
        return Response(ExportReply(_export(self, function_id, export_id)).data)

    @extend_schema(
        operation_id="deleteExport",
        summary="Delete an export",
        tags=["Exports"],
        responses=Done,
        examples=[OpenApiExample("Deleted", value={"id": _EXPORT["id"]}, response_only=True, status_codes=["200"])],
    )
    @acts(Action.EXPORT)
    def delete(self, request: Request, function_id: str, export_id: str) -> Response:
        """Its file goes with it. One that is being written is stopped."""
        export = _export(self, function_id, export_id)
        delete_export(export=export)
        return Response({"id": export.public_id})


class ExportResultView(ApiView):
    """The file of an export."""

    @extend_schema(
        operation_id="getExportResult",
        summary="Fetch the file of an export",
        tags=["Exports"],
        responses={
            (200, "text/csv"): OpenApiTypes.BINARY,
            (200, "application/x-ndjson"): OpenApiTypes.BINARY,
        },
    )
    @acts(Action.EXPORT)
    def get(self, request: Request, function_id: str, export_id: str) -> StreamingHttpResponse:
        """The same columns as the download on the function's page. Answered by 409 while it is being written."""
        export = _export(self, function_id, export_id)
        chunks = result_chunks(export)
        name = file_name(export.function, export.format)
        return download(chunks, name=name, content_type=CONTENT_TYPES[export.format])

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Let in whoever takes CSV alone: JSON is spoken here of what went wrong only."""
        return super().perform_content_negotiation(request, force=True)


def _export(view: ApiView, function_id: str, export_id: str) -> Export:
    """Return an export of that function. Raises NotFound for one of another."""
    export = view.access.fetch(Export, export_id, related=("function",))
    if export.function.public_id != with_prefix(Function.ID_KIND, function_id):
        raise NotFound("There is no such export here.")
    return export
