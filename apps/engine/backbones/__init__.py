"""Backbones: shared frozen encoders that turn samples into embeddings. The first step of everything.

Importing this package costs nothing; torch and the libraries around it are imported when a backbone is loaded. Weights
come from installed packages, or from a folder that `hub` filled when an operator asked it to: no other call leaves the
machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt
from PIL import Image

from apps.engine.errors import BackboneUnavailable
from apps.engine.runtime import Deadline
from apps.engine.types import ADAPTED, Modality

Picture: TypeAlias = Image.Image | npt.NDArray[np.uint8]
Input: TypeAlias = str | Picture


@dataclass(frozen=True)
class BackboneSpec:
    """What is known of a backbone without loading it. `version` changes whenever its embeddings would.

    A pair reads pictures, and texts into the same space. Likeness to labels' names is divided by `temperature` before
    it is taken for a probability; None for the usual one.
    """

    name: str
    modality: Modality
    dim: int
    version: str
    is_pair: bool = False
    temperature: float | None = None

    @property
    def reads_names(self) -> bool:
        """Whether samples can be likened to what labels are called."""
        return self.is_pair or self.modality is Modality.TEXT


class Backbone(Protocol):
    """A loaded encoder."""

    spec: BackboneSpec

    def encode(self, inputs: Sequence[Input], *, deadline: Deadline | None = None) -> npt.NDArray[np.float32]:
        """Return one embedding per input.

        Safe to call from many threads. Forward passes take turns, batch by batch, so that callers do not share out
        the cores among more threads than there are, and a short call never waits for the whole of a long one.

        Parameters
        ----------
        inputs
            Texts for a text backbone, of any length; pictures for an image backbone, of any size and mode.
        deadline
            Checked before each batch.

        Returns
        -------
        `(len(inputs), dim)`, float32, finite, row `i` for input `i`, whatever it was batched with.

        Raises
        ------
        DeadlineExpired
        TypeError
            For an input of the other modality.
        """
        ...


@runtime_checkable
class Pair(Protocol):
    """What a picture backbone can do beside, where its spec says `is_pair`."""

    def encode_names(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return `(len(texts), dim)`: what labels are called, in the space of the pictures."""
        ...


MINILM = BackboneSpec("minilm", Modality.TEXT, 4 * 384, "2-53aa5117")
EFFNET_LITE0 = BackboneSpec("effnet-lite0", Modality.IMAGE, 1280 + 2 * 192 + 112, "1-57934424")
PIXELS = BackboneSpec("pixels", Modality.IMAGE, 1_108, "1")
TINY_TEXT = BackboneSpec("tiny-text", Modality.TEXT, 64, "1")
TINY_IMAGE = BackboneSpec("tiny-image", Modality.IMAGE, 48, "1")
ADAPTED_TINY_TEXT = BackboneSpec(ADAPTED + TINY_TEXT.name, Modality.TEXT, 64, "1")
ADAPTED_TINY_IMAGE = BackboneSpec(ADAPTED + TINY_IMAGE.name, Modality.IMAGE, 48, "1")
ADAPTED_MINILM = BackboneSpec(ADAPTED + MINILM.name, Modality.TEXT, 2 * 384, "1-53aa5117")
ADAPTED_EFFNET_LITE0 = BackboneSpec(ADAPTED + EFFNET_LITE0.name, Modality.IMAGE, EFFNET_LITE0.dim, "1-57934424")
_ADAPTED = {
    MINILM.name: ADAPTED_MINILM,
    EFFNET_LITE0.name: ADAPTED_EFFNET_LITE0,
    TINY_TEXT.name: ADAPTED_TINY_TEXT,
    TINY_IMAGE.name: ADAPTED_TINY_IMAGE,
}
_SPECS = {spec.name: spec for spec in (MINILM, EFFNET_LITE0, PIXELS, TINY_TEXT, TINY_IMAGE)}
_DEFAULTS = {Modality.TEXT: (MINILM.name,), Modality.IMAGE: (EFFNET_LITE0.name, PIXELS.name)}


def spec(name: str, *, pulled: Path | None = None) -> BackboneSpec:
    """Return what is known of a backbone, `pulled` being the folder of those that were pulled, if there is one.

    Raises `BackboneUnavailable` for a name there is not.
    """
    if name in _SPECS:
        return _SPECS[name]
    if pulled is None:
        raise BackboneUnavailable(f"There is no backbone {name!r}; there are {', '.join(_SPECS)}.")
    from apps.engine.backbones.registry import Registry

    return Registry(pulled).manifest(name).spec


def adapted(name: str) -> BackboneSpec | None:
    """Return what is known of a backbone's embeddings after its top was adapted; None where that cannot learn."""
    return _ADAPTED.get(name)


def for_modality(modality: Modality) -> tuple[str, ...]:
    """Return the names of the backbones that samples of a modality are encoded with."""
    return _DEFAULTS[modality]


def load(name: str, *, device: str | None = None, cache: Path | None = None, pulled: Path | None = None) -> Backbone:
    """Load a backbone. Takes a second or two and memory: load once and share.

    Parameters
    ----------
    device
        "cpu", "cuda", "cuda:1"; by default the first GPU where there is one.
    cache
        A JSON file that remembers which arithmetic is fastest here, so that it is measured once per machine and
        backbone instead of at every load.
    pulled
        The folder of those that were pulled, if there is one.

    Raises
    ------
    BackboneUnavailable
        Unknown name, or weights missing or altered.
    """
    wanted = spec(name, pulled=pulled)
    if pulled is not None and name not in _SPECS:
        from apps.engine.backbones.hub import open_pulled  # imports torch, and timm or transformers

        return open_pulled(name, pulled=pulled, device=device, cache=cache)
    if wanted in (TINY_TEXT, TINY_IMAGE):
        return tiny(wanted.modality)
    if wanted == PIXELS:
        from apps.engine.backbones.pixels import Pixels

        return Pixels(wanted)
    if wanted == MINILM:
        from apps.engine.backbones.minilm import MiniLM  # imports torch

        return MiniLM(wanted, device=device, cache=cache)
    from apps.engine.backbones.effnet import EffNetLite0  # imports torch and timm

    return EffNetLite0(wanted, device=device, cache=cache)


def tiny(modality: Modality) -> Backbone:
    """Return an encoder without weights, for tests and flows: instant, deterministic, enough for easy data."""
    from apps.engine.backbones.weightless import TinyImage, TinyText

    return TinyText(TINY_TEXT) if modality is Modality.TEXT else TinyImage(TINY_IMAGE)
