"""The recipes a round may try, and the order in which it tries them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence

from apps.engine.selection import TIE, Candidate
from apps.engine.types import Recipe

PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Settings of C, simplest model first. At 100 labels text does best with 1 to 30, pictures with 30 to 300; calibration
evens out what lies between two of them."""
USUAL_PENALTY = 10.0


def recipe_line(backbone: str) -> tuple[Recipe, ...]:
    """Return the recipes for one backbone, simplest first."""
    return tuple(Recipe(backbone, "logistic", {"C": C}) for C in PENALTIES)


def explore(
    backbones: Collection[str], attempt: Callable[[Recipe], Candidate], *, serving: Recipe | None
) -> Iterator[Candidate]:
    """Try recipes and yield each as soon as it is tried: the one in service first, then what may beat it.

    A recipe in service on a backbone that is not among `backbones` is left out.
    """
    lines = [recipe_line(backbone) for backbone in backbones]
    if serving is not None and serving.backbone in backbones and not any(serving in line for line in lines):
        yield attempt(serving)  # settings of an earlier version
    for line in sorted(lines, key=lambda line: serving not in line):
        usual = PENALTIES.index(USUAL_PENALTY)
        start = line.index(serving) if serving in line else usual
        yield from _descend(line, attempt, start=start)


def _descend(line: Sequence[Recipe], attempt: Callable[[Recipe], Candidate], *, start: int) -> Iterator[Candidate]:
    """Walk from `start` to where the loss stops falling, first one way, then, if that was uphill, the other.

    Held-out loss has one valley along a penalty: this finds it in three or four trials instead of one per recipe.
    """
    least = attempt(line[start])
    yield least
    for way in (line[start + 1 :], line[:start][::-1]):
        is_downhill = False
        for recipe in way:
            candidate = attempt(recipe)
            yield candidate
            if candidate.trial.log_loss > least.trial.log_loss - TIE:
                break
            least, is_downhill = candidate, True
        if is_downhill:
            return


def by_simplicity(candidate: Candidate) -> float:
    """Return a sort key, lower for the simpler model: the one whose penalty holds it closer."""
    return float(candidate.recipe.settings["C"])
