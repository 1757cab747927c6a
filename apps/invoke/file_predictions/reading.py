"""The rows of a file one after the other, from any of them on: what is asked of the model, and what goes out again."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, cast
from zipfile import ZipFile

from django.conf import settings
from django.core.files.storage import default_storage

from apps.functions.models import InputKind
from apps.invoke.file_predictions.drops import LARGE
from apps.invoke.models import FilePrediction
from apps.invoke.services import Data
from apps.samples.checks import TEXT_MAX_CHARACTERS
from apps.samples.layout import Layout, records
from apps.samples.reading.archives import BadMember, Member, members, open_zip, read_member
from apps.samples.reading.columns import Role
from apps.samples.reading.records import Record

RAW_CHARACTERS = 10_000


@dataclass(frozen=True)
class SourceRow:
    """One row: its cells in the order of the columns, and what a call would be sent; `problem` says why it cannot be.

    `end` is the cursor just past it; `name` is the file's own where the row is one.
    """

    end: int
    cells: Sequence[str]
    data: Data | None
    problem: str = ""

    @property
    def n_characters(self) -> int:
        return len(self.data) if isinstance(self.data, str) else sum(map(len, self.cells))


def source_rows(prediction: FilePrediction, *, cursor: int, row: int) -> Generator[SourceRow, None, None]:
    """Yield rows from a cursor on; `row` is the number of the first, from 0. Close it: it holds files open.

    Raises FileNotFoundError where they are gone, UnreadableZip where a zip is damaged.
    """
    if "layout" in prediction.options:
        return _table_rows(prediction, cursor, row)
    return _members(prediction, cursor)


def _table_rows(prediction: FilePrediction, cursor: int, row: int) -> Generator[SourceRow, None, None]:
    layout = Layout.from_options(cast("dict[str, object]", prediction.options["layout"]))
    key = prediction.options["source_key"]
    is_text = prediction.function.input_kind == InputKind.TEXT
    content = layout.column(Role.CONTENT)
    number = row + layout.first_row + layout.has_header
    start = cursor
    with default_storage.open(key) as file:
        for record in records(file, layout, offset=cursor, row=number):
            if record.problem:
                cells = [_raw(key, start, record, layout), *[""] * (len(layout.columns) - 1)]
                yield SourceRow(record.end, cells, None, f"Row {record.row}: {record.problem}")
            else:
                cells = [record.cells.get(name, "") for name in layout.columns]
                data: Data = record.cells.get(content, "") if is_text else record.cells
                yield SourceRow(record.end, cells, data, _left_out(record, layout))
            start = record.end


def _left_out(record: Record, layout: Layout) -> str:
    """JSON may name in any row what the first rows, which give the columns, did not."""
    names = [name for name in record.cells if name not in layout.columns] if layout.is_json else []
    return f"Left out, as the first rows do not have it: {', '.join(names)}." if names else ""


def _raw(key: str, start: int, record: Record, layout: Layout) -> str:
    """What stands in the file where no cells could be told apart, so that no row goes missing."""
    with default_storage.open(key) as file:
        file.seek(start)
        raw: bytes = file.read(min(record.end - start, 4 * RAW_CHARACTERS))
    return raw.decode(layout.encoding, "replace").rstrip("\r\n")[:RAW_CHARACTERS].replace("\x00", "\ufffd")


def _members(prediction: FilePrediction, cursor: int) -> Generator[SourceRow, None, None]:
    is_text = prediction.function.input_kind == InputKind.TEXT
    max_bytes = 4 * TEXT_MAX_CHARACTERS if is_text else settings.IMAGE_MAX_BYTES
    passed = 0
    for key, n_members in prediction.options["archives"]:
        if passed + n_members <= cursor:
            passed += n_members
            continue
        with default_storage.open(key) as file, open_zip(file) as archive:
            found = _dropped(archive) if prediction.options.get("is_drop") else members(archive, use_folders=False)
            for member in found[max(0, cursor - passed) :]:
                yield _row_of(archive, member, passed + member.number, max_bytes, is_text=is_text)
        passed += n_members


def _dropped(archive: ZipFile) -> list[Member]:
    return [
        Member(number, info.comment.decode("utf-8", "replace"), LARGE if info.filename.startswith(LARGE) else "", info)
        for number, info in enumerate(archive.infolist(), start=1)
    ]


def _row_of(archive: ZipFile, member: Member, end: int, max_bytes: int, *, is_text: bool) -> SourceRow:
    if member.label == LARGE:
        too_large = f"The picture is larger than {settings.IMAGE_MAX_BYTES // 1024**2} MB. Make it smaller first."
        return SourceRow(end, [member.name], None, too_large)
    try:
        content = read_member(archive, member, max_bytes=max_bytes)
    except BadMember as reason:
        return SourceRow(end, [member.name], None, str(reason))
    return SourceRow(end, [member.name], _decoded(content) if is_text else content)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


@contextmanager
def pictures_beside(prediction: FilePrediction) -> Generator[ZipFile | None, None, None]:
    """Open the zip whose pictures the cells of a table name, where there is one."""
    key = prediction.options.get("pictures_key")
    with ExitStack() as stack:
        file: IO[bytes] | None = stack.enter_context(default_storage.open(key)) if key else None
        yield stack.enter_context(open_zip(file)) if file is not None else None
