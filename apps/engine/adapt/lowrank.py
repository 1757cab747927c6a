"""Differences of low rank from the backbone's own products: how they begin, are kept, and are read again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch

from apps.engine.backbones.transformer import PRODUCTS, Delta, Layer
from apps.engine.errors import ArtifactCorrupt
from apps.engine.readers.state import State

Deltas = Sequence[Mapping[str, Delta]]
"""By layer, lowest first, and product."""


def begin(layers: Sequence[Layer], *, rank: int, seed: int) -> list[dict[str, Delta]]:
    """Return deltas that change nothing yet: drawn at random on one side, 0 on the other."""
    generator = torch.Generator().manual_seed(seed)
    deltas = []
    for layer in layers:
        of_layer = {}
        for name in PRODUCTS:
            weight: torch.Tensor = getattr(layer, name)[0]
            n_out, n_in = weight.shape
            down = torch.randn(rank, n_in, generator=generator) / math.sqrt(n_in)
            of_layer[name] = Delta(down.to(weight.device), torch.zeros(n_out, rank, device=weight.device))
        deltas.append(of_layer)
    return deltas


def to_state(deltas: Deltas, facts: Mapping[str, object]) -> State:
    """Return deltas as they are kept: half precision, since they are small against what they are added to."""
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for i, of_layer in enumerate(deltas):
        for name, delta in of_layer.items():
            arrays[f"{i}.{name}.down"] = delta.down.detach().cpu().to(torch.float16).numpy()
            arrays[f"{i}.{name}.up"] = delta.up.detach().cpu().to(torch.float16).numpy()
    return State(arrays, dict(facts))


def from_state(state: State, layers: Sequence[Layer], *, dtype: torch.dtype) -> list[dict[str, Delta]]:
    """Return the deltas that `to_state` kept. Raises `ArtifactCorrupt` if they do not fit the layers."""
    names = {f"{i}.{name}.{side}" for i in range(len(layers)) for name in PRODUCTS for side in Delta._fields}
    if set(state.arrays) != names:
        raise ArtifactCorrupt("A tower has not the parts that its backbone asks for.")
    deltas = []
    for i, layer in enumerate(layers):
        of_layer = {}
        for name in PRODUCTS:
            weight: torch.Tensor = getattr(layer, name)[0]
            down, up = state.arrays[f"{i}.{name}.down"], state.arrays[f"{i}.{name}.up"]
            rank = down.shape[0] if down.ndim == 2 else -1
            if down.shape != (rank, weight.shape[1]) or up.shape != (weight.shape[0], rank):
                raise ArtifactCorrupt("A tower does not fit its backbone.")
            if not (np.issubdtype(down.dtype, np.floating) and np.isfinite(down).all() and np.isfinite(up).all()):
                raise ArtifactCorrupt("A tower holds what is no number.")
            of_layer[name] = Delta(*(torch.from_numpy(side.copy()).to(weight.device, dtype) for side in (down, up)))
        deltas.append(of_layer)
    return deltas
