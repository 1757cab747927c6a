"""The label page, and the JSON it lives on."""

import secrets
from zlib import crc32

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import Conflict
from apps.functions.markdown import render as render_markdown
from apps.functions.models import Function
from apps.functions.services import add_label
from apps.functions.services.proposals import propose_label
from apps.labeling import selectors, serializers
from apps.labeling.outlook import going
from apps.labeling.services import (
    RANDOM_EVERY,
    hold_samples,
    next_samples,
    save_answers,
    show_skipped_again,
    undo_answer,
)
from apps.samples.models import Sample
from apps.samples.services.marks import add_comment, set_mark
from apps.training.better import better_sentence
from apps.training.outlook import outlook_of
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
        **_progress_of(function),
        "queue": serializers.queue_as_json(function, request.user, items, n_given=n_given),
        "filter_above": FILTER_ABOVE,
        "instructions": render_markdown(function.instructions),
        "instructions_version": crc32(function.instructions.encode()),
    }
    return render(request, "labeling/label_page.html", context)


@require_GET
@requires(Action.LABEL)
def progress(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    return render(request, "labeling/_progress.html", {"function": function, **_progress_of(function)})


@require_GET
@requires(Action.LABEL)
def outlook(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """What unfolds below the labels: how many there are of each, and what more of them would bring."""
    function = request.access.fetch(Function, function_id)
    return render(request, "labeling/_outlook.html", {"function": function, "going": going(function)})


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
def holding(request: AppHttpRequest, function_id: str) -> JsonResponse:
    """The page says what it holds, so that nobody else is asked that, and what it lets go of."""
    serializers.check_person(request)
    function = request.access.fetch(Function, function_id)
    held, released = serializers.holding_from(request)
    return JsonResponse({"kept": hold_samples(function=function, person=request.user, held=held, released=released)})


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
def mark(request: AppHttpRequest, function_id: str) -> JsonResponse:
    """Flag a sample, or say that one is not sure of it; or take that back."""
    serializers.check_person(request)
    function = request.access.fetch(Function, function_id)
    sent = serializers.mark_from(request)
    sample = _sample_of(function, sent.sample_id)
    set_mark(sample=sample, person=request.user, kind=sent.kind, is_on=sent.is_on)
    return JsonResponse({})


@require_POST
@requires(Action.LABEL)
def comment(request: AppHttpRequest, function_id: str) -> JsonResponse:
    serializers.check_person(request)
    function = request.access.fetch(Function, function_id)
    sent = serializers.comment_from(request)
    sample = _sample_of(function, sent.sample_id)
    add_comment(sample=sample, person=request.user, text=sent.text, client_token=sent.token)
    return JsonResponse({}, status=201)


@require_POST
@requires(Action.LABEL)
def skipped_again(request: AppHttpRequest, function_id: str) -> JsonResponse:
    function = request.access.fetch(Function, function_id)
    return JsonResponse({"nBack": show_skipped_again(function=function, person=request.user)})


@require_POST
@requires(Action.LABEL)
def suggest_label(request: AppHttpRequest, function_id: str) -> JsonResponse:
    """For whoever may not make labels: ask for one."""
    function = request.access.fetch(Function, function_id)
    proposal = propose_label(function=function, name=serializers.label_name_from(request), person=request.user)
    return JsonResponse({"words": f"“{proposal.name}” is suggested: whoever makes labels here decides."}, status=201)


@require_POST
@requires(Action.EDIT_LABELS)
def new_label(request: AppHttpRequest, function_id: str) -> JsonResponse:
    function = request.access.fetch(Function, function_id)
    label = add_label(function=function, name=serializers.label_name_from(request), actor=request.user)
    return JsonResponse({"labelId": label.public_id, "labels": serializers.labels_as_json(function)}, status=201)


def _progress_of(function: Function) -> dict[str, object]:
    progress = selectors.progress(function)
    outlook = outlook_of(progress.training.live_model)
    better = better_sentence(function, progress.training.adapting)
    return {"progress": progress, "outlook": outlook, "better": better}


def _sample_of(function: Function, sample_id: str) -> Sample:
    """Return a sample of the function. Raises Conflict, and not NotFound: the page itself is still there to work on."""
    sample = selectors.samples_by_public_id(function, [sample_id]).get(sample_id)
    if sample is None:
        raise Conflict("The sample was deleted meanwhile, so this note has nowhere to go.")
    return sample
