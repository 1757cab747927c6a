"""Undoing what was done in one go."""

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import trigger_client_event

from apps.core.errors import NotFound
from apps.functions.models import Act, Function
from apps.samples.services import acts
from apps.workspaces.access import Access, AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_POST
@requires(Action.LABEL)
def undo_act(request: AppHttpRequest, function_id: str, act_id: str) -> HttpResponse:
    """Scripts get JSON, htmx an event ("toast:show", "act:undone"), a plain form the function's page again."""
    function = request.access.fetch(Function, function_id)
    act = request.access.fetch(Act, act_id, related=("function",))
    if act.function_id != function.pk:
        raise NotFound("There is no such act here.")
    for action in acts.needed_to_undo(act, request.user):
        Access(action, user=request.user).fetch(Act, act_id)
    outcome = acts.undo_act(act=act, person=request.user)
    if request.htmx:
        response = trigger_client_event(HttpResponse(status=204), "toast:show", {"message": outcome.words})
        return trigger_client_event(response, "act:undone", {"act": act.public_id})
    if request.headers.get("Accept", "").startswith("application/json"):
        body = {"words": outcome.words, "nRestored": outcome.n_restored, "nLeft": outcome.n_left}
        return JsonResponse(body, status=202 if outcome.is_under_way else 200)
    messages.success(request, outcome.words)
    return redirect("samples:history_page", function.public_id)


def undo_url(act: Act) -> str:
    """Where an act is undone; for the answers of doors that make one, beside its words."""
    return reverse("samples:undo_act", args=[act.function.public_id, act.public_id])
