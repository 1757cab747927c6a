"""One page of samples with what was said of each. A page shows one kind of prediction only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Left

from apps.functions.models import Function, Label
from apps.review.filters import UNSURE_MARGIN, SampleFilter, Tab, Verdict
from apps.review.selectors.counts import cells_of, total
from apps.samples.models import PickedBy, Sample
from apps.training.models import Prediction, PredictionKind
from apps.training.words import confidence_word

if TYPE_CHECKING:
    from apps.review.selectors.tag_samples import TagRow

PER_PAGE = 50
EXCERPT_CHARS = 600

KINDS = {Tab.LABELLED: PredictionKind.OUT_OF_FOLD, Tab.UNLABELLED: PredictionKind.LIVE}
SUREST_FIRST = {Verdict.WRONG}
"""Mistakes made most surely come first: they are the likeliest wrong labels. Everything else, least sure first."""


@dataclass(frozen=True)
class Shown:
    """A sample as a row shows it, and how sure a model was of what it said."""

    sample: Sample
    excerpt: str
    confidence: float
    is_unsure: bool
    is_from_grid: bool

    @property
    def word(self) -> str:
        return confidence_word(self.confidence)

    @property
    def is_cut(self) -> bool:
        return len(self.excerpt) == EXCERPT_CHARS


@dataclass(frozen=True)
class Row(Shown):
    """A sample, its label, and what a model said of it."""

    label: Label | None
    predicted: Label | None

    @property
    def verdict(self) -> Verdict | None:
        """Right, wrong, waiting or never judged; None for a sample without a label."""
        if self.label is None:
            return None
        if self.predicted is None:
            return Verdict.WAITING
        if self.is_from_grid:
            return Verdict.GRID
        return Verdict.RIGHT if self.predicted == self.label else Verdict.WRONG


@dataclass(frozen=True)
class SamplesPage:
    """At most `PER_PAGE` rows of the `n_total` that pass the filter."""

    rows: Sequence[Row | TagRow]
    filter: SampleFilter
    n_total: int
    labels: Sequence[Label]

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


def label_samples_page(function: Function, labels: Sequence[Label], chosen: SampleFilter) -> SamplesPage:
    """Return the page asked for, or the last one where there are fewer by now."""
    by_key = {label.pk: label for label in labels}
    keys = _matching(function, by_key, chosen)
    n_total = _n_matching(function, by_key, chosen, keys)
    chosen = chosen.at_page(min(chosen.page, n_pages_of(n_total)))
    start = (chosen.page - 1) * PER_PAGE
    page = list(keys[start : start + PER_PAGE]) if n_total else []
    return SamplesPage(_rows(page, by_key, chosen.tab), chosen, n_total, labels)


def label_row_of(sample: Sample, labels: Sequence[Label]) -> Row:
    """Return one sample's row as its own page would show it."""
    tab = Tab.LABELLED if sample.annotation_id else Tab.UNLABELLED
    return _rows([sample.pk], {label.pk: label for label in labels}, tab)[0]


def _n_matching(
    function: Function, labels: Mapping[int, Label], chosen: SampleFilter, keys: QuerySet[Sample | Prediction, int]
) -> int:
    if chosen.tab is Tab.UNLABELLED or chosen.search:
        return keys.count()
    return total(cell for cell in cells_of(function, labels) if cell.matches(chosen))


def _matching(
    function: Function, labels: Mapping[int, Label], chosen: SampleFilter
) -> QuerySet[Sample | Prediction, int]:
    """The keys of the samples that pass, in the page's order. Keys alone are read from an index, text is not."""
    if chosen.predicted or chosen.verdict not in {None, Verdict.WAITING}:
        return _by_prediction(function, labels, chosen)
    rows = Sample.objects.filter(function=function)
    wanted = Q(annotation=None) if chosen.tab is Tab.UNLABELLED else Q(label__in=_label_keys(labels, chosen))
    rows = rows.filter(wanted)
    if chosen.without:
        rows = rows.exclude(label=chosen.without)
    if chosen.verdict is Verdict.WAITING:
        said = Prediction.objects.filter(sample=OuterRef("pk"), kind=PredictionKind.OUT_OF_FOLD, label__in=labels)
        rows = rows.filter(~Exists(said))
    return rows.filter(found(chosen, "")).order_by("-id").values_list("pk", flat=True)


def _by_prediction(
    function: Function, labels: Mapping[int, Label], chosen: SampleFilter
) -> QuerySet[Sample | Prediction, int]:
    said = [chosen.predicted.pk] if chosen.predicted else list(labels)
    rows = Prediction.objects.filter(function=function, kind=KINDS[chosen.tab], label__in=said)
    if chosen.tab is Tab.UNLABELLED:
        rows = rows.filter(sample__annotation=None)
    else:
        rows = rows.filter(sample__label__in=_label_keys(labels, chosen))
        if chosen.without:
            rows = rows.exclude(sample__label=chosen.without)
        is_from_grid = Q(sample__annotation__picked_by=PickedBy.GRID)
        rows = rows.filter(is_from_grid if chosen.verdict is Verdict.GRID else ~is_from_grid)
    if chosen.verdict is Verdict.RIGHT:
        rows = rows.filter(sample__label=F("label"))
    elif chosen.verdict is Verdict.WRONG:
        rows = rows.exclude(sample__label=F("label"))
    elif chosen.verdict is Verdict.UNSURE:
        rows = rows.filter(margin__lt=UNSURE_MARGIN)
    order = "-margin" if chosen.verdict in SUREST_FIRST else "margin"
    return rows.filter(found(chosen, "sample__")).order_by(order, "sample_id").values_list("sample_id", flat=True)


def _label_keys(labels: Mapping[int, Label], chosen: SampleFilter) -> list[int]:
    return [chosen.label.pk] if chosen.label else list(labels)


def found(chosen: SampleFilter, path: str) -> Q:
    """What the filter searches for, in samples at the end of `path`."""
    if not chosen.search:
        return Q()
    anywhere = Q()
    for field in ("text", "original_name", "external_id"):
        anywhere |= Q((f"{path}{field}__icontains", chosen.search))
    return anywhere


def _rows(keys: list[int], labels: Mapping[int, Label], tab: Tab) -> tuple[Row, ...]:
    samples = Sample.objects.filter(pk__in=keys).defer("text")
    samples = samples.annotate(excerpt=Left("text", EXCERPT_CHARS), reason=F("annotation__picked_by"))
    by_key = {sample.pk: sample for sample in samples}
    said = {row.sample_id: row for row in Prediction.objects.filter(sample__in=keys, kind=KINDS[tab], label__in=labels)}
    return tuple(_row(by_key[key], said.get(key), labels) for key in keys if key in by_key)


def _row(sample: Sample, said: Prediction | None, labels: Mapping[int, Label]) -> Row:
    return Row(
        sample=sample,
        excerpt=getattr(sample, "excerpt", ""),
        label=labels.get(sample.label_id) if sample.label_id else None,
        predicted=labels.get(said.label_id) if said and said.label_id else None,
        confidence=said.confidence if said else 0.0,
        is_unsure=said is not None and said.margin < UNSURE_MARGIN,
        is_from_grid=getattr(sample, "reason", None) == PickedBy.GRID,
    )
