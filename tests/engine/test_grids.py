"""Orders of a grid."""

import numpy as np
import pytest

from apps.engine.grids import alike_together, hunt_scores
from apps.engine.types import FloatArray


def circle(*degrees: float) -> FloatArray:
    angles = np.radians(np.array(degrees))
    return np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)


def test_what_is_probable_comes_before_what_is_only_alike() -> None:
    likeness = np.array([0.9, 0.2, 0.5, 0.6], dtype=np.float32)
    probability = np.array([0.0, 0.7, 0.3, 0.3], dtype=np.float32)
    assert np.argsort(-hunt_scores(likeness, probability)).tolist() == [1, 3, 2, 0]


def test_without_a_model_likeness_alone_decides() -> None:
    likeness = np.array([0.1, 0.8, 0.5], dtype=np.float32)
    assert np.argsort(-hunt_scores(likeness, np.zeros(3, dtype=np.float32))).tolist() == [1, 2, 0]


def test_those_alike_stand_side_by_side() -> None:
    order = alike_together(circle(0, 90, 5, 95, 10, 185))
    assert order.tolist() == [0, 2, 4, 1, 3, 5]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_are_an_order_too(n: int) -> None:
    assert alike_together(circle(*range(n)).reshape(n, 2)).tolist() == list(range(n))
