"""What to expect of new samples, from a biased draw of labelled ones."""

import numpy as np
import pytest

from apps.engine import estimates
from apps.engine.estimates import Basis, HeldOut

N_WORLD = 3_000


def drawn(seed: int, *, n: int, n_random: int, slope: float = 1.0) -> tuple[HeldOut, float]:
    """Return a draw from a world whose confidences are honest but for `slope`, and the share right in that world.

    `n - n_random` of the labelled samples are the least confident of all.
    """
    random = np.random.default_rng(seed)
    odds = random.normal(1.5, 2.0, size=N_WORLD)
    confidence = 1 / (1 + np.exp(-np.abs(odds)))
    is_right = random.random(N_WORLD) < 1 / (1 + np.exp(-slope * np.abs(odds)))
    at_random = random.permutation(N_WORLD)[:n_random]
    others = np.setdiff1d(np.argsort(confidence)[: n + n_random], at_random)[: n - n_random]
    labelled = np.concatenate([at_random, others]).astype(int)
    pool = np.setdiff1d(np.arange(N_WORLD), labelled)
    held_out = HeldOut(
        confidence[labelled], is_right[labelled], np.arange(n) < n_random, confidence[pool], n_pool=len(pool)
    )
    return held_out, float(is_right.mean())


@pytest.mark.parametrize("slope", [0.6, 1.0, 1.6])
@pytest.mark.parametrize(("n", "n_random"), [(60, 60), (60, 20), (200, 200), (200, 50)])
def test_the_interval_holds_what_is_true_about_nine_times_in_ten(n: int, n_random: int, slope: float) -> None:
    holds = []
    for seed in range(200):
        held_out, truth = drawn(seed, n=n, n_random=n_random, slope=slope)
        found = estimates.accuracy(held_out)
        holds.append(found.low <= truth <= found.high)
    assert np.mean(holds) >= 0.85


def test_doubtful_samples_picked_by_the_queue_do_not_frighten() -> None:
    values, naive, truths = [], [], []
    for seed in range(100):
        held_out, truth = drawn(seed, n=150, n_random=40)
        values.append(estimates.accuracy(held_out).value)
        naive.append(held_out.is_right.mean())
        truths.append(truth)
    assert np.mean(naive) < np.mean(truths) - 0.1
    assert np.mean(values) == pytest.approx(np.mean(truths), abs=0.01)


def test_queue_picked_samples_make_the_interval_narrower_than_the_random_ones_alone() -> None:
    held_out, _ = drawn(1, n=150, n_random=40)
    alone = HeldOut(held_out.confidence[:40], held_out.is_right[:40], held_out.is_random[:40], np.zeros(0), n_pool=0)
    with_all, with_random = estimates.accuracy(held_out), estimates.accuracy(alone)
    assert with_all.high - with_all.low < with_random.high - with_random.low
    assert (with_all.basis, with_random.basis) == (Basis.WEIGHTED, Basis.RANDOM)
    assert (with_all.n, with_all.n_random) == (150, 40)


@pytest.mark.parametrize("seed", range(60))
def test_an_interval_lies_within_0_and_1_around_its_value(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 60))
    n_known = int(random.integers(0, 30)) * int(random.integers(0, 2))
    kinds = (random.random(n), np.ones(n), np.zeros(n), np.full(n, 1 - 1e-7))
    held_out = HeldOut(
        kinds[seed % 4].astype(np.float32),
        random.random(n) < random.choice([0.0, 0.5, 1.0]),
        random.random(n) < random.choice([0.0, 0.3, 1.0]),
        random.random(n_known).astype(np.float32),
        n_pool=n_known + int(random.integers(0, 50)),
    )
    found = estimates.accuracy(held_out)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.01


def test_before_unlabelled_samples_were_looked_at_only_random_ones_count() -> None:
    is_random = np.array([True] * 10 + [False] * 10)
    held_out = HeldOut(np.full(20, 0.8), is_random.copy(), is_random, np.zeros(0), n_pool=100)
    found = estimates.accuracy(held_out)
    assert (found.value, found.basis) == (1.0, Basis.RANDOM)


def test_where_every_sample_is_labelled_their_share_right_is_the_value() -> None:
    is_right = np.arange(40) % 4 > 0
    held_out = HeldOut(np.full(40, 0.7), is_right, np.arange(40) < 12, np.zeros(0), n_pool=0)
    assert estimates.accuracy(held_out).value == pytest.approx(0.75)


def test_nothing_is_known_without_samples() -> None:
    nothing = HeldOut(np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0, dtype=bool), np.zeros(0), n_pool=5)
    found = estimates.accuracy(nothing)
    assert (found.low, found.high, found.n) == (0.0, 1.0, 0)


@pytest.mark.parametrize("slope", [0.3, 1.0, 2.0])
def test_rightness_learns_what_confidence_is_worth(slope: float) -> None:
    random = np.random.default_rng(3)
    odds = random.normal(1.5, 1.5, size=20_000)
    is_right = random.random(len(odds)) < 1 / (1 + np.exp(-slope * odds))
    fitted = estimates.Rightness.fit(1 / (1 + np.exp(-odds)), is_right)
    assert fitted.slope == pytest.approx(slope, abs=0.06)
    assert fitted.shift == pytest.approx(0, abs=0.06)


def test_a_label_with_nine_samples_is_too_early_and_with_ten_it_is_not() -> None:
    labels = np.array([0] * 30 + [1] * 9)
    assert estimates.is_early(labels, 2)
    assert not estimates.is_early(np.append(labels, 1), 2)
    assert estimates.is_early(np.append(labels, 1), 3)  # a label nobody has used


def test_a_tag_is_early_until_it_was_there_ten_times() -> None:
    tags = np.zeros((40, 2), dtype=int)
    tags[:10, 0] = 1
    tags[:9, 1] = 1
    tags[20:, 1] = -1
    assert estimates.is_early(tags, 2)
    tags[9, 1] = 1
    assert not estimates.is_early(tags, 2)


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="one confidence"):
        HeldOut(np.zeros(2), np.zeros(1, dtype=bool), np.zeros(2, dtype=bool), np.zeros(0), n_pool=0)
    with pytest.raises(ValueError, match="at least as many"):
        HeldOut(np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0, dtype=bool), np.zeros(3), n_pool=2)
