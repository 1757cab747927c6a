"""How well a function does on one slice of its samples, counted and, where there are enough, with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from django.db.models import BooleanField, Case, Count, F, Q, Value, When

from apps.engine import estimates
from apps.engine.estimates import HeldOut
from apps.engine.types import BoolArray
from apps.functions.models import Function, Label, OutputKind
from apps.review.filters import SampleFilter, Tab, Verdict
from apps.review.models import Slice
from apps.review.selectors.counts import DRAWN_AT_RANDOM
from apps.review.selectors.home import n_matching
from apps.review.selectors.samples import said_of_matching
from apps.review.selectors.tag_samples import tag_matches
from apps.review.selectors.tag_table import tag_table

ENOUGH = 20
"""Judged samples below which an interval would say nothing but that it is too early."""


@dataclass(frozen=True)
class SliceFigures:
    """`n` samples in it, `n_right` of the `n_judged` labelled ones right; `low` to `high` is where new ones lie.

    One that asks for a verdict, or for samples without a label, has no accuracy: `n_judged` is 0.
    """

    filter: SampleFilter
    n: int
    n_judged: int = 0
    n_right: int = 0
    low: float | None = None
    high: float | None = None

    @property
    def judged_filter(self) -> SampleFilter:
        return replace(self.filter, verdict=Verdict.JUDGED)

    @property
    def right_filter(self) -> SampleFilter:
        return replace(self.filter, verdict=Verdict.RIGHT)

    @property
    def percent_right(self) -> float:
        return 100 * self.n_right / self.n_judged if self.n_judged else 0.0


def slices_of(function: Function) -> list[Slice]:
    return list(Slice.objects.filter(function=function).select_related("person").order_by("name", "pk"))


def slice_figures(function: Function, labels: Sequence[Label], chosen: SampleFilter) -> SliceFigures:
    """Return the figures of the samples that pass the filter; `labels` are the function's in use."""
    chosen = chosen.whole
    n = n_matching(function, labels, chosen)
    if chosen.tab is Tab.UNLABELLED or chosen.verdict:
        return SliceFigures(chosen, n)
    held_out = _held_out(function, labels, replace(chosen, verdict=Verdict.JUDGED))
    n_judged, n_right = len(held_out.is_right), int(held_out.is_right.sum())
    if n_judged < ENOUGH:
        return SliceFigures(chosen, n, n_judged, n_right)
    estimate = estimates.accuracy(held_out)
    return SliceFigures(chosen, n, n_judged, n_right, estimate.low, estimate.high)


def _held_out(function: Function, labels: Sequence[Label], judged: SampleFilter) -> HeldOut:
    if function.output_kind == OutputKind.TAGS:
        table = tag_table(function, labels)
        passes = tag_matches(function, table, judged)
        return _known(table.is_right[passes], table.is_random[passes])
    rows = said_of_matching(function, [label.pk for label in labels], judged).order_by()
    counted = (
        rows.annotate(
            is_right=_flag(Q(label=F("sample__label"))),
            is_random=_flag(Q(sample__annotation__picked_by__in=DRAWN_AT_RANDOM)),
        )
        .values_list("is_right", "is_random")
        .annotate(n=Count("pk"))
    )
    found = list(counted)
    n_of = [n for _is_right, _is_random, n in found]
    right, random = ([row[column] for row in found] for column in (0, 1))
    return _known(np.repeat(np.array(right, dtype=bool), n_of), np.repeat(np.array(random, dtype=bool), n_of))


def _known(is_right: BoolArray, is_random: BoolArray) -> HeldOut:
    """Judged samples, and others of which nothing is known: then those drawn at random speak for all."""
    share = float(is_right.mean()) if len(is_right) else 0.5
    confidence = np.full(len(is_right), share)
    return HeldOut(confidence, is_right, is_random, pool=np.zeros(0), n_pool=1)


def _flag(condition: Q) -> Case:
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())
