"""What more labels would bring, from how much the last ones brought."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from apps.engine import heads, metrics, readers
from apps.engine.estimates import LEVEL, Estimate
from apps.engine.runtime import Deadline
from apps.engine.types import ADAPTED, BoolArray, Inputs, IntArray, Recipe, TrainingData

MIN_SAMPLES = 40
"""Below, half the samples are too few for a model worth the name."""
FEW_SAMPLES, N_REPEATS, FOLDS_OF_MANY = 300, 3, 2
"""Up to so many samples every fold is held out, and half of the others drawn three times: 0.05 s at 100. Of 1,000 that
took 3.5 s; two folds and one draw of their many samples say as much in a fifth of the time."""
SLOWING = 0.8
"""The next doubling removes this part of the share of errors that the last one removed. Least squares over 3,600 draws
of five sets at 50, 75, 100 and 150 labels gives 0.80 (random) and 0.94 (queue); the gain is then missed by 0.035 (root
mean square) where it is 0.046 on average. The same part for everybody, 0.3: missed by 0.045."""
PSEUDO_ERROR = 0.02
"""Added to both error shares: from 1 % wrong to none is not the end of all errors."""
GAIN_ERROR = 0.035
SPREAD_LEVEL = 0.80
Judge = Callable[[IntArray, IntArray], BoolArray]
"""Learns from the samples in the first array and says which of the second it gets right."""


@dataclass(frozen=True)
class Forecast:
    """With `n_more` labels, drawn as those before, the share right is expected between `low` and `high`, about `value`.

    `value` is never below what is right today, nor `low` below the lower end of today's interval: what is not known of
    today is not known of tomorrow either.
    """

    n_more: int
    value: float
    low: float
    high: float


def errors_removed(
    judge: Judge,
    folds: IntArray,
    *,
    counts: BoolArray | None = None,
    seed: int = 0,
    deadline: Deadline | None = None,
) -> float | None:
    """Return which part of the errors the last doubling of labels removed, in [0, 1), or None where that is unknown.

    Each fold is judged by a model of all others and, a few times over, by models of half of them; both see the same
    samples, so that what is hard about them cancels. Labels picked by the queue take part: it is the ratio that counts.

    Parameters
    ----------
    judge
        Trains the cheapest recipe worth the name.
    folds
        `(n_samples,)`, groups kept together; only the first two are held out where samples are many.
    counts
        `(n_samples,)`: which samples are judged; the others are only learned from. None: all are judged.
    deadline
        Checked before each fit. Raises `DeadlineExpired`.
    """
    n = len(folds)
    is_judged = np.ones(n, dtype=np.bool_) if counts is None else counts
    if is_judged.sum() < MIN_SAMPLES:
        return None
    random = np.random.default_rng(seed)
    n_wrong, n_wrong_by_half, n_judged = 0.0, 0.0, 0
    is_few = n <= FEW_SAMPLES
    held_out_folds, n_repeats = np.unique(folds)[: None if is_few else FOLDS_OF_MANY], N_REPEATS if is_few else 1
    for fold in held_out_folds:
        held_out, others = np.flatnonzero((folds == fold) & is_judged), np.flatnonzero(folds != fold)
        if len(others) < 4 or not len(held_out):
            continue
        if deadline is not None:
            deadline.check()
        n_judged += len(held_out)
        n_wrong += float(np.sum(~judge(others, held_out)))
        for _repeat in range(n_repeats):
            if deadline is not None:
                deadline.check()
            half = np.sort(random.permutation(others)[: len(others) // 2])
            n_wrong_by_half += float(np.sum(~judge(half, held_out))) / n_repeats
    if n_judged == 0:
        return None
    before, after = n_wrong_by_half / n_judged + PSEUDO_ERROR, n_wrong / n_judged + PSEUDO_ERROR
    return min(0.9, max(0.0, 1 - after / before))


def forecast(now: Estimate, removed: float | None, *, n_learned: int | None = None) -> Forecast | None:
    """Return what about as many labels more as there are should bring; None where nobody can know.

    Parameters
    ----------
    now
        What is right today.
    removed
        What `errors_removed` returned.
    n_learned
        How many labels were learned from, where that is more than are judged.
    """
    if removed is None or now.n < MIN_SAMPLES or not now.n_random:
        return None
    n_now = max(now.n, n_learned or 0)
    n_more = _round_number(n_now)
    doublings = math.log2((n_now + n_more) / n_now)
    gain = (1 - now.value) * (1 - (1 - SLOWING * removed) ** doublings)
    value = now.value + gain
    per_deviation = NormalDist().inv_cdf((1 + SPREAD_LEVEL) / 2) / NormalDist().inv_cdf((1 + LEVEL) / 2)
    # What is wrong with today's figure stays wrong with the share of errors that stays.
    staying = (1 - value) / max(1 - now.value, 1e-9)
    missed = GAIN_ERROR * min(1.0, gain / 0.05)
    low = value - math.hypot((now.value - now.low) * per_deviation * staying, missed)
    high = value + math.hypot((now.high - now.value) * per_deviation * staying, missed)
    return Forecast(n_more, value, max(low, now.low), min(1.0, max(high, value)))


def _round_number(n: int) -> int:
    """Return about `n`, as people would say it: 57 as 60, 130 as 130, 1234 as 1200."""
    step = max(10, int(10 ** (len(str(n)) - 2)))
    return max(step, round(n / step) * step)


def cheap_recipe(inputs: Inputs) -> Recipe:
    """Return one recipe that is quick and good enough to draw a learning curve with, for whatever samples there are.

    Nothing adapted: those layers learned from all samples, whatever part of them a model is to make do with.
    """
    names = (name for name in inputs.embeddings if ":" not in name and not name.startswith(ADAPTED))
    backbone = next(names, "table")
    return Recipe(backbone, "logistic", {"C": 10.0})


def judge_of(data: TrainingData) -> Judge:
    """Return a judge that fits the cheap recipe; what it reads of the samples is read once."""
    recipe = cheap_recipe(data.inputs)
    rows = readers.create(recipe.backbone).fit(data).read(data.inputs)

    def judge(train: IntArray, test: IntArray) -> BoolArray:
        head = heads.create(recipe.head, recipe.settings, task=data.task, is_trial=True)
        head.fit(rows[train], data.labels[train])
        pred_probs = np.zeros((len(test), data.n_classes))
        pred_probs[:, head.classes_] = head.predict_proba(rows[test])
        return metrics.is_right(pred_probs, data.labels[test])

    return judge
