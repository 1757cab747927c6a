"""One page of samples with what was said of each. A page shows one kind of prediction only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from apps.functions.models import Function, Label
from apps.review.filters import UNSURE_MARGIN, SampleFilter, Sort, Tab, Verdict
from apps.review.selectors.counts import cells_of, total
from apps.review.selectors.particulars import particulars
from apps.review.selectors.rows import Row, TagRow, rows_of
from apps.samples.models import PickedBy, Sample
from apps.training.models import Prediction, PredictionKind

PER_PAGE = 50
MOST_LISTED = 10_000
"""Samples read of a list whose length no index knows. All of 100,000 took up to 240 ms, so many up to 60."""

KINDS = {Tab.LABELLED: PredictionKind.OUT_OF_FOLD, Tab.UNLABELLED: PredictionKind.LIVE}
SUREST_FIRST = {Verdict.WRONG}
"""Mistakes made most surely come first: they are the likeliest wrong labels. Everything else, least sure first."""

PREDICTION_ORDER: dict[Sort, tuple[str, ...]] = {
    Sort.NEWEST: ("-sample_id",),
    Sort.OLDEST: ("sample_id",),
    Sort.LEAST_SURE: ("margin", "sample_id"),
    Sort.SUREST: ("-margin", "sample_id"),
}


@dataclass(frozen=True)
class SamplesPage:
    """At most `PER_PAGE` rows of the `n_total` that pass the filter; more pass where the list `is_cut`."""

    rows: Sequence[Row | TagRow]
    filter: SampleFilter
    n_total: int
    labels: Sequence[Label]
    is_cut: bool = False

    @property
    def n_pages(self) -> int:
        return n_pages_of(self.n_total)

    @property
    def first(self) -> int:
        return (self.filter.page - 1) * PER_PAGE + 1

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1

    @property
    def previous(self) -> SampleFilter | None:
        return self.filter.at_page(self.filter.page - 1) if self.filter.page > 1 else None

    @property
    def next(self) -> SampleFilter | None:
        return self.filter.at_page(self.filter.page + 1) if self.filter.page < self.n_pages else None


def n_pages_of(n_total: int) -> int:
    return max(1, -(-n_total // PER_PAGE))


def order_of(chosen: SampleFilter) -> Sort:
    """What was asked for, else what serves the filter: doubtful ones first where predictions matter, or the newest."""
    if chosen.sort:
        return chosen.sort
    if _compares(chosen):
        return Sort.SUREST if chosen.verdict in SUREST_FIRST else Sort.LEAST_SURE
    return Sort.NEWEST


def label_samples_page(function: Function, labels: Sequence[Label], chosen: SampleFilter) -> SamplesPage:
    """Return the page asked for, or the last one where there are fewer by now."""
    keys = label_keys(function, labels, chosen)
    return page_of(function, labels, listed(keys, chosen, _n_matching(function, labels, chosen, keys)))


@dataclass(frozen=True)
class Listed:
    """The keys of a page, the filter at that page, and how many pass, or at least pass, in all."""

    keys: Sequence[int]
    filter: SampleFilter
    n_total: int
    is_cut: bool = False


def listed(keys: QuerySet[Sample | Prediction, int], chosen: SampleFilter, n_total: int | None = None) -> Listed:
    """Return the page asked for, or the last one.

    Where nobody knows how many there are the first `MOST_LISTED` keys are read: counting would walk them all. Where it
    is known, the later half is reached from the end.
    """
    if n_total is None:
        found = list(keys[: MOST_LISTED + 1])
        n_listed = min(len(found), MOST_LISTED)
        chosen = chosen.at_page(min(chosen.page, n_pages_of(n_listed)))
        start = (chosen.page - 1) * PER_PAGE
        return Listed(found[start : min(start + PER_PAGE, n_listed)], chosen, n_listed, len(found) > n_listed)
    chosen = chosen.at_page(min(chosen.page, n_pages_of(n_total)))
    start = (chosen.page - 1) * PER_PAGE
    end = min(start + PER_PAGE, n_total)
    if start <= n_total - end:
        return Listed(list(keys[start:end]), chosen, n_total)
    return Listed(list(keys.reverse()[n_total - end : n_total - start])[::-1], chosen, n_total)


def page_of(function: Function, labels: Sequence[Label], found: Listed) -> SamplesPage:
    rows = rows_of(function, labels, found.keys)
    return SamplesPage(rows, found.filter, found.n_total, labels, found.is_cut)


def n_labelled_so(function: Function, labels: Sequence[Label], chosen: SampleFilter) -> int:
    """Return how many pass, however many those are."""
    keys = label_keys(function, labels, chosen)
    n = _n_matching(function, labels, chosen, keys)
    return keys.order_by().count() if n is None else n


def label_keys(function: Function, labels: Sequence[Label], chosen: SampleFilter) -> QuerySet[Sample | Prediction, int]:
    """The keys of the samples that pass, in the page's order. Keys alone are read from an index, text is not."""
    in_use = [label.pk for label in labels]
    if _compares(chosen) or _is_by_sureness(chosen):
        return _by_prediction(function, in_use, chosen)
    rows = Sample.objects.filter(particulars(chosen), function=function)
    if chosen.tab is Tab.UNLABELLED:
        rows = rows.filter(annotation=None)
    else:
        rows = rows.filter(label__in=[chosen.label.pk] if chosen.label else in_use)
    if chosen.without:
        rows = rows.exclude(label=chosen.without)
    if chosen.verdict is Verdict.WAITING:
        said = Prediction.objects.filter(sample=OuterRef("pk"), kind=PredictionKind.OUT_OF_FOLD, label__in=in_use)
        rows = rows.filter(~Exists(said))
    return rows.order_by("id" if order_of(chosen) is Sort.OLDEST else "-id").values_list("pk", flat=True)


def _is_by_sureness(chosen: SampleFilter) -> bool:
    return order_of(chosen) in {Sort.LEAST_SURE, Sort.SUREST} and chosen.verdict is not Verdict.WAITING


def _compares(chosen: SampleFilter) -> bool:
    """Whether the filter is about what was said of samples."""
    return bool(chosen.predicted or chosen.unsaid) or chosen.verdict not in {None, Verdict.WAITING}


def _by_prediction(
    function: Function, labels: Sequence[int], chosen: SampleFilter
) -> QuerySet[Sample | Prediction, int]:
    rows = said_of_matching(function, labels, chosen)
    return rows.order_by(*PREDICTION_ORDER[order_of(chosen)]).values_list("sample_id", flat=True)


def said_of_matching(function: Function, labels: Sequence[int], chosen: SampleFilter) -> QuerySet[Prediction]:
    """What was said of the samples that pass; `labels` are the keys of those in use."""
    said = [chosen.predicted.pk] if chosen.predicted else labels
    rows = Prediction.objects.filter(function=function, kind=KINDS[chosen.tab], label__in=said)
    if chosen.unsaid:
        rows = rows.exclude(label=chosen.unsaid)
    if chosen.tab is Tab.UNLABELLED:
        rows = rows.filter(sample__annotation=None)
    else:
        rows = rows.filter(sample__label__in=[chosen.label.pk] if chosen.label else labels)
        if chosen.without:
            rows = rows.exclude(sample__label=chosen.without)
        if _compares(chosen) and (chosen.verdict is Verdict.GRID or _has_grid_labels(function, labels)):
            is_from_grid = Q(sample__annotation__picked_by=PickedBy.GRID)
            rows = rows.filter(is_from_grid if chosen.verdict is Verdict.GRID else ~is_from_grid)
    if chosen.verdict is Verdict.RIGHT:
        rows = rows.filter(sample__label=F("label"))
    elif chosen.verdict is Verdict.WRONG:
        rows = rows.exclude(sample__label=F("label"))
    elif chosen.verdict is Verdict.UNSURE:
        rows = rows.filter(margin__lt=UNSURE_MARGIN)
    return rows.filter(particulars(chosen, "sample__"), sample__deleted_at=None)


def _has_grid_labels(function: Function, labels: Sequence[int]) -> bool:
    """Where there are none, nobody's annotation has to be looked at."""
    return any(cell.is_from_grid for cell in cells_of(function, labels))


def _n_matching(
    function: Function, labels: Sequence[Label], chosen: SampleFilter, keys: QuerySet[Sample | Prediction, int]
) -> int | None:
    """How many pass, where an index or the counts by label know; else None."""
    if chosen.search or chosen.is_particular:
        return None
    if chosen.tab is Tab.UNLABELLED:
        return None if chosen.predicted or _is_by_sureness(chosen) else keys.order_by().count()
    needs_said = _is_by_sureness(chosen)
    cells = cells_of(function, [label.pk for label in labels])
    return total(cell for cell in cells if cell.matches(chosen) and (cell.predicted is not None or not needs_said))
