"""The grid: many samples at a glance, labelled with one key, and the JSON it lives on."""

from django.http import JsonResponse
from django.views.decorators.http import require_POST

from apps.functions.models import Function
from apps.labeling import grid_serializers
from apps.labeling.grid_services import label_from_grid
from apps.labeling.serializers import check_person
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action, may
from apps.workspaces.selectors import role_in


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
        may_correct=may(role_in(workspace=function.workspace, person=request.user), Action.REVIEW),
    )
    return JsonResponse(grid_serializers.act_as_json(act, sent, function))
