"""The top of a text backbone: its layers learn on the token states that those below them made once and for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from apps.engine.adapt import lowrank
from apps.engine.adapt.contrast import contrastive_loss, likeness, pace
from apps.engine.adapt.descent import Descent
from apps.engine.backbones.transformer import Delta, Layer, Own, mean_of, visible_to_all
from apps.engine.readers.state import State
from apps.engine.runtime import Deadline
from apps.engine.types import BoolArray, IntArray

RANK = 16
"""Of the deltas; 1.2 MB for six layers. Weights learned whole take a quarter more time and are right no more often."""
N_STEPS, N_WARM = 10, 3
LEARNING_RATE = 5e-3
"""At 100 labels, six sets of short texts, one draw, three of the six layers: frozen 0.722, ten steps at 5e-3 0.784, at
1e-2 0.771, twenty steps 0.786 in twice the time; on another draw 1e-3 0.696, 2e-3 0.717, 5e-3 0.729 (frozen 0.687)."""
MOST_AT_ONCE = 4_096
"""Tokens whose states are kept for the gradient, 130 kB each. Of more, every batch is passed through twice: a process
that learns then peaks at 560 instead of 860 MB, and takes half as long again."""


@dataclass(frozen=True)
class Batch:
    """Texts of like length: their positions, their token states `(n, length, width)`, and what is a token."""

    rows: IntArray
    states: torch.Tensor
    is_token: torch.Tensor

    def of(self, is_seen: BoolArray) -> Batch | None:
        """Return those texts that are seen; None where none is."""
        kept = is_seen[self.rows].nonzero()[0]
        if len(kept) == len(self.rows):
            return self
        at = torch.from_numpy(kept).to(self.states.device)
        return Batch(self.rows[kept], self.states[at], self.is_token[at]) if len(kept) else None


def fit_tower(
    layers: Sequence[Layer],
    batches: Sequence[Batch],
    labels: IntArray,
    *,
    seed: int,
    warm: State | None = None,
    deadline: Deadline | None = None,
) -> State:
    """Return what the layers learned from some texts, each step from all of them at once.

    Parameters
    ----------
    layers
        The top of the backbone; not changed.
    batches
        What the layers below made of the texts to learn from.
    labels
        Of all texts, by the rows of the batches; tags `(n, n_tags)`.
    warm
        Deltas to set out from.

    Raises
    ------
    DeadlineExpired
    ArtifactCorrupt
        If `warm` does not fit.
    """
    dtype, device = layers[0].qkv[0].dtype, layers[0].qkv[0].device
    if warm is None:
        deltas = lowrank.begin(layers, rank=RANK, seed=seed)
    else:
        deltas = lowrank.from_state(warm, layers, dtype=torch.float32)
    numbers = [side.requires_grad_() for of_layer in deltas for delta in of_layer.values() for side in delta]
    seen = [row for batch in batches for row in batch.rows.tolist()]
    alike = likeness(labels[seen]).to(device)
    descent = Descent(numbers)
    loss = torch.zeros(())
    for step in range(N_STEPS if len(seen) else 0):
        descent.forget()
        with torch.enable_grad():
            halved = [{name: Delta(*(side.to(dtype) for side in delta)) for name, delta in of.items()} for of in deltas]
            loss = _backward(layers, halved, batches, alike, deadline)
        descent.step(LEARNING_RATE * pace(step, n_steps=N_STEPS, n_warm=N_WARM))
    return lowrank.to_state(deltas, {"n_seen": len(seen), "loss": round(float(loss), 4)})


def _backward(
    layers: Sequence[Layer],
    deltas: Sequence[Mapping[str, Delta]],
    batches: Sequence[Batch],
    alike: torch.Tensor,
    deadline: Deadline | None,
) -> torch.Tensor:
    """Add the gradient of the loss on all texts; return the loss.

    The loss compares every text with every other, yet what a batch has to keep for its gradient is much. Where it is
    too much for all of them, the embeddings are made without keeping it, the gradient of the loss is taken by them, and
    each batch passed through once more to carry it down.

    Source: L. Gao et al., Scaling deep contrastive learning batch size under memory limited setup, 2021.
    """
    n_tokens = sum(batch.is_token.numel() for batch in batches)
    if n_tokens <= MOST_AT_ONCE:
        loss = contrastive_loss(torch.cat(list(_embedded(layers, deltas, batches, deadline))), alike)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        return loss.detach()
    with torch.no_grad():
        made = list(_embedded(layers, deltas, batches, deadline))
    parts = [part.requires_grad_() for part in made]
    loss = contrastive_loss(torch.cat(parts), alike)
    gradients = torch.autograd.grad(loss, parts)
    for embeddings, gradient in zip(_embedded(layers, deltas, batches, deadline), gradients, strict=True):
        embeddings.backward(gradient)  # type: ignore[no-untyped-call]  # torch's own
    return loss.detach()


def _embedded(
    layers: Sequence[Layer],
    deltas: Sequence[Mapping[str, Delta]],
    batches: Sequence[Batch],
    deadline: Deadline | None,
) -> Iterator[torch.Tensor]:
    """Yield the mean last states of each batch's texts."""
    for batch in batches:
        if deadline is not None:
            deadline.check()
        x, visible = batch.states, visible_to_all(batch.is_token)
        for layer, own in zip(layers, deltas, strict=True):
            x = layer.through(x, visible, [Own(slice(0, len(x)), own)])
        yield mean_of(x, batch.is_token)
