"""Encoders without weights, for tests and flows: they run the same code paths in no time."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from apps.engine.backbones import BackboneSpec, Input
from apps.engine.backbones.pictures import to_rgb
from apps.engine.runtime import Deadline


class TinyText:
    """Counts of words, hashed into a few dimensions. Texts that share words are near each other."""

    def __init__(self, spec: BackboneSpec) -> None:
        self.spec = spec

    def encode(self, inputs: Sequence[Input], *, deadline: Deadline | None = None) -> npt.NDArray[np.float32]:
        """Return `(len(inputs), dim)`, rows of length 1, or 0 for a text without words."""
        embeddings = np.zeros((len(inputs), self.spec.dim), dtype=np.float32)
        for row, text in zip(embeddings, inputs, strict=True):
            if not isinstance(text, str):
                raise TypeError("This backbone encodes text, not pictures.")
            for word in re.findall(r"\w+", text.lower()):
                spot = zlib.crc32(word.encode("utf-8", "replace"))  # not hash(), which differs between processes
                row[spot % self.spec.dim] += 1.0 if spot & 0x10000 else -1.0
            row /= np.linalg.norm(row) or 1.0
        if deadline is not None:
            deadline.check()
        return embeddings


class TinyImage:
    """The picture at four by four pixels."""

    def __init__(self, spec: BackboneSpec) -> None:
        self.spec = spec

    def encode(self, inputs: Sequence[Input], *, deadline: Deadline | None = None) -> npt.NDArray[np.float32]:
        """Return `(len(inputs), dim)`, values in [0, 1]."""
        embeddings = np.zeros((len(inputs), self.spec.dim), dtype=np.float32)
        for row, picture in zip(embeddings, inputs, strict=True):
            row[:] = to_rgb(picture, size_px=4).reshape(-1) / np.float32(255)
        if deadline is not None:
            deadline.check()
        return embeddings
