"""What backbones made of inputs that calls brought lately: the same input is not read twice.

Keyed by workspace first: nothing one workspace sends makes anything faster, or slower, for another to see.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.conf import settings

from apps.training.services.vectors import STORED

ENTRY_BYTES = 400
"""What a key and its place in the cache take beside the vector."""
Vector = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class CacheKey:
    """Whose input it is, what read it and how, and what it is."""

    workspace_id: int
    backbone: str
    version: str
    content: str


class EmbeddingCache:
    """Holds the vectors asked for last, as they would be stored, within a number of bytes. Safe in many threads."""

    def __init__(self, max_bytes: Callable[[], int]) -> None:
        self._max_bytes = max_bytes
        self._vectors: OrderedDict[CacheKey, Vector] = OrderedDict()
        self._lock = threading.Lock()
        self.n_bytes = 0

    def get(self, key: CacheKey) -> Vector | None:
        with self._lock:
            vector = self._vectors.get(key)
            if vector is not None:
                self._vectors.move_to_end(key)
        return vector

    def put(self, key: CacheKey, vector: Vector) -> None:
        """Keep a vector; those asked for longest ago make room."""
        kept = vector.astype(STORED)  # a copy: a view would keep the whole matrix it is a row of
        with self._lock:
            old = self._vectors.pop(key, None)
            self.n_bytes += _bytes_of(kept) - (0 if old is None else _bytes_of(old))
            self._vectors[key] = kept
            while self.n_bytes > self._max_bytes() and self._vectors:
                _key, gone = self._vectors.popitem(last=False)
                self.n_bytes -= _bytes_of(gone)

    def clear(self) -> None:
        with self._lock:
            self._vectors.clear()
            self.n_bytes = 0

    def __len__(self) -> int:
        return len(self._vectors)


embedding_cache = EmbeddingCache(lambda: settings.EMBEDDING_CACHE_BYTES)


def _bytes_of(vector: Vector) -> int:
    return vector.nbytes + ENTRY_BYTES
