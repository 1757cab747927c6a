"""What to ask about next."""

from dataclasses import replace

import numpy as np
import pytest

from apps.engine import query
from apps.engine.query import N_TYPICAL, State, Why, margin_scores, next_batch
from apps.engine.types import FloatArray

NOTHING = np.zeros(2, dtype=np.int64)
ENOUGH = np.array([N_TYPICAL // 2, N_TYPICAL // 2])


def crowds(sizes: list[int], *, seed: int = 0, spread: float = 0.1, dim: int = 12) -> FloatArray:
    """Points around as many far-off centres as there are sizes, one crowd after the other."""
    random = np.random.default_rng(seed)
    centres = np.eye(len(sizes), dim)
    rows = [centre + spread * random.normal(size=(size, dim)) for centre, size in zip(centres, sizes, strict=True)]
    return np.concatenate(rows).astype(np.float32)


def crowd_of(rows: list[int], sizes: list[int]) -> list[int]:
    return np.searchsorted(np.cumsum(sizes), rows, side="right").tolist()


def rows_of(state: State, n: int) -> list[int]:
    return [pick.row for pick in next_batch(state, n)]


def test_a_near_tie_is_asked_before_a_clear_case() -> None:
    scores = margin_scores(np.array([[0.5, 0.5, 0.0], [0.34, 0.33, 0.33], [0.9, 0.05, 0.05], [1.0, 0.0, 0.0]]))
    assert scores.tolist() == pytest.approx([1.0, 0.99, 0.15, 0.0])


def test_one_label_leaves_nothing_to_ask() -> None:
    assert margin_scores(np.ones((3, 1))).tolist() == [0.0, 0.0, 0.0]
    assert margin_scores(np.ones((0, 2))).shape == (0,)


def test_the_first_samples_are_one_of_each_crowd_the_largest_first() -> None:
    sizes = [10, 60, 30, 20]
    state = State(crowds(sizes), np.zeros((0, 12), np.float32), NOTHING)

    assert crowd_of(rows_of(state, 4), sizes) == [1, 2, 3, 0]


def test_crowds_with_a_labelled_sample_wait() -> None:
    sizes = [40, 40, 40]
    points = crowds(sizes)
    state = State(points[1:], points[:1], np.array([1, 0]))

    first, second = rows_of(state, 2)

    assert sorted(crowd_of([first + 1, second + 1], sizes)) == [1, 2]


def test_near_copies_never_come_one_after_the_other() -> None:
    """However much the model doubts them: a hundred copies, and forty others it hardly doubts."""
    sizes = [100, 10, 10, 10, 10]
    points = crowds(sizes)
    points[:100] = points[0] + 1e-4 * np.random.default_rng(1).normal(size=(100, 12))
    doubts = np.where(np.arange(140) < 100, 1.0, 0.1)
    state = State(points, np.zeros((0, 12), np.float32), ENOUGH, doubts, np.zeros(140, dtype=np.int64))

    crowd = crowd_of(rows_of(state, 41), sizes)

    assert crowd[0] == 0
    assert crowd.count(0) == 1


def test_doubts_are_not_listened_to_before_the_model_has_learned_from_some() -> None:
    sizes = [60, 30]
    doubts = np.where(np.arange(90) < 60, 0.0, 1.0)
    few = State(crowds(sizes), np.zeros((0, 12), np.float32), ENOUGH - 1, doubts, np.zeros(90, dtype=np.int64))
    enough = replace(few, n_of_label=ENOUGH)

    assert crowd_of(rows_of(few, 1), sizes) == [0]
    assert crowd_of(rows_of(enough, 10), sizes) == [1] * 10
    assert next_batch(few, 1)[0].why is Why.TYPICAL
    assert next_batch(enough, 1)[0].why is Why.TORN


def test_a_label_with_few_samples_gets_its_turn() -> None:
    """Two crowds alike in everything but what the model says they are."""
    half = crowds([50])
    points = np.concatenate([half, half @ np.roll(np.eye(12, dtype=np.float32), 1, axis=1)])
    said = np.repeat([0, 1], 50)
    doubts = np.full(100, 0.4)
    even = State(points, np.zeros((0, 12), np.float32), np.array([30, 30]), doubts, said)

    picks = next_batch(replace(even, n_of_label=np.array([59, 1])), 6)

    of_rare = [said[pick.row] for pick in picks].count(1)
    assert of_rare > [said[row] for row in rows_of(even, 6)].count(1)
    assert {pick.why for pick in picks if said[pick.row] == 1} == {Why.RARE}
    assert {pick.why for pick in picks if said[pick.row] == 0} <= {Why.TYPICAL}


def test_a_sample_without_a_label_said_is_weighed_like_a_common_one() -> None:
    points = crowds([20, 20])
    state = State(points, points[:0], np.array([50, 0]), np.full(40, 0.6), np.full(40, -1))

    assert {pick.why for pick in next_batch(state, 40)} == {Why.TORN}


def test_points_that_stand_for_many_come_before_those_that_stand_for_themselves() -> None:
    sizes = [30, 10]
    state = State(crowds(sizes), np.zeros((0, 12), np.float32), NOTHING)
    weighed = replace(state, stands_for=np.where(np.arange(40) < 30, 1.0, 50.0))

    assert crowd_of(rows_of(state, 1) + rows_of(weighed, 1), sizes) == [0, 1]


def test_lazy_evaluation_chooses_what_looking_at_everything_would() -> None:
    random = np.random.default_rng(4)
    points = random.normal(size=(120, 8)).astype(np.float32)
    said = random.integers(3, size=120)
    state = State(points, points[:7] + 0.1, np.array([20, 4, 0]), random.random(120), said)

    cover = query._Cover.of(state)
    expected: list[int] = []
    for _ in range(40):
        gains = cover.all_gains()
        gains[expected] = -1.0
        expected.append(int(gains.argmax()))
        cover.add(expected[-1])

    assert rows_of(state, 40) == expected


def test_everything_is_asked_once_and_nothing_of_nothing() -> None:
    points = np.ones((5, 3), dtype=np.float32)
    points[0, 0] = np.nan
    assert sorted(rows_of(State(points, points[:0], NOTHING), 99)) == [0, 1, 2, 3, 4]
    assert next_batch(State(points[:0], points, NOTHING), 3) == []
    assert next_batch(State(points, points, NOTHING), 0) == []
