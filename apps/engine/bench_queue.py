"""What the queue is worth: accuracy with few labels as the product asks for them, beside random and plain margin.

Whoever chose them, the labelled samples are scored in the same way: a logistic regression (C = 10) on the sentence
vectors of MiniLM (384 numbers, of length 1; of another backbone on its whole embedding), right on the test half.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

import numpy as np

from apps.engine import automl, metrics, query
from apps.engine.bench_forecast import World, draw_by_queue, read_world
from apps.engine.errors import NotTrainable
from apps.engine.query_points import point_reader
from apps.engine.runtime import one_thread
from apps.engine.types import BoolArray, FloatArray, IntArray

C = 10.0
START, STOP, STEP, SEEDS = 20, 100, 10, 5


class Strategy(StrEnum):
    """Who chooses. `RANDOM` and `MARGIN` share the first samples, `PRODUCT` chooses its own."""

    PRODUCT = "product"
    RANDOM = "random"
    MARGIN = "margin"


@dataclass(frozen=True)
class Steps:
    """The numbers of labels at which is scored."""

    start: int = START
    stop: int = STOP
    step: int = STEP

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.stop + 1, self.step))


def measure_queue(folder: Path, *, steps: Steps, n_seeds: int = SEEDS) -> Iterator[dict[str, object]]:
    """Yield a row per strategy, seed and number of labels. Raises as `datasets.read`."""
    world = read_world(folder)
    scorer = _Scorer(world)
    for seed in range(n_seeds):
        for strategy in Strategy:
            rows = _choose(strategy, world, scorer, steps, seed)
            for n in steps:
                if n > len(rows):
                    break
                accuracy = round(scorer.accuracy(rows[:n]), 4)
                yield {"dataset": world.name, "strategy": strategy.value, "seed": seed, "n": n, "accuracy": accuracy}


def _choose(strategy: Strategy, world: World, scorer: _Scorer, steps: Steps, seed: int) -> IntArray:
    if strategy is Strategy.PRODUCT:
        rows, _is_random = draw_by_queue(world, steps.stop, seed=seed, say=partial(_say, seed=seed))
        return rows
    shuffled: IntArray = np.random.default_rng(seed).permutation(len(world.train_labels))
    if strategy is Strategy.RANDOM:
        return shuffled[: steps.stop]
    return _by_margin(scorer, shuffled[: steps.start], steps)


def _say(world: World, rows: IntArray, is_random: BoolArray, *, seed: int) -> FloatArray | None:
    """What the product's model, a whole round on these rows, says of all samples; None where there is too little."""
    try:
        return automl.train(world.given(rows, is_random), seed=seed).predictor.pred_probs(world.train)
    except NotTrainable:
        return None


def _by_margin(scorer: _Scorer, first: IntArray, steps: Steps) -> IntArray:
    """Ask for what the scorer itself is most in doubt about, a step at a time."""
    rows = first
    while len(rows) < min(steps.stop, len(scorer.train)):
        doubts = query.margin_scores(scorer.pred_probs(rows, scorer.train))
        doubts[rows] = -1.0
        n = min(steps.step, steps.stop - len(rows), len(scorer.train) - len(rows))
        rows = np.concatenate([rows, np.argsort(-doubts, kind="stable")[:n]])
    return rows


class _Scorer:
    """The fixed model that judges every choice."""

    def __init__(self, world: World) -> None:
        read = point_reader(world.train)
        self.train, self.test = _unit(read(world.train)), _unit(read(world.test))
        self.labels, self.test_labels, self.n_classes = world.train_labels, world.test_labels, world.n_classes

    def accuracy(self, rows: IntArray) -> float:
        return metrics.accuracy(self.pred_probs(rows, self.test), self.test_labels)

    def pred_probs(self, rows: IntArray, points: FloatArray) -> FloatArray:
        from sklearn.linear_model import LogisticRegression  # here: its import takes a second

        pred_probs = np.zeros((len(points), self.n_classes))
        known = np.unique(self.labels[rows])
        if len(known) < 2:
            pred_probs[:, known] = 1.0
            return pred_probs
        with one_thread(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that twenty labels of twenty samples look like numbers
            model = LogisticRegression(C=C, max_iter=1000).fit(self.train[rows], self.labels[rows])
            pred_probs[:, known] = model.predict_proba(points)
        return pred_probs


def _unit(points: FloatArray) -> FloatArray:
    unit: FloatArray = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    return unit
