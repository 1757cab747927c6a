"""From a round's result to what everybody sees: the artifact on disk, then the rows, in short transactions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.core.jobs import JobName, enqueue_on_commit
from apps.engine import artifacts, readers
from apps.engine.types import ADAPTED, RoundResult, Trial, Verdict
from apps.events.kinds import Audit, Live
from apps.events.services import announce, record
from apps.functions.models import Function
from apps.samples.models import Sample
from apps.samples.services.annotations import lock_function
from apps.training.models import (
    Adaptation,
    AdaptationState,
    FunctionWork,
    Prediction,
    PredictionKind,
    RunState,
    TrainedModel,
    TrainingRun,
    WorkKind,
)
from apps.training.services import adapting_verdict, choosing, figures, files, learned, telling
from apps.training.services.arrays import RoundInput
from apps.training.services.held_out import Kept
from apps.training.services.prediction import prediction_rows, write_predictions
from apps.training.services.serving import artifact_folder
from apps.training.services.work import require_mine, want_inspection, want_predictions

ROWS_AT_ONCE = 500
Row = TypeVar("Row")


def publish(
    *,
    function: Function,
    work: FunctionWork,
    run: TrainingRun,
    given: RoundInput,
    result: RoundResult,
    is_last: bool = True,
) -> TrainedModel:
    """Save the model, replace the out-of-fold predictions and put the model into service.

    Up to 500 annotated samples that is one transaction; of more, the last 500 are in the one that publishes. Raises
    `LeaseLost`. `is_last=False` shows a first result of a round that goes on.
    """
    model = _new_model(function, given, result)
    before = TrainedModel.objects.filter(function=function).exclude(published_at=None).order_by("-number").first()
    annotation_of = dict(zip(given.sample_ids, given.annotation_ids, strict=True))
    gained = adapting_verdict.gain(before, Kept.of(given, result), model)
    model.changes = learned.changes_since(before, model, annotation_of) | gained
    folder = artifact_folder(function, model.public_id)
    try:
        model.sha256 = _save_artifact(folder, model, given, result)
        figures.attach(model, given, result)
        files.keep(folder)
        _write(model, work, run, given, result, is_last=is_last)
    except BaseException:
        files.drop(folder)
        raise
    _drop_unpublished(function)
    return model


def close_without_model(
    *, function: Function, work: FunctionWork, run: TrainingRun, given: RoundInput, message: str
) -> None:
    """End a round that had too little to learn from. What is published stays; the reason is kept for the user."""
    early, last = _split(_stale_predictions(function, given))
    for chunk in early:
        Prediction.objects.filter(pk__in=chunk).delete()
    with transaction.atomic():
        require_mine(work)
        Prediction.objects.filter(pk__in=last).delete()
        FunctionWork.objects.filter(pk=work.pk).update(done_revision=given.revision)
        TrainingRun.objects.filter(pk=run.pk).update(state=RunState.NOT_TRAINABLE, message=message, seconds=0.0)
        want_predictions(function.pk)
        enqueue_on_commit(JobName.PREDICT_FUNCTION, function.pk)
        _announce(function, given)


def close_without_news(
    *, function: Function, work: FunctionWork, run: TrainingRun, given: RoundInput, result: RoundResult
) -> None:
    """End a round that found what the newest model says already."""
    with transaction.atomic():
        require_mine(work)
        FunctionWork.objects.filter(pk=work.pk).update(done_revision=given.revision)
        _finish_run(run, result)
        _announce(function, given)


def drop_predictions_of_deleted_labels(function: Function) -> None:
    """Nobody may read a label that was deleted, whether a new model can be trained or not."""
    deleted = list(function.labels.exclude(deleted_at=None).values_list("pk", flat=True))
    rows = Prediction.objects.filter(function=function, label__in=deleted).values_list("pk", flat=True)
    while deleted and (pks := list(rows[:ROWS_AT_ONCE])):
        Prediction.objects.filter(pk__in=pks).delete()


def move_predictions_of_merged_labels(function: Function) -> int:
    """Let what models said of a label that was merged since count for the other. Returns how many rows changed."""
    n_moved = 0
    for label in function.labels.exclude(merged_into=None):
        for column in ("label", "runner_up"):
            rows = Prediction.objects.filter(function=function, **{column: label}).values_list("pk", flat=True)
            while pks := list(rows[:ROWS_AT_ONCE]):
                n_moved += Prediction.objects.filter(pk__in=pks).update(**{column: label.merged_into_id})
    return n_moved


def _drop_unpublished(function: Function) -> None:
    """Rows of a round that died half-way. Their predictions have all been replaced by those of the new model."""
    unpublished = TrainedModel.objects.filter(function=function, published_at=None)
    if unpublished.exists():
        unpublished.delete()


def _new_model(function: Function, given: RoundInput, result: RoundResult) -> TrainedModel:
    read = {name for backbone in result.blend.backbones for name in readers.backbones_of(backbone, given.data.inputs)}
    return TrainedModel(
        function=function,
        data_revision=given.revision,
        recipe=result.blend.to_json(),
        backbone_versions={spec.name: spec.version for spec in given.specs if spec.name in read},
        adaptation=given.adaptation if any(name.startswith(ADAPTED) for name in read) else None,
        label_ids=[label.public_id for label in given.labels],
        label_names=[label.name for label in given.labels],
        last_annotation_id=given.last_annotation_id,
        n_annotations=len(given.sample_ids),
        n_right=int(np.sum(Kept.of(given, result).is_right & given.data.is_counted)),
        log_loss=result.log_loss,
    )


def _save_artifact(folder: Path, model: TrainedModel, given: RoundInput, result: RoundResult) -> str:
    return artifacts.save(
        folder,
        predictor=result.predictor,
        label_ids=model.label_ids,
        backbone_versions=model.backbone_versions,
        trained_with={
            "data_revision": given.revision,
            "last_annotation_id": given.last_annotation_id,
            "n_annotations": model.n_annotations,
            learned.LEARNED_FROM: learned.as_ranges(given.annotation_ids),
        },
    )


def _write(
    model: TrainedModel,
    work: FunctionWork,
    run: TrainingRun,
    given: RoundInput,
    result: RoundResult,
    *,
    is_last: bool,
) -> None:
    early_stale, last_stale = _split(_stale_predictions(model.function, given))
    for stale in early_stale:
        Prediction.objects.filter(pk__in=stale).delete()
    early_rows, last_rows = _split(list(range(len(given.sample_ids))))
    for rows in early_rows:
        with transaction.atomic():
            _write_out_of_fold(model, work, given, result, rows)
    with transaction.atomic():
        _write_out_of_fold(model, work, given, result, last_rows)
        Prediction.objects.filter(pk__in=last_stale).delete()
        telling.tell_trained(model, is_last=is_last)
        _put_into_service(model)
        if is_last:
            _record_new_recipe(model, result)
            if model.adaptation is not None:
                Adaptation.objects.in_use().filter(pk=model.adaptation.pk).update(state=AdaptationState.USED)
            FunctionWork.objects.filter(pk=work.pk).update(done_revision=given.revision)
            _finish_run(run, result)
            want_inspection(model.function_id)
        FunctionWork.objects.get_or_create(function_id=model.function_id, kind=WorkKind.PREDICT)
        want_predictions(model.function_id)
        enqueue_on_commit(JobName.PREDICT_FUNCTION, model.function_id)
        _announce(model.function, given)


def _write_out_of_fold(
    model: TrainedModel, work: FunctionWork, given: RoundInput, result: RoundResult, rows: Sequence[int]
) -> None:
    require_mine(work)
    if model.pk is None:
        highest = TrainedModel.objects.filter(function_id=model.function_id).aggregate(highest=Max("number"))["highest"]
        model.number = (highest or 0) + 1
        model.save(force_insert=True)
    wanted = [given.sample_ids[row] for row in rows]
    there = set(Sample.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    kept = [row for row in rows if given.sample_ids[row] in there]  # others were deleted during the round
    predictions = prediction_rows(
        model=model,
        kind=PredictionKind.OUT_OF_FOLD,
        sample_ids=[given.sample_ids[row] for row in kept],
        labels=given.labels,
        pred_probs=result.pred_probs[kept],
        thresholds=result.predictor.thresholds,
    )
    write_predictions(predictions)


def _put_into_service(model: TrainedModel) -> None:
    """Only listed while a person has another one pinned, unless that cannot answer any more."""
    lock_function(model.function_id)  # so that nobody pins one meanwhile
    pinned = choosing.pinned_model(model.function)
    if pinned is None or choosing.why_not(pinned):
        live = TrainedModel.objects.filter(function_id=model.function_id, is_live=True)
        live.update(is_live=False, is_pinned=False)
        model.is_live = True
    model.published_at = timezone.now()
    model.save(update_fields=["is_live", "published_at"])
    if model.is_live:
        choosing.note_reports_learned(model)
        telling.tell_answering(model, telling.Because.TRAINED)


def _record_new_recipe(model: TrainedModel, result: RoundResult) -> None:
    """Only a change of recipe is news for the audit log: the same recipe is fitted again after every annotation."""
    if result.decision.verdict in {Verdict.FIRST, Verdict.REPLACED}:
        record(
            workspace=model.function.workspace.public_id,
            kind=Audit.MODEL_PUBLISHED,
            subject=model.public_id,
            function=model.function.public_id,
            number=model.number,
            n_annotations=model.n_annotations,
        )


def _stale_predictions(function: Function, given: RoundInput) -> list[int]:
    """Out-of-fold predictions of samples no longer annotated, and live ones of annotated samples."""
    annotated = set(given.sample_ids)
    out_of_fold = Prediction.objects.filter(function=function, kind=PredictionKind.OUT_OF_FOLD)
    stale = [pk for pk, sample_id in out_of_fold.values_list("pk", "sample_id") if sample_id not in annotated]
    for start in range(0, len(given.sample_ids), ROWS_AT_ONCE):
        live = Prediction.objects.filter(
            sample__in=given.sample_ids[start : start + ROWS_AT_ONCE], kind=PredictionKind.LIVE
        )
        stale += live.values_list("pk", flat=True)
    return stale


def _split(rows: Sequence[Row]) -> tuple[list[Sequence[Row]], Sequence[Row]]:
    """Cut rows into chunks for transactions of their own, and the last chunk."""
    chunks = [rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE)] or [rows]
    return chunks[:-1], chunks[-1]


def _finish_run(run: TrainingRun, result: RoundResult) -> None:
    trials = [_trial_json(trial) for trial in result.trials]
    TrainingRun.objects.filter(pk=run.pk).update(state=RunState.DONE, trials=trials, seconds=result.seconds)


def _trial_json(trial: Trial) -> dict[str, object]:
    return {
        "recipe": trial.recipe.to_json(),
        "log_loss": trial.log_loss,
        "accuracy": trial.accuracy,
        "seconds": trial.seconds,
    }


def _announce(function: Function, given: RoundInput) -> None:
    announce(
        workspace=function.workspace.public_id,
        kind=Live.PREDICTIONS_CHANGED,
        subject=function.public_id,
        revision=given.revision,
        predictions=PredictionKind.OUT_OF_FOLD.value,
    )
