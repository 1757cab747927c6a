"""The function home: figures, the slider, how bad it is to miss a label."""

from collections.abc import Sequence

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import InvalidInput
from apps.engine.automation import TARGETS
from apps.functions.models import Function, Label, Weight
from apps.functions.services import set_automation_target
from apps.review import selectors
from apps.review.queues import QueueName
from apps.review.selectors.choices import choices
from apps.review.selectors.queues import n_in_queue
from apps.review.services import weigh_label as weigh
from apps.review.views.samples import asked_page, list_context
from apps.training.better import better_sentence
from apps.training.notes import notes
from apps.training.selectors import training_state
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

# Looked up as they are written: whatever else is sent, however long, is no number to be read.
PLACES = {str(place): target for place, target in enumerate(TARGETS)}
WEIGHTS = {str(weight): weight for weight in Weight.values}


@require_GET
@requires(Action.VIEW)
def function_home(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    page = asked_page(request, function)
    automation = selectors.automation(function)
    context = {
        "function": function,
        "tab": "home",
        "automation": automation,
        **_figures(function, page.labels),
        **list_context(function, page),
        "choices": choices(function),
    }
    return render(request, "review/function_home.html", context)


@require_GET
@requires(Action.VIEW)
def figures(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    return render(request, "review/function_home.html#figures", {"function": function, **_figures(function)})


@require_GET
@requires(Action.VIEW)
def automation(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """The slider alone, with the newest figures."""
    function = request.access.fetch(Function, function_id)
    context = {"function": function, "automation": selectors.automation(function)}
    return render(request, "review/_automation.html", context)


@require_POST
@requires(Action.EDIT_FUNCTIONS)
def set_automation(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    target = PLACES.get(request.POST.get("place", ""))
    if target is None:
        raise InvalidInput("The slider has no such place. Reload the page.")
    set_automation_target(function=function, target=target, actor=request.user)
    return HttpResponse(status=204) if request.htmx else redirect("review:function_home", function.public_id)


@require_POST
@requires(Action.EDIT_LABELS)
def weigh_label(request: AppHttpRequest, label_id: str) -> HttpResponse:
    label = request.access.fetch(Label, label_id, related=("function__workspace",))
    weight = WEIGHTS.get(request.POST.get("weight", ""))
    if weight is None:
        raise InvalidInput("Choose how bad it is to miss this label.")
    weigh(label=label, weight=weight, person=request.user)
    return HttpResponse(status=204) if request.htmx else redirect("review:function_home", label.function.public_id)


@require_GET
@requires(Action.VIEW)
def teaser(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """How well it does in a few words, for lists of functions."""
    function = request.access.fetch(Function, function_id)
    return render(request, "review/_teaser.html", {"function": function, **_figures(function)})


def _figures(function: Function, labels: Sequence[Label] | None = None) -> dict[str, object]:
    """`labels` are those in use, if they are at hand."""
    figures = selectors.figures(function, labels)
    training = training_state(function)
    return {
        "figures": figures,
        "expectation": selectors.expectation(function, figures),
        "weights": Weight.choices,
        "training": training,
        "better": better_sentence(function, training.adapting),
        "notes": notes(function),
        "n_unlabelled": selectors.n_unlabelled(function),
        "n_reported": n_in_queue(function, QueueName.REPORTED),
    }
