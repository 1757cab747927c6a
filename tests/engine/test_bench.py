"""What `bench` writes, on data sets small enough for a test."""

import argparse
import csv
import json
from pathlib import Path

import pytest

from apps.engine import bench

KEYS = [
    "dataset", "modality", "n_labels", "seed", "stage", "pick", "accuracy", "balanced_accuracy", "log_loss", "ece",
    "majority", "cv_accuracy", "interval", "seconds_embed", "seconds_adapt", "seconds_round", "winner", "device",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [[f"please refund order {i}", "Refund"] for i in range(40)]
    rows += [[f"the parcel number {i} is late", "Parcel"] for i in range(40)]
    for split, part in (("train", rows), ("test", rows[::5])):
        with (tmp_path / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["text", "label"], *part])
    return tmp_path


def asked(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser.add_subparsers(dest="what", required=True))
    return parser.parse_args(words)


@pytest.mark.parametrize("pick", ["random", "queue"])
def test_each_draw_is_a_row_of_named_figures(folder: Path, tmp_path: Path, pick: str) -> None:
    file = tmp_path / "rows.json"
    arguments = asked("accuracy", str(folder), "--labels", "20", "--seeds", "2", "--pick", pick, "--json", str(file))
    lines = list(bench.written(bench.measurements(arguments), arguments.json))
    rows = [json.loads(line) for line in lines]
    assert file.read_text().splitlines() == lines
    assert [(row["seed"], row["pick"], row["n_labels"]) for row in rows] == [(0, pick, 20), (1, pick, 20)]
    for row in rows:
        assert sorted(row) == sorted(KEYS)
        assert row["accuracy"] > 0.9
        assert 0 <= row["interval"][0] <= row["interval"][1] <= 1
        assert row["winner"].startswith(("0.", "1.00 "))


def test_the_best_stage_lets_the_backbone_learn(folder: Path) -> None:
    arguments = asked("accuracy", str(folder), "--labels", "20", "--seeds", "1", "--stage", "best")
    (row,) = bench.measurements(arguments)
    assert sorted(row) == sorted(KEYS)
    assert row["stage"] == "best"
    assert isinstance(row["seconds_adapt"], float)
    assert row["seconds_adapt"] > 0.0
    assert row["accuracy"] == 1.0


def test_the_best_stage_is_the_first_where_nothing_adapted_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.engine.adapt.is_read", lambda blend: False)
    arguments = ["accuracy", str(folder), "--labels", "20", "--seeds", "1", "--stage"]
    (first,) = bench.measurements(asked(*arguments, "first"))
    (best,) = bench.measurements(asked(*arguments, "best"))
    compared = {"accuracy", "log_loss", "cv_accuracy", "interval", "winner"}
    assert {key: best[key] for key in compared} == {key: first[key] for key in compared}


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(bench.measurements(asked("accuracy", str(tmp_path / "nowhere"))))


def test_the_queue_is_held_against_random_and_margin(folder: Path) -> None:
    rows = list(bench.measurements(asked("queue", str(folder), "--start", "10", "--stop", "20", "--seeds", "2")))

    assert all(list(row) == ["dataset", "strategy", "seed", "n", "accuracy"] for row in rows)
    assert [(row["strategy"], row["seed"], row["n"]) for row in rows] == [
        (strategy, seed, n) for seed in (0, 1) for strategy in ("product", "random", "margin") for n in (10, 20)
    ]
    accuracy = {(row["strategy"], row["seed"], row["n"]): row["accuracy"] for row in rows}
    assert all(accuracy["random", seed, 10] == accuracy["margin", seed, 10] for seed in (0, 1))
    assert all(value > 0.9 for value in accuracy.values())
