"""Where a head is fitted: fits of many samples on a GPU where there is one, all others here.

Does not import torch, which costs more than most fits: `on_gpu` does, once a fit is worth it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from apps.engine.matrices import Matrix, SideBySide

Fitted = TypeVar("Fitted")

LEAST_SECONDS = 0.1
"""What a fit must take here to be worth a GPU. Getting there should cost 10 to 30 ms whatever is computed: 40 to 90 MB
of samples at 5 to 10 GB a second, and a few thousand calls at some microseconds each; the fit itself next to nothing.
Reckoned, not measured: a third of this would do as well, and a GPU ten times as slow would lose little.
"""
REGRESSION_SECONDS, SCATTER_SECONDS = 5e-9, 1e-11
"""Of a regression, per number in the samples and square root of labels, and of a scatter, per number and dimension.
Measured with one thread at 1,000 to 13,000 samples in 384 to 1,776 dimensions and 4 to 150 labels: regressions took
4.6e-9 to 8e-9, scatters 8.6e-12 to 1.8e-11."""
SECONDS_OF_WORDS = 8
"""A number that is there in sparse rows takes as long as so many in dense ones."""


def seconds_of_regression(X: Matrix, n_labels: int) -> float:
    """Return about what a regression would take here."""
    return float(REGRESSION_SECONDS * _n_numbers(X) * n_labels**0.5)


def seconds_of_scatter(X: Matrix) -> float:
    """Return about what the scatter of samples would take here."""
    return float(SCATTER_SECONDS * _n_numbers(X) * X.shape[1])


def fit_there_or_here(
    device: str, seconds: float, *, there: Callable[[], Fitted], here: Callable[[], Fitted]
) -> Fitted:
    """Fit on the device if it is a GPU and what would take so many seconds here is worth the way there; else here."""
    if device == "cpu" or seconds < LEAST_SECONDS:
        return here()
    return there_or_here(there, here)


def there_or_here(there: Callable[[], Fitted], here: Callable[[], Fitted]) -> Fitted:
    """Compute on a GPU, or here if its memory does not do."""
    from apps.engine import devices  # imports torch

    try:
        return there()
    except RuntimeError as error:
        if not devices.is_out_of_memory(error):
            raise
    # Only now, when the error has let go of what it held.
    devices.empty_cache()
    return here()


def _n_numbers(X: Matrix) -> int:
    if isinstance(X, SideBySide):
        return sum(map(_n_numbers, X.parts))
    return int(X.size) if isinstance(X, np.ndarray) else int(SECONDS_OF_WORDS * X.nnz)
