"""What the pages of this app send, checked for form; whether it makes sense is the services' business."""

from typing import TypeVar

from django import forms
from django.conf import settings
from django.http import HttpRequest, QueryDict

from apps.core.errors import InvalidInput
from apps.functions.models import FieldType
from apps.samples.reading.columns import Role
from apps.samples.reading.encodings import CHOICES
from apps.samples.reading.tables import DELIMITERS, Dialect
from apps.samples.reading.tag_cells import TagSeparator
from apps.samples.services.dropping import FILES_PER_CHUNK
from apps.samples.services.imports import LayoutChoice
from apps.samples.services.intake import NewImage

F = TypeVar("F", bound=forms.Form)

LABEL_MAX = 200
SAMPLES_MAX = 10_000
"""SQLite takes some 32,000 parameters in a query."""
DELIMITER_NAMES = {name: delimiter for delimiter, name in DELIMITERS.items()} | {"none": ""}


class LinesForm(forms.Form):
    """Pasted lines, and a label for all of them or none."""

    lines = forms.CharField(strip=False, error_messages={"required": "Paste or type at least one line."})
    label = forms.CharField(required=False, max_length=LABEL_MAX)


class MergeForm(forms.Form):
    """The label another is merged into, by public id."""

    into = forms.CharField(max_length=40, error_messages={"required": "Choose the label that stays."})


def _ids(typed: str) -> list[str]:
    """Split at commas; a request of more ids than a query takes is refused."""
    ids = [each for each in typed.split(",") if each]
    if len(ids) > SAMPLES_MAX:
        raise forms.ValidationError(f"At most {SAMPLES_MAX:,} samples go at once. Select fewer.")
    return ids


class SamplesForm(forms.Form):
    """Some samples by public id, with commas between."""

    samples = forms.CharField(error_messages={"required": "Select some samples first."})

    def clean_samples(self) -> list[str]:
        return _ids(self.cleaned_data["samples"])


class SplitForm(SamplesForm):
    """The name of a label to be, and the samples that go there."""

    name = forms.CharField(max_length=LABEL_MAX, error_messages={"required": "Give the new label a name."})


class PurgeForm(forms.Form):
    """Emptying the bin takes a tick as well as a press; without `samples` it is all of it."""

    samples = forms.CharField(required=False)
    is_sure = forms.BooleanField(error_messages={"required": "Tick the box first: this cannot be undone."})

    def clean_samples(self) -> list[str] | None:
        typed = self.cleaned_data["samples"]
        return _ids(typed) if typed else None


class FileForm(forms.Form):
    """One file to import."""

    file = forms.FileField(allow_empty_file=True, max_length=400, error_messages={"required": "Choose a file first."})


class LayoutForm(forms.Form):
    """How a table is to be read. JSON lines send only the columns, workbooks no encoding and no delimiter."""

    encoding = forms.ChoiceField(choices=CHOICES, required=False)
    delimiter = forms.ChoiceField(choices=[(name, name) for name in DELIMITER_NAMES], required=False)
    has_header = forms.BooleanField(required=False)
    sheet = forms.CharField(required=False)
    content = forms.CharField(required=False)
    label = forms.CharField(required=False)
    external_id = forms.CharField(required=False)
    original_name = forms.CharField(required=False)
    label_for_all = forms.CharField(required=False, max_length=LABEL_MAX)
    tag_separator = forms.ChoiceField(choices=[(each.value, each.value) for each in TagSeparator], required=False)

    def choice(self) -> LayoutChoice:
        data = self.cleaned_data
        return LayoutChoice(
            encoding=data["encoding"],
            dialect=Dialect(DELIMITER_NAMES.get(data["delimiter"], ",")),
            has_header=data["has_header"],
            roles={role: data[role.value] for role in Role},
            label_for_all=data["label_for_all"],
            flags=tuple(dict.fromkeys(self._listed("flags"))),
            tag_separator=TagSeparator(data["tag_separator"] or TagSeparator.ANY),
            uses=tuple(self._listed("use")),
        )

    def _listed(self, name: str) -> list[str]:
        return self.data.getlist(name) if isinstance(self.data, QueryDict) else []


class FieldForm(forms.Form):
    """A column of a function of table rows."""

    name = forms.CharField(max_length=200, error_messages={"required": "A column needs a name."})
    type = forms.ChoiceField(choices=FieldType.choices)
    is_used = forms.BooleanField(required=False)


class FoldersForm(forms.Form):
    """How a zip is to be read."""

    use_folders = forms.BooleanField(required=False)
    label_for_all = forms.CharField(required=False, max_length=LABEL_MAX)


class DropForm(forms.Form):
    """The beginning of a drop, with the names of the labels its files will have."""

    n_files = forms.IntegerField(min_value=1)
    labels = forms.JSONField(required=False)

    def clean_labels(self) -> list[str]:
        names = self.cleaned_data["labels"] or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise forms.ValidationError("The labels must be a list of names.")
        return names


class ChunkForm(forms.Form):
    """Which chunk of a drop this is, and how many files came before it."""

    chunk = forms.IntegerField(min_value=0, max_value=1_000_000)
    first_row = forms.IntegerField(min_value=1, max_value=1_000_000)


def valid(form: F) -> F:
    """Return a form that holds. Raises InvalidInput with its first complaint."""
    if not form.is_valid():
        first = next(iter(form.errors.values()))[0]
        raise InvalidInput(str(first))
    return form


def dropped_files(request: HttpRequest) -> list[NewImage]:
    """The files of a chunk, each with the name and label sent at the same place of their lists."""
    files, names, labels = request.FILES.getlist("files"), request.POST.getlist("names"), request.POST.getlist("labels")
    if not 0 < len(files) <= FILES_PER_CHUNK or not len(files) == len(names) == len(labels):
        raise InvalidInput(f"Send up to {FILES_PER_CHUNK} files at once, each with a name and a label.")
    return [
        # One byte past the cap is enough to be refused for it.
        NewImage(file.read(settings.IMAGE_MAX_BYTES + 1), label_name=label, original_name=name)
        for file, name, label in zip(files, names, labels, strict=True)
    ]
