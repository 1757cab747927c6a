"""Linear discriminants: nearest label in a space where samples of one label scatter alike in all directions.

What tells labels apart is often not where samples vary most. Dividing by how samples scatter around the mean of their
own label takes that variation out; few samples do not show their scatter well, so it is shrunk towards a ball. Solved
in closed form, exact in every setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from apps.engine import matrices
from apps.engine.heads.linear import LinearHead
from apps.engine.heads.span import Span
from apps.engine.matrices import Doubles, Matrix
from apps.engine.types import FloatArray, IntArray, Task

if TYPE_CHECKING:
    from apps.engine.heads import Head

SCORES_PER_NAT = 10.0
"""Scores are divided by this, so that the temperature, which is looked for between 1/33 and 33, is near 1."""
SAFE_SHARE = 1e-6
"""Of the variance, added in every direction: scatter of zero must not be divided by."""


@dataclass(frozen=True)
class _Known:
    """What all settings share: a head fitted on the same samples takes it over."""

    y: IntArray
    shares: Doubles
    means: Doubles
    scatter: FloatArray
    variance: float

    @classmethod
    def of(cls, X: FloatArray, y: IntArray) -> _Known:
        shares = np.bincount(y) / len(y)
        means = np.stack([X[y == label].mean(axis=0, dtype=np.float64) for label in range(len(shares))])
        scatter = _scatter(X - means.astype(X.dtype)[y])
        between = float(shares @ ((means - shares @ means) ** 2).sum(axis=1))
        return cls(y, shares, means, scatter, float(np.trace(scatter)) + between)


class DiscriminantHead(LinearHead):
    """Fisher's linear discriminant with shrunk scatter.

    Of tags, each is told by the difference of the means with it and without it, in one scatter for all tags.

    Parameters
    ----------
    shrinkage
        In (0, 1]: how far the scatter is drawn to a ball of the samples' whole variance. At 1, the nearest mean wins.

    Source: J. Friedman, Regularized discriminant analysis, 1989. Its use at few labels in many dimensions is measured
    beside the candidates in `search`.
    """

    def __init__(self, *, shrinkage: float = 0.5, task: Task = Task.LABEL) -> None:
        super().__init__(task=task)
        self.shrinkage = shrinkage
        self._known: _Known | None = None

    def _learn(self, X: Matrix, y: IntArray, start: Head | None) -> None:
        X = matrices.dense(X)
        if self.task is Task.TAGS:
            self._learn_tags(X, y)
            return
        if isinstance(start, DiscriminantHead) and start._known is not None and np.array_equal(start._known.y, y):
            self._known = start._known
        else:
            self._known = _Known.of(X, y)
        known = self._known
        weights = self._solved(known.scatter, known.variance, known.means.T)
        lengths = (known.means.T * weights).sum(axis=0)
        self._take(weights / SCORES_PER_NAT, (np.log(known.shares) - 0.5 * lengths) / SCORES_PER_NAT)

    def lifted(self, X: Matrix, spanned: Span) -> Self:
        """Return itself for rows like those of `X`, without what only another fit would need."""
        self._known = None
        return super().lifted(X, spanned)

    def _learn_tags(self, X: FloatArray, y: IntArray) -> None:
        centre = X.mean(axis=0, dtype=np.float64)
        scatter = _scatter(X - centre.astype(X.dtype))
        n_with, n_without = (y == 1).sum(axis=0), (y == 0).sum(axis=0)
        means = [_means(X, y == value, counts) for value, counts in ((1, n_with), (0, n_without))]
        is_told = (n_with > 0) & (n_without > 0)
        apart = np.where(is_told[:, None], means[0] - means[1], 0.0).T
        weights = self._solved(scatter, float(np.trace(scatter)), apart)
        middle = np.where(is_told[:, None], means[0] + means[1], 0.0).T / 2
        odds = np.log((n_with + 0.5) / (n_without + 0.5))
        self._take(weights / SCORES_PER_NAT, (odds - (middle * weights).sum(axis=0)) / SCORES_PER_NAT)

    def _solved(self, scatter: FloatArray, variance: float, columns: Doubles) -> Doubles:
        """Return the shrunk scatter's inverse times `columns`."""
        dim = len(scatter)
        if variance <= np.finfo(np.float64).tiny:
            return np.zeros_like(columns)
        shrunk = (1 - self.shrinkage) * scatter
        shrunk[np.diag_indices(dim)] += (self.shrinkage + SAFE_SHARE) * variance / dim
        factor = cho_factor(shrunk, overwrite_a=True, check_finite=False)
        solved: Doubles = cho_solve(factor, columns.astype(scatter.dtype), check_finite=False).astype(np.float64)
        return solved


def _scatter(deviations: FloatArray) -> FloatArray:
    scatter: FloatArray = deviations.T @ deviations / deviations.dtype.type(len(deviations))
    return scatter


def _means(X: FloatArray, is_member: IntArray | FloatArray, counts: IntArray) -> Doubles:
    """Return the mean row of each column's members, `(n_columns, dim)`; 0 where it has none."""
    sums: Doubles = is_member.T.astype(X.dtype) @ X
    return sums.astype(np.float64) / np.maximum(counts, 1)[:, None]
