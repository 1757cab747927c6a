"""Handing the unsure rows of a predicted file to the label queue: each becomes a sample without a label.

Part by part, each in one transaction with the count of parts that are through. What is a sample already stays one.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from itertools import islice
from time import monotonic

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.core.jobs import JobName, enqueue_on_commit
from apps.core.leases import holder_id
from apps.functions.models import Function
from apps.invoke.file_predictions.reading import SourceRow, source_rows
from apps.invoke.file_predictions.storage import Lost, tell_progress
from apps.invoke.models import FilePart, FilePrediction, FileState
from apps.samples import rows
from apps.samples.models import Origin
from apps.samples.services.intake import (
    Batch,
    NewImage,
    NewRow,
    NewText,
    prepare_rows,
    prepare_texts,
    prepared_images,
    take_in,
)
from apps.samples.services.records import record_brought
from apps.samples.services.row_pictures import prepared_rows

ATTEMPTS_MAX = 5
PARTS_PER_SLICE = 20
ORIGIN = Origin.CAPTURE
"""They are what the model was asked in use and was unsure of, like a captured call; nobody chose them as examples."""


@transaction.atomic
def send_to_queue(*, prediction: FilePrediction, person: User | None) -> FilePrediction:
    """Have the unsure rows become samples to label. Sending twice sends once."""
    if prediction.sent_at is not None or prediction.state == FileState.SENDING:
        return prediction
    if prediction.state not in {FileState.DONE, FileState.FAILED}:
        raise Conflict("Wait until the file has been read to its end.")
    if not prediction.n_review:
        raise InvalidInput("There is no row in it that a person should look at.")
    prediction.options |= {
        "n_parts": prediction.parts.count(),
        "state_before": prediction.state,
        "sender": person.public_id if person else "",
    }
    over = FilePrediction.objects.filter(pk=prediction.pk, state=prediction.state, sent_at=None)
    n_changed = over.update(state=FileState.SENDING, options=prediction.options, n_slices=F("n_slices") + 1)
    prediction.refresh_from_db()
    if n_changed:
        enqueue_on_commit(JobName.PREDICT_FILE, prediction.pk, prediction.n_slices)
        tell_progress(prediction)
    return prediction


def send_slice(job: FilePrediction, ends_at: float) -> bool:
    """Take parts in for a while. Returns whether all are through."""
    if not _begin_attempt(job):
        return _end(job, "Some of the rows could not be sent; those before them are in the queue.")
    # A list: a query still being read would see the past, and SQLite lets nobody write who does.
    for part in list(job.parts.order_by("number")[job.n_parts_sent : job.n_parts_sent + PARTS_PER_SLICE]):
        try:
            _send_part(job, part)
        except FileNotFoundError:
            return _end(job, "The file is no longer there; the rows before it are in the queue.")
        if monotonic() > ends_at:
            return False
    return _end(job, "") if job.n_parts_sent >= job.options["n_parts"] else False


def _begin_attempt(job: FilePrediction) -> bool:
    """Count an attempt since the last progress. Returns whether it is worth one."""
    mine = FilePrediction.objects.filter(pk=job.pk, n_slices=job.n_slices, lease_holder=holder_id())
    if not mine.update(n_attempts=F("n_attempts") + 1):
        raise Lost
    return job.n_attempts < ATTEMPTS_MAX


def _send_part(job: FilePrediction, part: FilePart) -> None:
    unsure = set(part.review)
    chosen: list[SourceRow] = []
    if unsure:
        with closing(source_rows(job, cursor=part.cursor, row=part.row)) as found:
            chosen = [row for index, row in enumerate(islice(found, part.n_rows)) if index in unsure]
    with _prepared(job, [row for row in chosen if row.data is not None]) as batch, transaction.atomic():
        result = take_in(batch=batch, person=None)
        n_changed = FilePrediction.objects.filter(
            pk=job.pk, n_slices=job.n_slices, state=FileState.SENDING, lease_holder=holder_id()
        ).update(
            n_slices=F("n_slices") + 1,
            n_attempts=0,
            n_parts_sent=F("n_parts_sent") + 1,
            n_sent=F("n_sent") + result.n_added,
            n_known=F("n_known") + result.n_duplicates + result.n_restored,
        )
        if not n_changed:
            raise Lost
        job.n_slices += 1
        job.n_parts_sent += 1
        tell_progress(job)


def _prepared(job: FilePrediction, chosen: Sequence[SourceRow]) -> AbstractContextManager[Batch]:
    function = job.function
    images = [NewImage(row.data, original_name=row.cells[0]) for row in chosen if isinstance(row.data, bytes)]
    texts = [NewText(row.data, original_name=_name(job, row)) for row in chosen if isinstance(row.data, str)]
    new_rows = _new_rows(function, chosen)
    if images:
        return prepared_images(function=function, items=images, origin=ORIGIN)
    if new_rows and "pictures_key" in job.options:
        key = str(job.options["pictures_key"])
        return prepared_rows(function=function, items=new_rows, origin=ORIGIN, pictures_key=key)
    if new_rows:
        return nullcontext(prepare_rows(function=function, items=new_rows, origin=ORIGIN))
    if texts:
        return nullcontext(prepare_texts(function=function, items=texts, origin=ORIGIN))
    return nullcontext(Batch(function, (), {}))


def _name(job: FilePrediction, row: SourceRow) -> str:
    """Texts of a zip are files of their own."""
    return "" if "layout" in job.options else row.cells[0]


def _new_rows(function: Function, chosen: Sequence[SourceRow]) -> list[NewRow]:
    found = [row.data for row in chosen if not isinstance(row.data, str | bytes | None)]
    typed = rows.typed(function.fields.all()) if found else []
    return [NewRow(rows.cells_by_name(data, typed)) for data in found]


@transaction.atomic
def _end(job: FilePrediction, message: str) -> bool:
    n_changed = FilePrediction.objects.filter(pk=job.pk, state=FileState.SENDING, lease_holder=holder_id()).update(
        state=job.options["state_before"], sent_at=timezone.now(), message=message or job.message
    )
    if not n_changed:
        raise Lost
    job.refresh_from_db(fields=["state", "sent_at", "n_sent", "n_known", "message"])
    record_brought(
        function=job.function,
        person=str(job.options["sender"]),
        format=job.format,
        n_added=job.n_sent,
        n_labelled=0,
        n_duplicates=job.n_known,
        n_failed=0,
    )
    tell_progress(job)
    return True
