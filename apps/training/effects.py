"""What correcting labels did to the accuracy: the model before beside the one that learned from it."""

from __future__ import annotations

from dataclasses import dataclass

from apps.functions.models import Function
from apps.training.models import TrainedModel


@dataclass(frozen=True)
class Tally:
    """One model held out: right on `n_right` of the `n` samples that count."""

    number: int
    n_right: int
    n: int

    @property
    def share(self) -> float:
        return self.n_right / self.n if self.n else 0.0


@dataclass(frozen=True)
class FixEffect:
    """The figures before a fix, and after it; `after` is None while no model has learned from it."""

    before: Tally
    after: Tally | None

    @property
    def is_waiting(self) -> bool:
        return self.after is None

    @property
    def gain(self) -> float:
        """By how much the share right rose, in [-1, 1]; 0 while waiting."""
        return self.after.share - self.before.share if self.after else 0.0

    @property
    def sentence(self) -> str:
        """What to say of it, in plain words."""
        if self.after is None:
            return "It is learning from your changes now."
        was, now = (f"{tally.n_right} of {tally.n} right" for tally in (self.before, self.after))
        if was == now:
            return f"Still {now} on samples it never saw."
        return f"{was} before, {now} now, on samples it never saw."


def fix_effect(function: Function, since_revision: int) -> FixEffect | None:
    """Return what came of all changes since the function's data had this revision; None if no model was there then.

    Whoever shows it notes `Function.data_revision` before the first fix of a sitting. Two small queries.
    """
    published = TrainedModel.objects.filter(function=function).exclude(published_at=None).order_by("-number")
    before = published.filter(data_revision__lte=since_revision).first()
    after = published.filter(data_revision__gt=since_revision).first()
    if before is None:
        return None
    return FixEffect(_tally(before), _tally(after) if after else None)


def _tally(model: TrainedModel) -> Tally:
    return Tally(model.number, model.n_right, model.n_judged)
