"""From probabilities to what is said: the likeliest label, or the tags that are there, where some are worse to miss."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from apps.engine.types import FloatArray, IntArray


def decide(pred_probs: FloatArray, weights: FloatArray) -> IntArray:
    """Return the label said of each sample, `(n_samples,)`: the one that would cost most to miss.

    Parameters
    ----------
    pred_probs
        `(n_samples, n_classes)`, calibrated.
    weights
        `(n_classes,)`, above 0: how much worse it is to miss this label than another.

    Source: C. Elkan, The foundations of cost-sensitive learning, 2001.
    """
    said: IntArray = (pred_probs * weights).argmax(axis=1)
    return said


def runners_up(pred_probs: FloatArray, said: IntArray) -> IntArray:
    """Return the likeliest label of each sample other than the one said, `(n_samples,)`; -1 where there is no other."""
    if pred_probs.shape[1] < 2:
        return np.full(len(pred_probs), -1, dtype=np.int64)
    others = pred_probs.astype(np.float64)
    others[np.arange(len(others)), said] = -1.0
    seconds: IntArray = others.argmax(axis=1)
    return seconds


def weighed_thresholds(thresholds: FloatArray, weights: FloatArray) -> npt.NDArray[np.float64]:
    """Return thresholds of tags, `(n_classes,)` in [0, 1], lowered where a tag is worse to miss.

    Odds of `t / (1 - t)` are asked for a tag of weight 1, and a third of them for one of weight 3.
    """
    weighed: npt.NDArray[np.float64] = thresholds / (thresholds + weights * (1.0 - thresholds))
    return weighed


def confidence_of_tags(pred_probs: FloatArray, thresholds: FloatArray) -> npt.NDArray[np.float64]:
    """Return `(n_samples,)`: how probable it is that all tags are as said, as if they did not depend on each other."""
    of_each = np.where(pred_probs >= thresholds, pred_probs, 1.0 - pred_probs.astype(np.float64))
    confidence: npt.NDArray[np.float64] = of_each.prod(axis=1)
    return confidence
