"""The label page, and the JSON it lives on."""

import secrets

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from apps.functions.models import Function
from apps.functions.services import add_label
from apps.labeling import selectors, serializers
from apps.labeling.services import RANDOM_EVERY, next_samples, save_answers, show_skipped_again, undo_answer
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

FIRST_ITEMS = 4
# More labels than fit one glance get a field to find them by name.
FILTER_ABOVE = 12


@require_GET
@requires(Action.LABEL)
def label_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """The page carries its first samples, so that labelling starts with the first paint."""
    function = request.access.fetch(Function, function_id)
    # Visits begin anywhere in the round of five: else many short ones would never reach the sample drawn at random.
    n_given = secrets.randbelow(RANDOM_EVERY)
    items = next_samples(function=function, person=request.user, n=FIRST_ITEMS, n_given=n_given)
    context = {
        "function": function,
        "tab": "label",
        "progress": selectors.progress(function),
        "queue": serializers.queue_as_json(function, request.user, items, n_given=n_given),
        "filter_above": FILTER_ABOVE,
    }
    return render(request, "labeling/label_page.html", context)


@require_GET
@requires(Action.LABEL)
def progress(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    context = {"function": function, "progress": selectors.progress(function)}
    return render(request, "labeling/_progress.html", context)


@require_GET
@requires(Action.LABEL)
def queue(request: AppHttpRequest, function_id: str) -> JsonResponse:
    serializers.check_person(request)
    function = request.access.fetch(Function, function_id)
    n = serializers.n_from(request, "n", default=8, most=serializers.MAX_ITEMS)
    n_given = serializers.n_from(request, "given", default=0, most=10**9)
    exclude = serializers.excluded_from(request)
    items = next_samples(function=function, person=request.user, n=n, exclude=exclude, n_given=n_given)
    return JsonResponse(serializers.queue_as_json(function, request.user, items, n_given=n_given))


@require_POST
@requires(Action.LABEL)
def answers(request: AppHttpRequest, function_id: str) -> JsonResponse:
    serializers.check_person(request)
    function = request.access.fetch(Function, function_id)
    outcome = save_answers(function=function, person=request.user, answers=serializers.answers_from(request))
    return JsonResponse(serializers.outcome_as_json(outcome))


@require_POST
@requires(Action.LABEL)
def undo(request: AppHttpRequest, function_id: str) -> JsonResponse:
    serializers.check_person(request)
    function = request.access.fetch(Function, function_id)
    item = undo_answer(function=function, person=request.user, token=serializers.undo_token_from(request))
    return JsonResponse({"item": serializers.item_as_json(item, request.user, function)})


@require_POST
@requires(Action.LABEL)
def skipped_again(request: AppHttpRequest, function_id: str) -> JsonResponse:
    function = request.access.fetch(Function, function_id)
    return JsonResponse({"nBack": show_skipped_again(function=function, person=request.user)})


@require_POST
@requires(Action.EDIT_LABELS)
def new_label(request: AppHttpRequest, function_id: str) -> JsonResponse:
    function = request.access.fetch(Function, function_id)
    label = add_label(function=function, name=serializers.label_name_from(request), actor=request.user)
    return JsonResponse({"labelId": label.public_id, "labels": serializers.labels_as_json(function)}, status=201)
