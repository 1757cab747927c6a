"""Reads that feed the pages of this app."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from django.core.files.storage import default_storage
from django.db.models import QuerySet

from apps.engine.tables import ColumnGuess, Finding, infer_columns
from apps.functions.models import Field, Function
from apps.samples.layout import Layout, first_records
from apps.samples.models import Import
from apps.samples.reading.archives import label_counts, members, open_zip
from apps.samples.reading.tag_cells import RowTags, read_tags
from apps.samples.rows import cells_of, is_unread
from apps.samples.services import table_columns
from apps.samples.services.imports import layout_of
from apps.samples.services.table_columns import EXAMPLE_CHARACTERS, EXAMPLES, ROWS_LOOKED_AT, ColumnLine

_Looked: TypeAlias = tuple[dict[str, str], dict[str, object], str | None]
"""A row's cells as they were written, the row as it is stored, and its label."""
RECENT_IMPORTS = 8
PREVIEW_ROWS = 20
PREVIEW_CHARACTERS = 300
PROBLEMS_SHOWN = 50


@dataclass(frozen=True)
class TablePreview:
    """The first rows of a table or JSON lines, as they will be read."""

    layout: Layout
    rows: list["PreviewRow"]


@dataclass(frozen=True)
class PreviewRow:
    """`tags` are those its cells were understood to hold; None where they say nothing, or the function gives none."""

    row: int
    named_cells: list[tuple[str, str]]
    problem: str
    tags: RowTags | None = None


@dataclass(frozen=True)
class FieldLine:
    """A column as its page shows it: some values, some that could not be read, and what looks wrong with it."""

    field: Field
    examples: tuple[str, ...]
    unread: tuple[str, ...]
    advice: str


@dataclass(frozen=True)
class ZipPreview:
    """What lies in a zip: how many files each folder's label would get ("" for none), and the first names."""

    use_folders: bool
    label_counts: dict[str, int]
    names: list[str]
    n_files: int


def recent_imports(function: Function) -> QuerySet[Import]:
    """What was brought last, newest first."""
    return function.imports.order_by("-id")[:RECENT_IMPORTS]


def table_preview(import_job: Import) -> TablePreview:
    """Read the first rows as the layout says."""
    layout = layout_of(import_job)
    with default_storage.open(import_job.file_key) as file:
        found = first_records(file, layout, PREVIEW_ROWS)
    rows = [
        PreviewRow(
            record.row,
            [(name, _shortened(record.cells.get(name, ""))) for name in layout.columns],
            record.problem,
            read_tags(record.cells, layout.tag_columns) if layout.gives_tags else None,
        )
        for record in found
    ]
    return TablePreview(layout, rows)


def column_lines(import_job: Import) -> list[ColumnLine]:
    """What becomes of each column, for a function of table rows."""
    with default_storage.open(import_job.file_key) as file:
        return table_columns.column_lines(import_job.function, file, layout_of(import_job))


def field_lines(function: Function) -> list[FieldLine]:
    """Every column with values and advice from the newest rows."""
    fields = list(function.fields.all())
    newest = function.samples.filter(row__isnull=False).order_by("-pk").values_list("row", "label__name")
    rows: list[_Looked] = [(cells_of(row or {}), row or {}, label) for row, label in newest[:ROWS_LOOKED_AT]]
    table = [[cells.get(field.public_id, "") for field in fields] for cells, _row, _label in rows]
    guesses = infer_columns([field.name for field in fields], table, labels=[label for _cells, _row, label in rows])
    return [_field_line(field, guess, rows) for field, guess in zip(fields, guesses, strict=True)]


def _field_line(field: Field, guess: ColumnGuess, rows: list[_Looked]) -> FieldLine:
    key = field.public_id
    examples = dict.fromkeys(cells[key] for cells, _row, _label in rows if key in cells)
    unread = dict.fromkeys(cells[key] for cells, row, _label in rows if is_unread(row, key))
    is_said = guess.finding is not Finding.MISFITS and rows  # what does not fit is listed by itself
    shown = tuple(map(_short, examples))[:EXAMPLES]
    return FieldLine(field, shown, tuple(map(_short, unread))[:EXAMPLES], guess.advice if is_said else "")


def _short(text: str) -> str:
    return text if len(text) <= EXAMPLE_CHARACTERS else f"{text[: EXAMPLE_CHARACTERS - 1]}…"


def zip_preview(import_job: Import) -> ZipPreview:
    """Count what the folders of a zip would label."""
    with default_storage.open(import_job.file_key) as file, open_zip(file) as archive:
        found = members(archive, use_folders=True)
        return ZipPreview(
            use_folders=bool(import_job.options["use_folders"]),
            label_counts=label_counts(found),
            names=[member.name for member in found[:PREVIEW_ROWS]],
            n_files=len(found),
        )


def problem_rows(import_job: Import) -> Iterator[tuple[int, str, str]]:
    """Every row that did not go in, in order."""
    return import_job.problems.order_by("row").values_list("row", "name", "reason").iterator(chunk_size=1_000)


def _shortened(text: str) -> str:
    return text if len(text) <= PREVIEW_CHARACTERS else text[: PREVIEW_CHARACTERS - 1] + "…"
