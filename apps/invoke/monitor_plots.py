"""The plots of the monitor page: what is drawn of a function's calls, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode

from django.urls import reverse

from apps.core.templatetags.numbers import percent
from apps.functions.models import Function, Label
from apps.invoke.monitor_selectors import Stretch, shares_of
from apps.invoke.plots import Place, Plot, Series, bars, lines

DAY = timedelta(days=1)
MOST_LABELS = 6
OTHERS = "other"


def plots_of(function: Function, found: Sequence[Stretch], labels: Sequence[Label]) -> list[Plot]:
    """Return the plots, from what happens to how well it goes; of a function without labels fewer."""
    answered = [float(stretch.tally.n_answered) for stretch in found]
    errors = [float(stretch.tally.n_errors) for stretch in found]
    drawn = [
        bars(
            "calls",
            "Calls",
            _places(function, found),
            [Series("answered", "Answered", answered), Series("failed", "Not answered", errors)],
            said=_count,
        ),
        lines(
            "time",
            "How long an answer takes",
            _places(function, found),
            [
                Series("most", "95 of 100 within", [stretch.tally.milliseconds_at(0.95) for stretch in found]),
                Series("half", "Half within", [stretch.tally.milliseconds_at(0.5) for stretch in found]),
            ],
            said=milliseconds,
        ),
    ]
    if function.searches:
        return drawn
    return [*drawn, _sureness(function, found), _labels(function, found, labels), _reviewed(function, found)]


def milliseconds(value: float) -> str:
    """Say a time as a person would."""
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 10 or value == 0 else f"{value:.1f} ms"


def calls_url(function: Function, **asked: str) -> str:
    """Return the page that lists calls."""
    return f"{reverse('invoke:calls_page', args=[function.public_id])}?{urlencode(asked)}"


def _sureness(function: Function, found: Sequence[Stretch]) -> Plot:
    series = [
        Series("half", "Half at least", [stretch.tally.confidence_at(0.5) for stretch in found]),
        Series("most", "9 of 10 at least", [stretch.tally.confidence_at(0.1) for stretch in found]),
    ]
    return lines("sureness", "How sure its answers are", _places(function, found), series, said=percent, top=1.0)


def _labels(function: Function, found: Sequence[Stretch], labels: Sequence[Label]) -> Plot:
    shown = list(labels)[:MOST_LABELS]
    counted = [shares_of(stretch.tally, shown) for stretch in found]
    totals = [max(stretch.tally.n_answered, 1) for stretch in found]

    def shares(key: str) -> list[float | None]:
        return [
            counts[key] / n if stretch.tally.n_answered else None
            for stretch, counts, n in zip(found, counted, totals, strict=True)
        ]

    series = [Series(f"label-{label.colour}", label.name, shares(label.public_id)) for label in shown]
    rest = shares("")
    if any(rest):
        series.append(Series(OTHERS, "All others", rest))
    return bars("labels", "What it answers", _places(function, found), series, said=percent, top=1.0)


def _reviewed(function: Function, found: Sequence[Stretch]) -> Plot:
    series = [Series("half", "Sent to a person", [stretch.review_share for stretch in found])]
    places = _places(function, found, only="review")
    return lines("review", "How many a person should look at", places, series, said=percent, top=1.0)


def _places(function: Function, found: Sequence[Stretch], **also: str) -> list[Place]:
    return [_place(function, stretch, also) for stretch in found]


def _place(function: Function, stretch: Stretch, also: dict[str, str]) -> Place:
    is_days = stretch.end - stretch.start >= DAY
    short = (
        f"{stretch.start:%H:%M}"
        if stretch.end - stretch.start < timedelta(hours=6)
        else f"{stretch.start.day} {stretch.start:%b}"
    )
    long = (
        f"{stretch.start.day} {stretch.start:%b}"
        if is_days
        else f"{stretch.start.day} {stretch.start:%b, %H:%M} to {stretch.end:%H:%M}"
    )
    href = calls_url(function, **{"from": stretch.start.isoformat(), "to": stretch.end.isoformat()}, **also)
    return Place(short, long, href)


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"
