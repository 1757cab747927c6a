"""Samples like one another: a page for each sample, and a panel beside the map."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.review.selectors.nearby import MOST_SHOWN, near_samples
from apps.review.selectors.rows import rows_of
from apps.review.views.samples import FILTER_ABOVE
from apps.samples.models import Sample
from apps.samples.services.bulk import MOST_AT_ONCE
from apps.training.services.surveying import FEWEST
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

IN_PANEL = 6


@require_GET
@requires(Action.VIEW)
def similar_page(request: AppHttpRequest, sample_id: str) -> HttpResponse:
    sample = request.access.fetch(Sample, sample_id, related=("function",))
    context = {
        **_context(sample, MOST_SHOWN),
        "tab": "review",
        "filter_above": FILTER_ABOVE,
        "most_at_once": MOST_AT_ONCE,
    }
    return render(request, "review/similar_page.html", context)


@require_GET
@requires(Action.VIEW)
def similar_items(request: AppHttpRequest, sample_id: str) -> HttpResponse:
    """The list of the page alone, with what is said of each by now."""
    sample = request.access.fetch(Sample, sample_id, related=("function",))
    return render(request, "review/similar_page.html#items", _context(sample, MOST_SHOWN))


@require_GET
@requires(Action.VIEW)
def sample_panel(request: AppHttpRequest, sample_id: str) -> HttpResponse:
    """One sample closely, with the few most like it."""
    sample = request.access.fetch(Sample, sample_id, related=("function",))
    return render(request, "review/_sample_panel.html", _context(sample, IN_PANEL))


def _context(sample: Sample, n: int) -> dict[str, object]:
    function = sample.function
    labels = list(function.labels.in_use())
    return {
        "function": function,
        "labels": labels,
        "row": rows_of(function, labels, [sample.pk], n_chars=4000)[0],
        "near": near_samples(function, labels, sample, n),
        "fewest": FEWEST,
    }
