"""One page of the samples of a function that gives tags, with the tags on each and those a model said."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import Q, QuerySet
from django.db.models.functions import Left

from apps.engine.types import BoolArray, IntArray
from apps.functions.models import Function, Label
from apps.review.filters import SampleFilter, Tab, Verdict
from apps.review.selectors.samples import (
    EXCERPT_CHARS,
    KINDS,
    PER_PAGE,
    SUREST_FIRST,
    SamplesPage,
    Shown,
    found,
    n_pages_of,
)
from apps.review.selectors.tag_table import UNSURE_MARGIN, TagTable, tag_table
from apps.samples.models import PickedBy, Sample
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.training.selectors import EVEN, judging_model, tag_thresholds, tags_said


@dataclass(frozen=True)
class TagRow(Shown):
    """A sample, the tags on it (`tags`, None where nobody said), and those a model said (`said`, None likewise).

    `missed` are on it and were not said, `false_alarms` the other way round; tags nobody was asked about are neither.
    `known` are the labels the model told of, by public id: taking its word over says no more than that.
    """

    tags: tuple[Label, ...] | None
    said: tuple[Label, ...] | None
    missed: tuple[Label, ...]
    false_alarms: tuple[Label, ...]
    known: tuple[str, ...]

    @property
    def verdict(self) -> Verdict | None:
        """Right, wrong, waiting or never judged; None for a sample nobody has tagged."""
        if self.tags is None:
            return None
        if self.said is None:
            return Verdict.WAITING
        if self.is_from_grid:
            return Verdict.GRID
        return Verdict.WRONG if self.missed or self.false_alarms else Verdict.RIGHT

    @property
    def may_be_as_said(self) -> bool:
        """Whether taking the model's word over would change anything."""
        return self.said is not None and self.verdict is not Verdict.RIGHT


def tag_samples_page(function: Function, labels: Sequence[Label], chosen: SampleFilter) -> SamplesPage:
    """Return the page asked for, or the last one where there are fewer by now."""
    if chosen.tab is Tab.UNLABELLED:
        return _unlabelled_page(function, labels, chosen)
    table = tag_table(function, labels)
    passes = table.matching(chosen)
    if chosen.search:
        keys = Sample.objects.filter(found(chosen, ""), function=function).values_list("pk", flat=True)
        passes &= np.isin(table.sample_ids, list(keys))
    chosen, start = _at_page(chosen, n_total := int(passes.sum()))
    keys_in_view = [int(key) for key in _in_order(table, passes, chosen)[start : start + PER_PAGE]]
    return SamplesPage(_rows(function, keys_in_view, labels, Tab.LABELLED), chosen, n_total, labels)


def tag_row_of(sample: Sample, labels: Sequence[Label]) -> TagRow:
    """Return one sample's row as its own page would show it."""
    tab = Tab.LABELLED if sample.annotation_id else Tab.UNLABELLED
    return _rows(sample.function, [sample.pk], labels, tab)[0]


def _in_order(table: TagTable, passes: BoolArray, chosen: SampleFilter) -> IntArray:
    """As with one label: by how near the nearest tag is to its threshold, or the newest first."""
    keys, margins = table.sample_ids[passes], table.margins[passes]
    if chosen.predicted or chosen.verdict not in {None, Verdict.WAITING}:
        ordered: IntArray = keys[np.lexsort((keys, -margins if chosen.verdict in SUREST_FIRST else margins))]
        return ordered
    return keys[::-1]


def _unlabelled_page(function: Function, labels: Sequence[Label], chosen: SampleFilter) -> SamplesPage:
    keys = _said_so(function, chosen.predicted, chosen) if chosen.predicted else _untagged(function, chosen)
    chosen, start = _at_page(chosen, n_total := keys.count())
    page = list(keys[start : start + PER_PAGE]) if n_total else []
    return SamplesPage(_rows(function, page, labels, Tab.UNLABELLED), chosen, n_total, labels)


def _untagged(function: Function, chosen: SampleFilter) -> QuerySet[Sample | Prediction, int]:
    samples = Sample.objects.filter(found(chosen, ""), function=function, annotation=None)
    return samples.order_by("-id").values_list("pk", flat=True)


def _said_so(function: Function, label: Label, chosen: SampleFilter) -> QuerySet[Sample | Prediction, int]:
    """Samples without an answer of which the model says that this tag is on them, the doubtful ones first."""
    threshold = _thresholds(function).get(label.public_id, EVEN)
    says = Q(**{f"tags__{label.public_id}__gte": threshold}) & found(chosen, "sample__")
    rows = Prediction.objects.filter(says, function=function, kind=PredictionKind.LIVE, sample__annotation=None)
    return rows.order_by("margin", "sample_id").values_list("sample_id", flat=True)


def _thresholds(function: Function) -> dict[str, float]:
    return tag_thresholds(TrainedModel.objects.filter(function=function, is_live=True).first())


def _at_page(chosen: SampleFilter, n_total: int) -> tuple[SampleFilter, int]:
    chosen = chosen.at_page(min(chosen.page, n_pages_of(n_total)))
    return chosen, (chosen.page - 1) * PER_PAGE


def _rows(function: Function, keys: list[int], labels: Sequence[Label], tab: Tab) -> tuple[TagRow, ...]:
    samples = Sample.objects.filter(pk__in=keys).defer("text").select_related("annotation")
    by_key = {sample.pk: sample for sample in samples.annotate(excerpt=Left("text", EXCERPT_CHARS))}
    said = {row.sample_id: row for row in Prediction.objects.filter(sample__in=keys, kind=KINDS[tab])}
    thresholds = _thresholds(function) if tab is Tab.UNLABELLED else tag_thresholds(judging_model(function))
    by_public_id = {label.public_id: label for label in labels}
    return tuple(_row(by_key[key], said.get(key), by_public_id, thresholds) for key in keys if key in by_key)


def _row(
    sample: Sample, said: Prediction | None, labels: Mapping[str, Label], thresholds: Mapping[str, float]
) -> TagRow:
    truth = sample.annotation.tags if sample.annotation else None
    probs = said.tags if said else None
    there = {public_id for public_id in tags_said(probs, thresholds) if public_id in labels}
    on_it = {public_id for public_id, is_present in (truth or {}).items() if is_present}
    off_it = (truth or {}).keys() - on_it

    def named(public_ids: Collection[str]) -> tuple[Label, ...]:
        return tuple(label for public_id, label in labels.items() if public_id in public_ids)

    return TagRow(
        sample=sample,
        excerpt=getattr(sample, "excerpt", ""),
        tags=None if truth is None else named(on_it),
        said=None if probs is None else named(there),
        missed=named(on_it - there),
        false_alarms=named(there & off_it),
        known=tuple(public_id for public_id in probs or {} if public_id in labels),
        confidence=said.confidence if said else 0.0,
        is_unsure=said is not None and said.margin < UNSURE_MARGIN,
        is_from_grid=sample.annotation is not None and sample.annotation.picked_by == PickedBy.GRID,
    )
