"""The grid: many samples at a glance, labelled with one key, and the JSON it lives on."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from apps.functions.markdown import render as render_markdown
from apps.functions.models import Function
from apps.labeling import grid_serializers, selectors
from apps.labeling.grid_services import label_from_grid
from apps.labeling.serializers import check_person
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action, may
from apps.workspaces.selectors import role_in

# More labels than fit one glance get a field to find them by name.
FILTER_ABOVE = 12


@require_GET
@requires(Action.LABEL)
def grid_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """The page carries its first grid; `?show=hunt&label=…` opens it hunting for that label."""
    function = request.access.fetch(Function, function_id)
    labels = selectors.labels_in_order(function)
    asked = grid_serializers.grid_asked(request, labels)
    context = {
        "function": function,
        "tab": "label",
        "progress": selectors.progress(function),
        "grid": grid_serializers.grid_as_json(function, request.user, asked, labels),
        "filter_above": FILTER_ABOVE,
        "instructions": render_markdown(function.instructions),
    }
    return render(request, "labeling/grid_page.html", context)


@require_GET
@requires(Action.LABEL)
def grid_samples(request: AppHttpRequest, function_id: str) -> JsonResponse:
    check_person(request)
    function = request.access.fetch(Function, function_id)
    labels = selectors.labels_in_order(function)
    asked = grid_serializers.grid_asked(request, labels)
    return JsonResponse(grid_serializers.grid_as_json(function, request.user, asked, labels))


@require_POST
@requires(Action.LABEL)
def label_selection(request: AppHttpRequest, function_id: str) -> JsonResponse:
    """Label many at once; whoever may correct others may do so here, everyone else what is open or their own."""
    check_person(request)
    function = request.access.fetch(Function, function_id)
    sent = grid_serializers.selection_from(request, function)
    act = label_from_grid(
        function=function,
        person=request.user,
        sample_ids=sent.sample_ids,
        label=sent.label,
        kind=sent.kind,
        token=sent.token,
        active_ms=sent.active_ms,
        may_correct=may(role_in(workspace=function.workspace, person=request.user), Action.REVIEW),
    )
    return JsonResponse(grid_serializers.act_as_json(act, sent, function))
