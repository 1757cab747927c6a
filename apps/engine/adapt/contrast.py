"""What towers learn by: samples of one label are drawn together, all others apart.

Source: P. Khosla et al., Supervised contrastive learning, 2020 (the loss outside the logarithm), on the whole batch.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from apps.engine.types import IntArray

TEMPERATURE = 0.1


def likeness(labels: IntArray) -> torch.Tensor:
    """Return how much samples ought to be like each other, `(n, n)` float32 in [0, 1], 0 with themselves.

    Parameters
    ----------
    labels
        `(n,)`: those of one label, 1. Tags `(n, n_tags)`: the share of the tags of both that both have, where nobody
        was asked counting as not there; having none is a tag as well.
    """
    if labels.ndim == 1:
        alike = (labels[:, None] == labels[None]).astype(np.float32)
    else:
        has = (labels == 1).astype(np.float32)
        has = np.column_stack([has, ~has.any(axis=1)]).astype(np.float32)
        both = has @ has.T
        alike = both / (has.sum(axis=1)[:, None] + has.sum(axis=1)[None] - both)
    np.fill_diagonal(alike, 0.0)
    return torch.from_numpy(alike)


def contrastive_loss(embeddings: torch.Tensor, alike: torch.Tensor) -> torch.Tensor:
    """Return the loss of embeddings `(n, dim)` of any length; 0 where nothing is alike."""
    units = functional.normalize(embeddings.float(), dim=1)
    itself = torch.eye(len(units), dtype=torch.bool, device=units.device)
    scores = (units @ units.T / TEMPERATURE).masked_fill(itself, float("-inf"))
    shares = (scores - scores.logsumexp(dim=1, keepdim=True)).masked_fill(itself, 0.0)
    n_alike = alike.sum(dim=1)
    has_any = n_alike > 0
    if not bool(has_any.any()):
        return (embeddings * 0.0).sum()
    return -((shares * alike).sum(dim=1)[has_any] / n_alike[has_any]).mean()


def pace(step: int, *, n_steps: int, n_warm: int) -> float:
    """Return what the learning rate is multiplied with at a step: it rises for `n_warm` steps, then falls to 0."""
    if step < n_warm:
        return (step + 1) / (n_warm + 1)
    return (n_steps - step) / max(1, n_steps - n_warm)
