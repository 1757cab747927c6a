"""Doing a function's work here and now, for commands that run without a worker, and for tests."""

from __future__ import annotations

import time

from apps.core.errors import Unavailable
from apps.training.models import FunctionWork
from apps.training.selectors import is_finished
from apps.training.services.embedding import embed_function
from apps.training.services.prediction import predict_function
from apps.training.services.rereading import reread_function
from apps.training.services.rounds import RoundOutcome, train_function
from apps.training.services.search_index_making import index_function
from apps.training.services.surveying import survey_function
from apps.training.services.work import Progress

LONGEST_WAIT_SECONDS = 600.0
PAUSE_SECONDS = 0.05


def finish_work(*, function_id: int) -> None:
    """Train, predict and embed in the worker's order until nothing is left to do, and look over the samples once.

    Where another process is at it, its result is waited for. Raises what the work raises, and `Unavailable` when that
    other process takes too long.
    """
    waiting_since: float | None = None
    while not is_finished(function_id):
        steps: list[RoundOutcome | Progress] = [
            train_function(function_id=function_id),
            predict_function(function_id=function_id),
            embed_function(function_id=function_id),
            reread_function(function_id=function_id),
        ]
        if not {RoundOutcome.BUSY, RoundOutcome.IN_PARTS, Progress.BUSY} & set(steps):
            waiting_since = None
            continue
        waiting_since = waiting_since or time.monotonic()
        if time.monotonic() - waiting_since > LONGEST_WAIT_SECONDS:
            raise Unavailable(_who_is_at_it(function_id))
        time.sleep(PAUSE_SECONDS)
    survey_function(function_id=function_id)
    index_function(function_id=function_id)


def _who_is_at_it(function_id: int) -> str:
    kinds = FunctionWork.objects.filter(function_id=function_id).exclude(lease_holder="").values_list("kind", flat=True)
    return f"Another process has been at it for ten minutes ({', '.join(kinds)}). Try again when it has ended."
