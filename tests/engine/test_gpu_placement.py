"""What runs on a GPU has every number there: run on one that is not there, which computes here and tells who mixes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from apps.engine import backbones, heads
from apps.engine.adapt import is_adaptable, picture, text
from apps.engine.backbones import Input, Pair, arithmetic, effnet, hub, minilm
from apps.engine.heads import placing
from apps.engine.types import Modality, Task
from tests import tiny_models
from tests.engine.pretend_gpu import GPU, pretended

TEXTS: list[Input] = ["where is my parcel", "refund please", "a word " * 300, "money back", "late parcel", "refund me"]
LABELS = np.array([0, 1, 0, 1, 0, 1])


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(minilm.SAMPLE_TOKENS, "cuda", (2, 16))
    monkeypatch.setitem(effnet.N_SAMPLES, "cuda", 1)
    with pretended(monkeypatch):
        yield


def pictures() -> list[Input]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (40, 50, 3), dtype=np.uint8) for _ in range(6)]


def test_who_mixes_devices_is_told(gpu: None) -> None:
    there, here = torch.ones(3, 3, device=GPU), torch.ones(3, 3)
    assert (there @ there).device == GPU
    assert here.device.type == (there @ there).cpu().device.type == "cpu"
    with pytest.raises(AssertionError, match="mixes"):
        there @ here
    with pytest.raises(TypeError, match="numpy"):
        there.numpy()


@pytest.fixture
def older_gpu(gpu: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without bfloat16, which computes here as well; in float16 nothing can be learned. Half precision is faster."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    for module in (picture, text):
        monkeypatch.setattr(module, "N_STEPS", 4)
    seconds = {torch.float16: 0.1}
    monkeypatch.setattr(arithmetic, "_timed", lambda run, device: (run(), seconds.get(run.args[0].dtype, 1.0)))


@pytest.mark.parametrize("name", ["minilm", "effnet-lite0"])
def test_backbones_encode_and_learn_on_a_gpu(name: str, older_gpu: None) -> None:
    backbone = backbones.load(name, device="cuda:0")
    inputs = TEXTS if name == "minilm" else pictures()
    rows = backbone.encode(inputs)
    assert rows.shape == (6, backbone.spec.dim)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-3)
    assert is_adaptable(backbone)
    nobody, first = np.zeros(0, dtype=np.int64), np.array([0])
    towers = [backbone.tower(state) for state in backbone.fit_towers(inputs, LABELS, [first, nobody])]
    own, adapted, again = backbone.encode_for(
        inputs, [(None, np.array([2, 1])), (towers[0], np.arange(6)), (towers[1], first)]
    )
    np.testing.assert_allclose(own, rows[[2, 1]], atol=1e-2)
    assert adapted.shape == (6, backbone.adapted.dim)
    assert again.shape == (1, backbone.adapted.dim)
    assert np.abs(adapted[0] - again[0]).max() > 1e-3  # one tower saw the first, the other did not


@pytest.mark.parametrize("name", sorted(tiny_models.MAKERS))
def test_pulled_backbones_encode_on_a_gpu(name: str, gpu: None, tmp_path: Path) -> None:
    hub.pull(hub.wanted_from_folder(tiny_models.MAKERS[name](tmp_path / name), name=name), into=tmp_path / "here")
    backbone = backbones.load(name, pulled=tmp_path / "here", device="cuda:0")
    inputs = TEXTS if backbone.spec.modality is Modality.TEXT else pictures()
    assert backbone.encode(inputs).shape == (6, backbone.spec.dim)
    if isinstance(backbone, Pair) and backbone.spec.is_pair:
        assert backbone.encode_names(["a parcel", "a refund"]).shape == (2, backbone.spec.dim)


@pytest.mark.parametrize("task", [Task.LABEL, Task.TAGS])
@pytest.mark.parametrize(("name", "setting"), [("logistic", {"C": 3.0}), ("discriminant", {"shrinkage": 0.3})])
def test_heads_are_fitted_on_a_gpu(
    name: str, setting: dict[str, float], task: Task, gpu: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "LEAST_SECONDS", 0.0)
    random = np.random.default_rng(0)
    y = np.arange(90) % 3
    X = (random.normal(size=(3, 12))[y] + random.normal(size=(90, 12))).astype(np.float32)
    given = (y[:, None] == np.arange(3)).astype(np.int64) if task is Task.TAGS else y
    there = heads.create(name, setting, task=task, device="cuda:0").fit(X, given)
    again = heads.create(name, setting, task=task, device="cuda:0").fit(X, given, start=there)
    here = heads.create(name, setting, task=task).fit(X, given)
    np.testing.assert_allclose(there.predict_proba(X), here.predict_proba(X), atol=0.01)
    np.testing.assert_allclose(again.predict_proba(X), here.predict_proba(X), atol=0.01)
