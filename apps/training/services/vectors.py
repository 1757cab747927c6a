"""Embeddings as rows and as arrays. Only here bytes become numbers: float16, little-endian, one vector per content."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from apps.engine.backbones import BackboneSpec
from apps.training.models import Embedding

Matrix = npt.NDArray[np.float32]
ROWS_AT_ONCE = 500
STORED = np.dtype("<f2")


def read_vectors(*, workspace_id: int, spec: BackboneSpec, hashes: Sequence[str]) -> dict[str, Matrix]:
    """Return the stored vectors by content hash; contents without one are left out."""
    found: dict[str, Matrix] = {}
    for start in range(0, len(hashes), ROWS_AT_ONCE):
        rows = Embedding.objects.filter(
            workspace_id=workspace_id,
            content_hash__in=hashes[start : start + ROWS_AT_ONCE],
            backbone=spec.name,
            version=spec.version,
        ).values_list("content_hash", "vector")
        found.update((key, np.frombuffer(vector, STORED).astype(np.float32)) for key, vector in rows)
    return found


def which_exist(*, workspace_id: int, spec: BackboneSpec, hashes: Sequence[str]) -> set[str]:
    """Return those of the contents that have a vector."""
    found: set[str] = set()
    for start in range(0, len(hashes), ROWS_AT_ONCE):
        rows = Embedding.objects.filter(
            workspace_id=workspace_id,
            content_hash__in=hashes[start : start + ROWS_AT_ONCE],
            backbone=spec.name,
            version=spec.version,
        )
        found.update(rows.values_list("content_hash", flat=True))
    return found


def write_vectors(*, workspace_id: int, spec: BackboneSpec, vectors: Mapping[str, Matrix]) -> None:
    """Store vectors by content hash, in the caller's transaction; one that is there already stays."""
    rows = [
        Embedding(
            workspace_id=workspace_id,
            content_hash=key,
            backbone=spec.name,
            version=spec.version,
            vector=np.clip(vector, -65504, 65504).astype(STORED).tobytes(),  # the range of float16
        )
        for key, vector in vectors.items()
    ]
    Embedding.objects.bulk_create(rows, ignore_conflicts=True)


def write_vectors_of(
    *, workspace_id: int, hashes: Collection[str], vectors: Mapping[BackboneSpec, Mapping[str, Matrix]]
) -> None:
    """Store those vectors that are of some contents, as `write_vectors`: so that no transaction is a long one."""
    for spec, of_content in vectors.items():
        own = {key: of_content[key] for key in hashes if key in of_content}
        write_vectors(workspace_id=workspace_id, spec=spec, vectors=own)


def groups_of(matrices: Iterable[Matrix]) -> npt.NDArray[np.int64]:
    """Number the rows so that rows with the same vectors share a number.

    Equal contents are one sample already; this also finds those that are equal to the backbone, such as texts that
    differ in capitals only. A head that saw one has seen the other.
    """
    keys = [b"".join(parts) for parts in zip(*([row.tobytes() for row in rows] for rows in matrices), strict=True)]
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


@dataclass(frozen=True)
class _Kept:
    row_of: Mapping[str, int]
    matrix: Matrix


class MatrixCache:
    """The matrices of the last rounds, so that a round reads only the vectors that are new since the one before.

    Keyed by workspace and function: nothing of one workspace is ever looked up for another. Bounded in bytes, the
    function that rested longest goes first.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[int, int, str, str], _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def matrix(
        self, *, workspace_id: int, function_id: int, spec: BackboneSpec, hashes: Sequence[str]
    ) -> tuple[Matrix, list[str]]:
        """Return `(len(hashes), dim)` in that order, not to be written to, and the contents that have no vector.

        Rows of contents without a vector are zero.
        """
        key = (workspace_id, function_id, spec.name, spec.version)
        with self._lock:
            kept = self._kept.pop(key, None)
        row_of = kept.row_of if kept else {}
        read = read_vectors(workspace_id=workspace_id, spec=spec, hashes=[h for h in hashes if h not in row_of])
        matrix = np.zeros((len(hashes), spec.dim), dtype=np.float32)
        old = [(i, row_of[h]) for i, h in enumerate(hashes) if h in row_of]
        if kept and old:
            rows, sources = np.array(old).T
            matrix[rows] = kept.matrix[sources]
        missing = [h for h in hashes if h not in row_of and h not in read]
        for i, content_hash in enumerate(hashes):
            if content_hash in read:
                matrix[i] = read[content_hash]
        matrix.flags.writeable = False
        if not missing:
            self._keep(key, _Kept({h: i for i, h in enumerate(hashes)}, matrix))
        return matrix, missing

    def unknown(self, *, workspace_id: int, function_id: int, spec: BackboneSpec, hashes: Sequence[str]) -> list[str]:
        """Return those of the contents that the last matrix had no row of: only they can lack a vector."""
        with self._lock:
            kept = self._kept.get((workspace_id, function_id, spec.name, spec.version))
        return [content_hash for content_hash in hashes if kept is None or content_hash not in kept.row_of]

    def _keep(self, key: tuple[int, int, str, str], kept: _Kept) -> None:
        with self._lock:
            self._kept[key] = kept
            n_bytes = sum(entry.matrix.nbytes for entry in self._kept.values())
            while n_bytes > self._max_bytes and self._kept:
                _key, oldest = self._kept.popitem(last=False)
                n_bytes -= oldest.matrix.nbytes


matrices = MatrixCache(max_bytes=256 * 1024 * 1024)
