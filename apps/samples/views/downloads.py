"""Samples going out: exports, streamed in constant memory."""

from collections.abc import Iterator
from typing import TypeVar

from django.http import StreamingHttpResponse
from django.utils.text import slugify
from django.views.decorators.http import require_GET

from apps.functions.models import Function
from apps.samples import exports
from apps.samples.services.records import record_export
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

T = TypeVar("T", str, bytes)
CONTENT_TYPES = {"csv": "text/csv", "jsonl": "application/x-ndjson"}


@require_GET
@requires(Action.EXPORT)
def export_csv(request: AppHttpRequest, function_id: str) -> StreamingHttpResponse:
    function = request.access.fetch(Function, function_id)
    record_export(function=function, person=request.user, format_name="csv")
    return download(exports.csv_chunks(function), name=file_name(function, "csv"), content_type=CONTENT_TYPES["csv"])


@require_GET
@requires(Action.EXPORT)
def export_jsonl(request: AppHttpRequest, function_id: str) -> StreamingHttpResponse:
    function = request.access.fetch(Function, function_id)
    record_export(function=function, person=request.user, format_name="jsonl")
    chunks = exports.json_chunks(function)
    return download(chunks, name=file_name(function, "jsonl"), content_type=CONTENT_TYPES["jsonl"])


def download(chunks: Iterator[T], *, name: str, content_type: str) -> StreamingHttpResponse:
    """Answer with a file to save. `name` holds nothing but what `slugify` leaves, so the header needs no encoding."""
    response = StreamingHttpResponse(exports.in_background(chunks), content_type=f"{content_type}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response


def file_name(function: Function, suffix: str) -> str:
    return f"{slugify(function.name) or function.public_id}.{suffix}"
