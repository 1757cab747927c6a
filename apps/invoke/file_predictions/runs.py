"""A started file at work, slice by slice: each slice is one message, so that training is never kept waiting.

The lines of a part are written first; then its row, the counts and the cursor behind it in one transaction. A process
that dies loses the part it was at and nothing else; the sweeper's next message goes on from the cursor.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from time import monotonic

import structlog
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.core.errors import Unavailable
from apps.core.leases import claim, holder_id, release
from apps.events.kinds import Audit
from apps.events.services import record
from apps.invoke.file_predictions.answers import AnsweredRow, Tally, answered, refused, rows_at_once
from apps.invoke.file_predictions.reading import SourceRow, source_rows
from apps.invoke.file_predictions.results import csv_lines
from apps.invoke.file_predictions.sending import send_slice
from apps.invoke.file_predictions.storage import Lost, store, tell_progress
from apps.invoke.models import FilePart, FilePrediction, FileState
from apps.invoke.services import Answerer, Decision
from apps.samples.reading.archives import UnreadableZip
from apps.training.services.serving import load_model
from apps.training.services.untrained import load_untrained

SLICE_SECONDS = 0.2
ROWS_PER_PART = 100
CHARACTERS_AT_ONCE = 4_000
CAUTIOUS_ATTEMPTS = 2
ATTEMPTS_MAX = 5
GONE = "The model that this began with is no longer here. Predict the file again: the newest model answers then."
NOT_THERE = "The file is no longer there. Drop it again."

logger = structlog.get_logger(__name__)


@dataclass
class _Part:
    """Some rows in a row, answered, and the cursor behind them."""

    cursor: int
    rows: list[AnsweredRow] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    def add(self, batch: list[SourceRow], rows: Iterable[AnsweredRow]) -> None:
        self.cursor = batch[-1].end
        for row in rows:
            self.rows.append(row)
            self.tally.add(row)

    @property
    def review(self) -> list[int]:
        return [index for index, row in enumerate(self.rows) if row.decision == Decision.REVIEW]


def work_on_file(*, prediction_id: int, n_slices: int, budget_seconds: float = SLICE_SECONDS) -> int | None:
    """Work on a file for about `budget_seconds`. Returns the number of slices to go on with, None when it is over.

    A message with another number, or of a file someone is at, does nothing.
    """
    rows = FilePrediction.objects.select_related("function__workspace", "model__function__workspace", "person")
    job = rows.filter(pk=prediction_id, n_slices=n_slices).first()
    if job is None or job.state not in {FileState.QUEUED, FileState.RUNNING, FileState.SENDING}:
        return None
    if not claim(FilePrediction, job.pk):
        return None
    try:
        work = send_slice if job.state == FileState.SENDING else _predict_slice
        return None if work(job, monotonic() + budget_seconds) else job.n_slices
    except Lost:
        logger.info("file_prediction_lost", prediction=job.public_id)
        return None
    finally:
        release(FilePrediction, job.pk)


def _predict_slice(job: FilePrediction, ends_at: float) -> bool:
    """Answer rows for a while. Returns whether there are no more."""
    _begin_attempt(job)
    try:
        answerer = _answerer_of(job)
        if answerer is None:
            return _end(job, FileState.FAILED, GONE)
        with closing(source_rows(job, cursor=job.cursor, row=job.n_rows)) as rows:
            is_over = _answer(job, answerer, rows, ends_at)
    except FileNotFoundError:
        return _end(job, FileState.FAILED, NOT_THERE)
    except UnreadableZip as reason:
        return _end(job, FileState.FAILED, str(reason))
    except Unavailable as error:
        if job.n_attempts < ATTEMPTS_MAX:
            raise
        return _end(job, FileState.FAILED, error.message)
    return _end(job, FileState.DONE, "") if is_over else False


def _begin_attempt(job: FilePrediction) -> None:
    n_changed = FilePrediction.objects.filter(
        pk=job.pk, n_slices=job.n_slices, state__in=[FileState.QUEUED, FileState.RUNNING], lease_holder=holder_id()
    ).update(state=FileState.RUNNING, n_attempts=F("n_attempts") + 1)
    if not n_changed:
        raise Lost
    job.state = FileState.RUNNING
    job.n_attempts += 1


def _answerer_of(job: FilePrediction) -> Answerer | None:
    """What was asked at the start answers to the end, also where a newer model is live by now."""
    if job.is_guess:
        return load_untrained(job.function)
    if job.model is None:
        return None
    # This process's own copy of the row: the slider may be moved while the file is at work, its rows have one rule.
    job.model.function.automation_target = job.options["automation_target"]
    return load_model(job.model)


def _answer(job: FilePrediction, answerer: Answerer, rows: Generator[SourceRow, None, None], ends_at: float) -> bool:
    """Answer batch by batch, and store a part now and then. Returns whether the rows ended before the time did."""
    # Where a run died before, rows are taken one by one; where it dies at one again and again, that one is left out.
    is_cautious, must_skip = job.n_attempts > CAUTIOUS_ATTEMPTS, job.n_attempts > ATTEMPTS_MAX
    part = _Part(job.cursor)
    for batch in _batches(rows, 1 if is_cautious else rows_at_once(job)):
        if must_skip:
            part.add(batch, [refused(row, "The model could not read this row.") for row in batch])
        else:
            part.add(batch, answered(job, answerer, batch))
        is_late = is_cautious or monotonic() > ends_at
        if is_late or len(part.rows) >= ROWS_PER_PART:
            _store(job, part)
            part = _Part(job.cursor)
        if is_late:
            return False
    if part.rows:
        _store(job, part)
    return True


def _batches(rows: Iterable[SourceRow], n_rows_max: int) -> Iterator[list[SourceRow]]:
    batch: list[SourceRow] = []
    n_characters = 0
    for row in rows:
        batch.append(row)
        n_characters += row.n_characters
        if len(batch) >= n_rows_max or n_characters >= CHARACTERS_AT_ONCE:
            yield batch
            batch, n_characters = [], 0
    if batch:
        yield batch


def _store(job: FilePrediction, part: _Part) -> None:
    """Keep what was said, and move the cursor past it, both or neither."""
    key = store(job, csv_lines(row.cells for row in part.rows).encode())
    try:
        _move(job, part, key)
    except Lost:
        default_storage.delete(key)
        raise


@transaction.atomic
def _move(job: FilePrediction, part: _Part, key: str) -> None:
    counts = part.tally.labels
    counts.update(job.label_counts)
    n_changed = FilePrediction.objects.filter(
        pk=job.pk, n_slices=job.n_slices, state=FileState.RUNNING, lease_holder=holder_id()
    ).update(
        cursor=part.cursor,
        n_slices=F("n_slices") + 1,
        n_attempts=0,
        n_rows=F("n_rows") + part.tally.n_rows,
        n_auto=F("n_auto") + part.tally.n_auto,
        n_review=F("n_review") + part.tally.n_review,
        n_failed=F("n_failed") + part.tally.n_failed,
        label_counts=dict(counts),
    )
    if not n_changed:
        raise Lost
    FilePart.objects.create(
        prediction=job,
        number=job.n_slices,
        file_key=key,
        cursor=job.cursor,
        row=job.n_rows,
        n_rows=part.tally.n_rows,
        review=part.review,
    )
    job.cursor, job.label_counts = part.cursor, dict(counts)
    job.n_slices += 1
    job.n_attempts = 0
    job.n_rows += part.tally.n_rows
    tell_progress(job)


@transaction.atomic
def _end(job: FilePrediction, state: FileState, message: str) -> bool:
    """Close the file and write it into the audit log. Returns True: there is nothing more to do."""
    n_changed = FilePrediction.objects.filter(pk=job.pk, state=FileState.RUNNING, lease_holder=holder_id()).update(
        state=state, message=message, finished_at=timezone.now()
    )
    if not n_changed:
        raise Lost
    job.refresh_from_db(fields=["state", "message", "finished_at"])
    note_end(job)
    return True


def note_end(job: FilePrediction) -> None:
    """Say in the audit log that a file was predicted, and tell open pages. Needs a transaction."""
    function, person = job.function, job.person
    record(
        workspace=function.workspace.public_id,
        kind=Audit.FILE_PREDICTED,
        actor=person.public_id if person else "",
        subject=function.public_id,
        format=job.format,
        n_rows=job.n_rows,
    )
    tell_progress(job)


@transaction.atomic
def stop_prediction(*, prediction: FilePrediction) -> FilePrediction:
    """End a file that was started; what was said by then can be downloaded. One that is over stays as it is."""
    started = FilePrediction.objects.filter(pk=prediction.pk, state__in=[FileState.QUEUED, FileState.RUNNING])
    n_changed = started.update(
        state=FileState.DONE, message="Stopped: the rows after these have no answer.", finished_at=timezone.now()
    )
    prediction.refresh_from_db()
    if n_changed:
        note_end(prediction)
    return prediction
