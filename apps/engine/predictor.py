"""From scores to probabilities: the one code path for held-out scoring, live prediction and invoke."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from apps.engine.heads import Head
from apps.engine.types import FloatArray, IntArray

LARGEST = 1e6
"""Far beyond any embedding, whose rows have a length near 1."""


def probabilities(scores: FloatArray, classes: IntArray, *, temperature: float, n_classes: int) -> FloatArray:
    """Return calibrated probabilities in label order.

    Parameters
    ----------
    scores
        `(n_samples, len(classes))`, what a head's `decision_function` returned.
    classes
        `(n_seen,)`: the label of each column of `scores`. Other labels get probability 0.
    temperature
        Above 0; higher makes every row less sure.

    Returns
    -------
    `(n_samples, n_classes)`, float32, rows sum to 1.
    """
    pred_probs = np.zeros((len(scores), n_classes), dtype=np.float32)
    pred_probs[:, classes] = softmax(scores.astype(np.float64) / temperature, axis=1)
    return pred_probs


@dataclass(frozen=True)
class Predictor:
    """A fitted head with what turns its scores into probabilities of all labels of its function."""

    head: Head
    temperature: float
    n_classes: int

    def pred_probs(self, embeddings: FloatArray) -> FloatArray:
        """Return `(n_samples, n_classes)`, float32, columns in label order, rows sum to 1.

        `embeddings` is `(n_samples, dim)` from the recipe's backbone; numbers that are not finite count as zero.
        """
        scores = self.head.decision_function(finite(embeddings))
        return probabilities(scores, self.head.classes_, temperature=self.temperature, n_classes=self.n_classes)


def finite(embeddings: FloatArray) -> FloatArray:
    """Return the embeddings with zeros for numbers that are not finite, and none so large that its square is not."""
    if embeddings.size == 0 or float(np.abs(embeddings).max()) <= LARGEST:  # False for NaN
        return embeddings
    return np.clip(np.nan_to_num(embeddings, nan=0.0, posinf=0.0, neginf=0.0), -LARGEST, LARGEST)
