"""Whole rounds on table rows: ordinary ones, and everything odd that real tables bring."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from apps.engine import artifacts, automl, metrics, search
from apps.engine.heads import TREES
from apps.engine.tables import columns_from_rows
from apps.engine.types import Column, ColumnType, Inputs, RoundResult, Task, TrainingData

NUMBER, CATEGORY, DATE, TEXT, IMAGE = ColumnType
Labels = npt.NDArray[np.int64]


@pytest.fixture(autouse=True)
def has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine change nothing about what is tried."""
    monkeypatch.setattr(search, "BUDGET_S", 600.0)


def orders(n: int, *, seed: int = 0) -> tuple[Inputs, Labels]:
    """Rows of all types; label 1 where the amount is high or, for wholesale, where it is not; 2 on some weekends."""
    random = np.random.default_rng(seed)
    amount, noise = random.lognormal(3, 1, n), random.normal(size=n)
    kind = random.choice(["retail", "wholesale", "other"], n)
    day = random.integers(0, 700, n)
    rows: list[dict[str, object]] = [
        {
            "amount": float(amount[i]),
            "noise": float(noise[i]) if i % 7 else None,
            "kind": str(kind[i]),
            "day": str(np.datetime64("2023-01-01") + day[i]),
            "id": f"order-{seed}-{i}",
            "always": "yes",
        }
        for i in range(n)
    ]
    types = {"amount": NUMBER, "noise": NUMBER, "kind": CATEGORY, "day": DATE, "id": CATEGORY, "always": CATEGORY}
    y = ((amount > 20) ^ (kind == "wholesale")).astype(np.int64)
    y[(day % 7 < 2) & (kind == "other")] = 2
    return Inputs(n, columns=columns_from_rows(rows, types)), y


def data_of(inputs: Inputs, y: Labels, n_classes: int = 3) -> TrainingData:
    return TrainingData(inputs, y, n_classes, np.arange(inputs.n_samples))


def assert_sound(result: RoundResult, inputs: Inputs) -> None:
    for pred_probs in (result.pred_probs, result.predictor.pred_probs(inputs)):
        assert np.isfinite(pred_probs).all()
        assert pred_probs.min() >= 0
        if result.predictor.task is Task.LABEL:
            np.testing.assert_allclose(pred_probs.sum(axis=1), 1, rtol=1e-4)


def test_a_round_on_rows_learns_what_there_is_to_learn() -> None:
    inputs, y = orders(200)
    new, expected = orders(300, seed=1)
    result = automl.train(data_of(inputs, y))
    pred_probs = result.predictor.pred_probs(new)
    assert metrics.accuracy(pred_probs, expected) > 0.75 > metrics.majority_share(expected) + 0.2
    assert abs(metrics.accuracy(result.pred_probs, y) - metrics.accuracy(pred_probs, expected)) < 0.1


@pytest.mark.parametrize("task", list(Task))
def test_what_serves_comes_back_from_disk_the_same(task: Task, tmp_path: Path) -> None:
    inputs, y = orders(120)
    labels = np.eye(3, dtype=np.int64)[y] if task is Task.TAGS else y
    predictor = automl.train(data_of(inputs, labels)).predictor
    assert {member.recipe.backbone for member in predictor.members} == {"table"}
    assert any(member.recipe.head in TREES for member in predictor.members)
    sha256 = artifacts.save(
        tmp_path / "model", predictor=predictor, label_ids=["a", "b", "c"], backbone_versions={}, trained_with={}
    )
    again = artifacts.load(tmp_path / "model", sha256=sha256).predictor
    new = orders(50, seed=1)[0]
    np.testing.assert_array_equal(again.pred_probs(new), predictor.pred_probs(new))


def test_the_same_rows_and_seed_give_the_same_model() -> None:
    inputs, y = orders(80)
    one, two = (automl.train(data_of(inputs, y), seed=3) for _ in range(2))
    assert one.blend == two.blend
    np.testing.assert_array_equal(one.pred_probs, two.pred_probs)


@pytest.mark.parametrize("n", [100, 300])
def test_of_the_kinds_of_trees_one_serves_at_most(n: int) -> None:
    inputs, y = orders(n)
    result = automl.train(data_of(inputs, y))
    heads = [member.recipe.head for member in result.predictor.members]
    assert sum(head in TREES for head in heads) <= 1
    tried = {trial.recipe.head for trial in result.trials}
    assert tried & TREES == ({"extra"} if n < search.MANY_FOR_TREES else TREES)


def test_tags_are_learned_from_rows() -> None:
    inputs, y = orders(150)
    tags = np.stack([y == 1, y == 2, np.arange(150) % 2 == 0], axis=1).astype(np.int64)
    tags[::4, 0] = -1
    result = automl.train(data_of(inputs, tags))
    assert result.predictor.task is Task.TAGS
    assert_sound(result, inputs)
    right = (result.predictor.pred_probs(inputs)[:, 0] > 0.5) == (y == 1)
    assert right.mean() > 0.85


def test_words_in_a_cell_are_asked_by_themselves_too() -> None:
    random = np.random.default_rng(0)
    y = np.arange(100) % 2
    cells = (random.normal(size=(100, 24)) + 2 * y[:, None] * (np.arange(24) == 0)).astype(np.float32)
    note = Column("note", TEXT, np.array([f"note {i}" for i in range(100)], dtype=np.object_))
    inputs = Inputs(100, {"tiny-text:note": cells}, columns=[note, Column("n", NUMBER, random.normal(size=100))])
    result = automl.train(data_of(inputs, y, 2))
    assert {trial.recipe.backbone for trial in result.trials} == {"table", "tiny-text:note"}
    assert metrics.accuracy(result.pred_probs, y) > 0.75
    assert_sound(result, inputs)


NOTHING = np.full(24, np.nan)
ODD = {
    "no columns": [],
    "a constant": [Column("x", NUMBER, np.ones(24))],
    "nothing but gaps": [Column("x", NUMBER, NOTHING), Column("c", CATEGORY, np.array([""] * 24, dtype=np.object_))],
    "ids": [Column("x", CATEGORY, np.array([f"id{i}" for i in range(24)], dtype=np.object_))],
    "infinities": [Column("x", NUMBER, np.where(np.arange(24) % 2, np.inf, -np.inf))],
    "huge and tiny": [Column("x", NUMBER, np.array([1e308, -1e308, 1e-308, 0.0] * 6))],
    "far dates": [Column("x", DATE, np.array([1e300, -1e300, 0.0, np.nan] * 6))],
    "pictures without embeddings": [Column("x", IMAGE, np.empty(0, dtype=np.object_))],
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("task", list(Task))
def test_odd_tables_train_all_the_same(name: str, task: Task) -> None:
    inputs = Inputs(24, columns=ODD[name])
    y = np.arange(24) % 3
    target = np.eye(3, dtype=np.int64)[y] if task is Task.TAGS else y
    assert_sound(automl.train(data_of(inputs, target)), inputs)


def test_the_same_row_with_different_labels_trains() -> None:
    inputs = Inputs(20, columns=[Column("x", NUMBER, np.repeat([1.0, 2.0], 10))])
    result = automl.train(TrainingData(inputs, np.arange(20) % 2, 2, np.repeat([0, 1], 10)))
    assert_sound(result, inputs)


def test_rows_of_another_shape_are_answered() -> None:
    inputs, y = orders(60)
    predictor = automl.train(data_of(inputs, y)).predictor
    unseen = columns_from_rows([{"kind": "never seen", "amount": 1e12}, {}], {"kind": CATEGORY, "amount": NUMBER})
    assert np.isfinite(predictor.pred_probs(Inputs(2, columns=unseen))).all()
    assert predictor.pred_probs(Inputs(3)).shape == (3, 3)
