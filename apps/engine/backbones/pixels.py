"""Colours, edges and textures of a picture as histograms: no weights, good where photographs taught nothing.

EfficientNet learned from photographs of things. What differs by stain, grain, stroke or tint (cells under a microscope,
scans, drawings, screens) is told better by counting.

    colours   a joint histogram of red, green and blue; means and deviations in nine fields of the picture
    edges     histograms of oriented gradients (N. Dalal and B. Triggs, 2005) in 8 by 8 and in 4 by 4 fields
    textures  local binary patterns (T. Ojala et al., 2002) at two sizes

Every part is made a histogram of square roots, so that inner products compare distributions (Hellinger), and all parts
have the same length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from apps.engine.backbones import BackboneSpec, Input
from apps.engine.backbones.pictures import to_rgb
from apps.engine.runtime import Deadline

SIZE_PX = 96
N_DIRECTIONS = 9
BATCH = 16
Doubles: TypeAlias = npt.NDArray[np.float64]
Planes: TypeAlias = npt.NDArray[np.float32]
"""Pictures in one colour, `(n, height, width)`."""


class Pixels:
    """The image backbone without weights. Pictures are squeezed to 96 by 96 pixels."""

    def __init__(self, spec: BackboneSpec) -> None:
        self.spec = spec

    def encode(self, inputs: Sequence[Input], *, deadline: Deadline | None = None) -> npt.NDArray[np.float32]:
        """Return `(len(inputs), dim)`, rows of length 1, less where there is no edge; see `Backbone.encode`."""
        embeddings = np.empty((len(inputs), self.spec.dim), dtype=np.float32)
        for start in range(0, len(inputs), BATCH):
            if deadline is not None:
                deadline.check()
            batch = np.stack([to_rgb(picture, size_px=SIZE_PX) for picture in inputs[start : start + BATCH]])
            embeddings[start : start + BATCH] = describe(batch)
        return embeddings


def describe(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the histograms of pictures `(n, 96, 96, 3)`."""
    colours = pictures.astype(np.float32) / np.float32(255)
    grey: Planes = colours @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    parts = [
        _colour_histogram(pictures),
        _colour_fields(colours),
        *_edges(grey),
        _textures(grey),
        _textures(_halved(grey)),
    ]
    units = [part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-6) for part in parts]
    joined: npt.NDArray[np.float32] = (np.concatenate(units, axis=1) / len(units) ** 0.5).astype(np.float32)
    return joined


def _colour_histogram(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return square roots of the shares of 6 × 6 × 6 colours, `(n, 216)`."""
    steps = (pictures.astype(np.uint16) * 6) >> 8
    colours = (steps[..., 0] * 36 + steps[..., 1] * 6 + steps[..., 2]).reshape(len(pictures), -1)
    return np.sqrt(_histograms(colours, 216))


def _colour_fields(colours: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return means and deviations of brightness and two colour differences in 3 by 3 fields, `(n, 54)`."""
    red, green, blue = colours[..., 0], colours[..., 1], colours[..., 2]
    opposed = np.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], axis=-1)
    fields = opposed.reshape(len(colours), 3, 32, 3, 32, 3)
    means, deviations = fields.mean(axis=(2, 4)), fields.std(axis=(2, 4))
    both = np.concatenate([means.reshape(len(colours), -1), deviations.reshape(len(colours), -1)], axis=1)
    return both.astype(np.float32)


def _edges(grey: Planes) -> list[npt.NDArray[np.float32]]:
    """Return square roots of how strong edges are in nine directions, in 8 by 8 fields and in 4 by 4."""
    dx, dy = np.zeros_like(grey), np.zeros_like(grey)
    dx[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    dy[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    strength = np.hypot(dx, dy)
    turn = (np.arctan2(dy, dx) * np.float32(N_DIRECTIONS / np.pi)) % N_DIRECTIONS
    lower = np.minimum(turn.astype(np.int64), N_DIRECTIONS - 1)
    upper_share = turn - lower
    n, side = len(grey), 8
    field = np.arange(SIZE_PX) // (SIZE_PX // side)
    base = ((np.arange(n)[:, None, None] * side + field[:, None]) * side + field) * N_DIRECTIONS
    size = n * side * side * N_DIRECTIONS
    sums = np.bincount((base + lower).ravel(), weights=(strength * (1 - upper_share)).ravel(), minlength=size)
    following = base + (lower + 1) % N_DIRECTIONS
    sums = sums + np.bincount(following.ravel(), weights=(strength * upper_share).ravel(), minlength=size)
    fine: Doubles = sums.astype(np.float64).reshape(n, side, side, N_DIRECTIONS)
    coarse: Doubles = fine.reshape(n, 4, 2, 4, 2, N_DIRECTIONS).sum(axis=(2, 4))
    return [_even(fields).reshape(n, -1) for fields in (fine, coarse)]


def _even(fields: Doubles) -> npt.NDArray[np.float32]:
    """Bring fields to about one strength, those without an edge excepted, so that light and shade count less."""
    total = fields.sum(axis=-1, keepdims=True)
    typical = total.mean(axis=(1, 2), keepdims=True)
    evened: npt.NDArray[np.float32] = np.sqrt(fields / (total + 0.5 * typical + 1e-3)).astype(np.float32)
    return evened


def _textures(grey: Planes) -> npt.NDArray[np.float32]:
    """Return square roots of the shares of patterns of eight neighbours, lighter or not, `(n, 59)`."""
    middle = grey[:, 1:-1, 1:-1]
    height, width = grey.shape[1:]
    codes = np.zeros(middle.shape, dtype=np.uint8)
    for bit, (down, right) in enumerate(((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))):
        neighbour = grey[:, down : height - 2 + down, right : width - 2 + right]
        codes |= (neighbour >= middle).astype(np.uint8) << np.uint8(bit)
    return np.sqrt(_histograms(_UNIFORM[codes].reshape(len(grey), -1), 59))


def _uniform_patterns() -> npt.NDArray[np.uint16]:
    """Number the patterns of eight bits in a ring that change at most twice; the others share the last number."""
    ring = (np.arange(256)[:, None] >> np.arange(8)) & 1
    is_uniform = (ring != np.roll(ring, 1, axis=1)).sum(axis=1) <= 2
    return np.where(is_uniform, np.cumsum(is_uniform) - 1, is_uniform.sum()).astype(np.uint16)


_UNIFORM = _uniform_patterns()


def _halved(grey: Planes) -> Planes:
    n, height, width = grey.shape
    halved: Planes = grey.reshape(n, height // 2, 2, width // 2, 2).mean(axis=(2, 4))
    return halved


def _histograms(values: npt.NDArray[np.uint16], n_bins: int) -> npt.NDArray[np.float32]:
    """Return the share of each value in each row, `(n, n_bins)`."""
    n, length = values.shape
    places = np.arange(n)[:, None] * n_bins + values
    counts = np.bincount(places.ravel(), minlength=n * n_bins).reshape(n, n_bins)
    shares: npt.NDArray[np.float32] = (counts / length).astype(np.float32)
    return shares
