"""Unlabelled samples of a kind that nothing labelled is like."""

import time

import numpy as np
import numpy.typing as npt
import pytest

from apps.engine.novelty import FEWEST_LABELLED, new_kinds


def around(centres: npt.NDArray[np.float64], kinds: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.float32]:
    rows = 4 * centres[kinds] + np.random.default_rng(seed).normal(size=(len(kinds), centres.shape[1]))
    unit: npt.NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


@pytest.fixture
def centres() -> npt.NDArray[np.float64]:
    return np.linalg.qr(np.random.default_rng(0).normal(size=(24, 5)))[0].T


def test_a_kind_that_nobody_labelled_is_found(centres: npt.NDArray[np.float64]) -> None:
    kinds = np.concatenate([np.arange(80) % 4, np.arange(200) % 4, np.full(15, 4)])
    found = new_kinds(around(centres, kinds, 1), np.arange(80), np.arange(80, 295))
    assert set(found.rows[:10].tolist()) <= set(range(280, 295))
    assert len(set(range(280, 295)) & set(found.rows.tolist())) >= 12
    assert (np.diff(found.scores) <= 0).all()


def test_where_none_is_missing_hardly_anything_is_new(centres: npt.NDArray[np.float64]) -> None:
    kinds = np.arange(480) % 4
    found = new_kinds(around(centres, kinds, 2), np.arange(80), np.arange(80, 480))
    assert len(found.rows) <= 20


@pytest.mark.parametrize(("n_labelled", "n_pool"), [(0, 10), (FEWEST_LABELLED - 1, 10), (30, 0), (30, 1)])
def test_of_next_to_nothing_nothing_is_said(centres: npt.NDArray[np.float64], n_labelled: int, n_pool: int) -> None:
    vectors = around(centres, np.arange(n_labelled + n_pool) % 4, 3)
    found = new_kinds(vectors, np.arange(n_labelled), np.arange(n_labelled, n_labelled + n_pool))
    assert len(found.rows) <= n_pool


def test_it_is_bounded(centres: npt.NDArray[np.float64]) -> None:
    vectors = around(centres, np.arange(30_000) % 5, 4)
    started = time.process_time()
    new_kinds(vectors, np.arange(10_000), np.arange(10_000, 30_000))
    assert time.process_time() - started < 10
