"""Annotated samples of a function that gives tags: what is on each, and what a model said that never saw it.

Every figure, every count and every page of the list is a mask over one table, so that a number and the samples behind
it cannot differ. Tags are read from the annotations and predictions, one row a sample, and kept until data or model
change: 10,000 samples with 20 tags take about a quarter of a second to read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db.models import F, FilteredRelation, Q

from apps.engine.types import BoolArray, FloatArray, IntArray
from apps.functions.models import Function, Label
from apps.review.filters import SampleFilter, Verdict
from apps.review.selectors.counts import DRAWN_AT_RANDOM
from apps.samples.models import PickedBy, Sample
from apps.training.models import PredictionKind
from apps.training.selectors import EVEN, judging_model, tag_thresholds

UNSURE_MARGIN = 0.1
"""A sample counts as unsure where one of its tags is nearer than this to its threshold."""
UNKNOWN, ABSENT, THERE = -1, 0, 1
_MAX_CACHED = 16


@dataclass(frozen=True)
class TagTable:
    """Rows are the annotated samples in the order they came, columns the labels in use.

    `truth` is `(n_samples, n_labels)`: there, absent or unknown, as the person said; `said` whether the model says it
    is there, False where it has said nothing of the sample (`is_answered`). What was accepted in the grid it does not
    judge.
    """

    labels: tuple[Label, ...]
    sample_ids: IntArray
    truth: npt.NDArray[np.int8]
    said: BoolArray
    is_answered: BoolArray
    is_random: BoolArray
    is_from_grid: BoolArray
    margins: FloatArray

    @property
    def is_judged(self) -> BoolArray:
        judged: BoolArray = self.is_answered & ~self.is_from_grid
        return judged

    @property
    def is_right(self) -> BoolArray:
        """All tags as said, those that nobody was asked about left aside."""
        as_said = (self.truth == UNKNOWN) | (self.said == (self.truth == THERE))
        right: BoolArray = self.is_judged & as_said.all(axis=1)
        return right

    @property
    def is_unsure(self) -> BoolArray:
        unsure: BoolArray = self.is_judged & (self.margins < UNSURE_MARGIN)
        return unsure

    def has(self, label: Label, state: int) -> BoolArray:
        mask: BoolArray = self.truth[:, self._column(label)] == state
        return mask

    def says(self, label: Label) -> BoolArray:
        mask: BoolArray = self.said[:, self._column(label)]
        return mask

    def is_verdict(self, verdict: Verdict) -> BoolArray:
        if verdict is Verdict.RIGHT:
            return self.is_right
        if verdict is Verdict.UNSURE:
            return self.is_unsure
        judged = self.is_judged
        mask: BoolArray = judged
        if verdict is Verdict.WRONG:
            mask = judged & ~self.is_right
        elif verdict is Verdict.WAITING:
            mask = ~self.is_answered
        elif verdict is Verdict.GRID:
            mask = self.is_answered & self.is_from_grid
        return mask

    def matching(self, chosen: SampleFilter) -> BoolArray:
        """Which samples pass the filter, its search left aside."""
        passes = np.ones(len(self.sample_ids), dtype=bool)
        if chosen.verdict:
            passes &= self.is_verdict(chosen.verdict)
        if chosen.label:
            passes &= self.has(chosen.label, THERE)
        if chosen.without:
            passes &= self.has(chosen.without, ABSENT)
        if chosen.predicted:
            passes &= self.says(chosen.predicted)
        if chosen.unsaid:
            passes &= self.is_answered & ~self.says(chosen.unsaid)
        if chosen.predicted or chosen.unsaid:
            passes &= self.is_judged | (chosen.verdict is Verdict.GRID)
        return passes

    def _column(self, label: Label) -> int:
        return self.labels.index(label)


class _Cache:
    """The newest tables of the functions looked at last, in this process only."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, tuple[object, TagTable]] = OrderedDict()

    def table(self, function: Function, labels: Sequence[Label]) -> TagTable:
        model = judging_model(function)
        thresholds = tag_thresholds(model)
        # Thresholds move without a new model when somebody says that a tag is worse to miss.
        limits = tuple(thresholds.get(label.public_id) for label in labels)
        version = (function.data_revision, model.pk if model else None, tuple(label.pk for label in labels), limits)
        with self._lock:
            entry = self._entries.get(function.public_id)
        if entry and entry[0] == version:
            return entry[1]
        table = _read(function, tuple(labels), thresholds)
        with self._lock:
            self._entries[function.public_id] = (version, table)
            self._entries.move_to_end(function.public_id)
            if len(self._entries) > _MAX_CACHED:
                self._entries.popitem(last=False)
        return table


_cache = _Cache()


def tag_table(function: Function, labels: Sequence[Label]) -> TagTable:
    """Return the table of a function's annotated samples; `labels` are its labels in use."""
    return _cache.table(function, labels)


def columns_by_public_id(function: Function, labels: Sequence[Label]) -> dict[str, int]:
    """Return the place of each label among these; what was merged into one of them is read as that one."""
    column_of = {label.pk: column for column, label in enumerate(labels)}
    merged = Label.objects.filter(function=function, merged_into__in=list(column_of))
    rows = merged.values_list("public_id", "merged_into")
    aliases = {public_id: column_of[into] for public_id, into in rows if into is not None}
    return aliases | {label.public_id: column_of[label.pk] for label in labels}


def _read(function: Function, labels: tuple[Label, ...], thresholds: Mapping[str, float]) -> TagTable:
    column_of = columns_by_public_id(function, labels)
    limits = np.array([thresholds.get(label.public_id, EVEN) for label in labels])
    rows = list(
        Sample.objects.filter(function=function, annotation__isnull=False)
        .alias(judged=FilteredRelation("predictions", condition=Q(predictions__kind=PredictionKind.OUT_OF_FOLD)))
        .annotate(probs=F("judged__tags"), margin=F("judged__margin"))
        .order_by("pk")
        .values_list("pk", "annotation__tags", "annotation__picked_by", "probs", "margin")
    )
    truth = np.full((len(rows), len(labels)), UNKNOWN, dtype=np.int8)
    probs = np.full(truth.shape, -1.0)
    for place, (_pk, tags, _picked_by, said, _margin) in enumerate(rows):
        for public_id, is_present in (tags or {}).items():
            if public_id in column_of:
                column = column_of[public_id]
                truth[place, column] = THERE if is_present else max(truth[place, column], ABSENT)
        for public_id, prob in (said or {}).items():
            if public_id in column_of:
                probs[place, column_of[public_id]] = max(prob, probs[place, column_of[public_id]])
    return TagTable(
        labels=labels,
        sample_ids=np.array([row[0] for row in rows], dtype=np.int64),
        truth=truth,
        said=probs >= limits,
        is_answered=np.array([row[3] is not None for row in rows], dtype=bool),
        is_random=np.array([row[2] in DRAWN_AT_RANDOM for row in rows], dtype=bool),
        is_from_grid=np.array([row[2] == PickedBy.GRID for row in rows], dtype=bool),
        margins=np.array([row[4] if row[4] is not None else 0.0 for row in rows]),
    )
