"""What `bench drift` writes: rows as promised, alarms where calls shift, and none where they do not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from apps.engine import bench_drift
from apps.engine.bench_drift import BURST, N_CALM, measure_drift, set_scene
from apps.engine.bench_forecast import World
from apps.engine.types import Inputs, Modality


def made_up(name: str, *, shift: float = 0.0) -> World:
    random = np.random.default_rng(0)
    labels = np.arange(1_200) % 4
    centres = np.random.default_rng(1).normal(size=(4, 16)) + shift
    rows = (centres[labels] * 2 + random.normal(size=(1_200, 16))).astype(np.float32)
    half = 600
    train, test = Inputs(half, {"minilm": rows[:half]}), Inputs(half, {"minilm": rows[half:]})
    return World(name, Modality.TEXT, train, labels[:half], test, labels[half:], 4)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds = {"here": made_up("here"), "there": made_up("there", shift=3.0)}
    monkeypatch.setattr(bench_drift, "_read_once", lambda folder: worlds[folder.name])
    monkeypatch.setattr(bench_drift, "N_CALM", 1_000)
    monkeypatch.setattr(bench_drift, "N_BEFORE", 500)


def test_shifted_streams_raise_alarms_and_calm_ones_do_not() -> None:
    calm, *shifted = measure_drift(Path("here"), n_streams=2, other=Path("there"))
    assert (calm["stream"], calm["n_with_alarm"], calm["n_streams"]) == ("calm", 0, 2)
    names = [row["stream"] for row in shifted]
    assert names == [
        "all of there",
        "30% of there",
        "one label only",
        "half of the labels four times as frequent",
    ]
    for row in shifted[:3]:
        for when in ("at_once", "later"):
            told = row[when]
            assert isinstance(told, dict)
            assert told["within_300"] == 1.0, row
            assert 0 < told["median"] <= told["worst"] <= 300
    json.dumps([calm, *shifted], allow_nan=False)


def test_bursts_are_ten_calls_of_one_label_after_another() -> None:
    labels = np.arange(90) % 3
    rows = bench_drift._bursts(labels, np.random.default_rng(0))
    assert N_CALM % BURST == 0
    assert all(len(set(labels[rows[start : start + BURST]].tolist())) == 1 for start in range(0, len(rows), BURST))


def test_a_scene_of_too_few_samples_is_refused() -> None:
    world = made_up("few")
    few = World(
        "few", Modality.TEXT, world.train.take(np.arange(40)), world.train_labels[:40], world.test, world.test_labels, 4
    )
    with pytest.raises(ValueError, match="too few"):
        set_scene(few)
