"""Rows of numbers as readers hand them out: dense, sparse, or several of those side by side.

Heads are written once for all three. What they ask of a matrix is here: products with it, and figures of its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from apps.engine.types import BoolArray, FloatArray, IntArray

Doubles: TypeAlias = npt.NDArray[np.float64]
SAME_SHARE = 1e-10
"""Rows that differ by less than this share of their squared length are the same but for rounding."""
Plain: TypeAlias = FloatArray | csr_array


@dataclass(frozen=True)
class SideBySide:
    """Matrices with the same rows, whose columns follow one another; dense ones stay dense, sparse ones sparse."""

    parts: Sequence[Plain]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and columns of all parts together."""
        return self.parts[0].shape[0], sum(part.shape[1] for part in self.parts)

    def __getitem__(self, rows: IntArray | BoolArray) -> SideBySide:
        return SideBySide([part[rows] for part in self.parts])


Matrix: TypeAlias = Plain | SideBySide


def side_by_side(parts: Sequence[Plain]) -> Matrix:
    """Return the columns of all parts in one matrix: as one array where all of them are dense."""
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts, axis=1)
    return SideBySide(parts)


def dense(X: Matrix) -> FloatArray:
    """Return the rows, if they are dense. Raises `ValueError` if they are not."""
    if not isinstance(X, np.ndarray):
        raise ValueError("This head is fitted on dense rows.")
    return X


def written_out(X: Matrix) -> FloatArray:
    """Return the rows with all their zeros. For few columns: nothing here sees to it that there is room."""
    if isinstance(X, SideBySide):
        return np.concatenate([written_out(part) for part in X.parts], axis=1)
    rows: FloatArray = X if isinstance(X, np.ndarray) else X.toarray()
    return rows


def product(X: Matrix, W: FloatArray) -> FloatArray:
    """Return `X @ W`, `(n_rows, k)`, for `W` `(dim, k)`."""
    if not isinstance(X, SideBySide):
        rows: FloatArray = X @ W
        return rows
    ends = np.cumsum([part.shape[1] for part in X.parts])
    pieces = np.split(W, ends[:-1])
    total: FloatArray = sum(part @ piece for part, piece in zip(X.parts, pieces, strict=True))  # type: ignore[assignment]  # sum() of arrays
    return total


def transposed_product(X: Matrix, S: FloatArray) -> FloatArray:
    """Return `X.T @ S`, `(dim, k)`, for `S` `(n_rows, k)`."""
    if not isinstance(X, SideBySide):
        columns: FloatArray = X.T @ S
        return columns
    return np.concatenate([part.T @ S for part in X.parts])


def gram(X: Matrix) -> Doubles:
    """Return the inner products of all rows with one another, `(n_rows, n_rows)`."""
    if isinstance(X, SideBySide):
        total: Doubles = np.sum([gram(part) for part in X.parts], axis=0)
        return total
    products = X @ X.T
    dense: Doubles = np.asarray(products if isinstance(products, np.ndarray) else products.toarray(), dtype=np.float64)
    return dense


def mean_row(X: Matrix) -> Doubles:
    """Return the mean of all rows, `(dim,)`."""
    if isinstance(X, SideBySide):
        return np.concatenate([mean_row(part) for part in X.parts])
    mean: Doubles = np.asarray(X.mean(axis=0, dtype=np.float64))
    return mean


def column_squares(X: Matrix) -> Doubles:
    """Return the sum of squares of each column, `(dim,)`; summed in float32 where X is."""
    if isinstance(X, SideBySide):
        return np.concatenate([column_squares(part) for part in X.parts])
    if isinstance(X, np.ndarray):
        squares: Doubles = np.einsum("ij,ij->j", X, X).astype(np.float64)
        return squares
    return np.asarray(X.multiply(X).sum(axis=0), dtype=np.float64).ravel()


def row_squares(X: Matrix) -> Doubles:
    """Return the sum of squares of each row, `(n_rows,)`."""
    if isinstance(X, SideBySide):
        total: Doubles = np.sum([row_squares(part) for part in X.parts], axis=0)
        return total
    if isinstance(X, np.ndarray):
        squares: Doubles = np.einsum("ij,ij->i", X, X).astype(np.float64)
        return squares
    return np.asarray(X.multiply(X).sum(axis=1), dtype=np.float64).ravel()


def spread(X: Matrix) -> float:
    """Return the mean squared distance of rows from their mean; 0 where all are the same but for rounding."""
    if X.shape[0] == 0:
        return 0.0
    centre = mean_row(X)
    middle = float(np.vdot(centre, centre))
    variance = float(row_squares(X).mean()) - middle
    return variance if variance > SAME_SHARE * middle else 0.0
