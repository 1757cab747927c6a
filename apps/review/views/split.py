"""What the page that splits a label selects beforehand."""

from django.http import JsonResponse
from django.views.decorators.http import require_GET

from apps.functions.models import Label
from apps.review.selectors.split import split_suggestion as suggest
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_GET
@requires(Action.EDIT_LABELS)
def split_suggestion(request: AppHttpRequest, label_id: str) -> JsonResponse:
    label = request.access.fetch(Label, label_id, related=("function",))
    found = suggest(label)
    return JsonResponse({"samples": found.sample_ids if found else [], "words": found.words if found else ""})
