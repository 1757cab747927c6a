"""Backbones on a real GPU: the embeddings of the processor, whatever memory there is, and soon enough."""

import gc
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from apps.engine import adapt, backbones, devices
from apps.engine.adapt import is_adaptable
from apps.engine.backbones import Backbone, Input
from apps.engine.runtime import choose_device, describe_device

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")
LIMITS_S = {"minilm": 5.0, "effnet-lite0": 10.0}
"""Seconds in which four towers are to be fitted to a hundred samples, backbone loaded."""


def inputs_for(name: str, n: int) -> list[Input]:
    random = np.random.default_rng(0)
    if name == "minilm":
        words = ["refund", "parcel", "late", "money", "order", "where", "broken", "please", "card", "lamp"]
        return [" ".join(random.choice(words, size=random.integers(1, 60))) for _ in range(n)]
    small = random.integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)
    return [np.repeat(np.repeat(one, 30, axis=0), 30, axis=1) for one in small]


@pytest.fixture(scope="module", params=["minilm", "effnet-lite0"])
def loaded(request: pytest.FixtureRequest) -> Iterator[Backbone]:
    backbone = backbones.load(request.param, device=choose_device("cuda"))
    yield backbone
    del backbone
    gc.collect()
    devices.empty_cache()


def test_the_device_has_a_name() -> None:
    assert "cuda:" in describe_device(choose_device("cuda"))


def test_embeddings_are_those_of_the_processor(loaded: Backbone) -> None:
    inputs = inputs_for(loaded.spec.name, 64)
    there, here = loaded.encode(inputs), backbones.load(loaded.spec.name, device="cpu").encode(inputs)
    assert np.isfinite(there).all()
    cosines = (there * here).sum(axis=1) / np.linalg.norm(there, axis=1) / np.linalg.norm(here, axis=1)
    assert cosines.min() > 0.99


def test_what_runs_out_of_memory_is_read_in_smaller_batches(loaded: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a gigabyte is left to this process, and the backbone is told that everything fits."""
    inputs = inputs_for(loaded.spec.name, 3_000)
    expected = loaded.encode(inputs[:50])
    room = devices.Room(10**9)
    monkeypatch.setattr(loaded, "_room", room)
    device = loaded._device  # type: ignore[attr-defined]  # of both kinds
    devices.empty_cache()
    allowed = torch.cuda.memory_reserved(device) + 2**29
    torch.cuda.set_per_process_memory_fraction(allowed / torch.cuda.mem_get_info(device)[1], device)
    try:
        rows = loaded.encode(inputs)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
    assert room.size() < 10**9  # it did not fit
    np.testing.assert_allclose(rows[:50], expected, atol=0.02)


def test_towers_are_fitted_in_seconds(loaded: Backbone) -> None:
    assert is_adaptable(loaded)
    inputs, labels = inputs_for(loaded.spec.name, 100), np.arange(100) % 4
    loaded.fit_towers(inputs[:20], labels[:20], [np.zeros(0, dtype=np.int64)])  # kernels are loaded by whoever is first
    started = time.monotonic()
    adaptation = adapt.fit(loaded, inputs, labels, np.arange(100))
    rows = adapt.embed(loaded, [loaded.tower(state) for state in adaptation.towers], inputs)
    seconds = time.monotonic() - started
    assert rows.shape == (4, 100, loaded.adapted.dim)
    assert np.isfinite(rows).all()
    assert seconds < LIMITS_S[loaded.spec.name]
