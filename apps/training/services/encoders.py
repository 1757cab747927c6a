"""Backbones, loaded once per process and shared by everything in it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Generic, TypeVar

from django.conf import settings

from apps.engine import backbones
from apps.engine.backbones import Backbone, BackboneSpec
from apps.engine.types import Modality

Key = TypeVar("Key")
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """Holds the values asked for last, at most `max_entries`; makes each missing one once, however many wait for it."""

    def __init__(self, *, max_entries: int) -> None:
        self._max_entries = max_entries
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
                    self._values.update((key, value) for value in made)
                    while len(self._values) > self._max_entries:
                        self._values.popitem(last=False)
            return made[0]


_backbones: BoundedCache[str, Backbone] = BoundedCache(max_entries=16)


def backbone(name: str) -> Backbone:
    """Return a backbone; the first caller of the process waits seconds for it to load, and the others with it."""
    cache = Path(settings.DATA_DIR) / "backbones.json"
    return _backbones.get(name, lambda: backbones.load(name, cache=cache))


def backbone_names(modality: Modality) -> tuple[str, ...]:
    """Return the backbones that samples of a kind are encoded with here, the one that knows most first."""
    if settings.BACKBONES == "tiny":
        return (backbones.tiny(modality).spec.name,)
    return backbones.for_modality(modality)


def cell_spec(name: str) -> BackboneSpec:
    """Return the spec of a backbone as it reads a sample, or, by a `cell_key`, the cells of one column.

    Raises `BackboneUnavailable`.
    """
    return replace(backbones.spec(name.partition(":")[0]), name=name)
