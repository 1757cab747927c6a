"""What stands provisionally: many at a glance, accepted all at once or one by one."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from apps.functions.models import Function
from apps.review.provisional import accept_provisional
from apps.review.queues import QUEUES, QueueName
from apps.review.selectors.queues import menu, places, provisional_from
from apps.review.selectors.rows import rows_of
from apps.review.views.samples import FILTER_ABOVE
from apps.samples.services.bulk import MOST_AT_ONCE
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

N_SHOWN = 40


@require_GET
@requires(Action.REVIEW)
def provisional_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """The surest first. Asked by a script, the list alone."""
    function = request.access.fetch(Function, function_id)
    labels = list(function.labels.in_use())
    keys = [place.sample_id for place in places(function, QueueName.PROVISIONAL, N_SHOWN)]
    context = {"function": function, "rows": rows_of(function, labels, keys, n_chars=240)}
    if "items" in request.GET:
        return render(request, "review/provisional_page.html#items", context)
    queue = QUEUES[QueueName.PROVISIONAL]
    context |= {"tab": "review", "at": queue.name, "queue": queue, "menu": menu(function), "labels": labels}
    dock = {
        "filter_above": FILTER_ABOVE,
        "most_at_once": MOST_AT_ONCE,
        "is_any_sure": provisional_from(function) is not None,
    }
    return render(request, "review/provisional_page.html", context | dock)


@require_POST
@requires(Action.REVIEW)
def accept_samples(request: AppHttpRequest, function_id: str) -> JsonResponse:
    function = request.access.fetch(Function, function_id)
    act = accept_provisional(function=function, sample_ids=request.POST.getlist("sample"), person=request.user)
    words = f"{act.n_samples} accepted" if act.n_samples else "Nothing was left to accept"
    undo = reverse("samples:undo_act", args=[function.public_id, act.public_id]) if act.n_samples else None
    return JsonResponse({"n": act.n_samples, "words": words, "undoUrl": undo})
