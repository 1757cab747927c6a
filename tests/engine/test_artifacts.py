"""Models on disk: what was saved is what is loaded, or nothing is."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from apps.engine import artifacts, automl
from apps.engine.errors import ArtifactCorrupt
from apps.engine.types import Inputs, RoundResult, TrainingData

ROWS = np.random.default_rng(0).normal(size=(30, 12)).astype(np.float32)
INPUTS = Inputs(30, {"minilm": ROWS})
LABEL_IDS = ("label_a", "label_b", "label_c")


@pytest.fixture(scope="module")
def result() -> RoundResult:
    return automl.train(TrainingData(INPUTS, np.arange(30) % 3, 3, np.arange(30)))


def save(folder: Path, result: RoundResult) -> str:
    return artifacts.save(
        folder,
        predictor=result.predictor,
        label_ids=LABEL_IDS,
        backbone_versions={"minilm": "1-abc"},
        trained_with={"n_samples": 30},
    )


def test_a_saved_model_predicts_what_it_did(tmp_path: Path, result: RoundResult) -> None:
    sha256 = save(tmp_path / "new" / "model", result)
    loaded = artifacts.load(tmp_path / "new" / "model", sha256=sha256)
    assert loaded.predictor.pred_probs(INPUTS).tolist() == result.predictor.pred_probs(INPUTS).tolist()
    assert loaded.predictor.blend == result.blend
    assert loaded.label_ids == LABEL_IDS
    assert loaded.manifest["backbone_versions"] == {"minilm": "1-abc"}
    assert loaded.manifest["trained_with"] == {"n_samples": 30}
    assert {path.name for path in tmp_path.rglob("*")} == {"new", "model", "manifest.json", "model.safetensors"}


@pytest.mark.parametrize("name", ["manifest.json", "model.safetensors"])
def test_any_flipped_byte_is_refused(tmp_path: Path, result: RoundResult, name: str) -> None:
    sha256 = save(tmp_path / "model", result)
    path = tmp_path / "model" / name
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(ArtifactCorrupt):
            artifacts.load(tmp_path / "model", sha256=sha256)
    path.write_bytes(content)
    artifacts.load(tmp_path / "model", sha256=sha256)


@pytest.mark.parametrize("name", ["manifest.json", "model.safetensors"])
def test_a_missing_or_cut_file_is_refused(tmp_path: Path, result: RoundResult, name: str) -> None:
    sha256 = save(tmp_path / "model", result)
    path = tmp_path / "model" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactCorrupt):
        artifacts.load(tmp_path / "model", sha256=sha256)
    path.unlink()
    with pytest.raises(ArtifactCorrupt, match="cannot be read"):
        artifacts.load(tmp_path / "model", sha256=sha256)


def test_another_model_in_its_place_is_refused(tmp_path: Path, result: RoundResult) -> None:
    sha256 = save(tmp_path / "model", result)
    other = automl.train(TrainingData(INPUTS, np.arange(30) // 10, 3, np.arange(30)))
    assert save(tmp_path / "model", other) != sha256
    with pytest.raises(ArtifactCorrupt):
        artifacts.load(tmp_path / "model", sha256=sha256)


def test_saving_again_gives_the_same_model(tmp_path: Path, result: RoundResult) -> None:
    assert save(tmp_path / "model", result) == save(tmp_path / "model", result)
    artifacts.load(tmp_path / "model", sha256=save(tmp_path / "model", result))
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_failed_save_leaves_nothing_behind(
    tmp_path: Path, result: RoundResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path / "model", result)
    assert list(tmp_path.iterdir()) == []


def test_a_newer_format_is_refused_though_its_checksum_is_right(tmp_path: Path, result: RoundResult) -> None:
    save(tmp_path / "model", result)
    path = tmp_path / "model" / "manifest.json"
    manifest = json.loads(path.read_text())
    for change in ({"format_version": 1}, {"temperature": 0.0}, {"members": []}, {"task": "?"}, {"label_ids": None}):
        content = json.dumps({**manifest, **change}).encode()
        path.write_bytes(content)
        with pytest.raises(ArtifactCorrupt):
            artifacts.load(tmp_path / "model", sha256=artifacts.sha256_of(content))


def test_a_model_needs_one_label_id_per_class(tmp_path: Path, result: RoundResult) -> None:
    with pytest.raises(ValueError, match="one label id per class"):
        artifacts.save(
            tmp_path / "model",
            predictor=result.predictor,
            label_ids=["label_a"],
            backbone_versions={"minilm": "1"},
            trained_with={},
        )
