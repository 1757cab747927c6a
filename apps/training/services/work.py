"""Claiming background work: one holder per function and kind, and a way back from whatever goes wrong."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum

import structlog
from django.db.models import F
from django.utils import timezone

from apps.core import leases
from apps.core.errors import HundredfoldError
from apps.engine.errors import BackboneUnavailable, EngineError
from apps.training.models import FunctionWork, WorkKind

logger = structlog.get_logger(__name__)

RETRY_SECONDS = (5, 15, 60, 300)
REST_PER_SECOND = 10.0
"""What is asked for again and again takes at most a tenth or so of a worker's time."""
SLOW = {WorkKind.SURVEY, WorkKind.INSPECT, WorkKind.INDEX}
_slow = threading.Lock()
UNEXPECTED = "Something went wrong here. It is tried again by itself; the log of the worker says more."


class Progress(StrEnum):
    """How a chunk of work ended."""

    DONE = "done"  # nothing is left to do now
    MORE = "more"  # another chunk follows
    BUSY = "busy"  # somebody else is at it


class LeaseLost(Exception):
    """Somebody else has taken the work over, or the function is gone: results are to be thrown away."""


@contextmanager
def claim_work(*, function_id: int, kind: WorkKind) -> Iterator[FunctionWork | None]:
    """Hold one kind of a function's work for the length of the block; None when somebody else does.

    Whatever the block raises is written down and put off for a while, then raised: the sweeper asks again. That goes
    for Dramatiq's interrupts too: a lease left behind in a living process would be renewed for ever.

    Of the work that takes seconds there is one piece at a time in a process, whatever the function: of a worker's two
    threads one is always left to rounds.
    """
    if kind in SLOW and not _slow.acquire(blocking=False):
        yield None
        return
    try:
        with _held(function_id, kind) as work:
            yield work
    finally:
        if kind in SLOW:
            _slow.release()


@contextmanager
def _held(function_id: int, kind: WorkKind) -> Iterator[FunctionWork | None]:
    work, _is_new = FunctionWork.objects.get_or_create(function_id=function_id, kind=kind)
    if not leases.claim(FunctionWork, work.pk):
        yield None
        return
    try:
        work.refresh_from_db()
        yield work
    except BaseException as error:
        leases.reconnect_if_lost()
        _note_failure(work, error)
        raise
    finally:
        leases.let_go(FunctionWork, work.pk)
    leases.release(FunctionWork, work.pk)
    if work.n_failures:
        FunctionWork.objects.filter(pk=work.pk).update(n_failures=0, retry_at=None, message="")


def do_wanted_work(
    *, function_id: int, kind: WorkKind, do: Callable[[FunctionWork], None], rest_seconds: float = 0.0
) -> Progress:
    """Let `do` do work that was asked for, unless it is done or somebody else is at it; then let it rest.

    It rests for `rest_seconds`, and `REST_PER_SECOND` times as long as it took.
    """
    with claim_work(function_id=function_id, kind=kind) as work:
        if work is None:
            return Progress.BUSY
        if work.wanted_revision <= work.done_revision:
            return Progress.DONE
        started = time.monotonic()
        try:
            do(work)
        except LeaseLost:
            return Progress.BUSY
    rest = timedelta(seconds=rest_seconds + REST_PER_SECOND * (time.monotonic() - started))
    FunctionWork.objects.filter(pk=work.pk).update(retry_at=timezone.now() + rest)
    return Progress.DONE


def require_mine(work: FunctionWork) -> None:
    """Lock the row until the transaction ends. Raises `LeaseLost` if another process took over meanwhile."""
    rows = FunctionWork.objects.select_for_update(no_key=True).filter(pk=work.pk, lease_holder=leases.holder_id())
    if rows.values_list("pk").first() is None:
        raise LeaseLost


def want_predictions(function_id: int) -> None:
    """Ask for live predictions again, after something they depend on has changed; in the caller's transaction."""
    rows = FunctionWork.objects.filter(function_id=function_id, kind=WorkKind.PREDICT)
    rows.update(wanted_revision=F("wanted_revision") + 1)


def want_survey(function_id: int) -> None:
    """Ask for a new look over all samples, in the caller's transaction: some have come, or are gone for good."""
    _want(function_id, WorkKind.SURVEY)


def want_plan(function_id: int) -> None:
    """Ask for a new plan of what to label next, in the caller's transaction: there are other samples, or doubts."""
    _want(function_id, WorkKind.PLAN)


def want_inspection(function_id: int) -> None:
    """Ask to look for what may be wrong, in the caller's transaction: a round or a survey says something new."""
    _want(function_id, WorkKind.INSPECT)


def want_index(function_id: int) -> None:
    """Ask for the samples to be sorted anew for searching, in the caller's transaction: many came, or some are gone."""
    _want(function_id, WorkKind.INDEX)


def _want(function_id: int, kind: WorkKind) -> None:
    rows = FunctionWork.objects.filter(function_id=function_id, kind=kind)
    if not rows.update(wanted_revision=F("wanted_revision") + 1):
        FunctionWork.objects.get_or_create(function_id=function_id, kind=kind, defaults={"wanted_revision": 1})


def sentence_of(error: BaseException) -> str:
    """Return what the user may read about an error: our own errors speak for themselves."""
    return str(error) if isinstance(error, HundredfoldError | EngineError) else UNEXPECTED


def _note_failure(work: FunctionWork, error: BaseException) -> None:
    """Write down that it failed, for the user to read, and when the sweeper may ask again. Gives the lease back.

    Where only this machine lacks a backbone, another one need not wait long.
    """
    n_before = 0 if isinstance(error, BackboneUnavailable) else work.n_failures
    seconds = RETRY_SECONDS[min(n_before, len(RETRY_SECONDS) - 1)]
    FunctionWork.objects.filter(pk=work.pk, lease_holder=leases.holder_id()).update(
        n_failures=min(work.n_failures + 1, 1000),
        retry_at=timezone.now() + timedelta(seconds=seconds),
        message=sentence_of(error),
        lease_holder="",
        lease_expires_at=None,
    )
