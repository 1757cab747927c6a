"""Which blend serves: the smallest held-out loss, and no change of recipes without evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from apps.engine import calibration, metrics, predictor
from apps.engine.types import Blend, BoolArray, Decision, FloatArray, IntArray, Recipe, Task, Trial, Verdict

TIE = 1e-3
"""Recipes whose loss differs by less, in nats per sample, count as equal; the simpler one is taken.

Measured on six sets at 30, 100 and 300 labels, eight draws each: the least loss, the simplest and the least simple
model within this of it have the same mean accuracy to 0.0002; within ten times this, the simplest costs 0.002.
"""


@dataclass(frozen=True)
class Truth:
    """The labels, and what of them counts in a comparison.

    Parameters
    ----------
    labels
        `(n_samples,)`, or of tags `(n_samples, n_tags)`.
    counts
        Of the same shape: entries whose label could be known to the head that scored them (`crossval.could_be_known`).
    """

    labels: IntArray
    counts: BoolArray

    @property
    def task(self) -> Task:
        """One label a sample, or tags: as the labels are shaped."""
        return Task.TAGS if self.labels.ndim == 2 else Task.LABEL

    def given(self, pred_probs: FloatArray) -> FloatArray:
        """Return the probability of what turned out true, for each entry that counts."""
        if self.task is Task.TAGS:
            right = np.where(self.labels == 1, pred_probs, 1 - pred_probs)
            return right[self.counts]
        of_label: FloatArray = pred_probs[np.arange(len(self.labels)), self.labels][self.counts]
        return of_label

    def temperature(
        self, scores: FloatArray, *, fit: Callable[[FloatArray, IntArray], float] = calibration.fit_temperature
    ) -> float:
        """Return the temperature at which held-out scores mean what they say."""
        if self.task is Task.TAGS:
            pairs = scores[self.counts]
            two_sided = np.stack([np.zeros_like(pairs), pairs], axis=1)
            return fit(two_sided, self.labels[self.counts])
        return fit(scores[self.counts], self.labels[self.counts])

    def losses(self, pred_probs: FloatArray) -> FloatArray:
        """Return the nats lost on each sample that counts; of tags, the mean over those that count."""
        given = self.given(pred_probs).astype(np.float64)
        losses: FloatArray = -np.log(np.clip(given, metrics.SMALLEST_PROBABILITY, 1.0))
        if self.task is Task.TAGS:
            samples = np.nonzero(self.counts)[0]
            n_of_sample = np.bincount(samples, minlength=len(self.labels))
            sums = np.bincount(samples, weights=losses, minlength=len(self.labels))
            losses = sums[n_of_sample > 0] / n_of_sample[n_of_sample > 0]
        return losses


@dataclass(frozen=True)
class Candidate:
    """A recipe tried: its trial, its temperature, and its held-out figures `(n_samples, …)` in sample order."""

    trial: Trial
    temperature: float
    pred_probs: FloatArray

    @property
    def recipe(self) -> Recipe:
        """The recipe that was tried."""
        return self.trial.recipe


@dataclass(frozen=True)
class Mixture:
    """Candidates with weights, and how they do together, held out.

    `losses` holds only the samples that count in a comparison.
    """

    members: Sequence[tuple[Candidate, float]]
    temperature: float
    pred_probs: FloatArray
    losses: FloatArray

    @property
    def blend(self) -> Blend:
        """Their recipes."""
        return Blend(tuple((candidate.recipe, weight) for candidate, weight in self.members))

    @property
    def log_loss(self) -> float:
        """Nats lost per sample."""
        return float(self.losses.mean()) if len(self.losses) else float("inf")


def judge(recipe: Recipe, scores: FloatArray, truth: Truth, *, seconds: float) -> Candidate:
    """Calibrate held-out scores and say how good they are.

    Parameters
    ----------
    scores
        `(n_samples, n_classes)`, out-of-fold, columns in label order.
    seconds
        What the scores took.
    """
    n_classes = scores.shape[1]
    temperature = truth.temperature(scores)
    pred_probs = predictor.probabilities(
        scores, np.arange(n_classes), temperature=temperature, n_classes=n_classes, task=truth.task
    )
    losses = truth.losses(pred_probs)
    log_loss = float(losses.mean()) if len(losses) else float("inf")
    accuracy = float(metrics.is_right(pred_probs, truth.labels).mean())
    return Candidate(Trial(recipe, log_loss, accuracy, seconds), temperature, pred_probs)


def mixture(members: Sequence[tuple[Candidate, float]], truth: Truth) -> Mixture:
    """Return what these candidates say together. A member alone is calibrated already."""
    averaged = _averaged(members, truth)
    temperature = truth.temperature(predictor.log_scores(averaged, truth.task)) if len(members) > 1 else 1.0
    pred_probs = predictor.tempered(averaged, temperature, task=truth.task)
    return Mixture(members, temperature, pred_probs, truth.losses(pred_probs))


def gain_of(losses: FloatArray, *, over: FloatArray) -> tuple[float, float]:
    """Return by how many nats these losses are less than others of the same samples, and the standard error of that."""
    differences = over - losses
    n = len(differences)
    gain = float(differences.mean()) if n else 0.0
    return gain, float(differences.std(ddof=1) / np.sqrt(n)) if n > 1 else float("inf")


def as_shown(chosen: Mixture, truth: Truth) -> Mixture:
    """Return what is to serve at the temperature its confidence is shown at. It is as often right as before."""
    averaged = _averaged(chosen.members, truth)
    scores = predictor.log_scores(averaged, truth.task)
    temperature = truth.temperature(scores, fit=calibration.fit_temperature_shown)
    pred_probs = predictor.tempered(averaged, temperature, task=truth.task)
    return Mixture(chosen.members, temperature, pred_probs, truth.losses(pred_probs))


def _averaged(members: Sequence[tuple[Candidate, float]], truth: Truth) -> FloatArray:
    of_members = [candidate.pred_probs for candidate, _weight in members]
    weights = [weight for _candidate, weight in members]
    return predictor.mixed(of_members, weights, temperature=1.0, task=truth.task)


def decide(winner: Mixture, serving: Mixture | None) -> tuple[Mixture, Decision]:
    """Return what is to serve: `winner`, unless `serving` is as good within the uncertainty of the comparison.

    Both are compared sample by sample on the same folds; `winner` must lose less by more than one standard error of
    that difference, and by more than a tie, so that chance does not change the recipes back and forth.
    """
    if serving is None:
        return winner, Decision(Verdict.FIRST)
    if winner.blend == serving.blend:
        return serving, Decision(Verdict.SAME)
    gain, error = gain_of(winner.losses, over=serving.losses)
    if gain > max(error, TIE):
        return winner, Decision(Verdict.REPLACED, gain, error)
    is_same = {recipe for recipe, _ in winner.blend.members} == {recipe for recipe, _ in serving.blend.members}
    return serving, Decision(Verdict.SAME if is_same else Verdict.KEPT, gain, error)
