"""A started import at work, slice by slice: each slice is one message, so that training is never kept waiting.

Rows, counts, problems and the cursor behind them are stored in one transaction. A process that dies loses the chunk it
was at and nothing else; the sweeper's next message goes on from the cursor.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from time import monotonic
from typing import IO, TypeAlias
from zipfile import ZipFile

import structlog
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.core.errors import NotFound, QuotaReached
from apps.core.leases import claim, holder_id, release
from apps.functions.models import InputKind, OutputKind
from apps.samples.checks import TEXT_MAX_CHARACTERS
from apps.samples.layout import Layout, records
from apps.samples.media import forget_files
from apps.samples.models import Import, ImportProblem, ImportState, Origin
from apps.samples.reading.archives import (
    UNPACKED_MAX_BYTES,
    BadMember,
    Member,
    UnreadableZip,
    members,
    open_zip,
    read_member,
)
from apps.samples.reading.columns import Role
from apps.samples.reading.notes import read_notes
from apps.samples.reading.records import Record
from apps.samples.reading.tag_cells import read_tags
from apps.samples.services.annotations import samples_per_transaction
from apps.samples.services.import_acts import act_of, close_act, count_in
from apps.samples.services.import_tags import Lost, collect_tags
from apps.samples.services.imports import layout_of, tell_progress
from apps.samples.services.intake import (
    TEXTS_PER_TRANSACTION,
    Batch,
    IntakeResult,
    KnownPicture,
    NewImage,
    NewRow,
    NewText,
    prepare_known_pictures,
    prepare_rows,
    prepare_texts,
    prepared_images,
    take_in,
)
from apps.samples.services.records import keep_problems, problem, record_import
from apps.samples.services.row_pictures import prepared_rows

SLICE_SECONDS = 0.3
ROWS_PER_CHUNK = TEXTS_PER_TRANSACTION
BYTES_PER_CHUNK = 1024 * 1024
MEMBERS_PER_CHUNK = 20
MEMBER_BYTES_PER_CHUNK = 2 * 1024 * 1024  # one photo from a phone
ATTEMPTS_MAX = 5
PROBLEMS_KEPT = 20_000

logger = structlog.get_logger(__name__)


Item: TypeAlias = NewText | NewImage | NewRow | KnownPicture


@dataclass
class _Chunk:
    """Some records in a row: what may become samples, what will not, and where the next one starts."""

    cursor: int
    n_read: int = 0
    rows: list[int] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    problems: list[ImportProblem] = field(default_factory=list)
    n_bytes: int = 0

    def add(self, row: int, item: Item) -> None:
        self.rows.append(row)
        self.items.append(item)


def run_import(*, import_id: int, cursor: int, budget_seconds: float = SLICE_SECONDS) -> int | None:
    """Work on an import for about `budget_seconds`, from `cursor` on. Returns where to go on, None when it is over.

    A message whose cursor has been passed, or whose import someone is at, does nothing.
    """
    job = Import.objects.select_related("function__workspace", "person").filter(pk=import_id).first()
    if job is None or job.cursor != cursor or job.state not in {ImportState.QUEUED, ImportState.RUNNING}:
        return None
    if not claim(Import, job.pk):
        return None
    try:
        return _run_slice(job, monotonic() + budget_seconds)
    except (Lost, NotFound):
        logger.info("import_lost", import_id=job.public_id)
        return None
    finally:
        release(Import, job.pk)


def _run_slice(job: Import, ends_at: float) -> int | None:
    _begin_attempt(job)
    if job.n_attempts > ATTEMPTS_MAX:
        _end(job, ImportState.FAILED, f"It could not be read past row {job.n_read:,}. What came before is here.")
        return None
    try:
        with default_storage.open(job.file_key) as file:
            if not collect_tags(job, file, ends_at):
                return job.cursor
            for chunk in _chunks(job, file):
                _store(job, chunk)
                if monotonic() > ends_at:
                    return job.cursor
    except FileNotFoundError:
        _end(job, ImportState.FAILED, "The file is no longer there. Bring it again: what came in is recognised.")
        return None
    except UnreadableZip as reason:
        _end(job, ImportState.FAILED, str(reason))
        return None
    except QuotaReached as reached:
        _end(job, ImportState.FAILED, f"{reached.message} What came before is here.")
        return None
    _end(job, ImportState.DONE, "")
    return None


def _begin_attempt(job: Import) -> None:
    n_changed = Import.objects.filter(pk=job.pk, cursor=job.cursor, lease_holder=holder_id()).update(
        state=ImportState.RUNNING, n_attempts=F("n_attempts") + 1
    )
    if not n_changed:
        raise Lost
    job.state = ImportState.RUNNING
    job.n_attempts += 1


def _chunks(job: Import, file: IO[bytes]) -> Iterator[_Chunk]:
    return _member_chunks(job, file) if "use_folders" in job.options else _record_chunks(job, file)


def _record_chunks(job: Import, file: IO[bytes]) -> Iterator[_Chunk]:
    layout = layout_of(job)
    label_for_all = str(job.options["label"])
    kind, fields = InputKind(job.function.input_kind), job.options.get("fields", {})
    row = job.n_read + layout.first_row + layout.has_header
    rows_per_chunk = _rows_per_chunk(job)
    chunk = _Chunk(job.cursor)
    for found in records(file, layout, offset=job.cursor, row=row):
        _add_record(chunk, found, layout, label_for_all, kind, fields)
        if chunk.n_read >= rows_per_chunk or chunk.n_bytes >= BYTES_PER_CHUNK:
            yield chunk
            chunk = _Chunk(chunk.cursor)
    if chunk.n_read:
        yield chunk


def _rows_per_chunk(job: Import) -> int:
    most_rows = MEMBERS_PER_CHUNK if job.options.get("pictures_key") else ROWS_PER_CHUNK
    if job.function.output_kind != OutputKind.TAGS:
        return most_rows
    return samples_per_transaction(job.function.labels.in_use().count(), most_rows)


def _add_record(
    chunk: _Chunk, found: Record, layout: Layout, label_for_all: str, kind: InputKind, fields: Mapping[str, str]
) -> None:
    chunk.n_read += 1
    chunk.n_bytes += found.end - chunk.cursor
    chunk.cursor = found.end
    if found.problem:
        chunk.problems.append(problem(row=found.row, reason=found.problem))
    elif not found.is_blank:
        content, label, external_id, original_name = (found.cells.get(layout.column(role), "") for role in Role)
        tags = read_tags(found.cells, layout.tag_columns) if layout.gives_tags else None
        label = "" if layout.gives_tags else label
        notes = read_notes(found.cells, layout.note_columns)
        if notes is not None and notes.problem:
            chunk.problems.append(problem(row=found.row, reason=notes.problem, is_refused=False))
        rest = (label or label_for_all, external_id, original_name, tags, notes)
        if kind is InputKind.TABLE:
            cells = {key: found.cells.get(name, "") for name, key in fields.items()}
            chunk.add(found.row, NewRow(cells, *rest))
        else:
            chunk.add(found.row, (KnownPicture if kind is InputKind.IMAGE else NewText)(content, *rest))


def _member_chunks(job: Import, file: IO[bytes]) -> Iterator[_Chunk]:
    with open_zip(file) as archive:
        found = members(archive, use_folders=bool(job.options["use_folders"]))
        chunk = _Chunk(job.cursor)
        for member in found[job.cursor :]:
            _add_member(chunk, archive, member, job)
            if chunk.n_read >= MEMBERS_PER_CHUNK or chunk.n_bytes >= MEMBER_BYTES_PER_CHUNK:
                yield chunk
                chunk = _Chunk(chunk.cursor)
        if chunk.n_read:
            yield chunk


def _add_member(chunk: _Chunk, archive: ZipFile, member: Member, job: Import) -> None:
    is_image = job.function.input_kind == InputKind.IMAGE
    max_bytes = settings.IMAGE_MAX_BYTES if is_image else 4 * TEXT_MAX_CHARACTERS
    chunk.n_read += 1
    chunk.cursor += 1
    try:
        content = read_member(archive, member, max_bytes=max_bytes)
    except BadMember as reason:
        chunk.problems.append(problem(row=member.number, name=member.name, reason=str(reason)))
        return
    chunk.n_bytes += len(content)
    label = member.label or str(job.options["label"])
    if is_image:
        chunk.add(member.number, NewImage(content, label_name=label, original_name=member.name))
    else:
        text = _decoded(content)
        chunk.add(member.number, NewText(text, label_name=label, original_name=member.name))


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _store(job: Import, chunk: _Chunk) -> None:
    """Take a chunk in and move the cursor past it, both or neither."""
    with _prepared(job, chunk.items) as batch, transaction.atomic():
        result = take_in(batch=batch, person=job.person, began_at=job.created_at, act=act_of(job))
        count_in(job, result)
        _move(job, chunk, result)
        _keep_problems(job, chunk, result)
        tell_progress(job)


def _prepared(job: Import, items: Sequence[Item]) -> AbstractContextManager[Batch]:
    if not items:
        return nullcontext(Batch(job.function, (), {}))
    texts = [item for item in items if isinstance(item, NewText)]
    images = [item for item in items if isinstance(item, NewImage)]
    known = [item for item in items if isinstance(item, KnownPicture)]
    rows = [item for item in items if isinstance(item, NewRow)]
    if rows and job.options.get("pictures_key"):
        key = str(job.options["pictures_key"])
        return prepared_rows(function=job.function, items=rows, origin=Origin.IMPORT, pictures_key=key)
    if rows:
        return nullcontext(prepare_rows(function=job.function, items=rows, origin=Origin.IMPORT))
    if images:
        return prepared_images(function=job.function, items=images, origin=Origin.IMPORT)
    if known:
        return nullcontext(prepare_known_pictures(function=job.function, items=known, origin=Origin.IMPORT))
    return nullcontext(prepare_texts(function=job.function, items=texts, origin=Origin.IMPORT))


def _move(job: Import, chunk: _Chunk, result: IntakeResult) -> None:
    if "use_folders" in job.options:
        _count_unpacked(job, chunk.n_bytes)
    n_changed = Import.objects.filter(
        pk=job.pk, cursor=job.cursor, state=ImportState.RUNNING, lease_holder=holder_id()
    ).update(
        cursor=chunk.cursor,
        options=job.options,
        n_attempts=0,
        n_read=F("n_read") + chunk.n_read,
        n_added=F("n_added") + result.n_added,
        n_labelled=F("n_labelled") + result.n_labelled,
        n_duplicates=F("n_duplicates") + result.n_duplicates,
        n_failed=F("n_failed") + len(chunk.problems) + len(result.problems),
    )
    if not n_changed:
        raise Lost
    job.cursor = chunk.cursor
    job.n_read += chunk.n_read


def _count_unpacked(job: Import, n_bytes: int) -> None:
    unpacked_bytes = job.options.get("unpacked_bytes", 0) + n_bytes
    if unpacked_bytes > UNPACKED_MAX_BYTES:
        raise UnreadableZip(f"The zip unpacks to more than {UNPACKED_MAX_BYTES // 1024**3} GB. Split it into several.")
    job.options["unpacked_bytes"] = unpacked_bytes


def _keep_problems(job: Import, chunk: _Chunk, result: IntakeResult) -> None:
    room = PROBLEMS_KEPT - job.problems.count()
    refused = [
        problem(row=chunk.rows[index], name=_name_of(chunk.items[index]), reason=reason)
        for index, reason in result.problems
    ]
    noted = [
        problem(row=chunk.rows[index], name=_name_of(chunk.items[index]), reason=note, is_refused=False)
        for index, note in result.notes
    ]
    keep_problems(import_job=job, problems=[*chunk.problems, *refused, *noted][: max(0, room)])


def _name_of(item: Item) -> str:
    if isinstance(item, NewText):
        return item.original_name or item.text
    if isinstance(item, NewRow):
        return " · ".join(str(cell) for cell in item.cells.values() if cell)
    return item.original_name if isinstance(item, NewImage) else item.key


def _end(job: Import, state: ImportState, message: str) -> None:
    """Close the import, write it into the audit log and forget the file."""
    file_keys = job.file_keys
    with transaction.atomic():
        n_changed = Import.objects.filter(pk=job.pk, state=ImportState.RUNNING, lease_holder=holder_id()).update(
            state=state, message=message, finished_at=timezone.now(), file_key=""
        )
        if not n_changed:
            raise Lost
        job.refresh_from_db()
        close_act(job)
        record_import(import_job=job)
        tell_progress(job)
        transaction.on_commit(lambda: forget_files(file_keys), robust=True)
