"""Texts as rows of tokens: cut into parts a model can read at once, and filled up to one length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

Matrix = npt.NDArray[np.float32]


def in_parts(
    texts: Sequence[Sequence[int]], *, n_head: int, n_tail: int, max_tokens: int, max_parts: int
) -> tuple[list[Sequence[int]], npt.NDArray[np.intp]]:
    """Return what to read of each text at once, and the text each part is of.

    The first `n_head` and the last `n_tail` tokens of a text (marks, a prefix) begin and end each of its parts. Parts
    are of one length and spread evenly over the text; `max_parts` are read at most.
    """
    parts: list[Sequence[int]] = []
    owners: list[int] = []
    for row, text in enumerate(texts):
        if len(text) <= max_tokens:
            parts.append(text)
            owners.append(row)
            continue
        head, body, tail = text[:n_head], text[n_head : len(text) - n_tail], text[len(text) - n_tail :]
        room = max(1, max_tokens - n_head - n_tail)
        n_parts = min(max_parts, -(-len(body) // room))
        length = min(room, -(-len(body) // n_parts))
        for start in np.linspace(0, len(body) - length, n_parts).round().astype(int).tolist():
            parts.append([*head, *body[start : start + length], *tail])
            owners.append(row)
    return parts, np.array(owners, dtype=np.intp)


def padded(rows: Sequence[Sequence[int]], *, pad: int, length: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids `(n, length)` and which of them are tokens; as long as the longest, or `length`."""
    length = max([length, 1, *map(len, rows)])
    ids = torch.full((len(rows), length), pad, dtype=torch.long)
    is_token = torch.zeros(len(rows), length, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row, dtype=torch.long)
        is_token[i, : len(row)] = True
    is_token[:, 0] = True  # a text without any token is read as one of padding: attention to nothing is not a number
    return ids, is_token


def put_together(pooled: Matrix, owners: npt.NDArray[np.intp], lengths: npt.NDArray[np.integer]) -> Matrix:
    """Return per text the averages of its parts `(n_parts, …)`, by their lengths; those of one text stand together."""
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    weights = np.maximum(lengths, 1).reshape(-1, *[1] * (pooled.ndim - 1)).astype(np.float32)
    sums = np.add.reduceat(pooled * weights, starts, axis=0)
    together: Matrix = (sums / np.add.reduceat(weights, starts, axis=0)).astype(np.float32)
    return together


def joined(pooled: Sequence[Matrix]) -> Matrix:
    """Return the parts of embeddings side by side, each brought to the same length, together to 1."""
    units = [part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), np.float32(1e-12)) for part in pooled]
    rows: Matrix = (np.concatenate(units, axis=1) / np.float32(len(units) ** 0.5)).astype(np.float32)
    return rows
