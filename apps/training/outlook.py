"""What is expected of new samples, what more labels would bring, and whether it is time to stop.

Read from what was kept with the models; nothing is computed here.
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.functions.models import Function
from apps.training.models import TrainedModel

HARDLY = 0.015
"""A forecast this near to today's figure is said as: hardly anything. It is held to be sure within 0.01 either way
(`apps.engine.forecast.GAIN_ERROR`, in proportion): the gain is about as large as what is not known about it."""
MOST_POINTS = 200


@dataclass(frozen=True)
class Outlook:
    """The share right expected now, between `low` and `high` nine times in ten, and with `n_more` labels more."""

    value: float
    low: float
    high: float
    n_more: int
    value_then: float
    low_then: float
    high_then: float

    @property
    def hardly_grows(self) -> bool:
        return self.value_then - self.value < HARDLY


@dataclass(frozen=True)
class Point:
    """What was expected when so many labels had been learned from."""

    n: int
    value: float


def outlook_of(model: TrainedModel | None) -> Outlook | None:
    """Return what was estimated with a model; None where it is too early, or no forecast could be made."""
    figures = model.figures if model else {}
    accuracy, forecast = figures.get("accuracy"), figures.get("forecast")
    if not accuracy or not forecast or accuracy["is_early"]:
        return None
    return Outlook(
        value=accuracy["value"],
        low=accuracy["low"],
        high=accuracy["high"],
        n_more=forecast["n_more"],
        value_then=forecast["value"],
        low_then=forecast["low"],
        high_then=forecast["high"],
    )


def curve_of(function: Function) -> list[Point]:
    """Return what each published model was expected to do, by how much it had learned; the newest of the same number.

    One query over the newest models; those for which it was too early are left out.
    """
    rows = (
        TrainedModel.objects.filter(function=function, figures__accuracy__is_early=False)
        .exclude(published_at=None)
        .order_by("-number")
        .values_list("n_annotations", "figures__accuracy__value")[:MOST_POINTS]
    )
    newest: dict[int, float] = {}
    for n, value in rows:
        newest.setdefault(n, value)
    return [Point(n, value) for n, value in sorted(newest.items())]
