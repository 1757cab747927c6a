"""The columns of a function of table rows: what each holds, corrected where the guess was wrong."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from apps.functions.models import Field, FieldType, Function
from apps.samples import selectors
from apps.samples.forms import FieldForm, valid
from apps.samples.services import row_fields
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_GET
@requires(Action.EDIT_LABELS)
def fields_page(request: AppHttpRequest, function_id: str) -> HttpResponse:
    function = request.access.fetch(Function, function_id)
    context = {
        "function": function,
        "tab": "fields",
        "lines": selectors.field_lines(function),
        "types": FieldType.choices,
    }
    return render(request, "samples/fields_page.html", context)


@require_POST
@requires(Action.EDIT_LABELS)
def change_field(request: AppHttpRequest, field_id: str) -> HttpResponse:
    field = request.access.fetch(Field, field_id, related=("function",))
    data = valid(FieldForm(request.POST)).cleaned_data
    row_fields.name_field(field=field, name=data["name"], actor=request.user)
    n_misfits = row_fields.retype_field(field=field, type=data["type"], actor=request.user)
    row_fields.use_field(field=field, is_used=data["is_used"], actor=request.user)
    said = f"“{field.name}” is saved."
    if n_misfits:
        kind = FieldType(field.type).label.lower()
        many = "value does" if n_misfits == 1 else "values do"
        said += f" {n_misfits:,} {many} not read as a {kind} and count as missing."
    messages.success(request, said)
    return redirect("samples:fields_page", field.function.public_id)


@require_POST
@requires(Action.DELETE_SAMPLES)
def delete_field(request: AppHttpRequest, field_id: str) -> HttpResponse:
    field = request.access.fetch(Field, field_id, related=("function",))
    row_fields.remove_field(field=field, actor=request.user)
    messages.success(request, f"“{field.name}” is deleted.")
    return redirect("samples:fields_page", field.function.public_id)
