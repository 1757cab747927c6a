"""How well a function does on its owner's own samples, said in counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from apps.functions.models import Function, Label
from apps.review.filters import SampleFilter, Verdict
from apps.review.selectors.counts import Cell, cells_of, total

MIN_RANDOM = 20
"""With fewer samples drawn at random their commonest label would say little; then it is taken over all."""
LINES_AT_ONCE = 12


class Basis(StrEnum):
    """Which samples the commonest label was counted on."""

    RANDOM = "random"
    EVERYTHING = "everything"


@dataclass(frozen=True)
class Segment:
    """A stretch of the bar, in percent of its length."""

    name: str
    title: str
    n: int
    start: float
    width: float


@dataclass(frozen=True)
class LabelLine:
    """One label: of its `n` judged samples `n_caught` were recognised, and `n_false_alarms` others were taken for it.

    The filters lead to exactly the samples counted.
    """

    label: Label
    n: int
    n_caught: int
    n_false_alarms: int

    @property
    def percent_caught(self) -> float:
        return 100 * self.n_caught / self.n if self.n else 0.0

    @property
    def all_filter(self) -> SampleFilter:
        return SampleFilter(label=self.label, verdict=Verdict.JUDGED)

    @property
    def caught_filter(self) -> SampleFilter:
        return SampleFilter(label=self.label, verdict=Verdict.RIGHT)

    @property
    def false_alarms_filter(self) -> SampleFilter:
        return SampleFilter(predicted=self.label, verdict=Verdict.WRONG)


@dataclass(frozen=True)
class Figures:
    """Figures of one function. Right and wrong add up to judged; unsure ones are some of both.

    What is labelled is judged, waiting for a model to say anything, or accepted in the grid, which is never judged.

    `majority_share` and `majority_label` come from the same samples: those drawn at random (`basis`), or all judged
    ones where too few were. Where the function gives tags, `majority_tags` is the commonest set of them.
    """

    n_labelled: int
    n_judged: int
    n_from_grid: int
    n_right: int
    n_right_unsure: int
    n_wrong_unsure: int
    n_random: int
    basis: Basis
    n_basis: int
    n_basis_right: int
    majority_share: float
    majority_label: Label | None
    lines: tuple[LabelLine, ...]
    majority_tags: tuple[Label, ...] | None = None

    @property
    def n_wrong(self) -> int:
        return self.n_judged - self.n_right

    @property
    def n_unsure(self) -> int:
        return self.n_right_unsure + self.n_wrong_unsure

    @property
    def n_waiting(self) -> int:
        return self.n_labelled - self.n_judged - self.n_from_grid

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The bar from sure and right to sure and wrong; what is unsure lies in the middle."""
        parts = (
            ("right", "right", self.n_right - self.n_right_unsure),
            ("right-unsure", "right, but unsure", self.n_right_unsure),
            ("wrong-unsure", "wrong, and unsure", self.n_wrong_unsure),
            ("wrong", "wrong", self.n_wrong - self.n_wrong_unsure),
        )
        segments, start = [], 0.0
        for name, title, n in parts:
            width = 100 * n / self.n_judged if self.n_judged else 0.0
            segments.append(Segment(name, title, n, start, width))
            start += width
        return tuple(segments)

    @property
    def majority_percent(self) -> float:
        return 100 * self.majority_share

    @property
    def first_lines(self) -> tuple[LabelLine, ...]:
        return self.lines[:LINES_AT_ONCE]

    @property
    def more_lines(self) -> tuple[LabelLine, ...]:
        return self.lines[LINES_AT_ONCE:]


def label_figures(function: Function, in_use: Sequence[Label]) -> Figures:
    """Return the figures of a function that gives one label a sample."""
    cells = cells_of(function, [label.pk for label in in_use])
    judged = [cell for cell in cells if cell.is_judged]
    right = [cell for cell in judged if cell.is_right]
    basis, chosen = _basis(judged)
    counts = _by_label(chosen)
    n_basis, n_basis_right = total(chosen), total(cell for cell in chosen if cell.is_right)
    commonest = max(in_use, key=lambda label: counts[label.pk], default=None) if n_basis else None
    return Figures(
        n_labelled=total(cells),
        n_judged=total(judged),
        n_from_grid=total(cell for cell in cells if cell.is_verdict(Verdict.GRID)),
        n_right=total(right),
        n_right_unsure=total(cell for cell in right if cell.is_unsure),
        n_wrong_unsure=total(cell for cell in judged if cell.is_unsure and not cell.is_right),
        n_random=total(cell for cell in judged if cell.is_random),
        basis=basis,
        n_basis=n_basis,
        n_basis_right=n_basis_right,
        majority_share=counts[commonest.pk] / n_basis if commonest else 0.0,
        majority_label=commonest,
        lines=tuple(_line(label, judged) for label in in_use),
    )


def _basis(judged: list[Cell]) -> tuple[Basis, list[Cell]]:
    drawn = [cell for cell in judged if cell.is_random]
    return (Basis.RANDOM, drawn) if total(drawn) >= MIN_RANDOM else (Basis.EVERYTHING, judged)


def _by_label(cells: Iterable[Cell]) -> Counter[int]:
    counts: Counter[int] = Counter()
    for cell in cells:
        counts[cell.label] += cell.n
    return counts


def _line(label: Label, judged: list[Cell]) -> LabelLine:
    own = [cell for cell in judged if cell.label == label.pk]
    return LabelLine(
        label=label,
        n=total(own),
        n_caught=total(cell for cell in own if cell.is_right),
        n_false_alarms=total(cell for cell in judged if cell.predicted == label.pk and not cell.is_right),
    )
