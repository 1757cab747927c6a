"""Pages of a workspace's functions, and of one function's name and labels."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from apps.core.errors import InvalidInput
from apps.functions import services
from apps.functions.forms import ColourForm, DeleteFunctionForm, FunctionNameForm, LabelNameForm, NewFunctionForm
from apps.functions.models import Act, Function, InputKind, Label, OutputKind
from apps.functions.names import COLOURS
from apps.functions.selectors import function_cards, label_lines
from apps.workspaces.access import AppHttpRequest, requires, signed_in
from apps.workspaces.roles import Action


@require_GET
@signed_in
def home(request: AppHttpRequest) -> HttpResponse:
    if not request.user.memberships.exists():
        return render(request, "functions/no_workspace.html")
    workspace = request.access.current_workspace(request)
    page, cards = function_cards(workspace=workspace, page_number=request.GET.get("page", 1))
    return render(request, "functions/home.html", {"page_obj": page, "cards": cards})


@require_http_methods(["GET", "POST"])
@requires(Action.EDIT_FUNCTIONS)
def new_function_page(request: AppHttpRequest) -> HttpResponse:
    workspace = request.access.current_workspace(request)
    form = NewFunctionForm(
        request.POST or None, initial={"input_kind": InputKind.TEXT, "output_kind": OutputKind.LABEL}
    )
    if request.method == "POST" and form.is_valid():
        function = services.create_function(
            workspace=workspace,
            name=form.cleaned_data["name"],
            input_kind=form.cleaned_data["input_kind"],
            output_kind=form.cleaned_data["output_kind"],
            label_names=form.cleaned_data["labels"],
            actor=request.user,
            allow_no_labels=form.cleaned_data["input_kind"] == InputKind.TABLE,
        )
        return redirect("samples:bring_page", function.public_id)
    return render(request, "functions/new_function_page.html", {"form": form}, status=422 if form.errors else 200)


@require_GET
@requires(Action.EDIT_LABELS)
def settings_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    return _settings(request, function)


@require_POST
@requires(Action.EDIT_FUNCTIONS)
def rename_function(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    form = FunctionNameForm(request.POST)
    if not form.is_valid():
        return _settings(request, function, name_form=form)
    services.rename_function(function=function, name=form.cleaned_data["name"], actor=request.user)
    messages.success(request, "The function has its new name.")
    return redirect("functions:settings_page", function.public_id)


@require_POST
@requires(Action.EDIT_FUNCTIONS)
def delete_function(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    form = DeleteFunctionForm(request.POST, function=function)
    if not form.is_valid():
        return _settings(request, function, delete_form=form)
    services.delete_function(function=function, actor=request.user)
    messages.success(request, f"“{function.name}” is deleted.")
    return redirect("functions:home")


@require_POST
@requires(Action.EDIT_LABELS)
def add_label(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    form = LabelNameForm(request.POST)
    if not form.is_valid():
        return _settings(request, function, label_form=form)
    label = services.add_label(function=function, name=form.cleaned_data["name"], actor=request.user)
    return labels_changed(request, function, f"“{label.name}” is added.")


@require_POST
@requires(Action.EDIT_LABELS)
def rename_label(request: AppHttpRequest, label_id: str) -> HttpResponse:
    label = request.access.fetch(Label, label_id, related=("function",))
    form = LabelNameForm(request.POST)
    if not form.is_valid():
        raise InvalidInput(str(form.errors["name"][0]))
    act = services.rename_label(label=label, name=form.cleaned_data["name"], actor=request.user)
    return labels_changed(request, label.function, f"The label is now called “{label.name}”.", act)


@require_POST
@requires(Action.EDIT_LABELS)
def describe_label(request: AppHttpRequest, label_id: str) -> HttpResponse:
    label = request.access.fetch(Label, label_id, related=("function",))
    act = services.describe_label(label=label, description=request.POST.get("description", ""), actor=request.user)
    return labels_changed(request, label.function, f"“{label.name}” is described.", act)


@require_POST
@requires(Action.EDIT_LABELS)
def recolour_label(request: AppHttpRequest, label_id: str) -> HttpResponse:
    label = request.access.fetch(Label, label_id, related=("function",))
    form = ColourForm(request.POST)
    if not form.is_valid():
        raise InvalidInput("Choose one of the colours shown.")
    act = services.recolour_label(label=label, colour=form.cleaned_data["colour"], actor=request.user)
    return labels_changed(request, label.function, f"“{label.name}” has its new colour.", act)


@require_POST
@requires(Action.EDIT_LABELS)
def delete_label(request: AppHttpRequest, label_id: str) -> HttpResponse:
    label = request.access.fetch(Label, label_id, related=("function",))
    act = services.delete_label(label=label, actor=request.user)
    n, gives_tags = act.n_samples, label.function.output_kind == OutputKind.TAGS
    freed = f" It went from {count_of(n)}." if gives_tags else f" {count_of(n)} went back to unlabelled."
    return labels_changed(request, label.function, f"“{label.name}” is deleted.{freed if n else ''}", act)


def _settings(
    request: AppHttpRequest,
    function: Function,
    *,
    name_form: FunctionNameForm | None = None,
    label_form: LabelNameForm | None = None,
    delete_form: DeleteFunctionForm | None = None,
) -> HttpResponse:
    """The whole page, or only its labels for htmx; 422 when a form came back with errors."""
    context = {
        "function": function,
        "tab": "settings",
        "lines": label_lines(function),
        "colours": COLOURS,
        "name_form": name_form or FunctionNameForm(initial={"name": function.name}),
        "label_form": label_form or LabelNameForm(),
        "delete_form": delete_form or DeleteFunctionForm(function=function),
    }
    is_refused = any(form and form.errors for form in (name_form, label_form, delete_form))
    template = "functions/_labels.html" if request.htmx else "functions/settings_page.html"
    response = render(request, template, context, status=422 if is_refused else 200)
    patch_vary_headers(response, ["HX-Request"])
    return response


def labels_changed(request: AppHttpRequest, function: Function, said: str, act: Act | None = None) -> HttpResponse:
    """The labels as they are now, and a word about what was done, with Undo where there is an act."""
    if not request.htmx:
        messages.success(request, said)
        return redirect("functions:settings_page", function.public_id)
    undo = {"undoUrl": reverse("samples:undo_act", args=[function.public_id, act.public_id])} if act else {}
    return trigger_client_event(_settings(request, function), "toast:show", {"message": said, **undo})


def count_of(n: int) -> str:
    return f"{n:,} sample{'' if n == 1 else 's'}"
