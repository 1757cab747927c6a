"""Giving a file back: its rows in their order, with what was said of each."""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO

from django.core.files.storage import default_storage

from apps.core.formulas import guard
from apps.invoke.models import FilePrediction

ROWS_SHOWN = 20


def csv_lines(rows: Iterable[Iterable[str]]) -> str:
    """RFC 4180, with cells that a spreadsheet would run as formulas guarded."""
    out = StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(map(guard, row) for row in rows)
    return out.getvalue()


def columns_of(prediction: FilePrediction) -> list[str]:
    """The file's own columns, then those that were added."""
    return [*prediction.options.get("columns", []), *prediction.options.get("answer_columns", [])]


def csv_chunks(prediction: FilePrediction) -> Iterator[str]:
    """The whole file as CSV, part by part, never whole in memory."""
    yield csv_lines([columns_of(prediction)])
    for key in list(prediction.parts.order_by("number").values_list("file_key", flat=True)):
        yield _text_of(key)


def first_rows(prediction: FilePrediction) -> list[list[str]]:
    """The first rows as they go out, for the page."""
    rows: list[list[str]] = []
    for key in prediction.parts.order_by("number").values_list("file_key", flat=True)[:ROWS_SHOWN]:
        rows += csv.reader(StringIO(_text_of(key), newline=""))
        if len(rows) >= ROWS_SHOWN:
            break
    return rows[:ROWS_SHOWN]


def _text_of(key: str) -> str:
    with default_storage.open(key) as file:
        return bytes(file.read()).decode()
