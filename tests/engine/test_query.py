"""What to ask about next."""

import numpy as np
import pytest

from apps.engine.query import margin_scores


def test_a_near_tie_is_asked_before_a_clear_case() -> None:
    scores = margin_scores(np.array([[0.5, 0.5, 0.0], [0.34, 0.33, 0.33], [0.9, 0.05, 0.05], [1.0, 0.0, 0.0]]))
    assert scores.tolist() == pytest.approx([1.0, 0.99, 0.15, 0.0])


def test_one_label_leaves_nothing_to_ask() -> None:
    assert margin_scores(np.ones((3, 1))).tolist() == [0.0, 0.0, 0.0]
    assert margin_scores(np.ones((0, 2))).shape == (0,)
