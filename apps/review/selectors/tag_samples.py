"""One page of the samples of a function that gives tags, with the tags on each and those a model said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from django.db.models import Q, QuerySet

from apps.engine.types import BoolArray, IntArray
from apps.functions.models import Function, Label
from apps.review.filters import SampleFilter, Sort, Tab
from apps.review.selectors.particulars import particulars
from apps.review.selectors.rows import live_thresholds, rows_of
from apps.review.selectors.samples import (
    PER_PAGE,
    PREDICTION_ORDER,
    SamplesPage,
    listed,
    n_pages_of,
    order_of,
    page_of,
)
from apps.review.selectors.tag_table import TagTable, tag_table
from apps.samples.models import Sample
from apps.training.models import Prediction, PredictionKind
from apps.training.selectors import EVEN


def tag_samples_page(function: Function, labels: Sequence[Label], chosen: SampleFilter) -> SamplesPage:
    """Return the page asked for, or the last one where there are fewer by now."""
    if chosen.tab is Tab.UNLABELLED:
        return _unlabelled_page(function, labels, chosen)
    table = tag_table(function, labels)
    passes = tag_matches(function, table, chosen)
    chosen, start = _at_page(chosen, n_total := int(passes.sum()))
    keys_in_view = [int(key) for key in _in_order(table, passes, chosen)[start : start + PER_PAGE]]
    return SamplesPage(rows_of(function, labels, keys_in_view), chosen, n_total, labels)


def tag_matches(function: Function, table: TagTable, chosen: SampleFilter) -> BoolArray:
    """Which samples of the table pass the whole filter."""
    passes = table.matching(chosen)
    if order_of(chosen) in {Sort.LEAST_SURE, Sort.SUREST}:
        passes &= table.is_answered
    if chosen.search or chosen.is_particular:
        keys = Sample.objects.filter(particulars(chosen), function=function).order_by().values_list("pk", flat=True)
        passes &= np.isin(table.sample_ids, list(keys))
    return passes


def _in_order(table: TagTable, passes: BoolArray, chosen: SampleFilter) -> IntArray:
    """As with one label: by how near the nearest tag is to its threshold, or as they came."""
    keys, margins = table.sample_ids[passes], table.margins[passes]
    order = order_of(chosen)
    if order in {Sort.LEAST_SURE, Sort.SUREST}:
        ordered: IntArray = keys[np.lexsort((keys, -margins if order is Sort.SUREST else margins))]
        return ordered
    return keys if order is Sort.OLDEST else keys[::-1]


def _unlabelled_page(function: Function, labels: Sequence[Label], chosen: SampleFilter) -> SamplesPage:
    keys = _unlabelled_keys(function, chosen)
    return page_of(function, labels, listed(keys, chosen))


def _unlabelled_keys(function: Function, chosen: SampleFilter) -> QuerySet[Sample | Prediction, int]:
    is_by_prediction = chosen.predicted or order_of(chosen) in {Sort.LEAST_SURE, Sort.SUREST}
    return _said_so(function, chosen) if is_by_prediction else _untagged(function, chosen)


def n_tagged_so(function: Function, labels: Sequence[Label], chosen: SampleFilter) -> int:
    """Return how many pass, however many those are."""
    if chosen.tab is Tab.UNLABELLED:
        return _unlabelled_keys(function, chosen).order_by().count()
    return int(tag_matches(function, tag_table(function, labels), chosen).sum())


def _untagged(function: Function, chosen: SampleFilter) -> QuerySet[Sample | Prediction, int]:
    samples = Sample.objects.filter(particulars(chosen), function=function, annotation=None)
    return samples.order_by("id" if order_of(chosen) is Sort.OLDEST else "-id").values_list("pk", flat=True)


def _said_so(function: Function, chosen: SampleFilter) -> QuerySet[Sample | Prediction, int]:
    """Samples without an answer of which the model says anything, or that this tag is on them."""
    says = particulars(chosen, "sample__")
    if chosen.predicted:
        public_id = chosen.predicted.public_id
        says &= Q((f"tags__{public_id}__gte", live_thresholds(function).get(public_id, EVEN)))
    rows = Prediction.objects.filter(
        says, function=function, kind=PredictionKind.LIVE, sample__annotation=None, sample__deleted_at=None
    )
    return rows.order_by(*PREDICTION_ORDER[order_of(chosen)]).values_list("sample_id", flat=True)


def _at_page(chosen: SampleFilter, n_total: int) -> tuple[SampleFilter, int]:
    chosen = chosen.at_page(min(chosen.page, n_pages_of(n_total)))
    return chosen, (chosen.page - 1) * PER_PAGE
