"""The list of samples on the function home, and correcting one of them in its row."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST

from apps.functions.models import Function, OutputKind
from apps.review import selectors
from apps.review.filters import SampleFilter, Verdict, read_filter
from apps.review.known_answers import MOST_AT_ONCE as MOST_KNOWN
from apps.review.selectors import SamplesPage
from apps.review.services import fix_label as fix
from apps.review.services import fix_tags
from apps.samples.models import Sample
from apps.samples.services.bulk import MOST_AT_ONCE
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

VERDICT_NAMES = {
    Verdict.JUDGED: "Judged",
    Verdict.RIGHT: "Right",
    Verdict.WRONG: "Wrong",
    Verdict.UNSURE: "Unsure",
    Verdict.WAITING: "Not judged yet",
    Verdict.GRID: "Accepted in the grid",
}
# More labels than fit one glance get a field to find them by name.
FILTER_ABOVE = 12


@require_GET
@requires(Action.VIEW)
def samples(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """The list alone; where the filter form asked, the page's address follows it."""
    function = request.access.fetch(Function, function_id)
    page = asked_page(request, function)
    context = {"function": function, **list_context(function, page)}
    response = render(request, "review/function_home.html#samples", context)
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


@require_GET
@requires(Action.REVIEW)
def pick_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """The same list to select from: many samples get a label, or go to the bin, at once. `items` asks for it alone."""
    function = request.access.fetch(Function, function_id)
    query = request.GET.copy()
    is_list_alone = query.pop("items", None) is not None
    labels = list(function.labels.in_use())
    chosen = read_filter(query, {label.public_id: label for label in labels})
    page = selectors.samples_page(function, labels, chosen)
    template = "review/pick_page.html#items" if is_list_alone else "review/pick_page.html"
    dock = {"labels": labels, "filter_above": FILTER_ABOVE, "most_at_once": MOST_AT_ONCE}
    context = {"function": function, "tab": "home", "page": page, "most_known": MOST_KNOWN, **dock}
    return render(request, template, context)


def asked_page(request: AppHttpRequest, function: Function) -> SamplesPage:
    labels = list(function.labels.in_use())
    chosen = read_filter(request.GET, {label.public_id: label for label in labels})
    return selectors.samples_page(function, labels, chosen)


def list_context(function: Function, page: SamplesPage) -> dict[str, object]:
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
