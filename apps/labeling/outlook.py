"""How the labelling goes, label by label, and how the share right has grown: what unfolds on the label page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.functions.models import Function, Label
from apps.functions.selectors import label_lines
from apps.training.outlook import Outlook, Point, curve_of, outlook_of
from apps.training.selectors import judging_model

FEW = 10
"""Below so many samples of a label nothing is promised about it (`apps.engine.estimates.MIN_PER_LABEL`)."""
WIDTH, HEIGHT = 300, 100


@dataclass(frozen=True)
class Bar:
    """One label: how many samples carry it, and that in percent of the commonest one."""

    label: Label
    n: int
    percent: float

    @property
    def n_missing(self) -> int:
        return max(0, FEW - self.n)


@dataclass(frozen=True)
class Curve:
    """The share right by number of labels, as a drawing `WIDTH` by `HEIGHT`: what was, and what is expected.

    `floor` is the share right at its lower edge; the upper one is all right.
    """

    first: Point
    last: Point
    line: str
    ahead: str
    band: str
    floor: float
    n_end: int


@dataclass(frozen=True)
class Going:
    bars: tuple[Bar, ...]
    outlook: Outlook | None
    curve: Curve | None

    @property
    def lacking(self) -> tuple[Bar, ...]:
        return tuple(bar for bar in self.bars if bar.n_missing)


def going(function: Function) -> Going:
    """Four small queries, one of which counts samples by label."""
    lines = label_lines(function)
    most = max((line.n_samples for line in lines), default=0) or 1
    outlook = outlook_of(judging_model(function))
    return Going(
        bars=tuple(Bar(line.label, line.n_samples, 100 * line.n_samples / most) for line in lines),
        outlook=outlook,
        curve=_drawn(curve_of(function), outlook),
    )


def _drawn(points: Sequence[Point], outlook: Outlook | None) -> Curve | None:
    """Two points make a line; fewer say nothing."""
    if len(points) < 2:
        return None
    first, last = points[0], points[-1]
    n_end = last.n + (outlook.n_more if outlook else 0)
    values = [point.value for point in points] + ([outlook.low_then, outlook.low] if outlook else [])
    floor = max(0.0, int(10 * min(values)) / 10 - 0.1)

    def at(n: int, value: float) -> str:
        x = WIDTH * (n - first.n) / max(1, n_end - first.n)
        return f"{x:.1f},{HEIGHT * (1 - value) / (1 - floor):.1f}"

    now = at(last.n, last.value)
    ahead = f"{now} {at(n_end, outlook.value_then)}" if outlook else ""
    band = f"{now} {at(n_end, outlook.high_then)} {at(n_end, outlook.low_then)}" if outlook else ""
    return Curve(first, last, " ".join(at(point.n, point.value) for point in points), ahead, band, floor, n_end)
