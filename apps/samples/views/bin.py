"""The bin: what was deleted, putting things in, taking them out, and deleting them for good."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from apps.core.errors import NotFound
from apps.core.ids import with_prefix
from apps.functions.models import Function
from apps.functions.views import count_of
from apps.samples.bin_selectors import bin_lines
from apps.samples.forms import PurgeForm, SamplesForm, valid
from apps.samples.media import open_thumbnail
from apps.samples.models import Sample
from apps.samples.services import bin as services
from apps.samples.views.acts import undo_url
from apps.samples.views.pictures import picture_response
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_GET
@requires(Action.DELETE_SAMPLES)
def bin_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    page, lines = bin_lines(function, page_number=request.GET.get("page", 1))
    context = {"function": function, "tab": "", "page_obj": page, "lines": lines, "days": services.DAYS_IN_BIN}
    return render(request, "samples/bin_page.html", context)


@require_POST
@requires(Action.DELETE_SAMPLES)
def bin_selection(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """Put a selection into the bin; scripts get the words for the toast and where to undo it."""
    function = request.access.fetch(Function, function_id)
    ids = valid(SamplesForm(request.POST)).cleaned_data["samples"]
    act = services.bin_samples(function=function, sample_ids=ids, person=request.user)
    is_are = "is" if act.n_samples == 1 else "are"
    words = f"{count_of(act.n_samples)} {is_are} in the bin for {services.DAYS_IN_BIN} days."
    return JsonResponse({"n": act.n_samples, "words": words, **({"undoUrl": undo_url(act)} if act.n_samples else {})})


@require_POST
@requires(Action.DELETE_SAMPLES)
def restore_samples(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    ids = valid(SamplesForm(request.POST)).cleaned_data["samples"]
    n = services.restore_samples(function=function, sample_ids=ids, person=request.user)
    return _back(request, function, f"{count_of(n)} came back, with what {'it' if n == 1 else 'they'} had.")


@require_POST
@requires(Action.DELETE_SAMPLES)
def purge_samples(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    ids = valid(PurgeForm(request.POST)).cleaned_data["samples"]
    n = services.purge_samples(function=function, sample_ids=ids, person=request.user)
    return _back(request, function, f"{count_of(n)} deleted for good.")


@require_GET
@requires(Action.DELETE_SAMPLES)
def binned_thumbnail(request: AppHttpRequest, function_id: str, sample_id: str) -> HttpResponseBase:
    function = request.access.fetch(Function, function_id)
    sample = Sample.everywhere.filter(function=function, public_id=with_prefix("sample", sample_id)).first()
    if sample is None:
        raise NotFound("There is no such sample here.")
    sample.function = function
    return picture_response(sample, open_thumbnail(sample))


def _back(request: AppHttpRequest, function: Function, said: str) -> HttpResponse:
    messages.success(request, said)
    response = redirect("samples:bin_page", function.public_id)
    return HttpResponseClientRedirect(response.url) if request.htmx else response
