"""The measurement of the figures themselves, on made-up samples."""

import numpy as np
import pytest

from apps.engine import bench_forecast
from apps.engine.bench_forecast import STEP, Tally, World
from apps.engine.types import Inputs, Modality


@pytest.fixture(scope="module")
def world() -> World:
    random = np.random.default_rng(0)
    labels = random.integers(3, size=500)
    rows = np.eye(3, 24)[labels] * 2.2 + random.normal(size=(500, 24))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return World(
        "made-up",
        Modality.TEXT,
        Inputs(300, {"minilm": rows[:300]}),
        labels[:300],
        Inputs(200, {"minilm": rows[300:]}),
        labels[300:],
        3,
    )


def test_every_fifth_of_the_queue_is_drawn_at_random(world: World) -> None:
    rows, is_random = bench_forecast.draw_by_queue(world, 110, seed=1)
    assert len(rows) == len(set(rows.tolist())) == 110
    assert np.flatnonzero(is_random).tolist() == list(range(STEP - 1, 110, STEP))
    assert bench_forecast.draw_by_queue(world, 60, seed=1)[0].tolist() == rows[:60].tolist()


def test_random_draws_are_all_random_and_the_first_of_more_stay_the_first(world: World) -> None:
    rows, is_random = bench_forecast.draw_at_random(world, 120, seed=4)
    assert len(set(rows.tolist())) == 120
    assert is_random.all()
    assert bench_forecast.draw_at_random(world, 60, seed=4)[0].tolist() == rows[:60].tolist()


@pytest.mark.parametrize("pick", ["random", "queue"])
def test_a_draw_is_held_against_what_came_true(world: World, pick: str) -> None:
    draw_rows = bench_forecast.draw_at_random if pick == "random" else bench_forecast.draw_by_queue
    tally = Tally(pick)
    for seed in range(3):
        rows, is_random = draw_rows(world, 120, seed=seed)
        tally.draws.append(bench_forecast.measure_draw(world, rows, is_random, n=60))
    row = tally.row()
    assert row["draws"] == 3
    assert 0.4 < float(str(row["accuracy"])) <= 1
    assert abs(float(str(row["bias"]))) < 0.2
    assert row["forecast"]["n"] == 3  # type: ignore[index]  # a row of JSON
    assert [promise["target"] for promise in row["slider"]] == list(bench_forecast.SLIDER)  # type: ignore[attr-defined]  # JSON


def test_an_interval_that_misses_is_counted_on_its_side(world: World) -> None:
    rows, is_random = bench_forecast.draw_at_random(world, 120, seed=0)
    draw = bench_forecast.measure_draw(world, rows, is_random, n=60)
    missed = bench_forecast.Draw(draw.said, draw.said.low - 0.01, None, 0.5, draw.options, draw.kept)
    row = Tally("random", [missed]).row()
    assert (row["holds"], row["too_high"], row["too_low"]) == (0.0, 1.0, 0.0)
    assert row["forecast"] == {"n": 0}
