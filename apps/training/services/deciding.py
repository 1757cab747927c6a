"""Deciding anew what models say, after somebody said that a label is worse to miss: without a round."""

from __future__ import annotations

import numpy as np
from django.db import transaction

from apps.core.jobs import JobName, enqueue_on_commit
from apps.events.kinds import Live
from apps.events.services import announce
from apps.functions.models import Function, Label
from apps.functions.services import note_data_change
from apps.samples.services.annotations import lock_function
from apps.training.models import FunctionWork, Prediction, PredictionKind, TrainedModel, WorkKind
from apps.training.selectors import judging_model
from apps.training.services import figures, held_out
from apps.training.services.held_out import Kept
from apps.training.services.prediction import prediction_rows, write_predictions
from apps.training.services.work import want_predictions

ROWS_AT_ONCE = 500
SMALLEST = 1e-9


def decide_anew(*, function: Function) -> None:
    """Decide out-of-fold predictions and figures again at once, and have live ones made again.

    Where what was held out is no longer known, the next round does it.
    """
    model = judging_model(function)
    if model is not None:
        kept = held_out.read(model)
        if kept is None:
            with transaction.atomic():
                note_data_change(function.pk)
            return
        _decide_held_out(function, model, kept)
    for one in TrainedModel.objects.filter(function=function, is_live=True):
        figures.refresh(one)
    if model is not None and not model.is_live:
        figures.refresh(model)
    ask_live_again(function)


def _decide_held_out(function: Function, model: TrainedModel, kept: Kept) -> None:
    in_use = {label.public_id: label for label in Label.objects.in_use().filter(function=function)}
    columns = [i for i, public_id in enumerate(model.label_ids) if public_id in in_use]  # nobody reads a deleted label
    if not columns:
        return
    labels = tuple(in_use[model.label_ids[i]] for i in columns)
    pred_probs = kept.pred_probs[:, columns]
    if kept.thresholds is None:
        pred_probs = pred_probs / np.maximum(pred_probs.sum(axis=1, keepdims=True), SMALLEST)
    for start in range(0, len(kept.sample_ids), ROWS_AT_ONCE):
        rows = range(start, min(start + ROWS_AT_ONCE, len(kept.sample_ids)))
        with transaction.atomic():
            lock_function(function.pk)
            wanted = [int(kept.sample_ids[row]) for row in rows]
            said = Prediction.objects.filter(sample__in=wanted, kind=PredictionKind.OUT_OF_FOLD, model=model)
            there = set(said.values_list("sample_id", flat=True))  # a newer round may have replaced the others
            still = [row for row in rows if int(kept.sample_ids[row]) in there]
            write_predictions(
                prediction_rows(
                    model=model,
                    kind=PredictionKind.OUT_OF_FOLD,
                    sample_ids=[int(kept.sample_ids[row]) for row in still],
                    labels=labels,
                    pred_probs=pred_probs[still],
                    thresholds=None if kept.thresholds is None else kept.thresholds[columns],
                )
            )


def ask_live_again(function: Function) -> None:
    """Live predictions keep no probabilities to decide by, so the worker makes them again."""
    live = Prediction.objects.filter(function=function, kind=PredictionKind.LIVE).values_list("pk", flat=True)
    while pks := list(live[:ROWS_AT_ONCE]):
        Prediction.objects.filter(pk__in=pks).delete()
    with transaction.atomic():
        FunctionWork.objects.get_or_create(function=function, kind=WorkKind.PREDICT)
        want_predictions(function.pk)
        enqueue_on_commit(JobName.PREDICT_FUNCTION, function.pk)
        announce(
            workspace=function.workspace.public_id,
            kind=Live.PREDICTIONS_CHANGED,
            subject=function.public_id,
            predictions=PredictionKind.OUT_OF_FOLD.value,
        )
