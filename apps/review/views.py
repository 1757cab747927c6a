"""The function home: figures, and the samples behind every number."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import InvalidInput
from apps.engine.automation import TARGETS
from apps.functions.models import Function, Label, OutputKind, Weight
from apps.functions.services import set_automation_target
from apps.review import selectors
from apps.review.filters import SampleFilter, Verdict, read_filter
from apps.review.selectors import SamplesPage
from apps.review.services import fix_label as fix
from apps.review.services import fix_tags
from apps.review.services import weigh_label as weigh
from apps.samples.models import Sample
from apps.training.notes import notes
from apps.training.selectors import training_state
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

VERDICT_NAMES = {
    Verdict.JUDGED: "Judged",
    Verdict.RIGHT: "Right",
    Verdict.WRONG: "Wrong",
    Verdict.UNSURE: "Unsure",
    Verdict.WAITING: "Not judged yet",
}
# More labels than fit one glance get a field to find them by name.
FILTER_ABOVE = 12


@require_GET
@requires(Action.VIEW)
def function_home(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    page = _page(request, function)
    automation = selectors.automation(function)
    context = {
        "function": function,
        "tab": "home",
        "automation": automation,
        **_figures(function),
        **_list(function, page),
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
    place = request.POST.get("place", "")
    if not place.isdecimal() or int(place) >= len(TARGETS):
        raise InvalidInput("The slider has no such place. Reload the page.")
    set_automation_target(function=function, target=TARGETS[int(place)], actor=request.user)
    return HttpResponse(status=204) if request.htmx else redirect("review:function_home", function.public_id)


@require_POST
@requires(Action.EDIT_LABELS)
def weigh_label(request: AppHttpRequest, label_id: str) -> HttpResponse:
    label = request.access.fetch(Label, label_id, related=("function__workspace",))
    weight = request.POST.get("weight", "")
    if not weight.isdecimal():
        raise InvalidInput("Choose how bad it is to miss this label.")
    weigh(label=label, weight=int(weight), person=request.user)
    return HttpResponse(status=204) if request.htmx else redirect("review:function_home", label.function.public_id)


@require_GET
@requires(Action.VIEW)
def teaser(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """How well it does in a few words, for lists of functions."""
    function = request.access.fetch(Function, function_id)
    return render(request, "review/_teaser.html", {"function": function, **_figures(function)})


@require_GET
@requires(Action.VIEW)
def samples(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """The list alone; where the filter form asked, the page's address follows it."""
    function = request.access.fetch(Function, function_id)
    page = _page(request, function)
    response = render(request, "review/function_home.html#samples", {"function": function, **_list(function, page)})
    if request.htmx.trigger == "filters":
        response["HX-Replace-Url"] = _address(function, page.filter)
    patch_vary_headers(response, ["HX-Request", "HX-Trigger"])
    return response


@require_POST
@requires(Action.REVIEW)
def fix_label(request: AppHttpRequest, sample_id: str) -> HttpResponse:
    sample = request.access.fetch(Sample, sample_id, related=("function",))
    if sample.function.output_kind == OutputKind.TAGS:
        there, asked = request.POST.getlist("tag"), request.POST.getlist("asked")
        fix_tags(sample=sample, there=there, asked=asked, person=request.user)
    else:
        fix(sample=sample, label_id=request.POST.get("label", ""), person=request.user)
    labels = list(sample.function.labels.in_use())
    context = {"function": sample.function, "row": selectors.row_of(sample, labels), "is_fixed": True}
    return render(request, "review/function_home.html#row", context)


def _figures(function: Function) -> dict[str, object]:
    figures = selectors.figures(function, list(function.labels.in_use()))
    return {
        "figures": figures,
        "expectation": selectors.expectation(function, figures),
        "weights": Weight.choices,
        "training": training_state(function),
        "notes": notes(function),
        "n_unlabelled": selectors.n_unlabelled(function),
    }


def _page(request: AppHttpRequest, function: Function) -> SamplesPage:
    labels = list(function.labels.in_use())
    chosen = read_filter(request.GET, {label.public_id: label for label in labels})
    return selectors.samples_page(function, labels, chosen)


def _list(function: Function, page: SamplesPage) -> dict[str, object]:
    return {
        "page": page,
        "labels": page.labels,
        "n_labelled": selectors.n_labelled(function, page.labels),
        "n_unlabelled": selectors.n_unlabelled(function),
        "verdicts": _verdicts(page),
        "filter_above": FILTER_ABOVE,
    }


def _verdicts(page: SamplesPage) -> list[tuple[str, str]]:
    """The verdicts to choose from; the rarer two only where a number led there."""
    usual = [Verdict.RIGHT, Verdict.WRONG, Verdict.UNSURE]
    chosen = [page.filter.verdict] if page.filter.verdict and page.filter.verdict not in usual else []
    return [("", "All"), *((verdict.value, VERDICT_NAMES[verdict]) for verdict in (*usual, *chosen))]


def _address(function: Function, chosen: SampleFilter) -> str:
    path = reverse("review:function_home", args=[function.public_id])
    return f"{path}?{chosen.query}" if chosen.query else path
