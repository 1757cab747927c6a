"""Exports written in the background, slice by slice: each slice is one message, so that training is never kept waiting.

The lines of a part are stored first; then its row and the cursor behind it in one transaction. A process that dies
loses the part it was at and nothing else; the sweeper's next message goes on from the cursor. The file that comes of it
is the one that the page downloads.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from time import monotonic

import structlog
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.core.jobs import JobName, enqueue, enqueue_on_commit
from apps.core.leases import claim, holder_id, is_free, release
from apps.events.kinds import Notify
from apps.events.services import notify
from apps.functions.models import Function
from apps.samples import exports
from apps.samples.media import folder_of, forget_files, forget_folder
from apps.samples.models import Export, ExportPart, ExportState, Sample
from apps.samples.services.annotations import lock_function
from apps.samples.services.records import record_export

FORMATS = ("csv", "jsonl")
SLICE_SECONDS = 0.3
ATTEMPTS_MAX = 5
KEPT_DAYS = 7
MOST_AT_WORK = 5
"""Exports of one function that wait or are being written: each is all of its samples."""
AT_WORK = (ExportState.QUEUED, ExportState.RUNNING)
READ_BYTES = 256 * 1024

logger = structlog.get_logger(__name__)


class Lost(Exception):
    """Somebody else is at work on an export, or it was deleted meanwhile."""


@transaction.atomic
def create_export(*, function: Function, person: User, format_name: str) -> Export:
    """Ask for a file of all samples. Raises InvalidInput for an unknown format, Conflict where many are asked for."""
    if format_name not in FORMATS:
        raise InvalidInput(f"format is one of {', '.join(FORMATS)}.")
    lock_function(function.pk)
    if function.exports.filter(state__in=AT_WORK).count() >= MOST_AT_WORK:
        raise Conflict(f"{MOST_AT_WORK} exports of this function are being written. Wait for one, or delete one.")
    export = Export.objects.create(function=function, person=person, format=format_name)
    record_export(function=function, person=person, format_name=format_name)
    enqueue_on_commit(JobName.WRITE_EXPORT, export.pk, 0)
    return export


def delete_export(*, export: Export) -> None:
    """Delete an export with its file, whether it is done or not."""
    with transaction.atomic():
        folder = _folder(export)
        Export.objects.filter(pk=export.pk).delete()
        transaction.on_commit(lambda: forget_folder(folder), robust=True)


def result_chunks(export: Export) -> Iterator[bytes]:
    """The whole file, a stretch at a time. Raises Conflict while it is being written, or where it failed."""
    if export.state != ExportState.DONE:
        raise Conflict(export.message or "This export is still being written. Ask again in a moment.")
    return _stretches(list(export.parts.order_by("number").values_list("file_key", flat=True)))


def _stretches(keys: list[str]) -> Iterator[bytes]:
    for key in keys:
        with default_storage.open(key) as file:
            while stretch := file.read(READ_BYTES):
                yield stretch


def write_export(*, export_id: int, n_parts: int, budget_seconds: float = SLICE_SECONDS) -> int | None:
    """Work on an export for about `budget_seconds`. Returns the number of parts to go on with, None when it is over.

    A message with another number, or of an export someone is at, does nothing.
    """
    rows = Export.objects.select_related("function__workspace", "person")
    job = rows.filter(pk=export_id, n_parts=n_parts, state__in=AT_WORK).first()
    if job is None or not claim(Export, job.pk):
        return None
    try:
        return None if _write_slice(job, monotonic() + budget_seconds) else job.n_parts
    except Lost:
        logger.info("export_lost", export=job.public_id)
        return None
    finally:
        release(Export, job.pk)


def _write_slice(job: Export, ends_at: float) -> bool:
    """Write rows for a while. Returns whether there are no more."""
    _begin_attempt(job)
    if job.n_attempts > ATTEMPTS_MAX:
        return _end(job, ExportState.FAILED, "It could not be written. Ask for another one.")
    columns = exports.columns(job.function)
    if job.columns != columns:
        _begin_anew(job, columns)
    is_csv = job.format == "csv"
    lines = [exports.csv_header(job.function)] if is_csv and job.n_parts == 0 else []
    write = exports.csv_page if is_csv else exports.json_page
    cursor, n_rows, is_over = job.cursor, 0, False
    while not is_over:
        page = exports.rows(job.function, after=cursor)
        is_over = not page
        if page:
            cursor, n_rows = page[-1][0], n_rows + len(page)
            lines.append(write([row for _key, row in page]))
        if monotonic() > ends_at:
            break
    if exports.columns(job.function) != columns:
        return False  # some rows may have been read by other columns: the next slice begins anew
    if lines:
        _store(job, "".join(lines).encode(), cursor=cursor, n_rows=n_rows)
    return _end(job, ExportState.DONE, "") if is_over else False


def _begin_attempt(job: Export) -> None:
    _change(job, state=ExportState.RUNNING, n_attempts=F("n_attempts") + 1)
    job.state, job.n_attempts = ExportState.RUNNING, job.n_attempts + 1


def _begin_anew(job: Export, columns: list[str]) -> None:
    """Begin, also again where columns came, went or were renamed: every row of a file has the same."""
    n_rows_expected = Sample.objects.filter(function=job.function_id).count()
    with transaction.atomic():
        files = list(job.parts.values_list("file_key", flat=True))
        job.parts.all().delete()
        transaction.on_commit(lambda: forget_files(files), robust=True)
        _change(job, columns=columns, cursor=0, n_parts=0, n_rows=0, n_rows_expected=n_rows_expected)
    job.columns, job.cursor, job.n_parts, job.n_rows = columns, 0, 0, 0


def _store(job: Export, content: bytes, *, cursor: int, n_rows: int) -> None:
    """Keep some rows, and move the cursor past them, both or neither."""
    key = default_storage.save(f"{_folder(job)}/{uuid.uuid4().hex}", ContentFile(content))
    try:
        with transaction.atomic():
            _change(job, cursor=cursor, n_parts=F("n_parts") + 1, n_rows=F("n_rows") + n_rows, n_attempts=0)
            ExportPart.objects.create(export=job, number=job.n_parts, file_key=key)
    except Lost:
        default_storage.delete(key)
        raise
    job.cursor, job.n_parts, job.n_rows = cursor, job.n_parts + 1, job.n_rows + n_rows


@transaction.atomic
def _end(job: Export, state: ExportState, message: str) -> bool:
    """Close the export and tell who listens. Returns True: there is nothing more to do."""
    _change(job, state=state, message=message, finished_at=timezone.now())
    notify(
        workspace=job.function.workspace.public_id,
        kind=Notify.EXPORT_DONE,
        function=job.function.public_id,
        exportId=job.public_id,
        state=state.value,
        format=job.format,
        rowCount=job.n_rows,
    )
    return True


def _change(job: Export, **values: object) -> None:
    """Change the row as long as it is ours and as we know it. Raises Lost."""
    mine = Export.objects.filter(pk=job.pk, n_parts=job.n_parts, state__in=AT_WORK, lease_holder=holder_id())
    if not mine.update(**values):
        raise Lost


def _folder(export: Export) -> str:
    """Everything stored for it is in here: under the function's own folder, which goes with the function."""
    return f"{folder_of(export.function)}/exports/{export.public_id}"


def enqueue_unfinished_exports() -> int:
    """Ask for every export that nobody is at. Returns how many those are."""
    waiting = Export.objects.filter(is_free(), state__in=AT_WORK)
    return sum(enqueue(JobName.WRITE_EXPORT, pk, n_parts) for pk, n_parts in waiting.values_list("pk", "n_parts"))


def clear_old_exports() -> None:
    """Delete what was written `KEPT_DAYS` ago: it holds samples that may have been deleted since."""
    long_ago = timezone.now() - timedelta(days=KEPT_DAYS)
    is_old = Q(finished_at__lt=long_ago) | Q(finished_at=None, created_at__lt=long_ago)
    for export in Export.objects.filter(is_old).select_related("function__workspace"):
        delete_export(export=export)
