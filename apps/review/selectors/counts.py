"""Labelled samples counted by what they are, what was said of them, how surely, and how they were drawn.

One grouped query; every figure and every count on the page is a sum over its rows. The samples' labels and the model
that judged them are the cache key, so that 100,000 samples are counted once per change and process.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from django.db.models import BooleanField, Case, Count, F, FilteredRelation, Q, Value, When

from apps.functions.models import Function
from apps.review.filters import UNSURE_MARGIN, SampleFilter, Verdict
from apps.samples.models import PickedBy, Sample
from apps.training.models import PredictionKind
from apps.training.selectors import judging_model

DRAWN_AT_RANDOM = (PickedBy.RANDOM, PickedBy.IMPORT)
_MAX_CACHED = 256
Version: TypeAlias = tuple[int, int | None, frozenset[int]]
"""Data revision, the model that judged, labels in use: what counts depend on."""


@dataclass(frozen=True)
class Cell:
    """`n` labelled samples alike. `predicted` is the label's key, None while no model has said anything of them."""

    label: int
    predicted: int | None
    is_unsure: bool
    is_random: bool
    is_from_grid: bool
    n: int

    @property
    def is_judged(self) -> bool:
        return self.predicted is not None and not self.is_from_grid

    @property
    def is_right(self) -> bool:
        return self.is_judged and self.predicted == self.label

    def is_verdict(self, verdict: Verdict) -> bool:
        return {
            Verdict.JUDGED: self.is_judged,
            Verdict.RIGHT: self.is_right,
            Verdict.WRONG: self.is_judged and not self.is_right,
            Verdict.UNSURE: self.is_judged and self.is_unsure,
            Verdict.WAITING: self.predicted is None,
            Verdict.GRID: self.is_from_grid and self.predicted is not None,
        }[verdict]

    def matches(self, chosen: SampleFilter) -> bool:
        """Whether these samples pass the filter, its search left aside."""
        return (
            (chosen.verdict is None or self.is_verdict(chosen.verdict))
            and (chosen.label is None or self.label == chosen.label.pk)
            and (chosen.without is None or self.label != chosen.without.pk)
            and (chosen.unsaid is None or (self._is_comparable(chosen) and self.predicted != chosen.unsaid.pk))
            and (chosen.predicted is None or (self._is_comparable(chosen) and self.predicted == chosen.predicted.pk))
        )

    def _is_comparable(self, chosen: SampleFilter) -> bool:
        """Whether what was said of them counts, or they were asked for all the same."""
        return self.is_judged or (chosen.verdict is Verdict.GRID and self.predicted is not None)


def total(cells: Iterable[Cell]) -> int:
    """Return how many samples the cells hold."""
    return sum(cell.n for cell in cells)


class _Cache:
    """The newest counts of the functions looked at last. In this process only: pages work while Redis is away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[Version, tuple[Cell, ...]]] = OrderedDict()

    def cells(self, function: Function, label_ids: frozenset[int]) -> tuple[Cell, ...]:
        version = (function.data_revision, _judging_model_id(function), label_ids)
        with self._lock:
            entry = self._entries.get(function.public_id)
        if entry and entry[0] == version:
            return entry[1]
        cells = _count(function, label_ids)
        with self._lock:
            self._entries[function.public_id] = (version, cells)
            self._entries.move_to_end(function.public_id)
            if len(self._entries) > _MAX_CACHED:
                self._entries.popitem(last=False)
        return cells


_cache = _Cache()


def cells_of(function: Function, label_ids: Iterable[int]) -> tuple[Cell, ...]:
    """Return the counts of a function's labelled samples; `label_ids` are its labels in use."""
    return _cache.cells(function, frozenset(label_ids))


def _judging_model_id(function: Function) -> int | None:
    model = judging_model(function)
    return model.pk if model else None


def _count(function: Function, label_ids: frozenset[int]) -> tuple[Cell, ...]:
    rows = (
        Sample.objects.filter(function=function, label__in=label_ids)
        .alias(
            said=FilteredRelation(
                "predictions",
                condition=Q(predictions__kind=PredictionKind.OUT_OF_FOLD, predictions__label__in=label_ids),
            )
        )
        .annotate(
            predicted=F("said__label_id"),
            is_unsure=_flag(Q(said__margin__lt=UNSURE_MARGIN)),
            # A correction keeps the reason for which its sample was drawn: the stream does not lose its errors.
            is_random=_flag(Q(annotation__picked_by__in=DRAWN_AT_RANDOM)),
            is_from_grid=_flag(Q(annotation__picked_by=PickedBy.GRID)),
        )
        .order_by()
        .values_list("label_id", "predicted", "is_unsure", "is_random", "is_from_grid")
        .annotate(n=Count("pk"))
    )
    return tuple(Cell(*row) for row in rows)


def _flag(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())
