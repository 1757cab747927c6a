"""The people page: what each did and how far they agree, and what two of them see differently."""

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect, HttpResponseClientRefresh

from apps.core.errors import InvalidInput
from apps.functions.models import Function
from apps.functions.views import count_of
from apps.review import people
from apps.review.known_answers import MOST_AT_ONCE, draw_known, use_as_known
from apps.samples.models import Sample
from apps.samples.services.gold import drop_gold as drop
from apps.samples.services.set_aside import is_under_way, set_answers_aside
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_GET
@requires(Action.LABEL)
def people_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """Reviewers see everybody, labelers themselves."""
    function = request.access.fetch(Function, function_id)
    sees_all = request.access.also(Action.REVIEW)
    table = people.people_table(function, None if sees_all else request.user)
    context = {"function": function, "tab": "people", "sees_all": sees_all, "table": table}
    if sees_all:
        context |= {"known": people.known_answers(function), "progress": people.being_set_aside(function)}
    return render(request, "review/people_page.html", context)


@require_GET
@requires(Action.REVIEW)
def pair_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """The samples of which two people say different things."""
    function = request.access.fetch(Function, function_id)
    pair = people.pair_by_public_ids(function, request.GET.get("a", ""), request.GET.get("b", ""))
    if pair is None:
        raise InvalidInput("These two people were not asked about the same samples. Choose two on the People page.")
    context = {"function": function, "tab": "people", "pair": pair, "rows": people.disputes(function, pair)}
    return render(request, "review/pair_page.html", context)


@require_POST
@requires(Action.REVIEW)
def set_aside(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    person = people.person_here(function, request.POST.get("person", ""))
    if person is None:
        raise InvalidInput("There is no such person here. Reload the page and choose again.")
    act = set_answers_aside(function=function, person=person, actor=request.user)
    if not is_under_way(act):
        said = f"{act.n_samples:,} answers of {person} are set aside. The history can bring them back."
        messages.success(request, said)
    return _back(request, function)


@require_GET
@requires(Action.REVIEW)
def setting_aside(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """How far it is; once nothing is under way the page comes anew, with what it came to."""
    function = request.access.fetch(Function, function_id)
    progress = people.being_set_aside(function)
    if not progress and request.htmx:
        messages.success(request, "The answers are set aside. The history can bring them back.")
        return HttpResponseClientRefresh()
    return render(request, "review/people_page.html#setting_aside", {"function": function, "progress": progress})


@require_POST
@requires(Action.REVIEW)
def choose_gold(request: AppHttpRequest, function_id: str) -> HttpResponse:
    """Take labelled samples at random for those whose answer is known."""
    function = request.access.fetch(Function, function_id)
    typed = request.POST.get("n", "")
    if not (typed.isascii() and typed.isdecimal() and len(typed) <= 3 and 1 <= int(typed) <= MOST_AT_ONCE):
        raise InvalidInput(f"Take between 1 and {MOST_AT_ONCE} samples at a time.")
    n = draw_known(function=function, n=int(typed), person=request.user)
    messages.success(request, _words(n))
    return _back(request, function)


@require_POST
@requires(Action.REVIEW)
def use_as_gold(request: AppHttpRequest, function_id: str) -> JsonResponse:
    """Let the answers of the samples selected in a list count as known; the script gets the words for the toast."""
    function = request.access.fetch(Function, function_id)
    asked = [each for each in request.POST.get("samples", "").split(",") if each]
    n = use_as_known(function=function, sample_ids=asked, person=request.user)
    return JsonResponse({"n": n, "words": _words(n, n_left=len(set(asked)) - n)})


@require_POST
@requires(Action.REVIEW)
def drop_gold(request: AppHttpRequest, sample_id: str) -> HttpResponse:
    sample = request.access.fetch(Sample, sample_id, related=("function",))
    drop(sample=sample)
    messages.success(request, "This sample is an ordinary one again.")
    return _back(request, sample.function)


def _back(request: AppHttpRequest, function: Function) -> HttpResponse:
    address = reverse("review:people_page", args=[function.public_id])
    return HttpResponseClientRedirect(address) if request.htmx else redirect(address)


def _words(n: int, *, n_left: int = 0) -> str:
    """Say how many became known, and how many of those asked for did not."""
    if not n:
        return "No sample more has a known answer: they have no label, or are known already."
    words = f"{count_of(n)} more with a known answer."
    if not n_left:
        return words
    return f"{words} {n_left} had no label, or {'was' if n_left == 1 else 'were'} known already."
