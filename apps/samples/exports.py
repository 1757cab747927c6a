"""Everything that came in, going out: CSV and JSON lines, page by page, never the whole in memory.

Each page is a query of its own that goes on behind the last key: no transaction stays open while a slow reader
downloads. Predictions are out-of-fold ones, named through the ORM since they live a floor above.
"""

import csv
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from io import StringIO

from asgiref.sync import sync_to_async
from django.db.models import FilteredRelation, Q, QuerySet

from apps.functions.models import Function, InputKind
from apps.samples.formulas import guard
from apps.samples.models import Sample

ROWS_PER_PAGE = 1_000
_OUT_OF_FOLD = "out_of_fold"


@dataclass(frozen=True)
class ExportRow:
    """One sample as it goes out. `prediction` is by a model that never saw it; unlabelled samples have none."""

    id: str
    external_id: str
    original_name: str
    content: str
    label: str | None
    annotated_by: str | None
    annotated_at: str | None
    prediction: str | None
    confidence: float | None


def rows(function: Function, *, after: int = 0) -> list[tuple[int, ExportRow]]:
    """One page of samples in the order they came, each with the key the next page starts behind."""
    content = _content_column(function)
    page = _with_prediction(Sample.objects.filter(function=function, pk__gt=after)).order_by("pk")
    values = page.values_list(
        "pk",
        "public_id",
        "external_id",
        "original_name",
        content,
        "label__name",
        "annotation__person__email",
        "labelled_at",
        "out_of_fold__label__name",
        "out_of_fold__confidence",
    )[:ROWS_PER_PAGE]
    return [
        (pk, ExportRow(public_id, external_id, name, content, label, who, _iso(when), prediction, confidence))
        for pk, public_id, external_id, name, content, label, who, when, prediction, confidence in values
    ]


def _with_prediction(samples: QuerySet[Sample]) -> QuerySet[Sample]:
    condition = Q(predictions__kind=_OUT_OF_FOLD)
    return samples.annotate(out_of_fold=FilteredRelation("predictions", condition=condition))


def _content_column(function: Function) -> str:
    return "text" if function.input_kind == InputKind.TEXT else "content_hash"


def columns(function: Function) -> list[str]:
    """The names of an export's columns; what a text function calls `text`, pictures call `content_hash`."""
    names = list(ExportRow.__dataclass_fields__)
    return [_content_column(function) if name == "content" else name for name in names]


def csv_header(function: Function) -> str:
    return _csv_lines([columns(function)])


def csv_page(page: Iterable[ExportRow]) -> str:
    """RFC 4180, with cells that a spreadsheet would run as formulas guarded."""
    return _csv_lines([guard("" if value is None else str(value)) for value in asdict(row).values()] for row in page)


def json_page(function: Function, page: Iterable[ExportRow]) -> str:
    """One object a line; what is not there is null."""
    names = columns(function)
    lines = (dict(zip(names, asdict(row).values(), strict=True)) for row in page)
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def csv_chunks(function: Function) -> Iterator[str]:
    """The whole CSV, page by page."""
    yield csv_header(function)
    yield from _chunks(function, csv_page)


def json_chunks(function: Function) -> Iterator[str]:
    """The whole JSON lines file, page by page."""
    yield from _chunks(function, lambda page: json_page(function, page))


def problem_chunks(problems: Iterable[tuple[int, str, str]]) -> Iterator[str]:
    """A CSV of what did not go in, to mend and bring again."""
    yield _csv_lines([["row", "name", "reason"]])
    for row, name, reason in problems:
        yield _csv_lines([[str(row), guard(name), guard(reason)]])


async def in_background(chunks: Iterator[str]) -> AsyncIterator[str]:
    """Draw chunks in a thread, one at a time: an ASGI response made from a plain iterator is held whole in memory."""
    draw = sync_to_async(lambda: next(chunks, None))
    while (chunk := await draw()) is not None:
        yield chunk


def _chunks(function: Function, write: Callable[[list[ExportRow]], str]) -> Iterator[str]:
    after = 0
    while page := rows(function, after=after):
        after = page[-1][0]
        yield write([row for _key, row in page])


def _csv_lines(lines: Iterable[Iterable[str]]) -> str:
    out = StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(lines)
    return out.getvalue()


def _iso(when: datetime | None) -> str | None:
    return when.isoformat(timespec="seconds").replace("+00:00", "Z") if when else None
