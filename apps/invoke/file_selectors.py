"""What the pages of predicted files show."""

from dataclasses import dataclass
from typing import cast

from django.core.files.storage import default_storage
from django.db.models import QuerySet

from apps.functions.models import Function, InputKind, Label
from apps.invoke.file_predictions import results
from apps.invoke.file_predictions.creation import layout_of, matched_fields
from apps.invoke.models import FilePrediction
from apps.samples.layout import Layout, first_records
from apps.samples.reading.columns import Role

RECENT = 10
PREVIEW_ROWS = 10
CELL_CHARACTERS = 200
OWN_CELLS_SHOWN = 3


@dataclass(frozen=True)
class FilePreview:
    """The first rows of a table as they will be read. `used` are the columns that are read, with what each one is."""

    layout: Layout
    used: dict[str, str]
    missing: list[str]
    rows: list[tuple[int, str, list[tuple[str, str]]]]


@dataclass(frozen=True)
class ShownRow:
    """A row of the result: some of its own cells by column, and what was said."""

    cells: list[tuple[str, str]]
    answer: str
    confidence: str
    decision: str
    reason: str


@dataclass(frozen=True)
class LabelCount:
    """How many rows a label was said of, and what share of the commonest one's that is."""

    label: Label
    n: int
    share: float


def recent_predictions(function: Function) -> QuerySet[FilePrediction]:
    """The files dropped last, newest first."""
    return function.file_predictions.select_related("model", "person").order_by("-id")[:RECENT]


def file_preview(prediction: FilePrediction) -> FilePreview:
    """Read the first rows as the layout says."""
    layout, function = layout_of(prediction), prediction.function
    with default_storage.open(prediction.options["source_key"]) as file:
        found = first_records(file, layout, PREVIEW_ROWS)
    if function.input_kind == InputKind.TABLE:
        used = matched_fields(function, layout)
        names = function.fields.filter(is_used=True).values_list("name", flat=True)
        missing = [name for name in names if name not in used.values()]
    else:
        content = layout.column(Role.CONTENT)
        used, missing = ({content: content} if content else {}), []
    rows = [
        (record.row, record.problem, [(name, _short(record.cells.get(name, ""))) for name in layout.columns])
        for record in found
    ]
    return FilePreview(layout, used, missing, rows)


def shown_rows(prediction: FilePrediction) -> list[ShownRow]:
    """The first rows of the result; of wide tables the columns that say most: what was read, or the first ones."""
    columns = cast("list[str]", prediction.options.get("columns", []))
    shown = _columns_shown(prediction, columns)
    rows: list[ShownRow] = []
    for cells in results.first_rows(prediction):
        own = [(columns[index], _short(cells[index])) for index in shown]
        rows.append(ShownRow(own, *cells[len(columns) : len(columns) + 4]))
    return rows


def _columns_shown(prediction: FilePrediction, columns: list[str]) -> list[int]:
    if "layout" not in prediction.options:
        return [0]
    content = layout_of(prediction).column(Role.CONTENT)
    if prediction.function.input_kind == InputKind.TEXT and content in columns:
        return [columns.index(content)]
    return list(range(len(columns)))[:OWN_CELLS_SHOWN]


def label_counts(prediction: FilePrediction) -> list[LabelCount]:
    """How often each label was said, the commonest first; labels deleted since are left out."""
    counts = cast("dict[str, int]", prediction.label_counts)
    labels = prediction.function.labels.filter(public_id__in=list(counts))
    most = max(counts.values(), default=1)
    found = [LabelCount(label, counts[label.public_id], counts[label.public_id] / most) for label in labels]
    return sorted(found, key=lambda each: -each.n)


def _short(text: str) -> str:
    return text if len(text) <= CELL_CHARACTERS else f"{text[: CELL_CHARACTERS - 1]}…"
