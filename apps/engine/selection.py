"""Which recipe serves: the smallest held-out loss, and no change of recipe without evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apps.engine import calibration, metrics, predictor
from apps.engine.types import BoolArray, Decision, FloatArray, IntArray, Recipe, Trial, Verdict

TIE = 1e-3
"""Recipes whose loss differs by less, in nats per sample, count as equal; the simpler one is taken.

Measured on six sets at 30, 100 and 300 labels, eight draws each: the least loss, the simplest and the least simple
model within this of it have the same mean accuracy to 0.0002; within ten times this, the simplest costs 0.002.
"""


@dataclass(frozen=True)
class Candidate:
    """A recipe tried: its trial, its temperature, and its held-out figures `(n_samples, …)` in sample order.

    `losses` holds only the samples that count in a comparison (`crossval.could_be_known`).
    """

    trial: Trial
    temperature: float
    pred_probs: FloatArray
    losses: FloatArray

    @property
    def recipe(self) -> Recipe:
        """The recipe that was tried."""
        return self.trial.recipe


def judge(recipe: Recipe, scores: FloatArray, labels: IntArray, *, counts: BoolArray, seconds: float) -> Candidate:
    """Calibrate held-out scores and say how good they are.

    Parameters
    ----------
    scores
        `(n_samples, n_classes)`, out-of-fold, columns in label order.
    counts
        `(n_samples,)`: samples by which recipes are calibrated and compared.
    seconds
        What the scores took.
    """
    n_classes = scores.shape[1]
    temperature = calibration.fit_temperature(scores[counts], labels[counts])
    pred_probs = predictor.probabilities(scores, np.arange(n_classes), temperature=temperature, n_classes=n_classes)
    losses = metrics.sample_log_losses(pred_probs[counts], labels[counts])
    log_loss = float(losses.mean()) if len(losses) else float("inf")
    trial = Trial(recipe, log_loss, metrics.accuracy(pred_probs, labels), seconds)
    return Candidate(trial, temperature, pred_probs, losses)


def best(candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate that loses least; of those within `TIE` of it, the one listed first.

    List simpler models first. Raises `ValueError` without candidates.
    """
    least = min(candidate.trial.log_loss for candidate in candidates)
    return next(candidate for candidate in candidates if candidate.trial.log_loss <= least + TIE)


def decide(winner: Candidate, serving: Candidate | None) -> tuple[Candidate, Decision]:
    """Return what is to serve: `winner`, unless `serving` is as good within the uncertainty of the comparison.

    Both are compared sample by sample on the same folds; `winner` must lose less by more than one standard error of
    that difference, so that chance does not change the recipe back and forth.
    """
    if serving is None:
        return winner, Decision(Verdict.FIRST)
    if winner.recipe == serving.recipe:
        return serving, Decision(Verdict.SAME)
    differences = serving.losses - winner.losses
    n = len(differences)
    gain = float(differences.mean()) if n else 0.0
    error = float(differences.std(ddof=1) / np.sqrt(n)) if n > 1 else float("inf")
    if gain > error:
        return winner, Decision(Verdict.REPLACED, gain, error)
    return serving, Decision(Verdict.KEPT, gain, error)
