"""Everything that came in, going out: CSV and JSON lines, page by page, never the whole in memory.

Each page is a query of its own that goes on behind the last key: no transaction stays open while a slow reader
downloads. Predictions are out-of-fold ones, named through the ORM since they live a floor above.
"""

import csv
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from io import StringIO
from typing import Any, ClassVar, TypeAlias, TypeVar

from asgiref.sync import sync_to_async
from django.db.models import FilteredRelation, Q, QuerySet

from apps.core.formulas import guard
from apps.engine.tables import cell_text
from apps.functions.models import Field, Function, InputKind, OutputKind
from apps.samples.models import Comment, Mark, MarkKind, Opinion, Sample
from apps.samples.reading.columns import ABSENT_NAME
from apps.samples.reading.notes import COMMENTS, FLAGGED_BY, UNSURE_BY, notes_cell
from apps.samples.reading.tag_cells import tag_cell
from apps.samples.rows import cells_of
from apps.samples.services.saying import KnownLabels

T = TypeVar("T", str, bytes)
ROWS_PER_PAGE = 1_000
_BESIDE = (FLAGGED_BY, UNSURE_BY, COMMENTS, "answers")
_OUT_OF_FOLD = "out_of_fold"


Note: TypeAlias = dict[str, str | list[str]]
"""What one person wrote or answered beside what is in force: by whom, and the words, label or tags."""

Value: TypeAlias = str | float | list[str] | list[Note] | None
ExportRow: TypeAlias = dict[str, Value]
"""One sample as it goes out, by column. `prediction` is by a model that never saw it; unlabelled samples have none."""


def rows(function: Function, *, after: int = 0) -> list[tuple[int, ExportRow]]:
    """One page of samples in the order they came, each with the key the next page starts behind."""
    fields = _fields(function)
    names = _names(function, fields)
    answers = _TagAnswers(function) if function.output_kind == OutputKind.TAGS else _LabelAnswers()
    page = _with_prediction(Sample.objects.filter(function=function, pk__gt=after)).order_by("pk")
    columns = (
        "pk",
        "public_id",
        "external_id",
        "original_name",
        _content_column(function),
        "annotation__person__email",
        "labelled_at",
        "out_of_fold__confidence",
        answers.said,
        answers.predicted,
    )
    values = list(page.values_list(*columns)[:ROWS_PER_PAGE])
    beside = _beside(function, [row[0] for row in values])
    found: list[tuple[int, ExportRow]] = []
    for pk, public_id, external_id, name, content, who, when, confidence, said, predicted in values:
        answer, prediction = answers.cells(said), answers.prediction(predicted)
        contents = row_values(content or {}, fields) if isinstance(content, dict | None) else [content]
        cells = (public_id, external_id, name, *contents, *answer, who, _iso(when), prediction, confidence, *beside[pk])
        found.append((pk, dict(zip(names, cells, strict=True))))
    return found


def _beside(function: Function, keys: Sequence[int]) -> dict[int, list[Value]]:
    """What travels with each of these samples, as `_BESIDE` names it; None where there is nothing. Four queries."""
    found: dict[int, dict[str, list[Any]]] = {key: {} for key in keys}
    marks = Mark.objects.filter(sample__in=keys).order_by("pk").values_list("sample", "kind", "person__email")
    for key, kind, email in marks:
        found[key].setdefault(FLAGGED_BY if kind == MarkKind.FLAG else UNSURE_BY, []).append(email)
    comments = Comment.objects.filter(sample__in=keys).order_by("pk")
    for key, email, when, text in comments.values_list("sample", "person__email", "created_at", "text"):
        found[key].setdefault(COMMENTS, []).append({"by": email or "", "at": _iso(when), "text": text})
    labels = dict(function.labels.values_list("public_id", "name"))
    opinions = Opinion.objects.filter(sample__in=keys).order_by("annotation")
    for key, email, label, tags in opinions.values_list(
        "sample", "person__email", "annotation__label__name", "annotation__tags"
    ):
        said = {"label": label} if tags is None else {"tags": [labels[tag] for tag in labels if tags.get(tag)]}
        found[key].setdefault("answers", []).append({"by": email, **said})
    return {key: [notes.get(name) for name in _BESIDE] for key, notes in found.items()}


class _LabelAnswers:
    """Where to find one label a sample, and the cells it fills."""

    names: ClassVar[list[str]] = ["label"]
    said: ClassVar[str] = "label__name"
    predicted: ClassVar[str] = "out_of_fold__label__name"

    def cells(self, said: str | None) -> list[Value]:
        return [said]

    def prediction(self, predicted: str | None) -> Value:
        return predicted


class _TagAnswers:
    """Where to find tags, and the cells they fill: those on the sample, those said not to be, and those predicted."""

    names: ClassVar[list[str]] = ["tags", ABSENT_NAME]
    said: ClassVar[str] = "annotation__tags"
    predicted: ClassVar[str] = "out_of_fold__tags"

    def __init__(self, function: Function) -> None:
        self._known = KnownLabels(function.pk)
        self._labels = list(function.labels.in_use())
        # What was said out-of-fold, the newest published model said; the live one may be pinned.
        published = function.trained_models.exclude(published_at=None).order_by("-number")
        figures = published.values_list("figures", flat=True).first() or {}
        self._thresholds: Mapping[str, float] = figures.get("thresholds", {})

    def cells(self, said: Mapping[str, bool] | None) -> list[Value]:
        tags = self._known.by_key(said)
        if tags is None:
            return [None, None]
        there, absent = ([one.name for one in self._labels if tags.get(one.pk) is is_on] for is_on in (True, False))
        return [there, absent]

    def prediction(self, predicted: Mapping[str, float] | None) -> Value:
        if predicted is None:
            return None
        limits = self._thresholds
        return [
            label.name
            for label in self._labels
            if predicted.get(label.public_id, 0) >= limits.get(label.public_id, 0.5)
        ]


def _with_prediction(samples: QuerySet[Sample]) -> QuerySet[Sample]:
    condition = Q(predictions__kind=_OUT_OF_FOLD)
    return samples.annotate(out_of_fold=FilteredRelation("predictions", condition=condition))


def _content_column(function: Function) -> str:
    return {InputKind.TEXT: "text", InputKind.TABLE: "row"}.get(InputKind(function.input_kind), "content_hash")


def _fields(function: Function) -> list[Field]:
    return list(function.fields.all()) if function.input_kind == InputKind.TABLE else []


def columns(function: Function) -> list[str]:
    """The names of an export's columns; what a text function calls `text`, pictures call `content_hash`.

    Table rows have a column for each field, under its name. What is ours gives way to a field of the same name.
    """
    return _names(function, _fields(function))


def _names(function: Function, fields: Sequence[Field]) -> list[str]:
    answers = _TagAnswers if function.output_kind == OutputKind.TAGS else _LabelAnswers
    taken = [field.name for field in fields]
    is_table = function.input_kind == InputKind.TABLE
    first = free_names(["id", "external_id", "original_name"], taken)
    last = free_names([*answers.names, "annotated_by", "annotated_at", "prediction", "confidence", *_BESIDE], taken)
    return [*first, *(taken if is_table else [_content_column(function)]), *last]


def free_names(names: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Return the names, each with `sample_` in front where a field has it."""
    taken_already = {name.casefold() for name in taken}
    free: list[str] = []
    for name in names:
        while name.casefold() in taken_already:
            name = f"sample_{name}"
        free.append(name)
    return free


def row_values(row: Mapping[str, object], fields: Sequence[Field]) -> list[Value]:
    """Return a row's cells in the order of the fields: as they were written, numbers as numbers where they were so."""
    cells = cells_of(row)
    values: list[Value] = []
    for field in fields:
        value, text = row.get(field.public_id), cells.get(field.public_id)
        is_plain = isinstance(value, float) and cell_text(value) == text
        values.append(_plain_number(value) if is_plain and isinstance(value, float) else text)
    return values


def _plain_number(number: float) -> float:
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def csv_header(function: Function) -> str:
    return _csv_lines([map(guard, columns(function))])


def csv_page(page: Iterable[ExportRow]) -> str:
    """RFC 4180, with cells that a spreadsheet would run as formulas guarded."""
    return _csv_lines([guard(_cell(value)) for value in row.values()] for row in page)


def _cell(value: Value) -> str:
    if isinstance(value, list):
        notes = [(str(note["by"]), _words(note)) for note in value if isinstance(note, dict)]
        return notes_cell(notes) or tag_cell([name for name in value if isinstance(name, str)])
    return "" if value is None else str(value)


def _words(note: Note) -> str:
    """What somebody wrote or answered, for people to read; JSON lines keep an answer's tags apart."""
    words = note.get("text", note.get("label", note.get("tags", "")))
    return tag_cell(words) if isinstance(words, list) else words


def json_page(page: Iterable[ExportRow]) -> str:
    """One object a line; what is not there is null."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in page)


def csv_chunks(function: Function) -> Iterator[str]:
    """The whole CSV, page by page."""
    yield csv_header(function)
    yield from _chunks(function, csv_page)


def json_chunks(function: Function) -> Iterator[str]:
    """The whole JSON lines file, page by page."""
    yield from _chunks(function, json_page)


def problem_chunks(problems: Iterable[tuple[int, str, str]]) -> Iterator[str]:
    """A CSV of what did not go in, to mend and bring again."""
    yield _csv_lines([["row", "name", "reason"]])
    for row, name, reason in problems:
        yield _csv_lines([[str(row), guard(name), guard(reason)]])


async def in_background(chunks: Iterator[T]) -> AsyncIterator[T]:
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
