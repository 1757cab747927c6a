"""What is estimated with a model and kept in its row: accuracy, what may be automated, what more labels would bring."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import F

from apps.engine import automation, crossval, decisions, estimates, forecast, metrics
from apps.engine.errors import DeadlineExpired
from apps.engine.estimates import Estimate, HeldOut
from apps.engine.runtime import Deadline, one_thread
from apps.engine.types import FloatArray, RoundResult
from apps.events.kinds import Live
from apps.events.services import announce
from apps.functions.models import Function, Label
from apps.samples.models import Origin, Sample
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.training.services import held_out
from apps.training.services.arrays import RoundInput
from apps.training.services.held_out import Kept

MAX_POOL = 5_000
"""Confidences of unlabelled samples read for an estimate; more would not narrow it."""
GROWN = 1.1
"""The learning curve is drawn again when there are this many times as many labels."""


def estimated(model: TrainedModel, kept: Kept, labels: Sequence[Label]) -> dict[str, Any]:
    """Return what `TrainedModel.figures` is to hold; two queries. `labels` are those of the model, in its order.

    The curve of the model before is used until its own is drawn.
    """
    weights = np.array([label.weight for label in labels], dtype=np.float64)
    thresholds = None if kept.thresholds is None else decisions.weighed_thresholds(kept.thresholds, weights)
    on_held_out = _held_out(model.function, kept, weights, thresholds)
    accuracy = estimates.accuracy(on_held_out)
    is_early = estimates.is_early(kept.labels[kept.counts], len(labels))
    curve = model.figures.get("curve") or _last_curve(model)
    figures: dict[str, Any] = {  # what a JSON field holds
        "accuracy": {
            "value": accuracy.value,
            "low": accuracy.low,
            "high": accuracy.high,
            "n": accuracy.n,
            "n_random": accuracy.n_random,
            "basis": accuracy.basis.value,
            "is_early": is_early,
            "majority": _majority_share(kept),
        },
        "automation": [
            {"target": option.target, "threshold": option.threshold, "share": option.share, "right": option.right}
            for option in automation.options(on_held_out)
        ],
        "forecast": None if is_early else _forecast(accuracy, curve, len(kept.labels)),
    }
    if curve:
        figures["curve"] = curve
    if thresholds is not None:
        ids = [label.public_id for label in labels]
        figures["thresholds"] = {key: float(one) for key, one in zip(ids, thresholds, strict=True)}
    return figures


def attach(model: TrainedModel, given: RoundInput, result: RoundResult) -> None:
    """Give a model that is about to be published its figures, and keep what they were made of beside its artifact."""
    kept = Kept.of(given, result)
    held_out.keep(model, kept)
    model.figures = estimated(model, kept, given.labels)


def threshold_for(model: TrainedModel, target: float) -> float | None:
    """Return from which confidence on answers need no person, if `target` of them are to be right; None: none do.

    Between two targets measured the stricter one holds; above the strictest nothing is promised.
    """
    for option in model.figures.get("automation", ()):
        if option["target"] >= target - 1e-9:
            threshold = option["threshold"]
            return None if threshold is None else float(threshold)
    return None


def refresh(model: TrainedModel) -> bool:
    """Estimate anew from what was held out and what is said of unlabelled samples now. Returns whether it could."""
    kept = held_out.read(model)
    labels = {label.public_id: label for label in Label.objects.filter(function_id=model.function_id)}
    if kept is None or any(public_id not in labels for public_id in model.label_ids):
        return False
    figures = estimated(model, kept, [labels[public_id] for public_id in model.label_ids])
    with transaction.atomic():
        now = _locked_figures(model)
        if now is None:
            return False
        if now.get("curve") != figures.get("curve"):  # drawn meanwhile
            figures |= {name: now[name] for name in ("curve", "forecast") if name in now}
        _store(model, figures)
    return True


def draw_curve(model: TrainedModel, given: RoundInput, *, deadline: Deadline) -> None:
    """Measure what the last labels brought, and say what more of them would; seldom, and never for long."""
    curve = model.figures.get("curve")
    if curve and given.data.inputs.n_samples < GROWN * curve["n"]:
        return
    folds = crossval.assign_folds(given.data.labels, given.data.groups, n_folds=5)
    try:
        with one_thread():
            judge = forecast.judge_of(given.data)
            removed = forecast.errors_removed(judge, folds, counts=given.data.counts, deadline=deadline)
    except DeadlineExpired:
        return
    if removed is None:
        return
    drawn = {"removed": removed, "n": given.data.inputs.n_samples}
    with transaction.atomic():
        now = _locked_figures(model)
        if now is None:
            return
        figures = now | {"curve": drawn}
        accuracy = figures.get("accuracy")
        if accuracy and not accuracy["is_early"]:
            figures["forecast"] = _forecast(_estimate_of(accuracy), drawn, model.n_annotations)
        _store(model, figures)
        announce(
            workspace=model.function.workspace.public_id,
            kind=Live.PREDICTIONS_CHANGED,
            subject=model.function.public_id,
            revision=model.data_revision,
            predictions=PredictionKind.OUT_OF_FOLD.value,
        )


def _locked_figures(model: TrainedModel) -> dict[str, Any] | None:
    """Estimating and drawing the curve may meet: each keeps what the other wrote. None where the model is gone."""
    return TrainedModel.objects.select_for_update().filter(pk=model.pk).values_list("figures", flat=True).first()


def _store(model: TrainedModel, figures: dict[str, Any]) -> None:
    model.figures = figures
    TrainedModel.objects.filter(pk=model.pk).update(figures=figures)


def _held_out(function: Function, kept: Kept, weights: FloatArray, thresholds: FloatArray | None) -> HeldOut:
    """Put together what is estimated from. Samples that do not count stand among those nobody has labelled."""
    if thresholds is None:
        said = decisions.decide(kept.pred_probs, weights)
        confidence: FloatArray = np.take_along_axis(kept.pred_probs, said[:, None], axis=1)[:, 0]
        is_right = said == kept.labels
    else:
        confidence = decisions.confidence_of_tags(kept.pred_probs, thresholds)
        is_right = metrics.is_right(kept.pred_probs, kept.labels, thresholds)
    n_pool = Sample.objects.filter(function=function, annotation=None).exclude(origin=Origin.CAPTURE).count()
    pool, counts = _pool(function, n_pool), kept.counts
    n_pool = max(n_pool, len(pool))
    if len(pool) or not n_pool:
        pool = np.concatenate([pool, confidence[~counts][:: _step(n_pool)]])
    n_pool = max(n_pool + int((~counts).sum()), len(pool))
    return HeldOut(confidence[counts], is_right[counts], kept.is_random[counts], pool, n_pool)


def _pool(function: Function, n_pool: int) -> FloatArray:
    """Return confidences of unlabelled samples; of many, every so manieth, since they may have come in any order.

    What was sent here for being doubtful is not like the rest of the world.
    """
    live = Prediction.objects.filter(function=function, kind=PredictionKind.LIVE, sample__annotation=None)
    live = live.exclude(sample__origin=Origin.CAPTURE)
    if (step := _step(n_pool)) > 1:
        live = live.annotate(turn=F("sample_id") % step).filter(turn=0)
    return np.array(live.values_list("confidence", flat=True), dtype=np.float64)


def _step(n_pool: int) -> int:
    return max(1, math.ceil(n_pool / MAX_POOL))


def _majority_share(kept: Kept) -> float:
    """The share right when always answering the commonest label, of samples drawn at random where there are enough."""
    fair = kept.labels[kept.is_random if kept.is_random.sum() >= estimates.MIN_PER_LABEL else kept.counts]
    if fair.ndim == 1:
        return metrics.majority_share(fair)
    return float(np.unique(fair == 1, axis=0, return_counts=True)[1].max() / len(fair)) if len(fair) else 0.0


def _last_curve(model: TrainedModel) -> Mapping[str, float] | None:
    before = TrainedModel.objects.filter(function_id=model.function_id).exclude(published_at=None)
    figures = before.order_by("-number").values_list("figures", flat=True).first() or {}
    curve: Mapping[str, float] | None = figures.get("curve")
    return curve


def _forecast(now: Estimate, curve: Mapping[str, float] | None, n_learned: int) -> dict[str, object] | None:
    said = forecast.forecast(now, curve["removed"], n_learned=n_learned) if curve else None
    return None if said is None else {"n_more": said.n_more, "value": said.value, "low": said.low, "high": said.high}


def _estimate_of(accuracy: Mapping[str, object]) -> Estimate:
    return Estimate(
        value=float(str(accuracy["value"])),
        low=float(str(accuracy["low"])),
        high=float(str(accuracy["high"])),
        n=int(str(accuracy["n"])),
        n_random=int(str(accuracy["n_random"])),
        basis=estimates.Basis(str(accuracy["basis"])),
    )
