"""Pairs of samples that are nearly the same, found without comparing each with every other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from apps.engine.runtime import Deadline
from apps.engine.survey.vectors import Vectors
from apps.engine.types import FloatArray, IntArray

EXACT_UP_TO = 8_000
PART = 4_000
"""Rows compared at once: in a cell of 50,000 copies of one thing each still meets thousands of the others."""
MOST_PER_ROW = 3


@dataclass(frozen=True)
class Pairs:
    """`rows` is `(n_pairs, 2)`, the smaller first, each pair once; `cosines` is `(n_pairs,)`, the largest first."""

    rows: IntArray
    cosines: FloatArray


def near_duplicates(vectors: Vectors, *, at_least: float, deadline: Deadline, seed: int = 0) -> Pairs:
    """Return pairs whose cosine is `at_least` that, of each row the `MOST_PER_ROW` most alike.

    Up to `EXACT_UP_TO` rows each is compared with every other. Of more, only rows that are nearest to the same of a few
    hundred rows drawn at random, each row in two such cells. When the time is over, what was found by then.
    """
    found: list[tuple[IntArray, IntArray, FloatArray]] = []
    for rows in _cells(vectors, seed):
        if deadline.expired():
            break
        found.append(_alike_within(vectors, rows, at_least))
    if not found:
        return Pairs(np.zeros((0, 2), dtype=np.int64), np.zeros(0, dtype=np.float32))
    first, second, cosines = (np.concatenate(part) for part in zip(*found, strict=True))
    return _in_order(len(vectors), first, second, cosines)


def _cells(vectors: Vectors, seed: int) -> Iterator[IntArray]:
    n = len(vectors)
    if n <= EXACT_UP_TO:
        yield np.arange(n)
        return
    draw = np.random.default_rng(seed)
    middles = vectors[np.sort(draw.choice(n, size=int(np.sqrt(n)), replace=False))]
    nearest = np.concatenate([_two_nearest(vectors[i : i + 2048], middles) for i in range(0, n, 2048)])
    for cell in range(len(middles)):
        rows = np.flatnonzero((nearest == cell).any(axis=1))
        draw.shuffle(rows)
        for start in range(0, len(rows), PART):
            yield np.sort(rows[start : start + PART])


def _two_nearest(vectors: Vectors, middles: Vectors) -> IntArray:
    two: IntArray = np.argpartition(-(vectors @ middles.T), 1, axis=1)[:, :2]
    return two


def _alike_within(vectors: Vectors, rows: IntArray, at_least: float) -> tuple[IntArray, IntArray, FloatArray]:
    members = vectors[rows]
    firsts, seconds, cosines = [], [], []
    for start in range(0, len(rows), 1024):
        block = members[start : start + 1024] @ members.T
        block[np.arange(len(block)), np.arange(start, start + len(block))] = -1.0
        has_any = np.flatnonzero(block.max(axis=1, initial=-1.0) >= at_least)
        best = _best_columns(block[has_any])
        values = np.take_along_axis(block[has_any], best, axis=1)
        line, place = np.nonzero(values >= at_least)
        firsts.append(rows[start + has_any[line]])
        seconds.append(rows[best[line, place]])
        cosines.append(values[line, place])
    return np.concatenate(firsts), np.concatenate(seconds), np.concatenate(cosines)


def _best_columns(block: FloatArray) -> IntArray:
    if block.shape[1] <= MOST_PER_ROW:
        return np.tile(np.arange(block.shape[1]), (len(block), 1))
    best: IntArray = np.argpartition(-block, MOST_PER_ROW - 1, axis=1)[:, :MOST_PER_ROW]
    return best


def _in_order(n: int, first: IntArray, second: IntArray, cosines: FloatArray) -> Pairs:
    low, high = np.minimum(first, second), np.maximum(first, second)
    _keys, places = np.unique(low.astype(np.int64) * n + high, return_index=True)
    places = places[np.lexsort((high[places], low[places], -cosines[places]))]
    return Pairs(np.stack([low[places], high[places]], axis=1), np.minimum(cosines[places], 1.0))
