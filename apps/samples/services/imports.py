"""The life of an import up to its run: stored, understood, shown for checking, started or thrown away."""

import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, cast
from zipfile import ZipFile

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, TooLarge
from apps.core.jobs import JobName, enqueue_on_commit
from apps.events.kinds import Live
from apps.events.services import announce
from apps.functions.models import Function, InputKind, OutputKind
from apps.samples.checks import clean_name
from apps.samples.layout import Layout, beginning, sniffed, with_columns, with_header
from apps.samples.media import folder_of, forget_files
from apps.samples.models import Import, ImportFormat, ImportState
from apps.samples.reading.archives import UnreadableZip, label_counts, members, open_zip
from apps.samples.reading.columns import Role
from apps.samples.reading.encodings import CHOICES, rewrite_as_utf8, sniff
from apps.samples.reading.json_lines import NotARecord, array_to_lines
from apps.samples.reading.kinds import (
    OLD_OFFICE,
    FileKind,
    NotReadable,
    is_named_table,
    kind_of,
    why_no_office_file,
)
from apps.samples.reading.sheets import sheet_to_csv
from apps.samples.reading.tables import DELIMITERS, Dialect
from apps.samples.reading.tag_cells import TagSeparator
from apps.samples.reading.workbooks import Sheet, check_workbook, is_office_file
from apps.samples.reading.zipped_tables import zipped_table
from apps.samples.services.import_acts import close_act
from apps.samples.services.records import record_import
from apps.samples.services.table_columns import choose_uses, make_fields, propose_uses

_START_BYTES = 1024


@dataclass(frozen=True)
class LayoutChoice:
    """What a person chose on the preview; a role without a column is left out."""

    encoding: str
    dialect: Dialect
    has_header: bool
    roles: Mapping[Role, str]
    label_for_all: str = ""
    flags: tuple[str, ...] = ()
    tag_separator: TagSeparator = TagSeparator.ANY
    uses: tuple[str, ...] = ()


def create_import(*, function: Function, person: User | None, file: IO[bytes], name: str, size_bytes: int) -> Import:
    """Store a file and guess how to read it. Its import then waits for a person to check the guess.

    Raises InvalidInput or TooLarge, with what to bring instead, when nothing can be made of it.
    """
    if size_bytes > settings.UPLOAD_MAX_BYTES:
        raise TooLarge(f"The file is larger than {settings.UPLOAD_MAX_BYTES // 1024**2} MB. Split it into several.")
    try:
        start = file.read(4)
        if start in {b"PK\x03\x04", b"PK\x05\x06"}:
            return _create_zip_import(function, person, file, name)
        if start == OLD_OFFICE:
            raise NotReadable(why_no_office_file(file, name))
        return _create_text_import(function, person, file, name)
    except (NotReadable, NotARecord, UnreadableZip) as reason:
        raise InvalidInput(str(reason)) from reason


def _create_zip_import(function: Function, person: User | None, file: IO[bytes], name: str) -> Import:
    with open_zip(file) as archive:
        if is_office_file(archive):
            check_workbook(archive)
            return _create_sheet_import(function, person, file, name)
        if function.input_kind == InputKind.TABLE:
            return _create_import_with_pictures(function, person, file, archive, name)
        found = members(archive, use_folders=True)
    if not found:
        raise NotReadable("There are no files in this zip.")
    labels = set(label_counts(found))
    # One folder alone may be a label or only the folder that was packed: only a label known already decides for it.
    known = function.labels.in_use().filter(name__in=labels).exists()
    options = {"use_folders": len(labels) > 1 or known, "label": ""}
    key = _store(function, file)
    return _create(function, person, ImportFormat.ZIP, key, name, options=options, cursor=0, cursor_end=len(found))


def _create_import_with_pictures(
    function: Function, person: User | None, file: IO[bytes], archive: ZipFile, name: str
) -> Import:
    """One table, and beside it the pictures its cells name."""
    table = zipped_table(archive)
    create = _create_sheet_import if table.is_workbook else _create_text_import
    job = create(function, person, table.content, table.name)
    job.original_name = clean_name(name)
    job.options["pictures_key"] = _store(function, file)
    job.save(update_fields=["original_name", "options"])
    return job


def _create_sheet_import(function: Function, person: User | None, file: IO[bytes], name: str) -> Import:
    with tempfile.TemporaryFile() as table:
        sheet = sheet_to_csv(file, table)
        layout = _sheet_layout(function, table, sheet)
        book = {"sheet": sheet.name, "sheets": list(sheet.names), "workbook_key": _store(function, file)}
        return store_table(function=function, person=person, file=table, name=name, layout=layout, workbook=book)


def _sheet_layout(function: Function, table: IO[bytes], sheet: Sheet) -> Layout:
    return headed(function, table, Layout(first_row=sheet.first_row, n_columns=sheet.n_columns))


def headed(function: Function, file: IO[bytes], layout: Layout) -> Layout:
    """Complete the layout of a table whose cells are told apart already: its header, and what its columns are."""
    layout = replace(layout, gives_tags=function.output_kind == OutputKind.TAGS)
    kind = function.input_kind
    layout = with_header(file, layout, for_pictures=kind == InputKind.IMAGE, expects_header=kind == InputKind.TABLE)
    return with_proposals(function, file, layout)


def with_proposals(function: Function, file: IO[bytes], layout: Layout) -> Layout:
    """Where the function takes table rows, propose what becomes of each column. One that searches has no labels."""
    if function.searches:
        layout = replace(layout, roles={role: name for role, name in layout.roles.items() if role is not Role.LABEL})
    return propose_uses(function, file, layout) if function.input_kind == InputKind.TABLE else layout


def choose_sheet(*, import_job: Import, name: str) -> bool:
    """Read another sheet of the workbook instead; its columns are guessed afresh. Returns whether it is another one."""
    _require_waiting(import_job)
    if name == import_job.options.get("sheet"):
        return False
    if name not in import_job.options.get("sheets", []):
        raise InvalidInput("There is no such sheet in this workbook.")
    earlier = import_job.file_key
    try:
        with default_storage.open(import_job.options["workbook_key"]) as book, tempfile.TemporaryFile() as table:
            sheet = sheet_to_csv(book, table, wanted=name)
            layout = _sheet_layout(import_job.function, table, sheet)
            cursor, _row = beginning(table, layout)
            size_bytes = table.seek(0, 2)
            key = _store(import_job.function, table)
    except NotReadable as reason:
        raise InvalidInput(str(reason)) from reason
    import_job.options |= {"layout": layout.to_options(), "sheet": name}
    import_job.file_key, import_job.cursor, import_job.cursor_end = key, cursor, size_bytes
    _update_waiting(import_job, options=import_job.options, file_key=key, cursor=cursor, cursor_end=size_bytes)
    default_storage.delete(earlier)
    return True


def _create_text_import(function: Function, person: User | None, file: IO[bytes], name: str) -> Import:
    with as_readable_text(file, name) as (text_file, layout):
        layout = sniffed(
            text_file,
            replace(layout, gives_tags=function.output_kind == OutputKind.TAGS),
            is_named_table=is_named_table(name) or function.input_kind == InputKind.TABLE,
            for_pictures=function.input_kind == InputKind.IMAGE,
            expects_header=function.input_kind == InputKind.TABLE,
        )
        layout = with_proposals(function, text_file, layout)
        return store_table(function=function, person=person, file=text_file, name=name, layout=layout)


def store_table(
    *,
    function: Function,
    person: User | None,
    file: IO[bytes],
    name: str,
    layout: Layout,
    label: str = "",
    workbook: Mapping[str, object] | None = None,
) -> Import:
    """Keep a file whose layout is known, as an import that waits to be checked; with the workbook it came from."""
    cursor, _row = beginning(file, layout)
    size_bytes = file.seek(0, 2)
    options: dict[str, object] = {"layout": layout.to_options(), "label": label, **(workbook or {})}
    kind = ImportFormat.XLSX if workbook else _format_of(layout)
    key = _store(function, file)
    return _create(function, person, kind, key, name, options=options, cursor=cursor, cursor_end=size_bytes)


def _format_of(layout: Layout) -> ImportFormat:
    if layout.is_json:
        return ImportFormat.JSONL
    return ImportFormat.CSV if layout.dialect.delimiter else ImportFormat.LINES


@contextmanager
def as_readable_text(file: IO[bytes], name: str) -> Iterator[tuple[IO[bytes], Layout]]:
    """Give the file, or a rewritten copy, in an encoding whose lines can be split unread, and what is known of it."""
    encoding, start = sniff(file)
    with tempfile.TemporaryFile() as rewritten, tempfile.TemporaryFile() as lines:
        if encoding not in CHOICES or _has_old_line_ends(file):
            rewrite_as_utf8(file, rewritten, encoding=encoding, start=start)
            file, encoding, start = rewritten, "utf-8", 0
        file.seek(start)
        kind = kind_of(file.read(_START_BYTES), name)
        if kind is FileKind.JSON_ARRAY:
            array_to_lines(file, lines, encoding=encoding, start=start)
            file, encoding, start = lines, "utf-8", 0
        yield file, Layout(is_json=kind is not FileKind.TABLE, encoding=encoding, start=start)


def _has_old_line_ends(file: IO[bytes]) -> bool:
    file.seek(0)
    start = file.read(64 * _START_BYTES)
    return b"\r" in start and b"\n" not in start


def _store(function: Function, file: IO[bytes]) -> str:
    file.seek(0)
    return default_storage.save(f"{folder_of(function)}/imports/{uuid.uuid4().hex}", File(file))


def _create(
    function: Function,
    person: User | None,
    kind: ImportFormat,
    file_key: str,
    name: str,
    *,
    options: dict[str, object],
    cursor: int,
    cursor_end: int,
) -> Import:
    return Import.objects.create(
        function=function,
        person=person,
        format=kind,
        state=ImportState.PREVIEW,
        file_key=file_key,
        original_name=clean_name(name),
        options=options,
        cursor=cursor,
        cursor_end=cursor_end,
    )


def layout_of(import_job: Import) -> Layout:
    """How the import's table or JSON lines are read."""
    return Layout.from_options(cast("dict[str, object]", import_job.options["layout"]))


def choose_layout(*, import_job: Import, choice: LayoutChoice) -> bool:
    """Take over what a person chose. A new encoding, delimiter or header means new columns, guessed afresh.

    Returns whether the columns were chosen, rather than guessed, this time.
    """
    _require_waiting(import_job)
    before = layout_of(import_job)
    layout = with_choice(before, choice, import_job.format)
    with default_storage.open(import_job.file_key) as file:
        has_new_columns = layout != before
        if has_new_columns:
            is_image = import_job.function.input_kind == InputKind.IMAGE
            layout = with_columns(file, layout, for_pictures=is_image)
            layout = with_proposals(import_job.function, file, layout)
        elif import_job.function.input_kind == InputKind.TABLE:
            layout = choose_uses(import_job.function, layout, choice)
        else:
            layout = _with_roles(layout, choice)
        cursor, _row = beginning(file, layout)
    import_job.options |= {"layout": layout.to_options(), "label": choice.label_for_all}
    import_job.cursor = cursor
    _update_waiting(import_job, options=import_job.options, cursor=cursor)
    return not has_new_columns


def with_choice(layout: Layout, choice: LayoutChoice, import_format: str) -> Layout:
    """Return the layout as a person wants the file read; of a spreadsheet only whether it begins with names."""
    if layout.is_json:
        return layout
    if import_format == ImportFormat.XLSX:
        return replace(layout, has_header=choice.has_header)
    if choice.encoding not in CHOICES or choice.dialect.delimiter not in {*DELIMITERS, ""}:
        raise InvalidInput("Choose one of the encodings and delimiters offered.")
    dialect = replace(layout.dialect, delimiter=choice.dialect.delimiter)
    return replace(layout, encoding=choice.encoding, dialect=dialect, has_header=choice.has_header)


def _with_roles(layout: Layout, choice: LayoutChoice) -> Layout:
    used = [column for column in choice.roles.values() if column] + list(choice.flags)
    if any(column not in layout.columns for column in used):
        raise InvalidInput("One of the chosen columns is not in the file. Reload the page and choose again.")
    if len(set(used)) < len(used):
        raise InvalidInput("Each column can be used for one thing only.")
    roles = {role: column for role, column in choice.roles.items() if column}
    return replace(layout, roles=roles, flags=choice.flags, tag_separator=choice.tag_separator)


def choose_folders(*, import_job: Import, use_folders: bool, label_for_all: str = "") -> Import:
    """Say whether the folders of a zip are labels."""
    _require_waiting(import_job)
    import_job.options = {"use_folders": use_folders, "label": label_for_all}
    _update_waiting(import_job, options=import_job.options)
    return import_job


def start_import(*, import_job: Import) -> Import:
    """Hand the import to the worker. Starting twice starts once; fields that its columns need are made before."""
    if "layout" in import_job.options and import_job.state == ImportState.PREVIEW:
        if import_job.function.input_kind == InputKind.TABLE:
            with default_storage.open(import_job.file_key) as file:
                fields = make_fields(import_job=import_job, file=file, layout=layout_of(import_job))
            import_job.options["fields"] = fields
        elif not layout_of(import_job).column(Role.CONTENT):
            raise InvalidInput("Choose the column that holds the text.")
    return _hand_over(import_job)


@transaction.atomic
def _hand_over(import_job: Import) -> Import:
    waiting = Import.objects.filter(pk=import_job.pk, state=ImportState.PREVIEW)
    n_changed = waiting.update(state=ImportState.QUEUED, options=import_job.options)
    import_job.refresh_from_db()
    if n_changed:
        enqueue_on_commit(JobName.RUN_IMPORT, import_job.pk, import_job.cursor)
        tell_progress(import_job)
    return import_job


def discard_import(*, import_job: Import) -> None:
    """Throw away an import that was not started, with its file."""
    _require_waiting(import_job)
    with transaction.atomic():
        n_deleted, _rows = Import.objects.filter(pk=import_job.pk, state=ImportState.PREVIEW).delete()
        if n_deleted:
            transaction.on_commit(lambda: forget_files(import_job.file_keys), robust=True)


@transaction.atomic
def stop_import(*, import_job: Import) -> Import:
    """End an import that was started; what came in by then stays. One that is over stays as it is."""
    file_keys = import_job.file_keys
    started = Import.objects.filter(pk=import_job.pk, state__in=[ImportState.QUEUED, ImportState.RUNNING])
    message = "Stopped. Bring the same file again to go on: what came in is recognised."
    n_changed = started.update(state=ImportState.DONE, message=message, finished_at=timezone.now(), file_key="")
    import_job.refresh_from_db()
    if n_changed:
        close_act(import_job)
        record_import(import_job=import_job)
        tell_progress(import_job)
        transaction.on_commit(lambda: forget_files(file_keys), robust=True)
    return import_job


def tell_progress(import_job: Import) -> None:
    function = import_job.function
    announce(
        workspace=function.workspace.public_id,
        kind=Live.IMPORT_PROGRESS,
        subject=function.public_id,
        import_id=import_job.public_id,
        state=import_job.state,
        percent=import_job.percent,
    )


def _require_waiting(import_job: Import) -> None:
    if import_job.state != ImportState.PREVIEW:
        raise Conflict("This import has been started already.")


def _update_waiting(import_job: Import, **fields: object) -> None:
    if not Import.objects.filter(pk=import_job.pk, state=ImportState.PREVIEW).update(**fields):
        raise Conflict("This import has been started or thrown away meanwhile. Reload the page.")
