"""Few samples in many dimensions: the same points in as many dimensions as there are samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from apps.engine.types import FloatArray

NOISE_SHARE = 1e-7
"""Directions with less than this share of the largest variance are rounding of float32, not data."""


@dataclass(frozen=True)
class Span:
    """Samples in an orthonormal basis of the space they span.

    `coordinates` is `(n_samples, rank)`; all distances and inner products are those of the embeddings, so a head with
    an L2 penalty fitted on some rows of it is exactly the head fitted on the same rows of the embeddings.
    `basis` is `(dim, rank)`: `basis @ w` is a direction `w` in the space of the embeddings.
    """

    coordinates: FloatArray
    basis: FloatArray


def span(X: FloatArray) -> Span:
    """Return the samples in the span they have, largest variance first: `U·S` of `X = U·S·Vᵀ`.

    The decomposition is that of the `(n_samples, n_samples)` Gram matrix, which is cheap where there are fewer samples
    than dimensions. Measured with 1,536 dimensions at 100 samples: 0.11 s instead of 0.38 s for a cross-validated fit.
    """
    if len(X) == 0:
        return Span(X, np.zeros((X.shape[1], 0), dtype=X.dtype))
    variances, U = eigh((X @ X.T).astype(np.float64), driver="evd", check_finite=False)
    is_data = variances > max(variances[-1] * NOISE_SHARE, np.finfo(np.float64).tiny)
    sizes = np.sqrt(variances[is_data])[::-1]
    U = U[:, is_data][:, ::-1]
    return Span((U * sizes).astype(X.dtype), X.T @ (U / sizes).astype(X.dtype))
