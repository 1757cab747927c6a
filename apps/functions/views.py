"""Pages of a workspace's functions, and of one function's name and labels."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from apps.core.errors import InvalidInput
from apps.functions import services
from apps.functions.forms import DeleteFunctionForm, FunctionNameForm, LabelNameForm, NewFunctionForm
from apps.functions.models import Function, InputKind, Label, OutputKind
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
    return _labels_changed(request, function, f"“{label.name}” is added.")


@require_POST
@requires(Action.EDIT_LABELS)
def rename_label(request: AppHttpRequest, label_id: str) -> HttpResponse:
    label = request.access.fetch(Label, label_id, related=("function",))
    form = LabelNameForm(request.POST)
    if not form.is_valid():
        raise InvalidInput(str(form.errors["name"][0]))
    services.rename_label(label=label, name=form.cleaned_data["name"], actor=request.user)
    return _labels_changed(request, label.function, f"The label is now called “{label.name}”.")


@require_POST
@requires(Action.EDIT_LABELS)
def describe_label(request: AppHttpRequest, label_id: str) -> HttpResponse:
    label = request.access.fetch(Label, label_id, related=("function",))
    services.describe_label(label=label, description=request.POST.get("description", ""), actor=request.user)
    return _labels_changed(request, label.function, f"“{label.name}” is described.")


@require_POST
@requires(Action.EDIT_LABELS)
def delete_label(request: AppHttpRequest, label_id: str) -> HttpResponse:
    label = request.access.fetch(Label, label_id, related=("function",))
    n_freed = services.delete_label(label=label, actor=request.user).n_samples
    freed = f" {n_freed} sample{'' if n_freed == 1 else 's'} went back to unlabelled." if n_freed else ""
    return _labels_changed(request, label.function, f"“{label.name}” is deleted.{freed}")


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
        "name_form": name_form or FunctionNameForm(initial={"name": function.name}),
        "label_form": label_form or LabelNameForm(),
        "delete_form": delete_form or DeleteFunctionForm(function=function),
    }
    is_refused = any(form and form.errors for form in (name_form, label_form, delete_form))
    template = "functions/settings_page.html" + ("#labels" if request.htmx else "")
    response = render(request, template, context, status=422 if is_refused else 200)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _labels_changed(request: AppHttpRequest, function: Function, said: str) -> HttpResponse:
    if not request.htmx:
        messages.success(request, said)
        return redirect("functions:settings_page", function.public_id)
    return trigger_client_event(_settings(request, function), "toast:show", {"message": said})
