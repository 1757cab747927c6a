"""The monitor page: calls over time, how right they are in production, and what is no longer as it was."""

from datetime import timedelta

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from apps.core.moments import moment_asked
from apps.functions.models import Function, Label
from apps.invoke import monitor_selectors as selectors
from apps.invoke.capture_selectors import capture_panel
from apps.invoke.drift import see_alarm
from apps.invoke.models import DriftAlarm
from apps.invoke.monitor_plots import MOST_LABELS, milliseconds, plots_of
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

CALLS_ON_A_PAGE = 50
MOST_PAGES = 200


@require_GET
@requires(Action.VIEW)
def monitor_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    chosen = selectors.RANGES.get(request.GET.get("range", ""), selectors.RANGES["day"])
    found = selectors.stretches_of(function, chosen)
    whole = selectors.sum_of(found)
    labels = selectors.commonest_labels(function, whole, MOST_LABELS)
    since = timezone.now() - timedelta(days=selectors.ACCURACY_DAYS)
    half, most = whole.milliseconds_at(0.5), whole.milliseconds_at(0.95)
    context = {
        "function": function,
        "tab": "monitor",
        "ranges": selectors.RANGES.values(),
        "chosen": chosen,
        "whole": whole,
        "half": milliseconds(half) if half is not None else "",
        "most": milliseconds(most) if most is not None else "",
        "review_share": whole.n_for_review / whole.n_answered if whole.n_answered else None,
        "production": None if function.searches else selectors.production_accuracy(function, since),
        "accuracy_days": selectors.ACCURACY_DAYS,
        "plots": plots_of(function, found, labels) if whole.n_calls else [],
        "alarms": selectors.alarms_of(function),
        "capture": None if function.searches else capture_panel(function),
    }
    return render(request, "invoke/monitor_page.html", context)


@require_GET
@requires(Action.VIEW)
def calls_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """Calls one by one; the rows of old ones are cleared, and nothing of their input is here but what was kept."""
    function = request.access.fetch(Function, function_id)
    label_id, only = request.GET.get("label", ""), request.GET.get("only", "")
    label = request.access.fetch(Label, label_id) if label_id else None
    start, end = (
        moment_asked(request.GET.get("from", ""), name="from"),
        moment_asked(request.GET.get("to", ""), name="to"),
    )
    rows = selectors.calls_of(function, start=start, end=end, label=label, only=only)
    number = _page_number(request)
    first = (number - 1) * CALLS_ON_A_PAGE
    calls = list(rows[first : first + CALLS_ON_A_PAGE + 1])
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "function": function,
        "tab": "monitor",
        "calls": calls[:CALLS_ON_A_PAGE],
        "start": start,
        "end": end,
        "label": label,
        "only": only,
        "query": query.urlencode(),
        "later": number - 1,
        "earlier": number + 1 if len(calls) > CALLS_ON_A_PAGE and number < MOST_PAGES else 0,
    }
    return render(request, "invoke/calls_page.html", context)


@require_POST
@requires(Action.REVIEW)
def see_drift(request: AppHttpRequest, alarm_id: str) -> HttpResponse:
    alarm = request.access.fetch(DriftAlarm, alarm_id)
    see_alarm(alarm=alarm, person=request.user)
    return redirect("invoke:monitor_page", alarm.function.public_id)


def _page_number(request: AppHttpRequest) -> int:
    text = request.GET.get("page", "1")
    is_number = text.isascii() and text.isdigit() and len(text) <= 4
    return min(max(int(text), 1), MOST_PAGES) if is_number else 1
