"""The stored pictures, for those who may see their sample; and taking a sample away."""

from django.contrib import messages
from django.core.files.base import File
from django.http import HttpResponse, HttpResponseNotModified
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import trigger_client_event

from apps.core.ids import with_prefix
from apps.samples.media import open_image, open_picture, open_thumbnail, thumbnail_key
from apps.samples.models import Sample
from apps.samples.rows import picture_key
from apps.samples.services.bin import DAYS_IN_BIN, bin_samples
from apps.samples.views.acts import undo_url
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

BINNED_WORDS = f"The sample is in the bin for {DAYS_IN_BIN} days."
# A sample's picture never changes; the browser's own copy need not be asked about for a day.
_CACHE_CONTROL = "private, max-age=86400, immutable"
# Should a picture ever be taken for a page, it may do nothing at all.
_CONTENT_POLICY = "default-src 'none'; sandbox"


@require_GET
@requires(Action.VIEW)
def sample_image(request: AppHttpRequest, sample_id: str) -> HttpResponse:
    sample = request.access.fetch(Sample, sample_id)
    return _unchanged(request, sample) or picture_response(sample, open_image(sample))


@require_GET
@requires(Action.VIEW)
def sample_thumbnail(request: AppHttpRequest, sample_id: str) -> HttpResponse:
    sample = request.access.fetch(Sample, sample_id)
    return _unchanged(request, sample) or picture_response(sample, open_thumbnail(sample))


@require_GET
@requires(Action.VIEW)
def cell_image(request: AppHttpRequest, sample_id: str, field_id: str) -> HttpResponse:
    """A picture in a row, or with `?small=1` its thumbnail."""
    sample = request.access.fetch(Sample, sample_id)
    key = picture_key(sample.row or {}, with_prefix("field", field_id))
    return picture_response(sample, open_picture(thumbnail_key(key) if key and "small" in request.GET else key))


@require_POST
@requires(Action.DELETE_SAMPLES)
def delete_sample(request: AppHttpRequest, sample_id: str) -> HttpResponse:
    """Put it into the bin. A fragment's element goes by itself (`hx-swap="delete"`); a form comes to the samples."""
    sample = request.access.fetch(Sample, sample_id)
    act = bin_samples(function=sample.function, sample_ids=[sample.public_id], person=request.user)
    if not request.htmx:
        messages.success(request, BINNED_WORDS)
        return redirect("review:function_home", sample.function.public_id)
    return trigger_client_event(HttpResponse(), "toast:show", {"message": BINNED_WORDS, "undoUrl": undo_url(act)})


def _etag(sample: Sample) -> str:
    return f'"{sample.content_hash[:32]}"'


def _unchanged(request: AppHttpRequest, sample: Sample) -> HttpResponse | None:
    if sample.file_key and request.headers.get("If-None-Match") == _etag(sample):
        return _with_headers(HttpResponseNotModified(), sample)
    return None


def picture_response(sample: Sample, file: "File[bytes]") -> HttpResponse:
    with file:
        response = HttpResponse(file.read(), content_type="image/jpeg")
    response["Content-Disposition"] = f'inline; filename="{sample.public_id}.jpg"'
    response["Content-Security-Policy"] = _CONTENT_POLICY
    response["X-Content-Type-Options"] = "nosniff"
    return _with_headers(response, sample)


def _with_headers(response: HttpResponse, sample: Sample) -> HttpResponse:
    response["Cache-Control"] = _CACHE_CONTROL
    response["ETag"] = _etag(sample)
    return response
