"""What to expect of samples nobody has seen: the estimate kept with the model that judged the labelled ones, in words.

And which answers need no person, at each share right one may want to promise.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from apps.core.templatetags.numbers import percent
from apps.engine.automation import TARGETS
from apps.engine.estimates import MIN_PER_LABEL, Basis
from apps.functions.models import Function, Label
from apps.review.selectors.figures import Figures
from apps.training.models import TrainedModel
from apps.training.outlook import HARDLY
from apps.training.selectors import judging_model

MOST_NAMED = 3


@dataclass(frozen=True)
class Lacking:
    """A label with too few samples for an estimate, and how many more it takes."""

    label: Label
    n: int


@dataclass(frozen=True)
class Expectation:
    """The share right to expect of new samples, in an interval that holds nine times in ten.

    Where it is too early, `lacking` says what to label; `n_lacking` more labels lack samples than are named.
    """

    value: float
    low: float
    high: float
    n: int
    n_random: int
    is_weighted: bool
    is_early: bool
    majority: float
    lacking: tuple[Lacking, ...]
    n_lacking: int
    n_more: int | None
    value_then: float
    low_then: float
    high_then: float

    @property
    def range_start(self) -> float:
        """Where the interval begins on the bar, in percent of its length."""
        return 100 * self.low

    @property
    def range_width(self) -> float:
        return 100 * (self.high - self.low)

    @property
    def hardly_grows(self) -> bool:
        return self.value_then - self.value < HARDLY


@dataclass(frozen=True)
class Stop:
    """One place of the slider: the share right it promises, and what that takes."""

    target: float
    threshold: float | None
    share: float

    @property
    def is_promised(self) -> bool:
        return self.threshold is not None

    @property
    def sentence(self) -> str:
        right = f"{100 * self.target:g}%"
        if not self.is_promised:
            return f"{right} right cannot be promised yet: every answer goes to a person."
        if self.share >= 1:
            return f"Automate everything at {right} right."
        return f"Automate {percent(self.share)} at {right} right; {percent(1 - self.share)} go to a person."

    @property
    def percent_automated(self) -> float:
        return 100 * self.share


@dataclass(frozen=True)
class Automation:
    """The places of the slider, and the one it stands at."""

    stops: tuple[Stop, ...]
    place: int
    model: TrainedModel

    @property
    def stop(self) -> Stop:
        return self.stops[self.place]

    @property
    def promises_anything(self) -> bool:
        return any(stop.is_promised for stop in self.stops)

    @property
    def in_json(self) -> str:
        """What the page's script needs to follow the slider without asking."""
        return json.dumps([{"sentence": stop.sentence, "percent": stop.percent_automated} for stop in self.stops])


def expectation(function: Function, figures: Figures) -> Expectation | None:
    """Return what to expect, or None where no model has been judged yet."""
    model = judging_model(function)
    accuracy = model.figures.get("accuracy") if model else None
    if model is None or accuracy is None or not figures.n_judged:
        return None
    lacking = [Lacking(line.label, MIN_PER_LABEL - line.n) for line in figures.lines if line.n < MIN_PER_LABEL]
    forecast = model.figures.get("forecast") or {}
    return Expectation(
        value=accuracy["value"],
        low=accuracy["low"],
        high=accuracy["high"],
        n=accuracy["n"],
        n_random=accuracy["n_random"],
        is_weighted=accuracy["basis"] == Basis.WEIGHTED,
        is_early=bool(accuracy["is_early"]),
        majority=accuracy["majority"],
        lacking=tuple(lacking[:MOST_NAMED]),
        n_lacking=max(0, len(lacking) - MOST_NAMED),
        n_more=forecast.get("n_more"),
        value_then=forecast.get("value", 0.0),
        low_then=forecast.get("low", 0.0),
        high_then=forecast.get("high", 0.0),
    )


def automation(function: Function) -> Automation | None:
    """Return the slider of the model that answers, or None where there is none with figures."""
    model = TrainedModel.objects.filter(function=function, is_live=True).first()
    options = model.figures.get("automation") if model else None
    if model is None or not options:
        return None
    stops = tuple(Stop(option["target"], option["threshold"], option["share"]) for option in options)
    return Automation(stops, place_of(function.automation_target, tuple(stop.target for stop in stops)), model)


def place_of(target: float, targets: tuple[float, ...] = TARGETS) -> int:
    """Return the place of the slider that promises at least this much; the last one where none does."""
    return next((i for i, one in enumerate(targets) if one >= target - 1e-9), len(targets) - 1)
