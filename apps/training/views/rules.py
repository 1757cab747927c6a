"""Keyword rules: what the owner knows beforehand, and what became of it on the samples."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import trigger_client_event

from apps.core.errors import InvalidInput
from apps.functions import services
from apps.functions.models import Function, KeywordRule
from apps.functions.selectors import standing_labels
from apps.training.rule_hits import Which, rule_lines, rule_samples
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action

WHICH_NAMES = {
    Which.HITS: "All it is in",
    Which.LABELLED: "Labelled",
    Which.AGREED: "People agreed",
    Which.DISAGREED: "People said otherwise",
}


@require_GET
@requires(Action.VIEW)
def rules_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    return _rules(request, function, "#lines" if request.htmx else "")


@require_POST
@requires(Action.EDIT_LABELS)
def add_rule(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    label = standing_labels(function.pk).get(request.POST.get("label", ""))
    if label is None:
        raise InvalidInput("Choose which label the words mean.")
    rule = services.add_rule(label=label, words=request.POST.get("words", ""), actor=request.user)
    return _changed(request, function, f"“{rule.words}” means {label.name} from now on.")


@require_POST
@requires(Action.EDIT_LABELS)
def delete_rule(request: AppHttpRequest, rule_id: str) -> HttpResponse:
    rule = request.access.fetch(KeywordRule, rule_id, related=("label__function",))
    services.delete_rule(rule=rule, actor=request.user)
    return _changed(request, rule.label.function, f"The rule about “{rule.words}” is deleted.")


@require_GET
@requires(Action.VIEW)
def rule_page(request: AppHttpRequest, rule_id: str) -> HttpResponse:
    """The samples behind one of a rule's numbers."""
    rule = request.access.fetch(KeywordRule, rule_id, related=("label__function",))
    wanted = request.GET.get("which", Which.HITS)
    if wanted not in list(Which):
        raise InvalidInput("There is no such list. Choose one on the page.")
    found = rule_samples(rule, which=Which(wanted), page_number=request.GET.get("page", 1))
    context = {
        "function": rule.label.function,
        "tab": "rules",
        "found": found,
        "choices": [(which, name, found.line.n_of(which)) for which, name in WHICH_NAMES.items()],
        "page_query": f"which={found.which}&",
    }
    return render(request, "training/rule_page.html", context)


def _rules(request: AppHttpRequest, function: Function, part: str) -> HttpResponse:
    context = {
        "function": function,
        "tab": "rules",
        "lines": rule_lines(function),
        "labels": function.labels.in_use(),
        "most": services.MAX_RULES,
    }
    response = render(request, f"training/rules_page.html{part}", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _changed(request: AppHttpRequest, function: Function, said: str) -> HttpResponse:
    if not request.htmx:
        messages.success(request, said)
        return redirect("training:rules_page", function.public_id)
    return trigger_client_event(_rules(request, function, "#rules"), "toast:show", {"message": said})
