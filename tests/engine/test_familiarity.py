"""How unlike known samples a new one is."""

import time

import numpy as np
import numpy.typing as npt

from apps.engine.familiarity import FEWEST_KNOWN, MOST_DIMS, MOST_KNOWN, familiar

Rows = npt.NDArray[np.float32]


def kinds(n: int, *, seed: int, dim: int = 32, shift: float = 0.0) -> Rows:
    """Samples around four centres, or around as many others."""
    draw = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(4, dim)) + shift
    return (3 * centres[draw.integers(4, size=n)] + draw.normal(size=(n, dim))).astype(np.float32)


def test_samples_of_the_same_kind_are_evenly_novel() -> None:
    known = familiar(kinds(500, seed=1))
    assert known is not None
    novelty = np.sort(known.novelty(kinds(2_000, seed=2)))
    assert np.abs(novelty - (np.arange(2_000) + 0.5) / 2_000).max() < 0.09
    assert 0.0 < novelty[0] < novelty[-1] < 1.0


def test_strangers_are_more_novel_than_nearly_all_samples() -> None:
    known = familiar(kinds(500, seed=1))
    assert known is not None
    assert (known.novelty(kinds(200, seed=3, shift=2.0)) > 0.99).mean() > 0.9


def test_what_is_further_is_more_novel_even_beyond_all_samples() -> None:
    known = familiar(kinds(200, seed=1))
    assert known is not None
    line = kinds(1, seed=4) + np.linspace(0, 40, 9)[:, None] * np.eye(32, dtype=np.float32)[:1]
    novelty = known.novelty(line)
    assert (np.diff(novelty[np.argsort(known.novelty(line))]) > 0).all()
    assert len(set(novelty.tolist())) == 9


def test_known_samples_are_measured_without_themselves() -> None:
    rows = kinds(400, seed=1)
    known = familiar(rows)
    assert known is not None
    assert abs(float(known.own.mean()) - 0.5) < 0.01
    assert np.median(known.novelty(rows)) < 0.2  # found among the samples, itself is its nearest


def test_samples_that_are_all_alike_say_nothing_wrong() -> None:
    known = familiar(np.ones((60, 8), dtype=np.float32))
    assert known is not None
    assert np.isfinite(known.novelty(kinds(5, seed=1, dim=8))).all()
    assert known.novelty(np.zeros((1, 8), dtype=np.float32))[0] > 0.9


def test_of_few_samples_nothing_is_said_and_of_many_some_are_kept() -> None:
    assert familiar(kinds(FEWEST_KNOWN - 1, seed=1)) is None
    known = familiar(kinds(MOST_KNOWN + 500, seed=1, dim=900))
    assert known is not None
    assert known.rows.shape == (MOST_KNOWN, MOST_DIMS)


def test_a_call_costs_microseconds() -> None:
    known = familiar(kinds(MOST_KNOWN, seed=1, dim=384))
    assert known is not None
    calls = kinds(64, seed=2, dim=384)
    known.novelty(calls)
    started = time.process_time()
    known.novelty(calls)
    assert time.process_time() - started < 64 * 0.001
