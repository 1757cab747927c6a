"""Every published model, which one answers, and the way back."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST

from apps.functions.models import Function
from apps.training.model_list import learned_page as learned
from apps.training.model_list import model_list
from apps.training.models import TrainedModel
from apps.training.services import choosing
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_GET
@requires(Action.VIEW)
def models_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    listed = model_list(function, page_number=request.GET.get("page", 1))
    context = {"function": function, "tab": "models", "listed": listed}
    response = render(request, f"training/models_page.html{'#models' if request.htmx else ''}", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_GET
@requires(Action.VIEW)
def learned_page(request: AppHttpRequest, model_id: str) -> HttpResponse:
    """The samples a model learned from, each with the label it learned."""
    model = request.access.fetch(TrainedModel, model_id, related=("function",))
    page, rows = learned(model, page_number=request.GET.get("page", 1)) or (None, [])
    context = {"function": model.function, "tab": "models", "model": model, "page_obj": page, "rows": rows}
    return render(request, "training/learned_page.html", context)


@require_POST
@requires(Action.CHOOSE_MODEL)
def pin_model(request: AppHttpRequest, model_id: str) -> HttpResponse:
    model = request.access.fetch(TrainedModel, model_id, related=("function",))
    choosing.pin_model(model=model, actor=request.user)
    messages.success(request, f"Model {model.number} answers now, until you unpin it.")
    return redirect("training:models_page", model.function.public_id)


@require_POST
@requires(Action.CHOOSE_MODEL)
def unpin_model(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    live = choosing.unpin_model(function=function, actor=request.user)
    messages.success(request, f"Model {live.number}, the newest, answers now.")
    return redirect("training:models_page", function.public_id)
