"""In which order samples come to a grid: the likeliest of a label first, or those that are alike side by side."""

from __future__ import annotations

import numpy as np

from apps.engine.types import FloatArray, IntArray

PROBABILITY_WEIGHT = 4.0
"""How much more the probability of a label counts than likeness to its samples.

Measured as the share of the first 40 that are of the label, over nine public sets (texts and pictures), a label of 60
among 1,000 with few samples labelled; the probability is known of a sample's two likeliest labels only, as it is kept:

    labelled of the label         3       8
    likeness alone             0.717   0.755
    likeness + probability     0.731   0.800
    likeness + 2 x             0.734   0.805
    likeness + 4 x             0.737   0.809
    likeness + 50 x            0.737   0.808
    every probability known    0.767   0.808
"""


def hunt_scores(likeness: FloatArray, probability: FloatArray) -> FloatArray:
    """Return how promising each sample is where more of one label are looked for; higher means show sooner.

    Parameters
    ----------
    likeness
        `(n_samples,)`: cosine to the nearest labelled samples of the label.
    probability
        `(n_samples,)` in [0, 1]: of the label, 0 where it is not known.

    Source: our measurement above. That rare labels are found by search rather than by sampling: J. Attenberg,
    F. Provost, Why label when you can search?, KDD 2010.
    """
    scores: FloatArray = np.asarray(likeness + PROBABILITY_WEIGHT * probability)
    return scores


def alike_together(vectors: FloatArray) -> IntArray:
    """Return an order of `(n_samples, k)` vectors of length 1 in which those that are alike stand side by side.

    From the first on, always to the one most like the last: for a page of samples, at most a few hundred.
    """
    n = len(vectors)
    order = np.zeros(n, dtype=np.int64)
    if n < 2:
        return order
    cosines = np.asarray(vectors @ vectors.T)
    cosines[:, 0] = -np.inf
    for place in range(1, n):
        order[place] = int(cosines[order[place - 1]].argmax())
        cosines[:, order[place]] = -np.inf
    return order
