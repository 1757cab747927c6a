"""What people type about functions and labels, read and refused in words."""

from collections.abc import Callable

from django import forms
from django.http import QueryDict

from apps.core.errors import InvalidInput
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.names import FUNCTION_NAME_MAX, LABEL_NAME_MAX, distinct, function_name, label_name
from apps.functions.services import least_labels


def _read(reader: Callable[[str], str], text: str) -> str:
    try:
        return reader(text)
    except InvalidInput as error:
        raise forms.ValidationError(error.message) from error


class FunctionNameForm(forms.Form):
    name = forms.CharField(max_length=FUNCTION_NAME_MAX, strip=True)

    def clean_name(self) -> str:
        return _read(function_name, self.cleaned_data["name"])


class NewFunctionForm(FunctionNameForm):
    """The page of a new function; `labels` is one label a line, which a script turns into type-Enter-type-Enter."""

    field_order = ["input_kind", "output_kind", "name", "labels"]

    input_kind = forms.ChoiceField(
        choices=InputKind.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what comes in.", "invalid_choice": "Choose text, pictures or table rows."},
    )
    output_kind = forms.ChoiceField(
        choices=OutputKind.choices,
        widget=forms.RadioSelect,
        required=False,
        error_messages={"invalid_choice": "Choose one label, tags or samples like it."},
    )
    labels = forms.CharField(widget=forms.Textarea(attrs={"rows": 4}), required=False)

    def clean_output_kind(self) -> str:
        return self.cleaned_data["output_kind"] or OutputKind.LABEL

    def clean_labels(self) -> list[str]:
        if self.cleaned_data.get("output_kind") == OutputKind.SEARCH:
            return []  # typed before it was said what comes out
        lines = [line for line in self.cleaned_data["labels"].splitlines() if line.strip()]
        found = distinct(_read(label_name, line) for line in lines)
        if not found and self.cleaned_data.get("input_kind") == InputKind.TABLE:
            return found  # they come with the table
        least = least_labels(self.cleaned_data.get("output_kind", OutputKind.LABEL))
        if len(found) < least:
            amount = "one label" if least == 1 else "two different labels" if lines else "two labels"
            raise forms.ValidationError(f"Type at least {amount}.")
        return found


class LabelNameForm(forms.Form):
    name = forms.CharField(max_length=LABEL_NAME_MAX, strip=True, error_messages={"required": "A label needs a name."})

    def clean_name(self) -> str:
        return _read(label_name, self.cleaned_data["name"])


class ColourForm(forms.Form):
    colour = forms.IntegerField(min_value=0, max_value=Label.N_COLOURS - 1)


class DeleteFunctionForm(forms.Form):
    """Deleting takes typing the function's name."""

    typed_name = forms.CharField(strip=True)

    def __init__(self, data: QueryDict | None = None, *, function: Function) -> None:
        super().__init__(data)
        self.function = function

    def clean_typed_name(self) -> str:
        typed = _read(function_name, self.cleaned_data["typed_name"])
        if typed != self.function.name:
            raise forms.ValidationError(f"This is not the name. Type “{self.function.name}” to delete it.")
        return typed
