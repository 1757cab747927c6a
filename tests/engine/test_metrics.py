"""Figures about predictions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.engine import metrics


@pytest.mark.parametrize(
    ("n_right", "n", "expected"),
    # By hand from Wilson's formula with z = 1.6449.
    [(87, 100, (0.8047, 0.9157)), (0, 10, (0.0, 0.2130)), (10, 10, (0.7870, 1.0)), (5, 10, (0.2693, 0.7307))],
)
def test_wilson_interval_is_that_of_the_formula(n_right: int, n: int, expected: tuple[float, float]) -> None:
    assert metrics.wilson_interval(n_right, n) == pytest.approx(expected, abs=2e-4)


def test_of_no_samples_nothing_is_known() -> None:
    assert metrics.wilson_interval(0, 0) == (0.0, 1.0)


@settings(deadline=None)  # a busy machine is no error
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_stays_between_nothing_and_all(counts: tuple[int, int]) -> None:
    n_right, n = counts
    lower, upper = metrics.wilson_interval(n_right, n)
    assert 0.0 <= lower <= n_right / n <= upper <= 1.0
    assert lower < upper


def test_more_right_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="n_right"):
        metrics.wilson_interval(3, 2)


def test_majority_share_is_that_of_the_commonest_label() -> None:
    assert metrics.majority_share(np.array([2, 2, 2, 0])) == 0.75
    assert metrics.majority_share(np.array([], dtype=int)) == 0.0


def test_label_figures_count_caught_missed_and_false_alarms() -> None:
    labels, predicted = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 1, 1, 0])
    first, second, third = metrics.label_figures(labels, predicted, 3)
    assert (first.n, first.caught, first.missed, first.false_alarms) == (3, 1, 2, 1)
    assert (second.n, second.caught, second.missed, second.false_alarms) == (2, 1, 1, 2)
    assert (third.n, third.caught, third.missed, third.false_alarms) == (0, 0, 0, 0)


def test_calibration_error_is_the_gap_between_confidence_and_share_right() -> None:
    pred_probs = np.tile([0.9, 0.1], (10, 1))
    labels = np.array([0] * 6 + [1] * 4)
    assert metrics.expected_calibration_error(pred_probs, labels) == pytest.approx(0.3)
    assert metrics.expected_calibration_error(np.eye(2), np.array([0, 1])) == 0.0


def test_balanced_accuracy_counts_every_label_alike() -> None:
    pred_probs = np.tile([1.0, 0.0], (10, 1))
    assert metrics.balanced_accuracy(pred_probs, np.array([0] * 9 + [1])) == 0.5
    assert metrics.accuracy(pred_probs, np.array([0] * 9 + [1])) == 0.9


def test_the_loss_of_a_label_called_impossible_is_finite() -> None:
    losses = metrics.sample_log_losses(np.array([[1.0, 0.0]]), np.array([1]))
    assert losses.tolist() == pytest.approx([13.8155], abs=1e-3)
