"""Fits the top of EfficientNet-Lite0 to samples, and keeps what it learned as differences of low rank.

All of the products of matrices learn, and are cut down to low rank afterwards: matrices that are of low rank from the
start learn less in as many steps (sign_digits 0.909 instead of 0.925, trashnet 0.715 instead of 0.743). Cut down to 32
they are as good as whole, to 8 they lose 0.02.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from apps.engine.adapt import contrast
from apps.engine.adapt.descent import Descent
from apps.engine.backbones.effnet_top import Top, roots_of_means
from apps.engine.errors import ArtifactCorrupt
from apps.engine.readers.state import State
from apps.engine.runtime import Deadline
from apps.engine.types import IntArray

N_VIEWS = 3
"""The sample itself, and changed versions of it."""
SAMPLES_PER_STEP, VIEWS_PER_STEP = 50, 2
N_STEPS, N_WARM = 40, 3
"""At 100 labels, mean of two draws: trashnet 0.748, sign_digits 0.955. All samples in 20 steps 0.745 and 0.950, in more
time; 32 samples in 60 steps 0.720 and 0.966."""
N_STEPS_ON = 15
"""Steps of a tower that sets out from an earlier one."""
LEARNING_RATE = 3e-4
RANK = 32


def fit(
    base: Top,
    states: torch.Tensor,
    labels: IntArray,
    *,
    seed: int,
    warm: State | None = None,
    deadline: Deadline | None = None,
) -> State:
    """Let the top learn to put samples of one label side by side.

    Parameters
    ----------
    base
        The backbone's own top, float32.
    states
        `(n_samples, n_views, 49, 672)`: what the lower layers made of each sample and of changed versions of it, in the
        number format to compute in, on the device of `base`.
    labels
        As `Adaptable.fit_towers` takes them.
    warm
        A tower to set out from.

    Raises
    ------
    ArtifactCorrupt
        If that tower is of something else.
    DeadlineExpired
    """
    generator = torch.Generator().manual_seed(seed)
    begin = base if warm is None else restored(warm, base)
    matrices, biases = (tuple(one.clone().requires_grad_() for one in of) for of in (begin.matrices, begin.biases))
    top = Top(matrices, biases, base.kernels)
    learning = replace(top, kernels=tuple(kernels.to(states.dtype) for kernels in base.kernels))
    descent = Descent([*matrices, *biases])
    n_steps = (N_STEPS if warm is None else N_STEPS_ON) if len(labels) else 0
    for step in range(n_steps):
        if deadline is not None:
            deadline.check()
        rows, views = _drawn(len(labels), states.shape[1], generator)
        alike = contrast.likeness(labels[rows.numpy()]).to(states.device)
        _, last = learning.cast(states.dtype).maps(states[rows.to(states.device), views.to(states.device)])
        loss = contrast.contrastive_loss(roots_of_means(last), alike)
        descent.forget()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        descent.step(LEARNING_RATE * contrast.pace(step, n_steps=n_steps, n_warm=N_WARM))
    return kept(top, base)


def kept(top: Top, base: Top) -> State:
    """Return a top as it is kept: how it differs from the backbone's own, in half precision."""
    arrays = {}
    with torch.no_grad():
        for i, (own, shared) in enumerate(zip(top.matrices, base.matrices, strict=True)):
            left, values, right = torch.linalg.svd(own - shared, full_matrices=False)
            roots = values[:RANK].sqrt()
            arrays[f"{i}.down"] = left[:, :RANK] * roots
            arrays[f"{i}.up"] = roots[:, None] * right[:RANK]
            arrays[f"{i}.bias"] = top.biases[i] - base.biases[i]
    return State({name: tensor.detach().cpu().to(torch.float16).numpy() for name, tensor in arrays.items()})


def restored(state: State, base: Top) -> Top:
    """Return the top that `kept` kept, in float32. Raises `ArtifactCorrupt` if it does not fit the backbone's own."""
    names = {f"{i}.{part}" for i in range(len(base.matrices)) for part in ("down", "up", "bias")}
    if set(state.arrays) != names:
        raise ArtifactCorrupt("A tower has not the parts that its backbone asks for.")
    matrices, biases = [], []
    for i, (matrix, bias) in enumerate(zip(base.matrices, base.biases, strict=True)):
        down, up, more = (_numbers(state, f"{i}.{part}", base) for part in ("down", "up", "bias"))
        if down.ndim != 2 or up.shape != (down.shape[-1], matrix.shape[1]) or down.shape[0] != matrix.shape[0]:
            raise ArtifactCorrupt("A tower does not fit its backbone.")
        if more.shape != bias.shape:
            raise ArtifactCorrupt("A tower does not fit its backbone.")
        matrices.append(matrix + down @ up)
        biases.append(bias + more)
    return Top(tuple(matrices), tuple(biases), base.kernels)


def _numbers(state: State, name: str, base: Top) -> torch.Tensor:
    array = state.arrays[name]
    if not (np.issubdtype(array.dtype, np.floating) and np.isfinite(array).all()):
        raise ArtifactCorrupt("A tower holds what is no number.")
    return torch.from_numpy(array.astype(np.float32)).to(base.matrices[0].device)


def _drawn(n_samples: int, n_views: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Return samples for a step and which view of each, every sample as often as views are seen at once."""
    rows = torch.randperm(n_samples, generator=generator)[:SAMPLES_PER_STEP]
    views = torch.rand(len(rows), n_views, generator=generator).argsort(dim=1)[:, :VIEWS_PER_STEP]
    return rows.repeat_interleave(views.shape[1]), views.reshape(-1)
