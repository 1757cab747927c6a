"""The fit inside the logistic head: regression with an L2 penalty, multinomial or of many tags at once, by L-BFGS."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from apps.engine import matrices
from apps.engine.matrices import Doubles, Matrix
from apps.engine.types import FloatArray, IntArray

TYPICAL_CURVATURE = 0.1
"""Typical p·(1-p) in the second derivative of the loss, used to bring all directions to one scale.

Measured at 100 and 400 pictures in 6 classes, C from 0.1 to 100: the iterations to a gradient of 1e-3 fall from 16–111
without scaling to 8–54; 0.05 does the same, 0.25 and 0.5 need a few more; scikit-learn's own fit takes two to four
times as long at an equal loss.
"""
Start: TypeAlias = tuple[Doubles, Doubles]
"""Weights `(dim, n_classes)` and intercepts `(n_classes,)`."""
MAX_ITERATIONS, RELATIVE_GAIN = 500, 1e-9
"""Where a fit ends that has not come to its tolerance."""


def fit_regression(
    X: Matrix, y: IntArray, n_classes: int, *, C: float, tolerance: float, start: Start | None = None
) -> Start:
    """Minimise `C · Σ loss + ½·|W|²` over `W` and `b`, the scores being `Z·W + b`, `Z` being `X` centred and scaled.

    The loss of a sample is `-log softmax(scores)[y]`; of tags, `-log sigmoid(±score)` for each that is known.

    Rows of `Z` have mean 0 and a mean squared length of 1, so that one `C` means the same for every backbone. `Z` is
    never written out: with 10,000 rows, copies of them took longer than the products.

    Parameters
    ----------
    X
        `(n_samples, dim)`; the products run in its dtype.
    y
        `(n_samples,)` in `[0, n_classes)`; of tags `(n_samples, n_classes)` in {-1, 0, 1}, -1 being unknown.
    C
        Above 0; higher fits closer. The same meaning as in scikit-learn.
    tolerance
        The largest entry of the gradient, per scaled direction, at which the fit of 100 samples is done. More samples
        hold each direction tighter: the same gradient moves a score less, by the square root of their number.
    start
        Coefficients near those sought: those for another C save a quarter to two thirds of the time.

    Returns
    -------
    The coefficients for rows of `X` as they are.
    """
    n_samples, dim = X.shape
    centre, step, scale = centre_and_steps(X, C=C)
    of_intercepts = intercept_step(C, n_samples)
    penalty = (step / scale)[:, None] ** 2  # of the weights on Z, in terms of the weights sought
    loss_and_errors = _loss_of_tags(y) if y.ndim == 2 else _loss_of_labels(y)
    dtype = X.dtype if isinstance(X, np.ndarray) else np.dtype(np.float32)

    def applied(flat: Doubles) -> Start:
        """Return the coefficients for `X` itself."""
        sought = flat.reshape(dim + 1, n_classes)
        weights = sought[:dim] * step[:, None]
        return weights, sought[dim] * of_intercepts - centre @ weights

    def loss_and_gradient(flat: Doubles) -> tuple[float, Doubles]:
        sought = flat.reshape(dim + 1, n_classes)
        weights, intercepts = applied(flat)
        scores = matrices.product(X, weights.astype(dtype))
        scores += intercepts.astype(dtype)
        loss, errors = loss_and_errors(scores)
        surplus = errors.sum(axis=0, dtype=np.float64)
        shrunk = sought[:dim] * penalty
        gradient = np.empty_like(sought)
        raw = matrices.transposed_product(X, errors)
        gradient[:dim] = (raw - np.outer(centre, surplus)) * (C * step[:, None]) + shrunk
        gradient[dim] = C * of_intercepts * surplus
        return C * loss + 0.5 * float(np.vdot(sought[:dim], shrunk)), gradient.ravel()

    tolerance *= per_sample(n_samples)
    options = {"maxiter": MAX_ITERATIONS, "gtol": tolerance, "ftol": RELATIVE_GAIN, "maxcor": 10}
    first = np.zeros((dim + 1, n_classes))
    if start is not None:
        first[:dim] = start[0] / step[:, None]
        first[dim] = (start[1] + centre @ start[0]) / of_intercepts
    found = minimize(loss_and_gradient, first.ravel(), jac=True, method="L-BFGS-B", options=options)
    return applied(found.x)


def per_sample(n_samples: int) -> float:
    """Return what the tolerance, meant for 100 samples, is to be multiplied with."""
    return float(max(1.0, n_samples / 100) ** 0.5)


def intercept_step(C: float, n_samples: int) -> float:
    """Return the step that makes the intercepts about as curved as the weights."""
    return float(1.0 / np.sqrt(max(C * TYPICAL_CURVATURE * n_samples, 1e-12)))


def _loss_of_labels(y: IntArray) -> Callable[[FloatArray], tuple[float, FloatArray]]:
    rows = np.arange(len(y))

    def loss_and_errors(scores: FloatArray) -> tuple[float, FloatArray]:
        """Return the summed loss, and its derivatives in place of the scores."""
        scores -= scores.max(axis=1, keepdims=True)
        given = scores[rows, y]
        np.exp(scores, out=scores)
        totals = scores.sum(axis=1, keepdims=True)
        loss = float((np.log(totals[:, 0]) - given).sum(dtype=np.float64))
        scores /= totals
        scores[rows, y] -= 1.0
        return loss, scores

    return loss_and_errors


def _loss_of_tags(y: IntArray) -> Callable[[FloatArray], tuple[float, FloatArray]]:
    is_there, is_known = (y == 1).astype(np.float32), (y >= 0).astype(np.float32)

    def loss_and_errors(scores: FloatArray) -> tuple[float, FloatArray]:
        losses = np.logaddexp(0.0, scores) - is_there * scores
        return float((losses * is_known).sum(dtype=np.float64)), (expit(scores) - is_there) * is_known

    return loss_and_errors


def centre_and_steps(X: Matrix, *, C: float) -> tuple[Doubles, Doubles, float]:
    """Return the mean row, the step in each direction that makes all of them about equally curved, and Z's scale.

    The steps are in units of `X`: they contain the scale.
    """
    n_samples = X.shape[0]
    centre = matrices.mean_row(X)
    # Less the mean afterwards: rounding here changes the path to the minimum, hardly the minimum.
    squares = np.maximum(matrices.column_squares(X) - n_samples * centre**2, 0.0)
    mean_square = float(squares.sum()) / n_samples
    is_spread = mean_square > matrices.SAME_SHARE * float(np.vdot(centre, centre))
    scale = 1.0 / np.sqrt(mean_square) if is_spread else 1.0
    return centre, scale / np.sqrt(1.0 + C * TYPICAL_CURVATURE * squares * scale**2), scale
