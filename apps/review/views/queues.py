"""The queues of review: one sample after the other, each decided by one key."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from apps.core.errors import InvalidInput, NotFound
from apps.functions.models import Function
from apps.review.decisions import Answer, Decision, decide, take_back
from apps.review.pairs import decide_pair, take_back_pair
from apps.review.queues import QUEUES, Queue, QueueName
from apps.review.selectors.from_calls import FromCalls
from apps.review.selectors.queue_items import queue_items
from apps.review.selectors.queues import menu
from apps.review.selectors.side_notes import SideNotes, side_notes_of
from apps.review.views.samples import FILTER_ABOVE
from apps.samples.models import MarkKind, Sample
from apps.samples.services.marks import add_comment, set_mark
from apps.training.selectors import fix_effect
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

MOST_DIGITS = 18


@require_GET
@requires(Action.REVIEW)
def review_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """What there is to look at."""
    function = request.access.fetch(Function, function_id)
    context = {"function": function, "tab": "review", "menu": menu(function)}
    return render(request, "review/review_page.html", context)


@require_GET
@requires(Action.REVIEW)
def review_menu(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """The menu alone, with the newest counts; `at` is where it is shown."""
    function = request.access.fetch(Function, function_id)
    at = request.GET.get("at", "")
    template = "review/_overview.html" if at == "overview" else "review/_menu.html"
    return render(request, template, {"function": function, "menu": menu(function), "at": at})


@require_GET
@requires(Action.REVIEW)
def queue_page(request: AppHttpRequest, function_id: str, queue: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    shown = _queue(queue)
    labels = list(function.labels.in_use())
    items = queue_items(function, labels, shown.name)
    context = {
        "function": function,
        "tab": "review",
        "queue": shown,
        "at": shown.name,
        "menu": menu(function),
        "labels": labels,
        "items": items,
        "filter_above": FILTER_ABOVE,
        "settled": FromCalls(function, labels).settled(function) if shown.name == QueueName.REPORTED else [],
    }
    return render(request, "review/queue_page.html", context)


@require_GET
@requires(Action.REVIEW)
def more_items(request: AppHttpRequest, function_id: str, queue: str) -> HttpResponse:
    """The items behind the one that `after` names."""
    function = request.access.fetch(Function, function_id)
    shown = _queue(queue)
    items = queue_items(function, list(function.labels.in_use()), shown.name, after=request.GET.get("after", ""))
    return render(request, "review/_queue_items.html", {"function": function, "queue": shown, "items": items})


@require_GET
@requires(Action.REVIEW)
def settled_reports(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """What came of the reports decided last."""
    function = request.access.fetch(Function, function_id)
    settled = FromCalls(function, list(function.labels.in_use())).settled(function)
    return render(request, "review/_settled.html", {"settled": settled})


@require_GET
@requires(Action.REVIEW)
def effect(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """What came of the changes since the data had the revision `since`, in words."""
    function = request.access.fetch(Function, function_id)
    since = request.GET.get("since", "")
    if not (since.isascii() and since.isdigit() and len(since) <= MOST_DIGITS):
        raise InvalidInput("Say since when.")
    found = fix_effect(function, int(since))
    return JsonResponse({"words": found.sentence if found else "", "isWaiting": found is None or found.is_waiting})


@require_POST
@requires(Action.REVIEW)
def decide_sample(request: AppHttpRequest, sample_id: str) -> JsonResponse:
    """Where `other` is sent, it is decided of both."""
    sample = request.access.fetch(Sample, sample_id, related=("function",))
    sent = request.POST
    decision = _decision(sent.get("decision", ""))
    answer = Answer(sent.get("label", ""), sent.getlist("tag"), sent.getlist("asked"), sent.get("comment", ""))
    if sent.get("other"):
        other = request.access.fetch(Sample, sent["other"], related=("function",))
        done = decide_pair(sample=sample, other=other, decision=decision, answer=answer, person=request.user)
    else:
        done = decide(sample=sample, decision=decision, answer=answer, person=request.user)
    return JsonResponse({"words": done.words, "did": done.did, "note": done.note})


@require_POST
@requires(Action.REVIEW)
def take_back_decision(request: AppHttpRequest, sample_id: str) -> HttpResponse:
    sample = request.access.fetch(Sample, sample_id, related=("function",))
    undo = take_back_pair if request.POST.get("is_pair") else take_back
    undo(sample=sample, note=request.POST.get("note", ""), person=request.user)
    return HttpResponse(status=204)


@require_POST
@requires(Action.LABEL)
def flag_sample(request: AppHttpRequest, sample_id: str) -> HttpResponse:
    """Put one's own flag on the sample, or take it off."""
    sample = request.access.fetch(Sample, sample_id, related=("function",))
    is_on = not sample.marks.filter(person=request.user, kind=MarkKind.FLAG).exists()
    set_mark(sample=sample, person=request.user, kind=MarkKind.FLAG, is_on=is_on)
    return _notes(request, sample)


@require_POST
@requires(Action.LABEL)
def comment_on_sample(request: AppHttpRequest, sample_id: str) -> HttpResponse:
    sample = request.access.fetch(Sample, sample_id, related=("function",))
    add_comment(sample=sample, person=request.user, text=request.POST.get("text", ""))
    return _notes(request, sample)


def _notes(request: AppHttpRequest, sample: Sample) -> HttpResponse:
    notes = side_notes_of([sample.pk]).get(sample.pk, SideNotes())
    return render(request, "review/_side_notes.html", {"notes": notes, "sample": sample})


def _queue(name: str) -> Queue:
    try:
        return QUEUES[QueueName(name)]
    except ValueError as error:
        raise NotFound("There is no such queue.") from error


def _decision(name: str) -> Decision:
    try:
        return Decision(name)
    except ValueError as error:
        raise InvalidInput("Say what is to become of this sample.") from error
