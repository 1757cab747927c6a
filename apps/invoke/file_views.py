"""Predicting a file: drop it, check how it is read, watch it, take it home, send the unsure rows to be labelled."""

from pathlib import PurePosixPath

from django.conf import settings
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_POST

from apps.functions.models import Function, InputKind
from apps.invoke import file_selectors as selectors
from apps.invoke.file_forms import ChunkForm, DropForm, dropped_files
from apps.invoke.file_predictions import creation, drops, results, runs, sending
from apps.invoke.file_predictions.clearing import KEPT_DAYS
from apps.invoke.models import FilePrediction, FileState
from apps.invoke.services import load_answerer
from apps.samples.forms import DELIMITER_NAMES, FileForm, LayoutForm, valid
from apps.samples.reading.encodings import CHOICES
from apps.samples.services.dropping import FILES_PER_CHUNK
from apps.samples.views.bring import CHUNK_MAX_BYTES
from apps.samples.views.downloads import download
from apps.samples.views.imports import DELIMITER_WORDS
from apps.training.selectors import training_state
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

RELATED = ("person", "model")


@require_GET
@requires(Action.INVOKE)
def predict_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    context = {
        "function": function,
        "tab": "predict",
        "training": training_state(function),
        "can_answer": load_answerer(function) is not None,
        "predictions": selectors.recent_predictions(function),
        "files_per_chunk": FILES_PER_CHUNK,
        "chunk_max_bytes": CHUNK_MAX_BYTES,
        "image_max_bytes": settings.IMAGE_MAX_BYTES,
        "upload_max_bytes": settings.UPLOAD_MAX_BYTES,
        "kept_days": KEPT_DAYS,
    }
    return render(request, "invoke/predict_page.html", context)


@require_POST
@requires(Action.INVOKE)
def upload_to_predict(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """Scripts, which show how far the upload is, get the address to go on to; a plain form is sent there."""
    function = request.access.fetch(Function, function_id)
    file = valid(FileForm(request.POST, request.FILES)).cleaned_data["file"]
    job = creation.create_from_upload(
        function=function, person=request.user, file=file, name=file.name, size_bytes=file.size
    )
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse({"url": job.get_absolute_url()})
    return redirect(job)


@require_POST
@requires(Action.INVOKE)
def begin_predict_drop(request: AppHttpRequest, function_id: str) -> JsonResponse:
    function = request.access.fetch(Function, function_id)
    data = valid(DropForm(request.POST)).cleaned_data
    creation.require_answers(function)
    job = drops.begin_drop(function=function, person=request.user, n_files=data["n_files"])
    return JsonResponse({"prediction": job.public_id, "url": job.get_absolute_url()})


@require_POST
@requires(Action.INVOKE)
def predict_drop_chunk(request: AppHttpRequest, prediction_id: str) -> JsonResponse:
    job = request.access.fetch(FilePrediction, prediction_id)
    data = valid(ChunkForm(request.POST)).cleaned_data
    files = dropped_files(request)
    drops.take_chunk(prediction=job, chunk_number=data["chunk"], files=files)
    return JsonResponse({"results": [{"name": name, "outcome": "added"} for name, _size, _content in files]})


@require_POST
@requires(Action.INVOKE)
def end_predict_drop(request: AppHttpRequest, prediction_id: str) -> JsonResponse:
    job = drops.end_drop(prediction=request.access.fetch(FilePrediction, prediction_id))
    creation.start_prediction(prediction=job)
    return JsonResponse({"url": job.get_absolute_url()})


@require_GET
@requires(Action.INVOKE)
def prediction_page(request: AppHttpRequest, prediction_id: str) -> HttpResponse:
    job = request.access.fetch(FilePrediction, prediction_id, related=RELATED)
    return render(request, "invoke/prediction_page.html", _context(job))


@require_POST
@requires(Action.INVOKE)
def check_prediction(request: AppHttpRequest, prediction_id: str) -> HttpResponse:
    """Show the preview as it looks with what is chosen now."""
    job = request.access.fetch(FilePrediction, prediction_id)
    _choose(request, job)
    return render(request, "invoke/_predict_preview.html", _context(job))


@require_POST
@requires(Action.INVOKE)
def start_prediction(request: AppHttpRequest, prediction_id: str) -> HttpResponse:
    """Start, unless a last change gave new columns: those a person sees first."""
    job = request.access.fetch(FilePrediction, prediction_id)
    if job.state != FileState.PREVIEW or _choose(request, job):
        creation.start_prediction(prediction=job)
    return redirect(job)


@require_POST
@requires(Action.INVOKE)
def stop_prediction(request: AppHttpRequest, prediction_id: str) -> HttpResponse:
    return redirect(runs.stop_prediction(prediction=request.access.fetch(FilePrediction, prediction_id)))


@require_POST
@requires(Action.INVOKE)
def discard_prediction(request: AppHttpRequest, prediction_id: str) -> HttpResponse:
    job = request.access.fetch(FilePrediction, prediction_id)
    creation.discard_prediction(prediction=job)
    return redirect("invoke:predict_page", job.function.public_id)


@require_GET
@requires(Action.INVOKE)
def prediction_csv(request: AppHttpRequest, prediction_id: str) -> StreamingHttpResponse:
    job = request.access.fetch(FilePrediction, prediction_id)
    stem = slugify(PurePosixPath(job.original_name).stem) or job.public_id
    return download(results.csv_chunks(job), name=f"{stem}-predicted.csv", content_type="text/csv")


@require_POST
@requires(Action.BRING_SAMPLES)
def send_unsure(request: AppHttpRequest, prediction_id: str) -> HttpResponse:
    job = request.access.fetch(FilePrediction, prediction_id)
    return redirect(sending.send_to_queue(prediction=job, person=request.user))


def _choose(request: AppHttpRequest, job: FilePrediction) -> bool:
    if "layout" not in job.options:
        return True
    form = valid(LayoutForm(request.POST))
    sheet = form.cleaned_data["sheet"]
    if sheet and creation.choose_sheet(prediction=job, name=sheet):
        return False
    return creation.choose_layout(prediction=job, choice=form.choice())


def _context(job: FilePrediction) -> dict[str, object]:
    context: dict[str, object] = {
        "function": job.function,
        "tab": "predict",
        "prediction": job,
        "what": "picture" if job.function.input_kind == InputKind.IMAGE else "row",
    }
    if job.state == FileState.PREVIEW and "layout" in job.options:
        return context | {
            "preview": selectors.file_preview(job),
            "is_table": job.function.input_kind == InputKind.TABLE,
            "is_trained": training_state(job.function).live_model is not None,
            "delimiters": [(name, words, DELIMITER_NAMES[name]) for name, words in DELIMITER_WORDS.items()],
            "encodings": list(CHOICES.items()),
        }
    return context | {"rows": selectors.shown_rows(job), "counts": selectors.label_counts(job)}
