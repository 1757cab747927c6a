"""Plots as geometry: what a template draws as SVG, in the units of its view box. No colours, no words of style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

WIDTH, HEIGHT = 380.0, 190.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 8.0, 12.0, 24.0
N_X_TICKS = 4
NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Tick:
    """A word beside an axis, and where."""

    at: float
    text: str


@dataclass(frozen=True)
class Block:
    """A part of a column; `kind` says which series it is of."""

    kind: str
    top: float
    height: float


@dataclass(frozen=True)
class Column:
    """One stretch of time: where it is, what lies behind it, and what it holds."""

    left: float
    width: float
    href: str
    text: str
    blocks: tuple[Block, ...] = ()
    dots: tuple[tuple[str, float], ...] = ()

    @property
    def middle(self) -> float:
        return self.left + self.width / 2


@dataclass(frozen=True)
class Line:
    """The points of a series that follow one another, as `points` of polylines: it is broken where there is nothing."""

    kind: str
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class Key:
    """What a series is called; a label's own colour is its number."""

    kind: str
    text: str


@dataclass(frozen=True)
class Plot:
    """One plot with the table that says the same."""

    name: str
    title: str
    text: str
    columns: tuple[Column, ...]
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...] = ()
    keys: tuple[Key, ...] = ()
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, str, tuple[str, ...]], ...] = field(default_factory=tuple)
    width: float = WIDTH
    height: float = HEIGHT
    left: float = LEFT
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM


@dataclass(frozen=True)
class Place:
    """One stretch of time as words: its name on the axis, in full, and where its calls are."""

    short: str
    long: str
    href: str


@dataclass(frozen=True)
class Series:
    """A value for each stretch, None where there is none."""

    kind: str
    text: str
    values: Sequence[float | None]


def bars(
    name: str, title: str, places: Sequence[Place], stacked: Sequence[Series], *, said: Say, top: float | None = None
) -> Plot:
    """Return columns in which the series stand upon one another, from 0 to `top`, or to what they reach."""
    totals = [sum(series.values[i] or 0.0 for series in stacked) for i in range(len(places))]
    end = top or _nice_top(max(totals, default=0.0))
    columns = []
    for i, place in enumerate(places):
        blocks, foot = [], 0.0
        for series in stacked:
            value = series.values[i] or 0.0
            if value > 0:
                high, low = _y(foot + value, end), _y(foot, end)
                blocks.append(Block(series.kind, high, low - high))
            foot += value
        columns.append(_column(i, len(places), place, stacked, said, blocks=tuple(blocks)))
    return _plot(name, title, places, stacked, columns, end, said)


def lines(
    name: str, title: str, places: Sequence[Place], series: Sequence[Series], *, said: Say, top: float | None = None
) -> Plot:
    """Return series as lines, from 0 to `top`, or to what they reach."""
    reached = max((value for one in series for value in one.values if value is not None), default=0.0)
    end = top or _nice_top(reached)
    columns = [
        _column(
            i,
            len(places),
            place,
            series,
            said,
            dots=tuple((one.kind, _y(value, end)) for one in series if (value := one.values[i]) is not None),
        )
        for i, place in enumerate(places)
    ]
    drawn = tuple(Line(one.kind, _pieces(one.values, columns, end)) for one in series)
    return _plot(name, title, places, series, columns, end, said, drawn)


Say = Callable[[float], str]


def _plot(
    name: str,
    title: str,
    places: Sequence[Place],
    series: Sequence[Series],
    columns: Sequence[Column],
    top: float,
    said: Say,
    drawn: tuple[Line, ...] = (),
) -> Plot:
    y_ticks = tuple(Tick(_y(top * share, top), said(top * share)) for share in (0.0, 0.5, 1.0))
    every = max(1, len(places) // N_X_TICKS)
    x_ticks = tuple(Tick(columns[i].middle, places[i].short) for i in range(every // 2, len(places), every))
    rows = tuple(
        (place.long, place.href, tuple("–" if (v := one.values[i]) is None else said(v) for one in series))
        for i, place in enumerate(places)
        if any(one.values[i] for one in series)
    )
    keys = tuple(Key(one.kind, one.text) for one in series)
    heads = tuple(one.text for one in series)
    return Plot(name, title, _in_words(series, said), tuple(columns), y_ticks, x_ticks, drawn, keys, heads, rows)


def _in_words(series: Sequence[Series], said: Say) -> str:
    """What the plot shows to who does not see it."""
    sentences = []
    for one in series:
        there = [value for value in one.values if value is not None]
        if there:
            sentences.append(f"{one.text}: from {said(min(there))} to {said(max(there))}, last {said(there[-1])}.")
    return " ".join(sentences) or "Nothing yet."


def _column(
    i: int,
    n: int,
    place: Place,
    series: Sequence[Series],
    said: Say,
    *,
    blocks: tuple[Block, ...] = (),
    dots: tuple[tuple[str, float], ...] = (),
) -> Column:
    width = (WIDTH - LEFT - RIGHT) / n
    values = [f"{one.text} {said(value)}" for one in series if (value := one.values[i]) is not None]
    return Column(LEFT + i * width, width, place.href, f"{place.long}: {', '.join(values) or 'none'}", blocks, dots)


def _pieces(values: Sequence[float | None], columns: Sequence[Column], top: float) -> tuple[str, ...]:
    pieces: list[list[str]] = [[]]
    for value, column in zip(values, columns, strict=True):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{column.middle:.1f},{_y(value, top):.1f}")
    return tuple(" ".join(piece) for piece in pieces if len(piece) > 1)


def _y(value: float, top: float) -> float:
    bottom = HEIGHT - BOTTOM
    return bottom - (bottom - TOP) * min(value / top, 1.0)


def _nice_top(value: float) -> float:
    """Return the next round number that is as large; an axis of nothing goes to 1."""
    if value <= 0:
        return 1.0
    unit = 1.0
    while unit * 10 <= value:
        unit *= 10
    while unit > value:
        unit /= 10
    return next(unit * nice for nice in NICE if unit * nice >= value)
