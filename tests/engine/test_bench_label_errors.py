"""What `bench label-errors` writes: figures worked out by hand, and rows as promised."""

from pathlib import Path

import numpy as np
import pytest

from apps.engine import bench_label_errors
from apps.engine.bench_forecast import World
from apps.engine.bench_label_errors import draw, figures, measure_label_errors
from apps.engine.types import Column, ColumnType, Inputs, Modality


@pytest.fixture
def world() -> World:
    random = np.random.default_rng(0)
    labels = np.arange(200) % 4
    rows = (random.normal(size=(4, 16))[labels] * 2 + random.normal(size=(200, 16))).astype(np.float32)
    rows[7] = rows[3]
    inputs = Inputs(200, {"minilm": rows})
    return World("made up", Modality.TEXT, inputs, labels, inputs, labels, 4)


def test_figures_are_those_of_the_ranking() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
    is_flipped = np.isin(np.arange(10), [0, 2])
    assert figures(scores, is_flipped) == {
        "auroc": 0.9375,
        "average_precision": round((1 / 1 + 2 / 3) / 2, 4),
        "precision_at_k": 0.5,
        "found_in_first_10_percent": 0.5,
    }


def test_the_share_asked_for_is_flipped_to_other_labels_and_twins_share_a_group(world: World) -> None:
    rows, data, is_flipped = draw(world, 200, 0.1, seed=1)
    _rows, again, _same = draw(world, 200, 0.1, seed=1)
    assert is_flipped.sum() == 20
    assert (data.labels == again.labels).all()
    assert ((data.labels != world.train_labels[rows]) == is_flipped).all()
    assert len(np.unique(data.groups)) == 199


def test_rows_have_the_fields_promised(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_label_errors, "read_world", lambda folder: world)
    rows = list(measure_label_errors(Path("nowhere"), n_labels=120, n_seeds=2))
    assert [row["seed"] for row in rows] == [0, 1]
    names = {"dataset", "seed", "auroc", "average_precision", "precision_at_k", "found_in_first_10_percent"}
    assert all(set(row) == names for row in rows)
    assert all(float(str(row["auroc"])) > 0.9 for row in rows)


def test_a_table_is_measured_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = world.train.embeddings["minilm"]
    columns = [Column(f"field_{i}", ColumnType.NUMBER, numbers[:, i].astype(np.float64)) for i in range(16)]
    table = World(
        "table", Modality.TABLE, Inputs(200, columns=columns), world.train_labels, world.test, world.test_labels, 4
    )
    monkeypatch.setattr(bench_label_errors, "read_world", lambda folder: table)
    (row,) = measure_label_errors(Path("nowhere"), n_labels=120, n_seeds=1)
    assert float(str(row["auroc"])) > 0.85
