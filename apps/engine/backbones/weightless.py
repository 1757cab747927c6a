"""Encoders without weights, for tests and flows: they run the same code paths in no time.

Their top is one matrix. What it learns from samples is added to it: the direction in which each label lies from the
middle of all, drawn out to where nothing else is.
"""

from __future__ import annotations

import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from apps.engine.backbones import ADAPTED_TINY_IMAGE, ADAPTED_TINY_TEXT, BackboneSpec, Input
from apps.engine.backbones.pictures import to_rgb
from apps.engine.errors import ArtifactCorrupt
from apps.engine.readers.state import State
from apps.engine.runtime import Deadline
from apps.engine.types import IntArray

if TYPE_CHECKING:
    from apps.engine.adapt import Tower

N_WORDS = 1_024
MOST_DIRECTIONS = 16
PULL = 3.0
"""How far a sample is moved that is all its label is about; a frozen embedding has a length of about 1."""


@dataclass(frozen=True)
class TinyTower:
    """A matrix from what is counted to the embedding."""

    weights: npt.NDArray[np.float32]

    @property
    def n_bytes(self) -> int:
        """Memory it takes."""
        return self.weights.nbytes


class _Tiny(ABC):
    """One matrix on what `_lower` sees; `adapted` is what comes of another matrix."""

    spec: BackboneSpec
    adapted: BackboneSpec
    _top: npt.NDArray[np.float32]

    def encode(self, inputs: Sequence[Input], *, deadline: Deadline | None = None) -> npt.NDArray[np.float32]:
        """Return `(len(inputs), dim)`; see `Backbone.encode`."""
        return self.encode_for(inputs, [(None, np.arange(len(inputs)))], deadline=deadline)[0]

    def encode_for(
        self,
        inputs: Sequence[Input],
        wanted: Sequence[tuple[Tower | None, IntArray]],
        *,
        deadline: Deadline | None = None,
    ) -> list[npt.NDArray[np.float32]]:
        """Return what each tower makes of its rows; see `Adaptable.encode_for`."""
        lower = self._lower(inputs)
        if deadline is not None:
            deadline.check()
        found = []
        for tower, rows in wanted:
            if tower is not None and not isinstance(tower, TinyTower):
                raise TypeError("This tower belongs to another backbone.")
            found.append(self._upper(lower[rows] @ (self._top if tower is None else tower.weights)))
        return found

    def tower(self, state: State) -> TinyTower:
        """Return the tower that `fit_towers` described; see `Adaptable.tower`."""
        down, up = state.arrays.get("down"), state.arrays.get("up")
        if down is None or up is None or down.shape[0] != self._top.shape[0] or up.shape[1:] != self._top.shape[1:]:
            raise ArtifactCorrupt("A tower does not fit its backbone.")
        return TinyTower((self._top + down.astype(np.float32) @ up.astype(np.float32)).astype(np.float32))

    def fit_towers(
        self,
        inputs: Sequence[Input],
        labels: IntArray,
        held_out: Sequence[IntArray],
        *,
        seed: int = 0,
        warm: Sequence[State | None] = (),
        deadline: Deadline | None = None,
    ) -> list[State]:
        """Fit one tower per entry of `held_out`; see `Adaptable.fit_towers`. There are no steps to set out on warm."""
        lower = self._lower(inputs)
        random = np.random.default_rng(seed)
        up = np.linalg.qr(random.normal(size=(self._top.shape[1], MOST_DIRECTIONS)))[0].T
        towers = []
        for rows in held_out:
            if deadline is not None:
                deadline.check()
            seen = np.setdiff1d(np.arange(len(labels)), rows)
            down = _directions(lower[seen], labels[seen])
            towers.append(State({"down": down, "up": up[: down.shape[1]].astype(np.float32)}, {"n_seen": len(seen)}))
        return towers

    @abstractmethod
    def _lower(self, inputs: Sequence[Input]) -> npt.NDArray[np.float32]: ...

    @abstractmethod
    def _upper(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]: ...


class TinyText(_Tiny):
    """Counts of words, hashed into a few dimensions. Texts that share words are near each other."""

    adapted = ADAPTED_TINY_TEXT

    def __init__(self, spec: BackboneSpec) -> None:
        self.spec = spec
        self._top = np.tile(np.eye(spec.dim, dtype=np.float32), (N_WORDS // spec.dim, 1))

    def _lower(self, inputs: Sequence[Input]) -> npt.NDArray[np.float32]:
        counts = np.zeros((len(inputs), N_WORDS), dtype=np.float32)
        for row, text in zip(counts, inputs, strict=True):
            if not isinstance(text, str):
                raise TypeError("This backbone encodes text, not pictures.")
            for word in re.findall(r"\w+", text.lower()):
                spot = zlib.crc32(word.encode("utf-8", "replace"))  # not hash(), which differs between processes
                row[spot % N_WORDS] += 1.0 if spot & 0x10000 else -1.0
        return counts

    def _upper(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return rows of length 1, or 0 for a text without words."""
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        upper: npt.NDArray[np.float32] = (rows / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
        return upper


class TinyImage(_Tiny):
    """The picture at four by four pixels."""

    adapted = ADAPTED_TINY_IMAGE

    def __init__(self, spec: BackboneSpec) -> None:
        self.spec = spec
        self._top = np.eye(spec.dim, dtype=np.float32)

    def _lower(self, inputs: Sequence[Input]) -> npt.NDArray[np.float32]:
        pixels = np.zeros((len(inputs), self.spec.dim), dtype=np.float32)
        for row, picture in zip(pixels, inputs, strict=True):
            row[:] = to_rgb(picture, size_px=4).reshape(-1) / np.float32(255)
        return pixels

    def _upper(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the values themselves: the frozen ones lie in [0, 1]."""
        return rows


def _directions(lower: npt.NDArray[np.float32], labels: IntArray) -> npt.NDArray[np.float32]:
    """Return `(dim of lower, n_directions)`: where each label's samples lie, as seen from the middle of all."""
    width = lower.shape[1]
    if labels.ndim == 2:
        pairs = [(lower[tag == 1], lower[tag == 0]) for tag in labels.T]
    else:
        pairs = [(lower[labels == label], lower[labels != label]) for label in np.unique(labels)]
    ways = [own.mean(axis=0) - others.mean(axis=0) for own, others in pairs if len(own) and len(others)]
    ways = [PULL * way / (np.linalg.norm(way) or 1.0) for way in ways[:MOST_DIRECTIONS]]
    return np.stack(ways, axis=1).astype(np.float32) if ways else np.zeros((width, 1), dtype=np.float32)
