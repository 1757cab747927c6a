"""Backbones, loaded once per process and shared by everything in it."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Generic, TypeVar

from django.conf import settings

from apps.engine import backbones
from apps.engine.backbones import Backbone, BackboneSpec
from apps.engine.runtime import choose_device
from apps.engine.types import ADAPTED, Modality
from apps.training.services import chosen

Key = TypeVar("Key")
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """Holds the values asked for last, at most `max_entries`; makes each missing one once, however many wait for it.

    Given `n_bytes_of` a value, also at most `max_bytes` of them; the last one alone may be larger.
    """

    def __init__(
        self,
        *,
        max_entries: int,
        max_bytes: int | None = None,
        n_bytes_of: Callable[[Value], int] = lambda value: 0,
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._n_bytes_of = n_bytes_of
        self._n_bytes = 0
        self._values: OrderedDict[Key, Value] = OrderedDict()
        self._making: dict[Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return the value of a key. What `make` raises is raised and nothing is kept."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._values:
                    return self._values[key]
            made: list[Value] = []
            try:
                made.append(make())
            finally:
                with self._lock:  # in one step: else somebody could find neither the value nor its making
                    self._making.pop(key, None)
                    for value in made:
                        self._keep(key, value)
            return made[0]

    def __contains__(self, key: Key) -> bool:
        return key in self._values

    @property
    def n_bytes(self) -> int:
        """What the values held now take, by `n_bytes_of`."""
        return self._n_bytes

    def _keep(self, key: Key, value: Value) -> None:
        self._values[key] = value
        self._n_bytes += self._n_bytes_of(value)
        while len(self._values) > self._max_entries or (len(self._values) > 1 and self._is_too_large):
            _key, dropped = self._values.popitem(last=False)
            self._n_bytes -= self._n_bytes_of(dropped)

    @property
    def _is_too_large(self) -> bool:
        return self._max_bytes is not None and self._n_bytes > self._max_bytes


_backbones: BoundedCache[str, Backbone] = BoundedCache(max_entries=16)


def backbone(name: str) -> Backbone:
    """Return a backbone; the first caller of the process waits seconds for it to load, and the others with it."""
    return _backbones.get(name, lambda: _load(name))


def _load(name: str) -> Backbone:
    chosen.require_here([name])
    return backbones.load(name, device=device(), cache=timings_file(), pulled=chosen.folder())


def timings_file() -> Path:
    """Return where it is kept which arithmetic is fastest on this machine."""
    return Path(settings.DATA_DIR) / "backbones.json"


@functools.cache
def device() -> str:
    """Return what this process computes on, by HUNDREDFOLD_DEVICE; chosen once. Raises `DeviceUnavailable`."""
    return choose_device(settings.DEVICE)


def backbone_names(modality: Modality, *, function_id: int | None = None) -> tuple[str, ...]:
    """Return the backbones that samples of a kind are encoded with, the one that knows most first.

    With a function, those it still reads with while its samples are being read anew.
    """
    return names_with(chosen.chosen().name_for(modality, function_id), modality)


def names_with(name: str, modality: Modality) -> tuple[str, ...]:
    """Return the backbones that encode where this pulled one is chosen, "" for none: it replaces the first."""
    if settings.BACKBONES == "tiny":
        return (backbones.tiny(modality).spec.name,)
    first, *others = backbones.for_modality(modality)
    return (name or first, *others)


def spec_of(name: str) -> BackboneSpec:
    """Return what is known of a backbone, also where this machine lacks its files. Raises `BackboneUnavailable`."""
    return chosen.chosen().specs.get(name) or backbones.spec(name, pulled=chosen.folder())


def base_of(name: str) -> str:
    """Return the backbone to load for embeddings of this name: those of cells and adapted ones are made with it.

    A fold's tower has its number behind an @.
    """
    return name.partition(":")[0].partition("@")[0].removeprefix(ADAPTED)


def cell_spec(name: str) -> BackboneSpec:
    """Return the spec of a backbone as it reads a sample, or, by a `cell_key`, the cells of one column.

    Raises `BackboneUnavailable`.
    """
    return replace(spec_of(name.partition(":")[0]), name=name)
