"""Bringing samples: the page, pasted lines, files that become imports, and pictures dropped in chunks."""

from dataclasses import asdict

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from apps.functions.models import Function, InputKind
from apps.samples import selectors
from apps.samples.forms import ChunkForm, DropForm, FileForm, LinesForm, dropped_files, valid
from apps.samples.models import Import, ImportState
from apps.samples.services import dropping
from apps.samples.services.imports import create_import
from apps.samples.services.pasting import bring_lines
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

CHUNK_MAX_BYTES = 16 * 1024 * 1024


@require_GET
@requires(Action.BRING_SAMPLES)
def bring_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    context = {
        "function": function,
        "tab": "bring",
        "is_image": function.input_kind == InputKind.IMAGE,
        "is_table": function.input_kind == InputKind.TABLE,
        "labels": function.labels.in_use(),
        "imports": selectors.recent_imports(function),
        "files_per_chunk": dropping.FILES_PER_CHUNK,
        "chunk_max_bytes": CHUNK_MAX_BYTES,
        "image_max_bytes": settings.IMAGE_MAX_BYTES,
        "upload_max_bytes": settings.UPLOAD_MAX_BYTES,
    }
    return render(request, "samples/bring_page.html", context)


@require_POST
@requires(Action.BRING_SAMPLES)
def paste_lines(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    data = valid(LinesForm(request.POST)).cleaned_data
    job = bring_lines(function=function, person=request.user, text=data["lines"], label_name=data["label"])
    if not request.htmx:
        return redirect(job)
    if job.state == ImportState.PREVIEW:
        return HttpResponseClientRedirect(job.get_absolute_url())
    return render(request, "samples/_import.html", {"import": job})


@require_POST
@requires(Action.BRING_SAMPLES)
def upload_file(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """Scripts, which show how far the upload is, get the address to go on to; a plain form is sent there."""
    function = request.access.fetch(Function, function_id)
    file = valid(FileForm(request.POST, request.FILES)).cleaned_data["file"]
    job = create_import(function=function, person=request.user, file=file, name=file.name, size_bytes=file.size)
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse({"url": job.get_absolute_url()})
    return redirect(job)


@require_POST
@requires(Action.BRING_SAMPLES)
def begin_drop(request: AppHttpRequest, function_id: str) -> JsonResponse:
    function = request.access.fetch(Function, function_id)
    data = valid(DropForm(request.POST)).cleaned_data
    job = dropping.begin_drop(
        function=function, person=request.user, n_files=data["n_files"], label_names=data["labels"]
    )
    return JsonResponse({"import": job.public_id, "url": job.get_absolute_url()})


@require_POST
@requires(Action.BRING_SAMPLES)
def drop_chunk(request: AppHttpRequest, import_id: str) -> JsonResponse:
    job = request.access.fetch(Import, import_id, related=("person",))
    data = valid(ChunkForm(request.POST)).cleaned_data
    results = dropping.take_chunk(
        import_job=job, chunk_number=data["chunk"], first_row=data["first_row"], items=dropped_files(request)
    )
    return JsonResponse({"results": [asdict(result) for result in results]})


@require_POST
@requires(Action.BRING_SAMPLES)
def end_drop(request: AppHttpRequest, import_id: str) -> HttpResponse:
    job = dropping.end_drop(import_job=request.access.fetch(Import, import_id, related=("person",)))
    return render(request, "samples/_import.html", {"import": job})
