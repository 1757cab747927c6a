"""Labels and their samples at once: merging two, and making a label of its own of some samples."""

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.core.texts import storable
from apps.functions.models import Label
from apps.functions.selectors import label_lines
from apps.functions.views import count_of, labels_changed
from apps.samples.forms import MergeForm, SplitForm, valid
from apps.samples.label_selectors import split_page as page_of
from apps.samples.services import surgery
from apps.samples.views.acts import undo_url
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_http_methods(["GET", "POST"])
@requires(Action.EDIT_LABELS)
def merge_label(request: AppHttpRequest, label_id: str) -> HttpResponse:
    """What merging would do, and doing it."""
    label = request.access.fetch(Label, label_id, related=("function",))
    if request.method == "POST":
        target = request.access.fetch(Label, valid(MergeForm(request.POST)).cleaned_data["into"], related=("function",))
        act = surgery.merge_labels(source=label, target=target, person=request.user)
        said = f"{count_of(act.n_samples)} labelled “{label.name}” now count as “{target.name}”."
        return labels_changed(request, label.function, said, act)
    lines = {line.label: line for line in label_lines(label.function)}
    context = {
        "function": label.function,
        "tab": "settings",
        "label": label,
        "n_samples": lines.pop(label).n_samples if label in lines else 0,
        "others": list(lines.values()),
        "n_rules": label.rules.count(),
    }
    response = render(request, "samples/merge_page.html" + ("#dialog" if request.htmx else ""), context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_GET
@requires(Action.EDIT_LABELS)
def split_page(request: AppHttpRequest, label_id: str) -> HttpResponse:
    label = request.access.fetch(Label, label_id, related=("function",))
    words = storable(request.GET.get("q", "")[:200])
    page = page_of(label, words=words, after=request.GET.get("after", ""))
    context = {"function": label.function, "tab": "settings", "label": label, "page": page, "q": words}
    response = render(request, "samples/split_page.html" + ("#samples" if request.htmx else ""), context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_POST
@requires(Action.EDIT_LABELS)
def split_label(request: AppHttpRequest, label_id: str) -> HttpResponse:
    label = request.access.fetch(Label, label_id, related=("function__workspace",))
    data = valid(SplitForm(request.POST)).cleaned_data
    act = surgery.split_label(label=label, name=data["name"], sample_ids=data["samples"], person=request.user)
    words = f"“{act.facts['name']}” is a label of its own, with {count_of(act.n_samples)}."
    return JsonResponse({"words": words, "undoUrl": undo_url(act), "n": act.n_samples})
