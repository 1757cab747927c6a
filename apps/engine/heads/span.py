"""Few samples in many dimensions: the same points in as many dimensions as there are samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from apps.engine import matrices
from apps.engine.matrices import Matrix
from apps.engine.types import FloatArray

NOISE_SHARE = 1e-7
"""Directions with less than this share of the largest variance are rounding of float32, not data."""


@dataclass(frozen=True)
class Span:
    """Samples in an orthonormal basis of the space they span.

    `coordinates` is `(n_samples, rank)`; all distances and inner products are those of the rows, so a head with an L2
    penalty fitted on some rows of it is exactly the head fitted on the same rows of the matrix. `dual` is
    `(n_samples, rank)`: `X.T @ dual` is the basis, which is never written out, for it may have a million columns.
    """

    coordinates: FloatArray
    dual: FloatArray

    def lift(self, X: Matrix, W: FloatArray) -> FloatArray:
        """Return directions `W` `(rank, k)` in the space of the rows of `X`, the matrix spanned: `(dim, k)`."""
        return matrices.transposed_product(X, (self.dual @ W).astype(self.coordinates.dtype))


def span(X: Matrix) -> Span:
    """Return the samples in the span they have, largest variance first: `U·S` of `X = U·S·Vᵀ`.

    The decomposition is that of the `(n_samples, n_samples)` Gram matrix, which is cheap where there are fewer samples
    than dimensions. Measured with 1,536 dimensions at 100 samples: 0.11 s instead of 0.38 s for a cross-validated fit.
    """
    dtype = X.dtype if isinstance(X, np.ndarray) else np.dtype(np.float32)
    if X.shape[0] == 0:
        return Span(np.zeros((0, 0), dtype=dtype), np.zeros((0, 0), dtype=dtype))
    variances, U = eigh(matrices.gram(X), driver="evd", check_finite=False)
    is_data = variances > max(variances[-1] * NOISE_SHARE, np.finfo(np.float64).tiny)
    sizes = np.sqrt(variances[is_data])[::-1]
    U = U[:, is_data][:, ::-1]
    return Span((U * sizes).astype(dtype), U / sizes)
