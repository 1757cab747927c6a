"""Figures about predictions: how many are right, how sure one can be of that, how honest the confidence is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from apps.engine.types import BoolArray, FloatArray, IntArray

SMALLEST_PROBABILITY = 1e-6
"""Floor under probabilities in the log loss: one impossible label costs 13.8 nats, not infinity."""


@dataclass(frozen=True)
class LabelFigures:
    """One label in counts: it has `n` samples, of which `caught` were predicted as it and `missed` were not;
    `false_alarms` samples of other labels were predicted as it."""

    label: int
    n: int
    caught: int
    missed: int
    false_alarms: int


def wilson_interval(n_right: float, n: float, *, level: float = 0.90) -> tuple[float, float]:
    """Return the interval in which the true share lies with probability `level`.

    Parameters
    ----------
    n_right, n
        `0 <= n_right <= n`. With `n == 0` nothing is known: (0, 1). Not whole where samples count for more or less than
        one.
    level
        In (0, 1).

    Returns
    -------
    Lower and upper end, within [0, 1].

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    if not 0 <= n_right <= n:
        raise ValueError("n_right must lie between 0 and n.")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, z2 = n_right / n, z * z
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    lower = 0.0 if n_right == 0 else max(0.0, centre - half)  # exact ends, which rounding would miss by 1e-17
    upper = 1.0 if n_right == n else min(1.0, centre + half)
    return lower, upper


def majority_share(labels: IntArray) -> float:
    """Return the share right when always guessing the commonest label; 0 where there are no labels."""
    if len(labels) == 0:
        return 0.0
    return float(np.bincount(labels).max() / len(labels))


def label_figures(labels: IntArray, predicted: IntArray, n_classes: int) -> tuple[LabelFigures, ...]:
    """Return one `LabelFigures` per label, in label order; both arrays `(n_samples,)` in `[0, n_classes)`."""
    n = np.bincount(labels, minlength=n_classes)
    caught = np.bincount(labels[labels == predicted], minlength=n_classes)
    predicted_as = np.bincount(predicted, minlength=n_classes)
    return tuple(
        LabelFigures(i, int(n[i]), int(caught[i]), int(n[i] - caught[i]), int(predicted_as[i] - caught[i]))
        for i in range(n_classes)
    )


def sample_log_losses(pred_probs: FloatArray, labels: IntArray) -> FloatArray:
    """Return `(n_samples,)`: nats lost on each sample, from 0 (sure and right) to 13.8 (called impossible)."""
    given = pred_probs[np.arange(len(labels)), labels].astype(np.float64)
    losses: FloatArray = -np.log(np.clip(given, SMALLEST_PROBABILITY, 1.0))
    return losses


def is_right(pred_probs: FloatArray, labels: IntArray, thresholds: FloatArray | None = None) -> BoolArray:
    """Return `(n_samples,)`: whether the most probable label is the sample's.

    Tags (`labels` of two dimensions): whether every tag that is known to be there or not is said to be so, by its
    threshold, or 0.5.
    """
    if labels.ndim == 1:
        right: BoolArray = pred_probs.argmax(axis=1) == labels
        return right
    said = pred_probs >= (0.5 if thresholds is None else thresholds)
    all_right: BoolArray = ((said == (labels == 1)) | (labels < 0)).all(axis=1)
    return all_right


def accuracy(pred_probs: FloatArray, labels: IntArray) -> float:
    """Return the share of samples whose most probable label is theirs; 0 where there are none."""
    if len(labels) == 0:
        return 0.0
    return float(np.mean(pred_probs.argmax(axis=1) == labels))


def balanced_accuracy(pred_probs: FloatArray, labels: IntArray) -> float:
    """Return the mean over the labels present of the share of their samples that is right."""
    if len(labels) == 0:
        return 0.0
    is_right = pred_probs.argmax(axis=1) == labels
    return float(np.mean([is_right[labels == label].mean() for label in np.unique(labels)]))


def expected_calibration_error(pred_probs: FloatArray, labels: IntArray, *, n_bins: int = 15) -> float:
    """Return by how much confidence and share right differ, on average over samples, in [0, 1].

    Confidence is the highest probability of a row; bins have equal width.

    Source: C. Guo et al., On calibration of modern neural networks, 2017.
    """
    if len(labels) == 0:
        return 0.0
    confidence = pred_probs.max(axis=1).astype(np.float64)
    is_right = (pred_probs.argmax(axis=1) == labels).astype(np.float64)
    bins = np.minimum((confidence * n_bins).astype(np.intp), n_bins - 1)
    gaps = np.bincount(bins, weights=confidence - is_right, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(labels))
