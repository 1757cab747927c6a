"""Confidence that means what it says: one temperature, fitted on held-out scores."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from apps.engine.types import FloatArray, IntArray

LOG_TEMPERATURE_BOUND = 3.5
"""Temperatures lie between 1/33 and 33."""
PRIOR_WEIGHT = 3.0
"""Measured on four text and two picture sets at 30, 100 and 300 labels, eight draws each: mean test loss in nats 0.5963
with 1, 0.5940 with 3, 0.5945 with 10."""


def fit_temperature(scores: FloatArray, labels: IntArray) -> float:
    """Return the temperature under which `softmax(scores / temperature)` loses least on `labels`.

    The square of its logarithm counts as a loss too: a handful of samples that happen to be all right must not make the
    model sure of everything. From about 100 samples on this hardly matters.

    Parameters
    ----------
    scores
        `(n_samples, n_classes)`, held-out.
    labels
        `(n_samples,)` in `[0, n_classes)`.

    Returns
    -------
    Above 0; 1 where there are no samples.

    Source: C. Guo et al., On calibration of modern neural networks, 2017; the prior on it is ours.
    """
    if len(labels) == 0:
        return 1.0
    relative = scores.astype(np.float64)
    relative = relative - relative[np.arange(len(labels)), labels][:, None]

    def loss(log_temperature: float) -> float:
        losses = logsumexp(relative * np.exp(-log_temperature), axis=1)
        return float(losses.sum()) + 0.5 * PRIOR_WEIGHT * log_temperature**2

    bounds = (-LOG_TEMPERATURE_BOUND, LOG_TEMPERATURE_BOUND)
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
