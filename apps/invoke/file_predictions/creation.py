"""The life of a file up to its prediction: stored, understood, shown for checking, started or thrown away."""

import tempfile
from dataclasses import dataclass, replace
from typing import IO, cast
from zipfile import ZipFile

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, TooLarge
from apps.core.jobs import JobName, enqueue_on_commit
from apps.functions.models import Function, InputKind, OutputKind
from apps.invoke.file_predictions.drops import begin_drop, end_drop, take_chunk
from apps.invoke.file_predictions.storage import folder_of_prediction, forget_on_commit, store, tell_progress
from apps.invoke.models import FilePrediction, FileState
from apps.invoke.services import Answerer, load_answerer
from apps.invoke.wire import NoModel
from apps.samples import rows
from apps.samples.checks import clean_name
from apps.samples.layout import Layout, beginning, sniffed, with_columns, with_header
from apps.samples.media import forget_folder
from apps.samples.models import ImportFormat
from apps.samples.reading.archives import UnreadableZip, members, open_zip
from apps.samples.reading.columns import Role
from apps.samples.reading.json_lines import NotARecord
from apps.samples.reading.kinds import OLD_OFFICE, NotReadable, is_named_table, suffix_of, why_no_office_file
from apps.samples.reading.sheets import sheet_to_csv
from apps.samples.reading.workbooks import Sheet, check_workbook, is_office_file
from apps.samples.reading.zipped_tables import TABLE_SUFFIXES, zipped_table
from apps.samples.services.imports import LayoutChoice, as_readable_text, with_choice
from apps.training.selectors import training_state
from apps.training.services.serving import Served

_ZIP_STARTS = frozenset({b"PK\x03\x04", b"PK\x05\x06"})
_PICTURES_INSTEAD = "This function takes pictures: drop them, a folder of them, or a zip."
FILE_COLUMN = "file"


@dataclass(frozen=True)
class Found:
    """What is known of a table: how to read it, and the workbook it was made from."""

    layout: Layout
    sheet: Sheet | None = None


def create_from_upload(
    *, function: Function, person: User | None, file: IO[bytes], name: str, size_bytes: int
) -> FilePrediction:
    """Store a file and guess how to read it. Tables then wait for a person to check that; pictures start at once.

    Raises InvalidInput or TooLarge, with what to bring instead, when nothing can be made of it.
    """
    if size_bytes > settings.UPLOAD_MAX_BYTES:
        raise TooLarge(f"The file is larger than {settings.UPLOAD_MAX_BYTES // 1024**2} MB. Split it into several.")
    require_answers(function)
    job = FilePrediction(function=function, person=person, original_name=clean_name(name), state=FileState.PREVIEW)
    try:
        start = file.read(4)
        if start in _ZIP_STARTS:
            return _create_from_zip(job, file)
        if function.input_kind == InputKind.IMAGE:
            return _create_from_picture(function, person, file, name)
        if start == OLD_OFFICE:
            raise NotReadable(why_no_office_file(file, name))
        return _create_from_text(job, file, name)
    except (NotReadable, NotARecord, UnreadableZip) as reason:
        forget_folder(folder_of_prediction(job))
        raise InvalidInput(str(reason)) from reason


def require_answers(function: Function) -> Answerer:
    """Return what answers now. Raises NoModel where nothing does."""
    answerer = load_answerer(function)
    if answerer is None:
        raise NoModel(training_state(function).missing)
    return answerer


def _create_from_zip(job: FilePrediction, file: IO[bytes]) -> FilePrediction:
    function = job.function
    with open_zip(file) as archive:
        is_office = is_office_file(archive)
        if is_office and function.input_kind == InputKind.IMAGE:
            raise NotReadable(_PICTURES_INSTEAD)
        if is_office:
            check_workbook(archive)
            return _create_from_workbook(job, file)
        if function.input_kind == InputKind.TABLE:
            return _create_with_pictures(job, file, archive)
        n_files = len(members(archive, use_folders=False))
    if not n_files:
        raise NotReadable("There are no files in this zip.")
    job.format, job.cursor_end = ImportFormat.ZIP, n_files
    job.options = {"archives": [[store(job, file), n_files]]}
    job.save()
    return start_prediction(prediction=job)


def _create_with_pictures(job: FilePrediction, file: IO[bytes], archive: ZipFile) -> FilePrediction:
    """One table, and beside it the pictures its cells name."""
    table = zipped_table(archive)
    job.options["pictures_key"] = store(job, file)
    if table.is_workbook:
        return _create_from_workbook(job, table.content)
    return _create_from_text(job, table.content, table.name)


def _create_from_picture(function: Function, person: User | None, file: IO[bytes], name: str) -> FilePrediction:
    """Without scripts a page sends one picture like any file."""
    if suffix_of(name) in TABLE_SUFFIXES:
        raise NotReadable(_PICTURES_INSTEAD)
    file.seek(0)
    content = file.read(settings.IMAGE_MAX_BYTES + 1)
    job = begin_drop(function=function, person=person, n_files=1)
    take_chunk(prediction=job, chunk_number=0, files=[(name, len(content), content)])
    end_drop(prediction=job)
    return start_prediction(prediction=job)


def _create_from_workbook(job: FilePrediction, file: IO[bytes]) -> FilePrediction:
    with tempfile.TemporaryFile() as table:
        sheet = sheet_to_csv(file, table)
        job.options["workbook_key"] = store(job, file)
        _keep_table(job, table, Found(_headed(job.function, table, sheet), sheet))
    job.save()
    return job


def _headed(function: Function, table: IO[bytes], sheet: Sheet) -> Layout:
    layout = Layout(first_row=sheet.first_row, n_columns=sheet.n_columns)
    return with_header(table, layout, for_pictures=False, expects_header=function.input_kind == InputKind.TABLE)


def _create_from_text(job: FilePrediction, file: IO[bytes], name: str) -> FilePrediction:
    is_table = job.function.input_kind == InputKind.TABLE
    with as_readable_text(file, name) as (text_file, layout):
        layout = sniffed(
            text_file,
            # Lists of labels in JSON are no reason to refuse a row: nobody reads them here.
            replace(layout, gives_tags=layout.is_json),
            is_named_table=is_named_table(name) or is_table,
            for_pictures=False,
            expects_header=is_table,
        )
        _keep_table(job, text_file, Found(layout))
    job.save()
    return job


def _keep_table(job: FilePrediction, table: IO[bytes], found: Found) -> None:
    """Store a table that can be read, and what is known of it."""
    layout, sheet = found.layout, found.sheet
    job.format = ImportFormat.XLSX if sheet else _format_of(layout)
    job.cursor, _row = beginning(table, layout)
    job.cursor_end = table.seek(0, 2)
    job.options |= {"layout": layout.to_options(), "source_key": store(job, table)}
    if sheet:
        job.options |= {"sheet": sheet.name, "sheets": list(sheet.names)}


def _format_of(layout: Layout) -> ImportFormat:
    if layout.is_json:
        return ImportFormat.JSONL
    return ImportFormat.CSV if layout.dialect.delimiter else ImportFormat.LINES


def layout_of(prediction: FilePrediction) -> Layout:
    """How the table is read."""
    return Layout.from_options(cast("dict[str, object]", prediction.options["layout"]))


def choose_sheet(*, prediction: FilePrediction, name: str) -> bool:
    """Read another sheet of the workbook instead. Returns whether it is another one."""
    _require_waiting(prediction)
    if name == prediction.options.get("sheet"):
        return False
    if name not in prediction.options.get("sheets", []):
        raise InvalidInput("There is no such sheet in this workbook.")
    earlier = prediction.options["source_key"]
    try:
        with default_storage.open(prediction.options["workbook_key"]) as book, tempfile.TemporaryFile() as table:
            sheet = sheet_to_csv(book, table, wanted=name)
            _keep_table(prediction, table, Found(_headed(prediction.function, table, sheet), sheet))
    except NotReadable as reason:
        raise InvalidInput(str(reason)) from reason
    _update_waiting(prediction)
    default_storage.delete(earlier)
    return True


def choose_layout(*, prediction: FilePrediction, choice: LayoutChoice) -> bool:
    """Take over what a person chose. Returns whether the columns are those they saw, rather than guessed anew."""
    _require_waiting(prediction)
    before = layout_of(prediction)
    layout = with_choice(before, choice, prediction.format)
    has_new_columns = layout != before
    with default_storage.open(prediction.options["source_key"]) as file:
        if has_new_columns:
            layout = with_columns(file, layout, for_pictures=False)
        elif choice.roles.get(Role.CONTENT):
            layout = _with_content(layout, choice.roles[Role.CONTENT])
        prediction.cursor, _row = beginning(file, layout)
    prediction.options |= {"layout": layout.to_options()}
    _update_waiting(prediction)
    return not has_new_columns


def _with_content(layout: Layout, column: str) -> Layout:
    if column not in layout.columns:
        raise InvalidInput("The chosen column is not in the file. Reload the page and choose again.")
    return replace(layout, roles={Role.CONTENT: column})


def start_prediction(*, prediction: FilePrediction) -> FilePrediction:
    """Hand the file to the worker. Starting twice starts once.

    The model that answers now answers to its end, and what is wanted of automated answers now decides to its end.

    Raises InvalidInput where nothing can be said of it.
    """
    if prediction.state not in {FileState.PREVIEW, FileState.UPLOADING}:
        return prediction
    answerer = require_answers(prediction.function)
    columns = _source_columns(prediction)
    prediction.options |= {
        "columns": columns,
        "answer_columns": _answer_columns(prediction.function, columns),
        "automation_target": prediction.function.automation_target,
    }
    return _hand_over(prediction, answerer.model.pk if isinstance(answerer, Served) else None)


@transaction.atomic
def _hand_over(prediction: FilePrediction, model_id: int | None) -> FilePrediction:
    waiting = FilePrediction.objects.filter(pk=prediction.pk, state=prediction.state)
    n_changed = waiting.update(
        state=FileState.QUEUED, options=prediction.options, model=model_id, is_guess=model_id is None
    )
    prediction.refresh_from_db()
    if n_changed:
        enqueue_on_commit(JobName.PREDICT_FILE, prediction.pk, prediction.n_slices)
        tell_progress(prediction)
    return prediction


def _source_columns(prediction: FilePrediction) -> list[str]:
    if "layout" not in prediction.options:
        return [FILE_COLUMN]
    layout = layout_of(prediction)
    if prediction.function.input_kind == InputKind.TABLE:
        if not matched_fields(prediction.function, layout):
            raise InvalidInput("None of the columns of this file has the name of a column of this function.")
    elif not layout.column(Role.CONTENT):
        raise InvalidInput("Choose the column that holds the text.")
    return list(layout.columns)


def matched_fields(function: Function, layout: Layout) -> dict[str, str]:
    """Return the columns of a file that a function of table rows reads, and the name of the field each one is."""
    fields = {each.public_id: each.name for each in function.fields.filter(is_used=True)}
    typed = rows.typed(function.fields.filter(is_used=True))
    found: dict[str, str] = {}
    for column in layout.columns:
        for key in rows.cells_by_name({column: ""}, typed):
            found[column] = fields[key]
    return found


def _answer_columns(function: Function, taken: list[str]) -> list[str]:
    """The columns added, each with `predicted_` in front where the file has one of that name."""
    answer = "tags" if function.output_kind == OutputKind.TAGS else "label"
    there = {name.casefold() for name in taken}
    free: list[str] = []
    for name in (answer, "confidence", "decision", "reason"):
        while name.casefold() in there:
            name = f"predicted_{name}"
        free.append(name)
    return free


@transaction.atomic
def discard_prediction(*, prediction: FilePrediction) -> None:
    """Delete a prediction that nobody is at work on, with its file and its result."""
    states = [FileState.PREVIEW, FileState.UPLOADING, FileState.DONE, FileState.FAILED]
    n_deleted, _rows = FilePrediction.objects.filter(pk=prediction.pk, state__in=states).delete()
    if not n_deleted:
        raise Conflict("It is at work. Stop it first.")
    forget_on_commit(prediction)


def _require_waiting(prediction: FilePrediction) -> None:
    if prediction.state != FileState.PREVIEW:
        raise Conflict("This file has been started already.")


def _update_waiting(prediction: FilePrediction) -> None:
    waiting = FilePrediction.objects.filter(pk=prediction.pk, state=FileState.PREVIEW)
    values = {name: getattr(prediction, name) for name in ("options", "cursor", "cursor_end", "format")}
    if not waiting.update(**values):
        raise Conflict("This file has been started or thrown away meanwhile. Reload the page.")
