"""What is said, where some labels are worse to miss."""

import numpy as np
import pytest

from apps.engine import decisions


def test_with_even_weights_the_likeliest_label_is_said() -> None:
    pred_probs = np.array([[0.2, 0.7, 0.1], [0.5, 0.2, 0.3]])
    assert decisions.decide(pred_probs, np.ones(3)).tolist() == [1, 0]


def test_a_label_that_is_worse_to_miss_is_said_sooner() -> None:
    pred_probs = np.array([[0.7, 0.3], [0.8, 0.2], [0.95, 0.05]])
    assert decisions.decide(pred_probs, np.array([1.0, 3.0])).tolist() == [1, 0, 0]
    assert decisions.decide(pred_probs, np.array([1.0, 10.0])).tolist() == [1, 1, 0]


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_a_tag_that_is_worse_to_miss_has_a_lower_threshold_for_the_same_odds(threshold: float) -> None:
    usual, worse = decisions.weighed_thresholds(np.array([threshold, threshold]), np.array([1.0, 3.0]))
    assert usual == pytest.approx(threshold)
    assert 0 <= worse <= usual
    assert worse * (1 - threshold) * 3 == pytest.approx(threshold * (1 - worse))


def test_the_confidence_of_tags_is_that_of_all_of_them_together() -> None:
    pred_probs = np.array([[0.9, 0.2], [0.4, 0.6]], dtype=np.float32)
    assert decisions.confidence_of_tags(pred_probs, np.array([0.5, 0.5])) == pytest.approx([0.72, 0.36])


def test_the_runner_up_is_the_likeliest_label_that_was_not_said() -> None:
    pred_probs = np.array([[0.5, 0.4, 0.1], [0.5, 0.2, 0.3]])
    assert decisions.runners_up(pred_probs, np.array([0, 1])).tolist() == [1, 0]
    assert decisions.runners_up(np.ones((2, 1)), np.array([0, 0])).tolist() == [-1, -1]
