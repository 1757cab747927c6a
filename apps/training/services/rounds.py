"""One round of training: annotations in, a published model and out-of-fold predictions out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum

from django.db import transaction
from django.utils import timezone

from apps.core import metrics
from apps.core.jobs import JobName, enqueue
from apps.engine import adapt, automl
from apps.engine.errors import NotTrainable
from apps.engine.runtime import Deadline
from apps.engine.search import Line
from apps.engine.types import Blend, RoundResult
from apps.events.kinds import Live
from apps.events.services import announce
from apps.functions.models import Function
from apps.training.models import FunctionWork, PartState, RunState, TrainedModel, TrainingRun, WorkKind
from apps.training.services import (
    adapting_verdict,
    changeover,
    choosing,
    deciding,
    encoders,
    fan_out,
    figures,
    publishing,
)
from apps.training.services.arrays import RoundInput, read_round
from apps.training.services.embedding import forget_embedding
from apps.training.services.fan_out import Batch
from apps.training.services.round_data import DataMoved
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
    IN_PARTS = "in_parts"  # workers are at its parts; whoever finds the last of them done goes on
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
        started = time.monotonic()
        try:
            batch = fan_out.batch_of(function_id)
            outcome = _go_on(function, work, batch) if batch else _run_round(function, work)
        except LeaseLost:
            return RoundOutcome.LOST
    if outcome is RoundOutcome.PUBLISHED:
        metrics.ROUND_SECONDS.observe(time.monotonic() - started)
    if outcome is RoundOutcome.IN_PARTS:
        _look_again(function_id)
        return outcome
    # Only now that the lease is free: whoever found it taken before has committed before, and is seen here.
    if _has_news(function_id):
        enqueue(JobName.TRAIN_FUNCTION, function_id)
    return outcome


def _look_again(function_id: int) -> None:
    """Ask for somebody to go on where the last part was done while this process held the function."""
    batch = fan_out.batch_of(function_id)
    if batch is not None and batch.is_done:
        enqueue(JobName.TRAIN_FUNCTION, function_id)


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
    changeover.settle(function, work)
    given = read_round(function)
    if given.revision <= work.done_revision:
        return RoundOutcome.NOTHING_NEW
    if given.lost:
        forget_embedding(given.lost, function_id=function.pk)
    publishing.drop_predictions_of_deleted_labels(function)
    if publishing.move_predictions_of_merged_labels(function) and choosing.pinned_model(function):
        deciding.ask_live_again(function)  # the pinned model adds up what it says of the two
    run = _record_run(function, work, given.revision)
    with _noted_failure(function, run):
        try:
            if _is_sent_out(function, work, run, given):
                return RoundOutcome.IN_PARTS
            given, result = _judge(function, work, run, given)
            if not adapting_verdict.is_news(function, given):
                publishing.close_without_news(function=function, work=work, run=run, given=given, result=result)
                return RoundOutcome.NOTHING_NEW
        except NotTrainable as error:
            message = STILL_READING if given.n_waiting else str(error)
            publishing.close_without_model(function=function, work=work, run=run, given=given, message=message)
            return RoundOutcome.NOT_TRAINABLE
        model = publishing.publish(function=function, work=work, run=run, given=given, result=result)
    _draw_curve(model, given)
    return RoundOutcome.PUBLISHED


def _draw_curve(model: TrainedModel, given: RoundInput) -> None:
    figures.draw_curve(model, given, deadline=_UntilNews(time.monotonic() + CURVE_SECONDS, model.function_id))


def _is_sent_out(function: Function, work: FunctionWork, run: TrainingRun, given: RoundInput) -> bool:
    """Share a large round with other workers, if there are any; of a new function show a first result at once."""
    if not fan_out.can_be_shared(given):
        return False
    newest = choosing.newest_whole(function)
    serving = choosing.blend_of(newest)
    lines = fan_out.lines_of(given, serving)
    if not fan_out.pays(function, given, lines):
        return False
    if newest is None:
        simplest = Line([lines[0].recipes[lines[0].usual]])
        candidates = automl.try_line(given.data, simplest, seed=SEED, device=encoders.device())
        first = automl.conclude(given.data, candidates, seed=SEED, is_complete=False, device=encoders.device())
        publishing.publish(function=function, work=work, run=run, given=given, result=first, is_last=False)
    fan_out.begin(function=function, work=work, run=run, given=given, lines=lines, serving=serving, seed=SEED)
    return True


def _go_on(function: Function, work: FunctionWork, batch: Batch) -> RoundOutcome:
    """Look after a round in parts: see to what was lost, do what nobody takes, and publish once all is done."""
    if batch.is_stalled:
        for part in batch.parts:
            fan_out.run_part(part_id=part.pk)
        return RoundOutcome.IN_PARTS
    if not batch.is_done:
        for part_id in batch.lost:
            enqueue(JobName.RUN_PART, part_id)
        return RoundOutcome.IN_PARTS
    task = batch.parts[0].task
    try:
        given = fan_out.read_given(function, batch.name, task["fingerprint"])
    except DataMoved:
        fan_out.abandon(function.pk, batch.name)
        return RoundOutcome.LOST
    with _noted_failure(function, batch.run):
        result = _put_together(function, work, batch, given)
        model = publishing.publish(function=function, work=work, run=batch.run, given=given, result=result)
    fan_out.drop(function, batch.name)
    _draw_curve(model, given)
    return RoundOutcome.PUBLISHED


def _put_together(function: Function, work: FunctionWork, batch: Batch, given: RoundInput) -> RoundResult:
    task, candidates = batch.parts[0].task, fan_out.candidates_of(batch, given)
    if not candidates:  # all parts failed: the reason is found, and told, by trying in one process
        return _train(function, work, batch.run, given)
    result = automl.conclude(
        given.data,
        candidates,
        seed=task["seed"],
        serving=Blend.from_json(task["serving"]) if task["serving"] else None,
        is_complete=all(part.state == PartState.DONE for part in batch.parts),
        device=encoders.device(),
    )
    return replace(result, seconds=(timezone.now() - batch.run.created_at).total_seconds())


def _judge(
    function: Function, work: FunctionWork, run: TrainingRun, given: RoundInput
) -> tuple[RoundInput, RoundResult]:
    """Train; where the adaptation that was read is no better than without, again without.

    While an adaptation is read all is held out in its few folds. Without one there are more, and figures are of models
    that learned from more samples.
    """
    result = _train(function, work, run, given)
    if given.adaptation is None or adapt.is_read(result.blend):
        return given, result
    adapting_verdict.reject(given.adaptation)
    again = replace(read_round(function), rejected=given.adaptation)
    return again, _train(function, work, run, again)


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
        serving=choosing.blend_of(newest),
        device=encoders.device(),
    )


def _record_run(function: Function, work: FunctionWork, revision: int) -> TrainingRun:
    """Record the round from its start. Raises `LeaseLost`."""
    workspace = function.workspace.public_id
    with transaction.atomic():
        require_mine(work)
        TrainingRun.objects.filter(function=function, state=RunState.RUNNING).update(
            state=RunState.FAILED, message=STOPPED
        )
        run = TrainingRun.objects.create(function=function, data_revision=revision, state=RunState.RUNNING)
        announce(workspace=workspace, kind=Live.TRAINING_STARTED, subject=function.public_id, revision=revision)
    return run


@contextmanager
def _noted_failure(function: Function, run: TrainingRun) -> Iterator[None]:
    """Whatever raises in the block leaves a finished run with a sentence."""
    try:
        yield
    except BaseException as error:
        if isinstance(error, LeaseLost) and fan_out.batch_of(function.pk):
            raise  # whoever took over goes on with this very run
        message = STOPPED if isinstance(error, LeaseLost) else sentence_of(error)
        TrainingRun.objects.filter(pk=run.pk).update(state=RunState.FAILED, message=message)
        announce(workspace=function.workspace.public_id, kind=Live.PREDICTIONS_CHANGED, subject=function.public_id)
        raise
