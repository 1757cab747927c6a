"""Columns that give the label away: known only afterwards, or the label under another name.

A model learns such a column and nothing else, looks right nearly always, and is of no use on new samples, which come
without it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from apps.engine.types import Column, ColumnType, IntArray

MIN_ROWS = 30
"""Labelled rows below which a column may look like the label by chance."""
TELLING, TELLING_USUALLY = 0.97, 0.8
"""Share of the errors of guessing the commonest label that a column must take away by itself to be suspected, and that
the middle one of all columns must not. Measured on 20 tables, the most telling honest columns: the length of an iris's
petals 0.95 (all four of its columns 0.84 in the middle), of breast cancer 0.89, the displacement of cars 0.82."""
ADVICE = "Tells the label nearly always, by itself. Leave it out if it is not known beforehand for new samples."


def find_giveaways(columns: Sequence[Column], labels: Sequence[int | str | None]) -> dict[str, str]:
    """Return, by key, advice for columns each of which alone tells the label nearly always while most others do not.

    `labels` has one entry per row of `columns`, None where it is not known.
    """
    is_known = np.array([label is not None for label in labels], dtype=np.bool_)
    _, y = np.unique(
        np.array([str(label) for label in labels if label is not None], dtype=np.str_), return_inverse=True
    )
    n_of_label = np.bincount(y)
    if len(y) < MIN_ROWS or len(n_of_label) < 2:
        return {}
    n_wrong_by_guessing = len(y) - int(n_of_label.max())
    told = {
        column.key: 1.0 - (len(y) - _n_right(column, is_known, y)) / n_wrong_by_guessing
        for column in columns
        if column.type is not ColumnType.IMAGE
    }
    usual = float(np.median(list(told.values()))) if len(told) > 2 else 0.0
    return {key: ADVICE for key, share in told.items() if share >= TELLING and usual < TELLING_USUALLY}


def _n_right(column: Column, is_known: npt.NDArray[np.bool_], y: IntArray) -> int:
    """Count the rows whose label the other rows tell by this column alone."""
    values = column.values[is_known]
    if column.type in (ColumnType.NUMBER, ColumnType.DATE):
        return _n_right_by_order(np.nan_to_num(values.astype(np.float64), nan=-np.inf), y)
    _, codes = np.unique(values.astype(np.str_), return_inverse=True)
    return _n_right_by_value(codes, y)


def _n_right_by_value(codes: IntArray, y: IntArray) -> int:
    """Each row is guessed the commonest label of the other rows with its value; one with none is wrong."""
    n_of = np.zeros((int(codes.max()) + 1, int(y.max()) + 1), dtype=np.int64)
    np.add.at(n_of, (codes, y), 1)
    others = n_of[codes]
    rows = np.arange(len(y))
    others[rows, y] -= 1
    mine = others[rows, y].copy()
    others[rows, y] = -1
    return int(np.sum((mine > 0) & (mine > others.max(axis=1))))


def _n_right_by_order(numbers: npt.NDArray[np.float64], y: IntArray) -> int:
    """A row counts as right if a neighbour in order has its label: a label's numbers lie together or they do not.

    Equal numbers lie in random order. The order of the file would tell: many are sorted by label.
    """
    shuffled = np.random.default_rng(0).permutation(len(y))
    ordered = y[shuffled][np.argsort(numbers[shuffled], kind="stable")]
    before, after = np.roll(ordered, 1), np.roll(ordered, -1)
    before[0], after[-1] = after[0], before[-1]
    return int(np.sum((before == ordered) | (after == ordered)))
