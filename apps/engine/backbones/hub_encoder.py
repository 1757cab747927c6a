"""What pulled backbones have in common, whatever they read: their turn, and what is measured of them when opened."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from apps.engine.backbones.arithmetic import Arithmetic, choices_on, choose
from apps.engine.backbones.hub_models import room_for
from apps.engine.backbones.registry import Manifest, Reading
from apps.engine.runtime import choose_device


class HubEncoder:
    """A pulled backbone.

    Attributes
    ----------
    reading
        How it reads, what was left open filled in from its files.
    width
        Of its embeddings.
    """

    width: int

    def __init__(self, manifest: Manifest, reading: Reading, folder: Path, *, device: str | None) -> None:
        self.spec = manifest.spec
        self.reading = reading
        self._key = f"{manifest.name} {manifest.version}"
        self._folder = folder
        self._device = choose_device(device)
        self._kind = self._device.partition(":")[0]
        self._turn = threading.Lock()

    def _measure(
        self,
        embed: Callable[[Arithmetic], torch.Tensor],
        choices: Sequence[Arithmetic],
        *,
        units: int,
        bounds: Mapping[str, tuple[int, int]],
        most_rows: Mapping[str, int] | None = None,
        cache: Path | None,
    ) -> Arithmetic:
        """Return the arithmetic to read in, and learn with it the width and what fits into a batch.

        `embed` reads some samples that weigh `units`; a batch is kept within `bounds` and `most_rows`, by the kind of
        device.
        """
        chosen = choose(choices_on(self._device, choices), embed, key=self._key, device=self._device, cache=cache)
        self.width = embed(chosen).shape[1]
        least, most = bounds[self._kind]
        rows = most_rows[self._kind] if most_rows else None
        self._room = room_for(
            lambda: embed(chosen), units=units, least=least, most=most, most_rows=rows, device=self._device
        )
        return chosen
