"""The measurement of a best round adapts a backbone and lets a round judge it, beside the first round of the same."""

import csv
from pathlib import Path

import numpy as np
import pytest

from apps.engine import backbones, bench_best
from apps.engine.adapt import is_adaptable
from apps.engine.errors import BackboneUnavailable
from apps.engine.types import Inputs, TrainingData


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [[f"please refund order {i}", "Refund"] for i in range(60)]
    rows += [[f"the parcel number {i} is late", "Parcel"] for i in range(60)]
    for split in ("train", "test"):
        with (tmp_path / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["text", "label"], *rows])
    return tmp_path


def test_both_rounds_of_a_hundred_samples_are_timed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "for_modality", lambda modality: (backbones.tiny(modality).spec.name,))
    best, first = bench_best.measure_best_round(folder, n_turns=1)
    assert best > 0
    assert first > 0


def test_a_best_round_is_given_what_fold_towers_make_of_samples() -> None:
    backbone = backbones.load("tiny-text")
    assert is_adaptable(backbone)
    texts = [f"{word} {i}" for i in range(12) for word in ("refund", "parcel")]
    labels = np.arange(24) % 2
    given = TrainingData(Inputs(24, {"tiny-text": backbone.encode(texts)}, texts), labels, 2, np.arange(24))
    data = bench_best.best_round(backbone, texts, given)
    (rows,) = data.adapted.values()
    assert rows.rows.shape == (3, 24, backbone.adapted.dim)
    assert set(data.inputs.embeddings) == {"tiny-text", "adapted-tiny-text"}


def test_without_a_backbone_that_can_learn_it_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backbones, "for_modality", lambda _modality: ())
    with pytest.raises(BackboneUnavailable, match="learn"):
        bench_best.measure_best_round(folder)
