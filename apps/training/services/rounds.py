"""One round of training: annotations in, a published model and out-of-fold predictions out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction

from apps.core.jobs import JobName, enqueue
from apps.engine import automl
from apps.engine.errors import NotTrainable
from apps.engine.runtime import Deadline
from apps.engine.types import Blend, RoundResult
from apps.events.kinds import Live
from apps.events.services import announce
from apps.functions.models import Function
from apps.training.models import FunctionWork, RunState, TrainedModel, TrainingRun, WorkKind
from apps.training.services import choosing, deciding, encoders, figures, publishing
from apps.training.services.arrays import RoundInput, read_round
from apps.training.services.embedding import forget_embedding
from apps.training.services.work import LeaseLost, claim_work, require_mine, sentence_of

SEED = 0
ROUND_SECONDS = 540  # under the actor's time limit, which cannot interrupt native code
FIRST_RESULTS_FROM = 1000
"""From this many samples on, the first model of a function is shown before the last candidate is tried."""
CURVE_SECONDS = 20.0
STOPPED = "The worker stopped in the middle. The round was run again."
STILL_READING = "Your labelled samples are still being read. Training follows by itself."


class RoundOutcome(StrEnum):
    """How a call of `train_function` ended."""

    PUBLISHED = "published"
    NOT_TRAINABLE = "not_trainable"
    NOTHING_NEW = "nothing_new"
    BUSY = "busy"  # another process is at it and goes again when the data moved meanwhile
    LOST = "lost"  # another process took over, or the function was deleted


def train_function(*, function_id: int) -> RoundOutcome:
    """Run one round if anything changed since the last; ask for another if the data moved meanwhile.

    One round is in flight per function. Safe to run again at any time: what a round that died left behind is either
    invisible or replaced by the next.
    """
    if not _has_news(function_id):
        return RoundOutcome.NOTHING_NEW
    function = Function.objects.select_related("workspace").get(pk=function_id)
    with claim_work(function_id=function_id, kind=WorkKind.TRAIN) as work:
        if work is None:
            return RoundOutcome.BUSY
        try:
            outcome = _run_round(function, work)
        except LeaseLost:
            return RoundOutcome.LOST
    # Only now that the lease is free: whoever found it taken before has committed before, and is seen here.
    if _has_news(function_id):
        enqueue(JobName.TRAIN_FUNCTION, function_id)
    return outcome


@dataclass(frozen=True)
class _UntilNews(Deadline):
    """Expires early where there is something new to learn: nobody waits for the curve, somebody for the next round."""

    function_id: int

    def expired(self) -> bool:
        return super().expired() or _has_news(self.function_id)


def _has_news(function_id: int) -> bool:
    revision = Function.objects.filter(pk=function_id).values_list("data_revision", flat=True).first()
    done = FunctionWork.objects.filter(function_id=function_id, kind=WorkKind.TRAIN)
    return revision is not None and revision > (done.values_list("done_revision", flat=True).first() or 0)


def _run_round(function: Function, work: FunctionWork) -> RoundOutcome:
    given = read_round(function)
    if given.revision <= work.done_revision:
        return RoundOutcome.NOTHING_NEW
    if given.lost:
        forget_embedding(given.lost, function_id=function.pk)
    publishing.drop_predictions_of_deleted_labels(function)
    if publishing.move_predictions_of_merged_labels(function) and choosing.pinned_model(function):
        deciding.ask_live_again(function)  # the pinned model adds up what it says of the two
    with _recorded_run(function, work, given.revision) as run:
        try:
            result = _train(function, work, run, given)
        except NotTrainable as error:
            message = STILL_READING if given.n_waiting else str(error)
            publishing.close_without_model(function=function, work=work, run=run, given=given, message=message)
            return RoundOutcome.NOT_TRAINABLE
        model = publishing.publish(function=function, work=work, run=run, given=given, result=result)
    figures.draw_curve(model, given, deadline=_UntilNews(time.monotonic() + CURVE_SECONDS, function.pk))
    return RoundOutcome.PUBLISHED


def _train(function: Function, work: FunctionWork, run: TrainingRun, given: RoundInput) -> RoundResult:
    # Not the live one: a pinned model stays aside from what is learned meanwhile.
    newest = choosing.newest_whole(function)

    def show_first(result: RoundResult) -> None:
        publishing.publish(function=function, work=work, run=run, given=given, result=result, is_last=False)

    wants_first = newest is None and len(given.sample_ids) >= FIRST_RESULTS_FROM
    return automl.train(
        given.data,
        seed=SEED,
        deadline=Deadline.after(ROUND_SECONDS),
        on_first=show_first if wants_first else None,
        serving=_serving_blend(newest),
        device=encoders.device(),
    )


def _serving_blend(newest: TrainedModel | None) -> Blend | None:
    """None where no model is there, or one of an earlier version, whose recipe has no rights now."""
    try:
        return Blend.from_json(newest.recipe) if newest else None
    except ValueError:
        return None


@contextmanager
def _recorded_run(function: Function, work: FunctionWork, revision: int) -> Iterator[TrainingRun]:
    """Record the round from its start; what raises in it leaves a finished run with a sentence."""
    workspace = function.workspace.public_id
    with transaction.atomic():
        require_mine(work)
        TrainingRun.objects.filter(function=function, state=RunState.RUNNING).update(
            state=RunState.FAILED, message=STOPPED
        )
        run = TrainingRun.objects.create(function=function, data_revision=revision, state=RunState.RUNNING)
        announce(workspace=workspace, kind=Live.TRAINING_STARTED, subject=function.public_id, revision=revision)
    try:
        yield run
    except BaseException as error:
        message = STOPPED if isinstance(error, LeaseLost) else sentence_of(error)
        TrainingRun.objects.filter(pk=run.pk).update(state=RunState.FAILED, message=message)
        announce(workspace=workspace, kind=Live.PREDICTIONS_CHANGED, subject=function.public_id)
        raise
