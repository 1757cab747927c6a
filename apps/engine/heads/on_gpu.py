"""The fits of large rounds on a GPU: the mathematics of `regression` and `discriminant`, in torch.

Products run in the samples' own format, which for embeddings is float32, and sums in float64, as they do here; results
are the same within rounding: torch does not round float32 to TF32 in products unless it is told to, and nobody does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array
from torch.nn import functional

from apps.engine.heads.discriminant import ScatterHere
from apps.engine.heads.placing import there_or_here
from apps.engine.heads.regression import MAX_ITERATIONS, RELATIVE_GAIN, Start, centre_and_steps, per_sample
from apps.engine.heads.regression import intercept_step as step_of_intercepts
from apps.engine.matrices import Doubles, Matrix, Plain, SideBySide
from apps.engine.types import BoolArray, FloatArray, IntArray

Loss: TypeAlias = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
N_REMEMBERED = 10
"""Steps by which the curvature is told, as in `regression`."""
MOST_TRIED = 20
"""Lengths of a step tried; when none will do, rounding hides what is left to gain."""
ENOUGH_LOSS, ENOUGH_SLOPE = 1e-4, 0.9
"""Of the loss a step promises, what it must gain at least; of the slope, what it may leave at most (Wolfe)."""


class Rows:
    """Samples on a device: dense, sparse, or several of those side by side."""

    def __init__(self, X: Matrix, device: str) -> None:
        self.device = device
        parts = X.parts if isinstance(X, SideBySide) else [X]
        dtype = X.dtype if isinstance(X, np.ndarray) else np.dtype(np.float32)
        self._parts = [_placed(part.astype(dtype, copy=False), device) for part in parts]
        self._widths = [part.shape[1] for part in parts]
        self.dtype = self._parts[0][0].dtype

    def product(self, W: torch.Tensor) -> torch.Tensor:
        """Return `X @ W`."""
        total, start = None, 0
        for (rows, _), width in zip(self._parts, self._widths, strict=True):
            product = rows @ W[start : start + width]
            total, start = product if total is None else total + product, start + width
        return cast(torch.Tensor, total)

    def transposed_product(self, S: torch.Tensor) -> torch.Tensor:
        """Return `X.T @ S`."""
        return torch.cat([columns @ S for _, columns in self._parts])


def _placed(X: Plain, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows on a device, and the same turned; sparse ones twice, for none are turned but by sorting them."""
    if isinstance(X, np.ndarray):
        rows = tensor_of(X, device)
        return rows, rows.T
    return _sparse(X, device), _sparse(X.T.tocsr(), device)


def _sparse(X: csr_array, device: str) -> torch.Tensor:
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    places = np.stack([np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices]).astype(np.int64)
    return torch.sparse_coo_tensor(
        tensor_of(places, device), tensor_of(X.data, device), X.shape, is_coalesced=True, check_invariants=False
    )


def tensor_of(array: npt.NDArray[np.generic], device: str) -> torch.Tensor:
    """Return an array on a device; on the CPU it may share the array's memory."""
    return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(device)


def fit_regression(
    X: Matrix,
    y: IntArray,
    n_classes: int,
    *,
    C: float,
    tolerance: float,
    device: str,
    start: Start | None = None,
) -> Start:
    """Return what `regression.fit_regression` returns, up to where the tolerance lets either end."""
    with torch.inference_mode():
        return _Regression(X, y, n_classes, C=C, device=device).fitted(tolerance, start)


class _Regression:
    """The sum to minimise; see `regression.fit_regression`, of which this takes the same steps in the same units."""

    def __init__(self, X: Matrix, y: IntArray, n_classes: int, *, C: float, device: str) -> None:
        self.n_samples, self.dim = X.shape
        self.n_classes, self.C = n_classes, C
        centre, step, scale = centre_and_steps(X, C=C)
        self.intercept_step = step_of_intercepts(C, self.n_samples)
        self.rows = Rows(X, device)
        self.centre, self.step = tensor_of(centre, device), tensor_of(step, device)[:, None]
        self.penalty = (self.step / scale) ** 2
        self.loss = _loss_of_tags(y, device) if y.ndim == 2 else _loss_of_labels(y, device)

    def fitted(self, tolerance: float, start: Start | None) -> Start:
        first = torch.zeros(self.dim + 1, self.n_classes, dtype=torch.float64, device=self.rows.device)
        if start is not None:
            weights, intercepts = (tensor_of(part, self.rows.device) for part in start)
            first[: self.dim] = weights / self.step
            first[self.dim] = (intercepts + self.centre @ weights) / self.intercept_step
        found = minimise(self._loss_and_gradient, first, tolerance=tolerance * per_sample(self.n_samples))
        weights, intercepts = self._applied(found)
        return weights.cpu().numpy(), intercepts.cpu().numpy()

    def _applied(self, sought: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the coefficients for the samples themselves."""
        weights = sought[: self.dim] * self.step
        return weights, sought[self.dim] * self.intercept_step - self.centre @ weights

    def _loss_and_gradient(self, sought: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        weights, intercepts = self._applied(sought)
        scores = self.rows.product(weights.to(self.rows.dtype)) + intercepts.to(self.rows.dtype)
        loss, errors = self.loss(scores)
        surplus = errors.sum(dim=0, dtype=torch.float64)
        shrunk = sought[: self.dim] * self.penalty
        raw = self.rows.transposed_product(errors).double()
        gradient = torch.empty_like(sought)
        gradient[: self.dim] = (raw - torch.outer(self.centre, surplus)) * (self.C * self.step) + shrunk
        gradient[self.dim] = self.C * self.intercept_step * surplus
        return self.C * loss + 0.5 * (sought[: self.dim] * shrunk).sum(), gradient


def _loss_of_labels(y: IntArray, device: str) -> Loss:
    labels = tensor_of(y.astype(np.int64), device)
    rows = torch.arange(len(y), device=device)

    def loss_and_errors(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logs = functional.log_softmax(scores, dim=1)
        errors = logs.exp()
        errors[rows, labels] -= 1.0
        return -logs[rows, labels].sum(dtype=torch.float64), errors

    return loss_and_errors


def _loss_of_tags(y: IntArray, device: str) -> Loss:
    is_there = tensor_of((y == 1).astype(np.float32), device)
    is_known = tensor_of((y >= 0).astype(np.float32), device)

    def loss_and_errors(scores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        losses = torch.logaddexp(scores, torch.zeros_like(scores)) - is_there * scores
        return (losses * is_known).sum(dtype=torch.float64), (scores.sigmoid() - is_there) * is_known

    return loss_and_errors


def minimise(loss_and_gradient: Loss, first: torch.Tensor, *, tolerance: float) -> torch.Tensor:
    """Return where a smooth convex function of a tensor is least, by L-BFGS.

    Ends where no entry of the gradient exceeds `tolerance` or a step gains next to nothing, as scipy's does.
    `torch.optim.LBFGS` would do, but its first use loads torch's compiler, which takes five seconds.

    Source: J. Nocedal, S. Wright, Numerical optimization, 2006, algorithm 7.4.
    """
    at = _Point.of(loss_and_gradient, first)
    remembered: deque[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = deque(maxlen=N_REMEMBERED)
    for _ in range(MAX_ITERATIONS):
        if at.steepest <= tolerance:
            break
        direction = _direction(at.gradient, remembered)
        found = _along(loss_and_gradient, at, direction, first_length=1.0 if remembered else min(1.0, 1.0 / at.total))
        if found is None:
            break
        step, change = found.place - at.place, found.gradient - at.gradient
        remembered.append((step, change, 1.0 / (step * change).sum()))
        gain, size = at.loss - found.loss, max(abs(at.loss), abs(found.loss), 1.0)
        at = found
        if gain <= RELATIVE_GAIN * size:
            break
    return at.place


@dataclass(frozen=True)
class _Point:
    """A place, and what the function is there. Reading the figures waits for the device: once for all."""

    place: torch.Tensor
    gradient: torch.Tensor
    loss: float
    steepest: float
    total: float

    @classmethod
    def of(cls, loss_and_gradient: Loss, place: torch.Tensor) -> _Point:
        loss, gradient = loss_and_gradient(place)
        sizes = gradient.abs()
        return cls(place, gradient, *torch.stack([loss, sizes.max(), sizes.sum()]).tolist())


def _direction(
    gradient: torch.Tensor, remembered: deque[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
) -> torch.Tensor:
    """Return the way down, by the curvature that the last steps met."""
    way = -gradient
    if not remembered:
        return way
    shares = []
    for step, change, inverse in reversed(remembered):
        share = inverse * (step * way).sum()
        way = way - share * change
        shares.append(share)
    _, change, inverse = remembered[-1]
    way = way / (inverse * (change * change).sum())
    for (step, change, inverse), share in zip(remembered, reversed(shares), strict=True):
        way = way + (share - inverse * (change * way).sum()) * step
    return way


def _along(loss_and_gradient: Loss, at: _Point, direction: torch.Tensor, *, first_length: float) -> _Point | None:
    """Return a point in a direction that gains enough and is not steep any more; None if rounding hides it.

    Source: A. Lewis, M. Overton, Nonsmooth optimization via quasi-Newton methods, 2013 (by halving and doubling).
    """
    slope = float((at.gradient * direction).sum())
    if not slope < 0:
        return None
    low, high, length = 0.0, float("inf"), first_length
    for _ in range(MOST_TRIED):
        found = _Point.of(loss_and_gradient, at.place + length * direction)
        if not found.loss <= at.loss + ENOUGH_LOSS * length * slope:
            high = length
        elif float((found.gradient * direction).sum()) < ENOUGH_SLOPE * slope:
            low = length
        else:
            return found
        length = 2 * low if high == float("inf") else (low + high) / 2
    return None


class Scattered:
    """Samples on a device; see `discriminant.Scattered`, of which this is the twin."""

    def __init__(self, X: FloatArray, device: str) -> None:
        self._X, self._device = tensor_of(X, device), device

    def label_means(self, y: IntArray, counts: IntArray) -> Doubles:
        """Return the mean row of each label, `(n_labels, dim)`."""
        return self.tag_means(y[:, None] == np.arange(len(counts)), counts)

    def tag_means(self, is_member: BoolArray, counts: IntArray) -> Doubles:
        """Return the mean row of each column's members, `(n_columns, dim)`; 0 where it has none."""
        members = tensor_of(is_member, self._device).to(self._X.dtype)
        sums: Doubles = (members.T @ self._X).double().cpu().numpy()
        return sums / np.maximum(counts, 1)[:, None]

    def about(self, means: Doubles, of_row: IntArray) -> Scatter:
        """Return the scatter of rows about their means: row `i` about `means[of_row[i]]`."""
        which = tensor_of(of_row.astype(np.int64), self._device)
        deviations = self._X - tensor_of(means, self._device).to(self._X.dtype)[which]
        return Scatter(deviations.T @ deviations / len(deviations), self._device)


@dataclass(frozen=True)
class Scatter:
    """A scatter on a device; see `discriminant.Scatter`."""

    matrix: torch.Tensor
    device: str

    @property
    def trace(self) -> float:
        """The variance in all directions together."""
        return float(self.matrix.diagonal().sum(dtype=torch.float64))

    def solved(self, columns: Doubles, *, share: float, ridge: float) -> Doubles:
        """Return the inverse of `share` of this, and `ridge` in every direction, times `columns`."""

        def there() -> Doubles:
            shrunk = share * self.matrix
            shrunk.diagonal().add_(ridge)
            right = tensor_of(columns, self.device).to(self.matrix.dtype)
            solved: Doubles = torch.cholesky_solve(right, torch.linalg.cholesky(shrunk)).double().cpu().numpy()
            return solved

        def here() -> Doubles:
            return ScatterHere(self.matrix.cpu().numpy()).solved(columns, share=share, ridge=ridge)

        return there_or_here(there, here)
