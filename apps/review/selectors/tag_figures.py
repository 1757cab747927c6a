"""How well a function that gives tags does: a sample is right when all its tags are as said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apps.engine.types import BoolArray
from apps.functions.models import Function, Label
from apps.review.filters import SampleFilter, Verdict
from apps.review.selectors.figures import MIN_RANDOM, Basis, Figures, LabelLine
from apps.review.selectors.tag_table import ABSENT, THERE, TagTable, tag_table


class TagLine(LabelLine):
    """One tag: of the `n` judged samples it is on, it was said of `n_caught`, and of `n_false_alarms` it is not on."""

    @property
    def caught_filter(self) -> SampleFilter:
        return SampleFilter(label=self.label, predicted=self.label)

    @property
    def false_alarms_filter(self) -> SampleFilter:
        return SampleFilter(predicted=self.label, without=self.label)


def tag_figures(function: Function, labels: Sequence[Label]) -> Figures:
    """Return the figures of a function that gives tags; `labels` are its labels in use."""
    table = tag_table(function, labels)
    judged, right, unsure = table.is_judged, table.is_right, table.is_unsure
    drawn = judged & table.is_random
    basis, chosen = (Basis.RANDOM, drawn) if drawn.sum() >= MIN_RANDOM else (Basis.EVERYTHING, judged)
    n_basis, n_basis_right = _n(chosen), _n(chosen & right)
    commonest, n_commonest = _commonest(table, chosen)
    return Figures(
        n_labelled=len(table.sample_ids),
        n_judged=_n(judged),
        n_from_grid=_n(table.is_verdict(Verdict.GRID)),
        n_right=_n(right),
        n_right_unsure=_n(right & unsure),
        n_wrong_unsure=_n(judged & ~right & unsure),
        n_random=_n(drawn),
        basis=basis,
        n_basis=n_basis,
        n_basis_right=n_basis_right,
        majority_share=n_commonest / n_basis if n_basis else 0.0,
        majority_label=commonest[0] if len(commonest) == 1 else None,
        majority_tags=commonest if n_basis else None,
        lines=tuple(_line(table, label) for label in labels),
    )


def _n(mask: BoolArray) -> int:
    return int(mask.sum())


def _commonest(table: TagTable, chosen: BoolArray) -> tuple[tuple[Label, ...], int]:
    """Return the set of tags that most of the chosen samples have, and of how many it is exactly right."""
    there = table.truth[chosen] == THERE
    if not len(there):
        return (), 0
    sets, counts = np.unique(there, axis=0, return_counts=True)
    most = int(counts.argmax())
    return tuple(label for label, is_there in zip(table.labels, sets[most], strict=True) if is_there), int(counts[most])


def _line(table: TagTable, label: Label) -> TagLine:
    there = table.is_judged & table.has(label, THERE)
    said = table.is_judged & table.says(label)
    return TagLine(
        label=label,
        n=_n(there),
        n_caught=_n(there & said),
        n_false_alarms=_n(said & table.has(label, ABSENT)),
    )
