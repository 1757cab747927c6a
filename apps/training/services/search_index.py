"""The samples of a function nearest to a vector, found in a few milliseconds; fine in a request.

What is searched is the newest index, and beside it the samples that came since, by their rows (`SearchArrival`). Where
there is no index, or it is damaged or of another backbone, all samples are read from the database and compared one by
one: slower the first time, and as right. Samples in the bin and deleted ones are left out of every answer.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import structlog
from django.db.models import QuerySet

from apps.core.jobs import JobName, enqueue
from apps.engine.errors import ArtifactCorrupt
from apps.engine.retrieval import Nearest, Rows, first_of
from apps.engine.types import BoolArray, FloatArray, IntArray
from apps.functions.models import Function
from apps.samples.models import Sample
from apps.training.models import SearchIndex
from apps.training.services.mapped_file import folder_of
from apps.training.services.search_arrivals import arrivals, last_arrival
from apps.training.services.search_index_file import open_index
from apps.training.services.search_space import Space, embedded, hashes_of, read_all, space_of
from apps.training.services.work import want_index

logger = structlog.get_logger(__name__)

MAX_FUNCTIONS = 64
MAX_BYTES = 512 * 1024**2
SLACK = 16
"""How many more are asked for than are wanted: some may be in the bin by now."""
MEASURED_BY = 200
FEW_NEW, SHARE_NEW = 200, 0.5
"""Without an index all are read anew once so many have come since."""


@dataclass(frozen=True)
class _New:
    """Samples that came since, up to the arrival `last`."""

    last: int = 0
    sample_ids: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    vectors: Rows = field(default_factory=lambda: np.zeros((0, 1), dtype=np.float32))


@dataclass(frozen=True)
class View:
    """What a process holds of a function: its vectors, by `sha256` of the index or "" without one, and what is new."""

    sha256: str
    space: Space
    sample_ids: npt.NDArray[np.int64]
    sorted_: Nearest
    new: _New = field(default_factory=_New)

    @property
    def n_bytes(self) -> int:
        return self.sorted_.n_bytes + self.new.vectors.nbytes

    @cached_property
    def usual(self) -> float:
        """How alike any two of the samples are, in the middle: what the likeness of others is to be measured by."""
        some = self.sorted_.some(MEASURED_BY) if len(self.sorted_) > 1 else self.new.vectors[:MEASURED_BY]
        cosines = some @ some.T
        return float(np.median(cosines[np.triu_indices(len(some), 1)])) if len(some) > 1 else 0.0

    def holds(self, sample_ids: IntArray) -> BoolArray:
        """Return which of these samples are among those that are sorted."""
        held: BoolArray = np.isin(sample_ids, self.sample_ids)
        return held

    def vector_of(self, sample: Sample) -> Rows | None:
        """Return the vector of a sample; None where it has not been read yet."""
        place = int(np.searchsorted(self.sample_ids, sample.pk))
        if place < len(self.sample_ids) and self.sample_ids[place] == sample.pk:
            return self.sorted_.row(place)
        new = np.flatnonzero(self.new.sample_ids == sample.pk)
        return self.new.vectors[new[-1]] if len(new) else None

    def nearest(
        self, vector: Rows, n: int, rows: QuerySet[Sample], *, without: int | None = None
    ) -> list[tuple[Sample, float]]:
        """Return the `n` samples nearest to a vector of length 1, the nearest first, with their cosines.

        `rows` are the samples that may be found, read as the caller wants them; `without` is left out.
        """
        n_asked = n + SLACK
        while True:
            keys, cosines = self.find(vector, n_asked)
            found = _standing(rows, keys.tolist(), without)
            if len(found) >= n or n_asked >= len(self):
                likeness = zip(keys.tolist(), cosines.tolist(), strict=True)
                return [(found[key], cosine) for key, cosine in likeness if key in found][:n]
            n_asked *= 4

    def find(self, vector: Rows, n: int) -> tuple[IntArray, FloatArray]:
        """Return the keys of the `n` nearest, the nearest first, and their cosines."""
        rows, cosines = self.sorted_.find(vector, n)
        found = self.sample_ids[rows]
        if not len(self.new.sample_ids):
            return found, cosines
        found = np.concatenate([found, self.new.sample_ids])
        return first_of(found, np.concatenate([cosines, self.new.vectors @ vector]), n)

    def __len__(self) -> int:
        return len(self.sample_ids) + len(self.new.sample_ids)


class _Views:
    """What was searched last, bounded. Keyed by workspace first: nobody else's can ever be found by a wrong number."""

    def __init__(self, *, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._views: OrderedDict[tuple[int, int], View] = OrderedDict()
        self._making: dict[tuple[int, int], threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, function: Function) -> View:
        """Return what is to be searched now. Whoever comes while it is read or brought up to date waits for that."""
        key = (function.workspace_id, function.pk)
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                held = self._views.get(key)
            view = _up_to_date(function, held)
            self._keep(key, view)
        return view

    def forget(self) -> None:
        with self._lock:
            self._views.clear()

    def _keep(self, key: tuple[int, int], view: View) -> None:
        with self._lock:
            self._views[key] = view
            self._views.move_to_end(key)
            while len(self._views) > self._max_entries or (len(self._views) > 1 and self._n_bytes > self._max_bytes):
                dropped, _view = self._views.popitem(last=False)
                self._making.pop(dropped, None)

    @property
    def _n_bytes(self) -> int:
        return sum(view.n_bytes for view in self._views.values())


_views = _Views(max_entries=MAX_FUNCTIONS, max_bytes=MAX_BYTES)


def view_of(function: Function) -> View:
    """Return what is to be searched now. Two small queries, and one for each 500 samples that came since the last."""
    return _views.get(function)


def _standing(rows: QuerySet[Sample], keys: list[int], without: int | None) -> dict[int, Sample]:
    found: dict[int, Sample] = {}
    for start in range(0, len(keys), 500):
        found.update((row.pk, row) for row in rows.filter(pk__in=keys[start : start + 500]))
    if without is not None:
        found.pop(without, None)
    return found


def _up_to_date(function: Function, held: View | None) -> View:
    """Return what is held with what is new, or what took its place.

    What is new is read before the row of the index: so nothing can go from the one to the other unseen.
    """
    space = space_of(function)
    behind = held.new.last if held is not None else 0
    new = arrivals(function.pk, after=behind)
    row = SearchIndex.objects.filter(function=function).first()
    sha256 = row.sha256 if row and (row.backbone, row.version) == (space.source.backbone, space.source.version) else ""
    if row and not sha256:
        _ask(function)
    if held is None or held.sha256 != sha256 or held.space.source != space.source:
        held = (_opened(function, space, sha256) if sha256 else None) or _read_whole(function, space)
        new = arrivals(function.pk, after=held.new.last)
    elif not sha256 and len(held.new.sample_ids) + len(new) > _most_new(held):
        held, new = _read_whole(function, space), []
    return _with_new(held, dict(new)) if new else held


def _most_new(held: View) -> float:
    """Return how many may come before all are read anew: what is usual in a column is learned from those it has."""
    return max(0 if held.space.is_table else FEW_NEW, SHARE_NEW * len(held.sample_ids))


def _opened(function: Function, space: Space, sha256: str) -> View | None:
    """Return the index; None, and another is asked for, where it is damaged or gone."""
    try:
        file = open_index(folder_of(function), sha256)
        return View(sha256, space.restored(file.learned), file.sample_ids, Nearest(file.vectors, file.short))
    except ArtifactCorrupt as error:
        if SearchIndex.objects.filter(function=function, sha256=sha256).delete()[0]:
            logger.error("search_index_damaged", function=function.public_id, reason=str(error))
            _ask(function)
        return None


def _read_whole(function: Function, space: Space) -> View:
    """Read all samples from the database: without an index, and as right as with one."""
    last = last_arrival(function.pk)
    hash_of = embedded(function.pk)
    space = space.fitted(hash_of)
    sample_ids, vectors = read_all(space, hash_of)
    return View("", space, sample_ids, Nearest(vectors), _New(last, vectors=vectors[:0].astype(np.float32)))


def _with_new(view: View, new: Mapping[int, int]) -> View:
    """Read samples that came since, by the keys of their arrivals. One that came again takes its own place."""
    sample_ids = np.array(list(dict.fromkeys(new.values())), dtype=np.int64)
    sample_ids = sample_ids[~view.holds(sample_ids) & ~np.isin(sample_ids, view.new.sample_ids)]
    keys, rows = _read(view.space, hashes_of(sample_ids.tolist()))
    before = view.new
    if keys:
        vectors = np.concatenate([before.vectors, rows]) if len(before.sample_ids) else rows
        ids = np.concatenate([before.sample_ids, np.array(keys, dtype=np.int64)])
    else:
        vectors, ids = before.vectors, before.sample_ids
    return View(view.sha256, view.space, view.sample_ids, view.sorted_, _New(max(new), ids, vectors))


def _read(space: Space, hash_of: Mapping[int, str]) -> tuple[list[int], Rows]:
    """Read vectors; of more than a few a chunk at a time."""
    if not hash_of:
        return [], np.zeros((0, 1), dtype=np.float32)
    keys, vectors = read_all(space, hash_of)
    return keys.tolist(), vectors.astype(np.float32)


def _ask(function: Function) -> None:
    want_index(function.pk)
    enqueue(JobName.INDEX_FUNCTION, function.pk)


def forget_views() -> None:
    """Forget what this process holds; for tests."""
    _views.forget()
