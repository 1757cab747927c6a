"""Keeps what was answered, without making anyone wait for it.

Rows are collected in memory and written together every half second, and at shutdown. A process that is killed loses
at most the rows of that half second; the answers themselves were given.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from django.db import DatabaseError, IntegrityError

from apps.functions.models import Function, Label
from apps.invoke.database import as_request
from apps.invoke.models import Invocation
from apps.samples.models import Sample
from apps.training.models import TrainedModel
from apps.workspaces.models import ApiKey
from apps.workspaces.services.quotas import settle

logger = structlog.get_logger(__name__)

FLUSH_SECONDS = 0.5
MAX_ROWS = 500
"""Rows in one transaction: writers of one SQLite file take turns, so each turn is short."""
MAX_WAITING = 100_000
"""Rows held while the database is away; beyond it new ones are dropped and counted in the log."""


@dataclass(frozen=True)
class Answered:
    """One call, in database keys; `key_id` is None for a person trying it on the page.

    `label_id` is 0 where no tag was there, or the label is gone. `sample_id` is public: of what was kept of the input,
    "" where nothing was. A call that was not answered has the code of why in `error`, and neither label nor confidence.
    """

    function_id: int
    model_id: int | None
    label_id: int
    key_id: int | None
    confidence: float | None
    milliseconds: float
    created_at: datetime
    sample_id: str = ""
    novelty: float | None = None
    is_for_review: bool = False
    error: str = ""


class Recorder:
    """Writes `Invocation` rows in the background, from a thread that starts with the first row."""

    def __init__(self, *, flush_seconds: float = FLUSH_SECONDS, max_waiting: int = MAX_WAITING) -> None:
        self._flush_seconds = flush_seconds
        self._max_waiting = max_waiting
        self._waiting: deque[Answered] = deque()
        self._n_dropped = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._thread: _Writer | None = None

    def add(self, row: Answered) -> None:
        """Take one row; never blocks and never fails."""
        with self._lock:
            if len(self._waiting) >= self._max_waiting:
                self._n_dropped += 1
                return
            self._waiting.append(row)
            if self._thread is None:
                self._thread = _Writer(self.flush, self._flush_seconds)
                self._thread.start()

    def flush(self) -> None:
        """Write what came so far, with this thread's connection. Raises `DatabaseError`; what was not written stays."""
        with self._writing:
            while rows := self._take():
                try:
                    _write(rows)
                except DatabaseError:
                    with self._lock:
                        self._waiting.extendleft(reversed(rows))
                    raise
            settle()

    def close(self) -> None:
        """Write what is left and end the thread; a row that comes later starts a new one."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.stopping.set()
            thread.join()

    def _take(self) -> list[Answered]:
        with self._lock:
            rows = [self._waiting.popleft() for _ in range(min(len(self._waiting), MAX_ROWS))]
            n_dropped, self._n_dropped = self._n_dropped, 0
        if n_dropped:
            logger.error("invocations_dropped", n_rows=n_dropped)
        return rows


class _Writer(threading.Thread):
    """Flushes at intervals until told to stop, then once more."""

    def __init__(self, flush: Callable[[], None], seconds: float) -> None:
        super().__init__(name="invoke-recorder", daemon=True)
        self.stopping = threading.Event()
        self._flush = flush
        self._seconds = seconds

    def run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self.stopping.wait(self._seconds)
            try:
                as_request(self._flush)
            except DatabaseError as error:
                logger.warning("invocations_not_written", error=repr(error))


def _write(rows: list[Answered]) -> None:
    try:
        _insert(rows)
    except IntegrityError:
        # Something the rows point to was deleted between answer and writing.
        _insert(_still_pointing(rows))


def _insert(rows: list[Answered]) -> None:
    kept = {row.sample_id for row in rows if row.sample_id}
    samples = dict(Sample.objects.filter(public_id__in=kept).values_list("public_id", "pk")) if kept else {}
    Invocation.objects.bulk_create(
        Invocation(
            function_id=row.function_id,
            model_id=row.model_id,
            label_id=row.label_id or None,
            key_id=row.key_id,
            sample_id=samples.get(row.sample_id),
            confidence=row.confidence,
            novelty=row.novelty,
            is_for_review=row.is_for_review,
            error=row.error,
            milliseconds=row.milliseconds,
            created_at=row.created_at,
        )
        for row in rows
    )


def _still_pointing(rows: list[Answered]) -> list[Answered]:
    """Leave out rows of deleted functions and models; forget deleted labels and keys."""
    functions = _present(Function, {row.function_id for row in rows})
    models = _present(TrainedModel, {row.model_id for row in rows if row.model_id})
    labels = _present(Label, {row.label_id for row in rows})
    keys = _present(ApiKey, {row.key_id for row in rows if row.key_id})
    return [
        replace(
            row,
            label_id=row.label_id if row.label_id in labels else 0,
            key_id=row.key_id if row.key_id in keys else None,
        )
        for row in rows
        if row.function_id in functions and (row.model_id is None or row.model_id in models)
    ]


def _present(model: type[Function | TrainedModel | Label | ApiKey], keys: set[int]) -> set[int]:
    return set(model._default_manager.filter(pk__in=keys).values_list("pk", flat=True))
