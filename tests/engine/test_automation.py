"""What may be answered without a person, and whether the promise comes true."""

import numpy as np
import pytest

from apps.engine import automation
from apps.engine.estimates import HeldOut


def world(seed: int, n: int, *, n_pool: int = 1_000, shift: float = 0.0) -> tuple[HeldOut, np.ndarray, np.ndarray]:
    """Return `n` labelled samples, and confidences and verdicts of new ones; `shift` makes the model less right."""
    random = np.random.default_rng(seed)
    odds = np.abs(random.normal(2.0, 2.0, size=n + n_pool))
    confidence = 1 / (1 + np.exp(-odds))
    is_right = random.random(n + n_pool) < 1 / (1 + np.exp(shift - odds))
    held_out = HeldOut(confidence[:n], is_right[:n], np.ones(n, dtype=bool), confidence[n:], n_pool=n_pool)
    return held_out, confidence[n:], is_right[n:]


@pytest.mark.parametrize("shift", [0.0, 1.0])
@pytest.mark.parametrize("target", [0.9, 0.95])
def test_few_promises_are_broken_in_a_hundred_draws(target: float, shift: float) -> None:
    n_made, n_broken = 0, 0
    for seed in range(100):
        held_out, confidence, is_right = world(seed, 120, shift=shift)
        (option,) = automation.options(held_out, targets=(target,))
        if option.threshold is not None:
            answered = confidence >= option.threshold
            n_made += 1
            n_broken += is_right[answered].mean() < target
            assert option.share == pytest.approx(answered.mean(), abs=0.12)
    assert n_made > 40
    assert n_broken <= 15


@pytest.mark.parametrize("seed", range(40))
def test_a_higher_target_has_no_lower_threshold_and_no_larger_share(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = int(random.integers(0, 80))
    held_out = HeldOut(
        np.round(random.random(n), int(random.integers(1, 6))),
        random.random(n) < random.random(),
        random.random(n) < random.choice([0.0, 0.3, 1.0]),
        np.round(random.random(30), 2),
        n_pool=200,
    )
    options = automation.options(held_out)
    assert [option.target for option in options] == list(automation.TARGETS)
    thresholds = [2.0 if option.threshold is None else option.threshold for option in options]
    assert thresholds == sorted(thresholds)
    shares = [option.share for option in options]
    assert shares == sorted(shares, reverse=True)
    rights = [option.right for option in options if option.right is not None]
    assert rights == sorted(rights)
    assert all(option.target <= option.right <= 1 for option in options if option.right is not None)


def test_a_few_samples_promise_nothing_high() -> None:
    held_out, _, _ = world(0, 30)
    options = {option.target: option for option in automation.options(held_out)}
    assert options[0.99].threshold is None
    assert options[0.995].right is None


def test_a_model_that_is_always_wrong_promises_nothing() -> None:
    held_out = HeldOut(np.full(50, 0.99), np.zeros(50, bool), np.ones(50, bool), np.full(10, 0.99), n_pool=10)
    assert all(option.threshold is None for option in automation.options(held_out))


def test_samples_of_equal_confidence_are_answered_or_not_together() -> None:
    held_out = HeldOut(np.repeat([0.99, 0.6], 100), np.repeat([True, False], 100), np.ones(200, bool), np.zeros(0), 0)
    first = automation.options(held_out)[0]
    assert (first.threshold, first.share) == (0.99, 0.5)


def test_a_part_of_the_pool_stands_for_all_of_it() -> None:
    held_out, _, _ = world(4, 200)
    part = HeldOut(held_out.confidence, held_out.is_right, held_out.is_random, held_out.pool[::2], n_pool=1_000)
    for whole, half in zip(automation.options(held_out), automation.options(part), strict=True):
        assert whole.share == pytest.approx(half.share, abs=0.05)
