"""The recipes a round may try, and the order in which it tries them: by what each is expected to gain per second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from apps.engine import heads
from apps.engine.heads.linear import MOST_SPANNED
from apps.engine.readers import LEXICAL, NAMES, PLUS, RULES, TABLE
from apps.engine.runtime import Deadline
from apps.engine.selection import TIE, Candidate
from apps.engine.types import Recipe, Setting, Task, TrainingData

PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Settings of C, simplest model first. At 100 labels text does best with 1 to 30, pictures with 30 to 300; calibration
evens out what lies between two of them."""
SHRINKAGES = (0.9, 0.8, 0.6, 0.3, 0.1)
"""Simplest model first. At 100 labels text does best with 0.6 to 0.9, pictures with 0.1 to 0.3; below 0.1 nothing is
gained (pictures 0.823 at 0.01, 0.824 at 0.1)."""
SECONDS_PER_NUMBER, SPARSE_WIDTH = 7.5e-8, 1_500
"""Of a regression, per number and square root of labels; words cost what so many dense numbers do."""
SECONDS_THERE, SHARE_THERE = 0.2, 0.2
"""Of that, at most, what a regression takes whose fits run on a GPU: samples are still cut into folds and sent. A
cautious guess: what costs more than was expected takes the time of recipes behind it."""
BUDGET_S, BUDGET_GROWTH = 1.0, 0.35
"""Seconds for a round of 100 samples, and the power of the number of samples with which they grow: 2.2 at 1,000, 5 at
10,000, 11 at 100,000."""

MANY_FOR_TREES = 200
"""Samples from which more kinds of trees than one are worth their time."""


@dataclass(frozen=True)
class Line:
    """Recipes that differ in one setting, simplest first, and where to set out: loss has one valley along it."""

    recipes: Sequence[Recipe]
    usual: int = 0


def budget(n_samples: int) -> Deadline:
    """Return until when further recipes are tried: more samples are worth more time."""
    return Deadline.after(BUDGET_S * max(1.0, n_samples / 100) ** BUDGET_GROWTH)


def lines(data: TrainingData) -> list[Line]:
    """Return what to try for such samples, what gains most per second first."""
    embeddings = [name for name in data.inputs.embeddings if name not in data.adapted]
    words = [LEXICAL] if any(data.inputs.texts) else []
    views = embeddings + words
    if data.inputs.columns or not views:  # rows of no columns have nothing to say, and that is said
        return table_lines(data)
    joined = PLUS.join(views + ([RULES] if data.rules and data.inputs.texts else []))
    first = views[0]
    # The figures are mean test accuracy at 100 labels on ten text and six picture sets, alone; in brackets, by how much
    # the blend is worse without. Seconds are for cross-validating 100 samples in four labels.
    found = [_discriminants(first)]  # 0.654 and 0.824, in 0.02 s: what is shown first
    found += [_single(view, "prototypes") for view in views]  # 0.613 and 0.705 (0.007, 0); the best at 30 labels
    if data.task is Task.LABEL and first in data.label_embeddings:
        found.append(_single(f"{NAMES}{first}", "as_read"))  # 0.403 (0.001; 0.009 on medical_abstracts)
    found.append(_logistics(joined))  # 0.663 and 0.802 (with the next 0.002, 0.002)
    if joined != first:
        if _has_scatter(joined, data):
            found.append(_discriminants(joined))  # 0.657 and 0.831
        if len(data.labels) > MOST_SPANNED:
            found.append(_logistics(first))  # where there is no time for all of it
        found += [_discriminants(view) for view in embeddings[1:]]  # 0.669 on pixels; on cells and digits the best
    # Adapted texts: the round 0.784 with both on six sets, 0.785 with the regression, 0.782 with discriminants, 0.722
    # with neither. Adapted pictures, each alone: hands 0.955 and 0.953 (frozen 0.863, 0.804), waste 0.748 and 0.750.
    for adapted in data.adapted:
        found[1:1] = [_discriminants(adapted), _logistics(adapted)]
    return found


def table_lines(data: TrainingData) -> list[Line]:
    """Return what to try on typed columns; of the kinds of trees the best one takes part in a blend."""
    # The figures are mean test accuracy at 100 labels on 20 tables, alone; in brackets, by how much the blend of 0.745
    # is worse without. Seconds are for cross-validating 100 samples in two or three labels.
    found = [
        _logistics(TABLE),  # 0.736 (0.003), in 0.03 s: what is shown first
        _discriminants(TABLE),  # 0.736 (0.003), in 0.01 s
    ]
    # Cells of texts and pictures by themselves: five tables with a text 0.850 without, 0.860 with them.
    found += [_discriminants(cells) for cells in data.inputs.embeddings]
    if len(data.labels) < MANY_FOR_TREES:
        return [*found, _trees("extra", "leaf", 1)]  # 0.729 (0.005), in 0.2 s
    return [
        *found,
        _trees("extra", "leaf", 3),  # at 500 labels 0.697 of 0.714
        _trees("forest", "leaf", 3),  # at 500 labels 0.698, at 100 0.725 in 0.3 s
        _trees("boosted", "depth", 3),  # at 500 labels 0.704, at 100 0.724 in 0.5 s; nothing is gained there by either
    ]


def explore(
    planned: Sequence[Line],
    attempt: Callable[[Recipe], Candidate],
    *,
    served: Sequence[Recipe],
    until: Deadline,
    cost: Callable[[Recipe], float] = lambda recipe: 0.0,
) -> Iterator[Candidate]:
    """Try recipes and yield each as soon as it is tried, until the time for them is over.

    Those in service are tried even then: without them, nothing could be said of what serves. What is expected to `cost`
    more seconds than are left, in the trial and in fitting it once more to serve, is passed over.
    """
    tried: set[Recipe] = set()

    def once(recipe: Recipe) -> Candidate:
        tried.add(recipe)
        return attempt(recipe)

    for i, line in enumerate(planned):
        start = next((line.recipes.index(recipe) for recipe in served if recipe in line.recipes), line.usual)
        if i and 2 * cost(line.recipes[start]) > until.remaining():
            continue
        for candidate in _descend(line.recipes, once, start=start):
            yield candidate
            if until.expired():
                break
        if until.expired():
            break
    for recipe in served:
        if recipe not in tried:
            yield once(recipe)


def expected_seconds(recipe: Recipe, data: TrainingData, *, device: str = "cpu") -> float:
    """Return what a trial will take: closed forms next to nothing, a regression with many samples most of the round.

    Measured at 1,000 to 10,000 samples in 7 to 500 labels: 0.2 to 13 s, within a third of this.
    """
    if recipe.head != "logistic":
        return 0.0
    embeddings, n_samples = data.inputs.embeddings, len(data.labels)
    width = sum(embeddings[part].shape[1] for part in recipe.backbone.split(PLUS) if part in embeddings)
    width += SPARSE_WIDTH if LEXICAL in recipe.backbone.split(PLUS) else 0
    if n_samples <= MOST_SPANNED:
        width = min(width, n_samples)
    seconds = float(SECONDS_PER_NUMBER * n_samples * width * data.n_classes**0.5)
    return seconds if device == "cpu" else min(seconds, SECONDS_THERE + SHARE_THERE * seconds)


def can_be_tried(recipe: Recipe, data: TrainingData) -> bool:
    """Whether a recipe, of an earlier version perhaps, can still be fitted on such samples."""
    has = {
        LEXICAL: bool(data.inputs.texts),
        RULES: bool(data.rules and data.inputs.texts),
        TABLE: bool(data.inputs.columns),
    }
    has |= dict.fromkeys(data.inputs.embeddings, True) | {f"{NAMES}{name}": True for name in data.label_embeddings}
    if not heads.exists(recipe.head, recipe.settings) or not all(has.get(part) for part in recipe.backbone.split(PLUS)):
        return False
    return recipe.head != "discriminant" or _has_scatter(recipe.backbone, data)


def _has_scatter(backbone: str, data: TrainingData) -> bool:
    """Whether the scatter of what a reader reads can be taken: of so many samples the words stay sparse.

    A function may grow beyond that with such a recipe in service.
    """
    return LEXICAL not in backbone.split(PLUS) or len(data.labels) <= MOST_SPANNED


def _descend(line: Sequence[Recipe], attempt: Callable[[Recipe], Candidate], *, start: int) -> Iterator[Candidate]:
    """Walk from `start` to where the loss stops falling, first one way, then, if that was uphill, the other.

    Held-out loss has one valley along a setting: this finds it in three or four trials instead of one per recipe.
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


def _single(view: str, head: str) -> Line:
    return Line([Recipe(view, head)])


def _logistics(view: str) -> Line:
    # Joined views do best with 100 to 300: setting out there saves two trials of a round.
    return Line(_with(view, "logistic", "C", PENALTIES), PENALTIES.index(100.0 if PLUS in view else 10.0))


def _discriminants(view: str) -> Line:
    return Line(_with(view, "discriminant", "shrinkage", SHRINKAGES), SHRINKAGES.index(0.6))


def _trees(head: str, name: str, value: Setting) -> Line:
    return Line([Recipe(TABLE, head, {name: value})])


def _with(view: str, head: str, name: str, values: Sequence[Setting]) -> list[Recipe]:
    return [Recipe(view, head, {name: value}) for value in values]
