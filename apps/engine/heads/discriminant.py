"""Linear discriminants: nearest label in a space where samples of one label scatter alike in all directions.

What tells labels apart is often not where samples vary most. Dividing by how samples scatter around the mean of their
own label takes that variation out; few samples do not show their scatter well, so it is shrunk towards a ball. Solved
in closed form, exact in every setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from apps.engine import matrices
from apps.engine.heads.linear import LinearHead
from apps.engine.heads.placing import fit_there_or_here, seconds_of_scatter
from apps.engine.heads.span import Span
from apps.engine.matrices import Doubles, Matrix
from apps.engine.types import BoolArray, FloatArray, IntArray, Task

if TYPE_CHECKING:
    from apps.engine.heads import Head

SCORES_PER_NAT = 10.0
"""Scores are divided by this, so that the temperature, which is looked for between 1/33 and 33, is near 1."""
SAFE_SHARE = 1e-6
"""Of the variance, added in every direction: scatter of zero must not be divided by."""


class Scatter(Protocol):
    """A scatter matrix, wherever it lies."""

    @property
    def trace(self) -> float:
        """The variance in all directions together."""
        ...

    def solved(self, columns: Doubles, *, share: float, ridge: float) -> Doubles:
        """Return the inverse of `share` of this, and `ridge` in every direction, times `columns` `(dim, k)`."""
        ...


class Scattered(Protocol):
    """Samples, wherever they lie, and how they lie about their means."""

    def label_means(self, y: IntArray, counts: IntArray) -> Doubles:
        """Return the mean row of each label, `(n_labels, dim)`; all of them occur."""
        ...

    def tag_means(self, is_member: BoolArray, counts: IntArray) -> Doubles:
        """Return the mean row of each column's members, `(n_columns, dim)`; 0 where it has none."""
        ...

    def about(self, means: Doubles, of_row: IntArray) -> Scatter:
        """Return the scatter of rows about their means: row `i` about `means[of_row[i]]`."""
        ...


@dataclass(frozen=True)
class _ScatteredHere:
    X: FloatArray

    def label_means(self, y: IntArray, counts: IntArray) -> Doubles:
        return np.stack([self.X[y == label].mean(axis=0, dtype=np.float64) for label in range(len(counts))])

    def tag_means(self, is_member: BoolArray, counts: IntArray) -> Doubles:
        sums: Doubles = is_member.T.astype(self.X.dtype) @ self.X
        return sums.astype(np.float64) / np.maximum(counts, 1)[:, None]

    def about(self, means: Doubles, of_row: IntArray) -> Scatter:
        deviations = self.X - means.astype(self.X.dtype)[of_row]
        return ScatterHere(deviations.T @ deviations / deviations.dtype.type(len(deviations)))


@dataclass(frozen=True)
class ScatterHere:
    """A scatter in numpy."""

    matrix: FloatArray

    @property
    def trace(self) -> float:
        """The variance in all directions together."""
        return float(np.trace(self.matrix))

    def solved(self, columns: Doubles, *, share: float, ridge: float) -> Doubles:
        """Return the inverse of `share` of this, and `ridge` in every direction, times `columns` `(dim, k)`."""
        shrunk = share * self.matrix
        shrunk[np.diag_indices(len(shrunk))] += ridge
        factor = cho_factor(shrunk, overwrite_a=True, check_finite=False)
        solved: Doubles = cho_solve(factor, columns.astype(shrunk.dtype), check_finite=False).astype(np.float64)
        return solved


@dataclass(frozen=True)
class _Known:
    """What all settings share: a head fitted on the same samples takes it over.

    Parameters
    ----------
    y
        The labels or tags it is of.
    columns
        `(dim, n_classes)`: the means of the labels; of tags, what parts the mean with each from the mean without.
    middle
        `(dim, n_classes)`: where a sample is as near to one side as to the other, seen from where scores are 0.
    odds
        `(n_classes,)`: what is known of each before a sample is seen, in nats.
    """

    y: IntArray
    columns: Doubles
    middle: Doubles
    odds: Doubles
    scatter: Scatter
    variance: float

    @classmethod
    def of_labels(cls, rows: Scattered, y: IntArray) -> _Known:
        counts = np.bincount(y)
        shares = counts / len(y)
        means = rows.label_means(y, counts)
        scatter = rows.about(means, y)
        between = float(shares @ ((means - shares @ means) ** 2).sum(axis=1))
        return cls(y, means.T, 0.5 * means.T, np.log(shares), scatter, scatter.trace + between)

    @classmethod
    def of_tags(cls, rows: Scattered, y: IntArray) -> _Known:
        nobody_apart = np.zeros(len(y), dtype=np.int64)
        scatter = rows.about(rows.label_means(nobody_apart, np.array([len(y)])), nobody_apart)
        n_with, n_without = (y == 1).sum(axis=0), (y == 0).sum(axis=0)
        means = [rows.tag_means(y == value, counts) for value, counts in ((1, n_with), (0, n_without))]
        is_told = ((n_with > 0) & (n_without > 0))[:, None]
        apart, middle = np.where(is_told, means[0] - means[1], 0.0), np.where(is_told, means[0] + means[1], 0.0) / 2
        odds = np.log((n_with + 0.5) / (n_without + 0.5))
        return cls(y, apart.T, middle.T, odds, scatter, scatter.trace)


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

    def __init__(self, *, shrinkage: float = 0.5, task: Task = Task.LABEL, device: str = "cpu") -> None:
        super().__init__(task=task, device=device)
        self.shrinkage = shrinkage
        self._known: _Known | None = None

    def _learn(self, X: Matrix, y: IntArray, start: Head | None) -> None:
        rows = matrices.written_out(X)  # words too: not in their span they are fewer than the samples, see `search`

        def there() -> _Known:
            from apps.engine.heads import on_gpu  # imports torch

            return self._learned(on_gpu.Scattered(rows, self.device), y)

        if isinstance(start, DiscriminantHead) and start._known is not None and np.array_equal(start._known.y, y):
            self._known = start._known
        else:
            self._known = fit_there_or_here(
                self.device, seconds_of_scatter(X), there=there, here=lambda: self._learned(_ScatteredHere(rows), y)
            )
        known, dim = self._known, rows.shape[1]
        weights = np.zeros_like(known.columns)
        if known.variance > np.finfo(np.float64).tiny:
            ridge = (self.shrinkage + SAFE_SHARE) * known.variance / dim
            weights = known.scatter.solved(known.columns, share=1 - self.shrinkage, ridge=ridge)
        self._take(weights / SCORES_PER_NAT, (known.odds - (known.middle * weights).sum(axis=0)) / SCORES_PER_NAT)

    def _learned(self, rows: Scattered, y: IntArray) -> _Known:
        return _Known.of_tags(rows, y) if self.task is Task.TAGS else _Known.of_labels(rows, y)

    def lifted(self, X: Matrix, spanned: Span) -> Self:
        """Return itself for rows like those of `X`, without what only another fit would need."""
        self._known = None
        return super().lifted(X, spanned)
