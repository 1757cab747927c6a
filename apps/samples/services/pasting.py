"""Lines typed or pasted into the page: a few go in at once, many become an import, cells of a spreadsheet a preview."""

import io
import re

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.functions.models import Function, InputKind
from apps.samples.layout import Layout, with_columns
from apps.samples.models import Import, ImportFormat, ImportProblem, ImportState, Origin
from apps.samples.reading.tables import Dialect, sniff_dialect, tab_dialect
from apps.samples.services.import_acts import act_of, close_act, count_in
from apps.samples.services.imports import headed, start_import, store_table
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.records import keep_problems, problem, record_import

LINES_AT_ONCE = 500
_LINE_END = re.compile(r"\r\n|\r|\n")
_PASTED_NAME = "Pasted lines"
_SNIFFED_CHARACTERS = 64 * 1024


def bring_lines(*, function: Function, person: User | None, text: str, label_name: str = "") -> Import:
    """Take pasted text in, one sample a line. The import it returns is done, under way, or waits to be checked.

    Cells of a spreadsheet are a table like one in a file, for functions of any sort.
    """
    if not text.strip():
        raise InvalidInput("Paste or type at least one line.")
    dialect = _dialect_of_cells(function, text)
    if dialect is not None:
        return _bring_cells(function, person, text, dialect, label_name)
    if function.input_kind == InputKind.IMAGE:
        raise InvalidInput("Paste two columns of a spreadsheet: the file names of pictures here, and their labels.")
    lines = _LINE_END.split(text)
    filled = [(row, line) for row, line in enumerate(lines, start=1) if line.strip()]
    if len(filled) > LINES_AT_ONCE:
        return _bring_many(function, person, text, label_name)
    return _bring_few(function, person, filled, label_name)


def _dialect_of_cells(function: Function, text: str) -> Dialect | None:
    """One line with a tab in it may well be a text; for other functions it is a row. Table rows are always cells."""
    least_rows = 2 if function.input_kind == InputKind.TEXT else 1
    dialect = tab_dialect(text, least_rows=least_rows)
    if dialect is None and function.input_kind == InputKind.TABLE:
        return sniff_dialect(text[:_SNIFFED_CHARACTERS], is_named_table=True)
    return dialect


def _bring_cells(function: Function, person: User | None, text: str, dialect: Dialect, label_name: str) -> Import:
    file = io.BytesIO("\n".join(_LINE_END.split(text)).encode("utf-8", "replace"))
    layout = headed(function, file, Layout(dialect=dialect))
    return store_table(
        function=function, person=person, file=file, name="Pasted cells", layout=layout, label=label_name
    )


def _bring_many(function: Function, person: User | None, text: str, label_name: str) -> Import:
    file = io.BytesIO("\n".join(_LINE_END.split(text)).encode("utf-8", "replace"))
    layout = with_columns(file, Layout(dialect=Dialect(delimiter="")), for_pictures=False)
    job = store_table(function=function, person=person, file=file, name=_PASTED_NAME, layout=layout, label=label_name)
    return start_import(import_job=job)


@transaction.atomic
def _bring_few(function: Function, person: User | None, filled: list[tuple[int, str]], label_name: str) -> Import:
    items = [NewText(line.strip(), label_name) for _row, line in filled]
    job = Import.objects.create(
        function=function,
        person=person,
        format=ImportFormat.LINES,
        state=ImportState.DONE,
        original_name=_PASTED_NAME,
        finished_at=timezone.now(),
        n_read=len(filled),
    )
    result = add_texts(function=function, items=items, person=person, origin=Origin.BROWSER, act=act_of(job))
    count_in(job, result)
    job.n_added, job.n_labelled = result.n_added, result.n_labelled
    job.n_duplicates, job.n_failed = result.n_duplicates, len(result.problems)
    job.save()
    close_act(job)
    keep_problems(import_job=job, problems=[_problem(*filled[index], reason) for index, reason in result.problems])
    record_import(import_job=job)
    return job


def _problem(row: int, line: str, reason: str) -> ImportProblem:
    return problem(row=row, name=line, reason=reason)
