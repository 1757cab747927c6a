"""Queue scores: which unlabelled sample to ask about next. Higher means ask sooner."""

from __future__ import annotations

import numpy as np

from apps.engine.types import FloatArray


def margin_scores(pred_probs: FloatArray) -> FloatArray:
    """Return how nearly the two likeliest labels tie.

    Parameters
    ----------
    pred_probs
        `(n_samples, n_classes)`, rows sum to 1.

    Returns
    -------
    `(n_samples,)` in [0, 1]: 1 is a tie, 0 is certainty.

    Source: T. Scheffer, C. Decomain, S. Wrobel, Active hidden Markov models for information extraction, 2001.
    """
    if pred_probs.shape[1] < 2:
        return np.zeros(len(pred_probs), dtype=np.float64)
    two = np.partition(pred_probs, -2, axis=1)[:, -2:].astype(np.float64)
    scores: FloatArray = 1.0 - (two[:, 1] - two[:, 0])
    return scores
