"""Doing a function's work here and now, for commands that run without a worker, and for tests."""

from __future__ import annotations

import time

from apps.core.errors import Unavailable
from apps.training.models import FunctionWork
from apps.training.services.embedding import embed_function
from apps.training.services.prediction import predict_function
from apps.training.services.rounds import RoundOutcome, train_function
from apps.training.services.work import Progress

LONGEST_WAIT_SECONDS = 600.0
PAUSE_SECONDS = 0.05


def finish_work(*, function_id: int) -> None:
    """Train, predict and embed in the worker's order until nothing is left to do.

    Where another process is at it, its result is waited for. Raises what the work raises.
    """
    busy_since: float | None = None
    while True:
        round_ended = train_function(function_id=function_id)
        predicted = predict_function(function_id=function_id)
        embedded = embed_function(function_id=function_id)
        if round_ended is RoundOutcome.NOTHING_NEW and predicted is embedded is Progress.DONE:
            return
        if RoundOutcome.BUSY not in {round_ended} and Progress.BUSY not in {predicted, embedded}:
            busy_since = None
            continue
        busy_since = busy_since or time.monotonic()
        if time.monotonic() - busy_since > LONGEST_WAIT_SECONDS:
            raise Unavailable(_who_is_at_it(function_id))
        time.sleep(PAUSE_SECONDS)


def _who_is_at_it(function_id: int) -> str:
    kinds = FunctionWork.objects.filter(function_id=function_id).exclude(lease_holder="").values_list("kind", flat=True)
    return f"Another process has been at it for ten minutes ({', '.join(kinds)}). Try again when it has ended."
