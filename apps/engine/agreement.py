"""How far people who labelled the same samples agree, beside what chance alone would give."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from apps.engine.types import IntArray


def percent_agreement(first: IntArray, second: IntArray) -> float:
    """Return the share of samples to which two people gave the same label.

    Parameters
    ----------
    first, second
        `(n_samples,)`: labels as numbers, of the same samples in the same order. At least one.

    Returns
    -------
    In [0, 1].
    """
    _check(first, second)
    return float(np.mean(first == second))


def cohen_kappa(first: IntArray, second: IntArray) -> float:
    """Return Cohen's kappa of two people: 1 is full agreement, 0 what chance would give, below 0 worse than that.

    Parameters
    ----------
    first, second
        `(n_samples,)`: labels as numbers, of the same samples in the same order. At least one.

    Returns
    -------
    At most 1. NaN where both gave one and the same label throughout: then chance alone agrees as fully as they do, and
    nothing can be told. Equal to scikit-learn's `cohen_kappa_score`.

    Source: J. Cohen, A coefficient of agreement for nominal scales, 1960.
    """
    _check(first, second)
    names, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    a, b = places[: len(first)], places[len(first) :]
    table: npt.NDArray[np.float64] = np.zeros((len(names), len(names)))
    np.add.at(table, (a, b), 1.0)
    n = float(len(first))
    by_chance = float(table.sum(axis=0) @ table.sum(axis=1)) / n**2
    if by_chance == 1.0:
        return float("nan")
    return float((np.trace(table) / n - by_chance) / (1.0 - by_chance))


def _check(first: IntArray, second: IntArray) -> None:
    if len(first) != len(second) or not len(first):
        raise ValueError("Agreement takes the same samples of both people, and at least one.")
