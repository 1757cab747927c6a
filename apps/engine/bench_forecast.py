"""Whether the figures shown come true: intervals, forecasts and promises held against a test half nobody saw.

Labels are drawn many times over, at random and as the queue picks them; after each draw a round says what it expects,
and the test half says what is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image

from apps.engine import (
    automation,
    automl,
    backbones,
    crossval,
    datasets,
    estimates,
    forecast,
    heads,
    metrics,
    query,
    readers,
    similarity,
)
from apps.engine.automation import Option
from apps.engine.errors import NotTrainable
from apps.engine.estimates import Estimate, HeldOut
from apps.engine.forecast import Forecast
from apps.engine.query_points import points_of
from apps.engine.runtime import one_thread
from apps.engine.types import (
    BoolArray,
    Column,
    ColumnType,
    FloatArray,
    Inputs,
    IntArray,
    Modality,
    TrainingData,
    cell_key,
)

N_LABELS = 100
N_DRAWS = 200
STEP, RANDOM_OF_STEP = 5, 1
"""The label page draws every fifth at random and has the queue choose the others."""
SLIDER = (0.8, 0.9, 0.95, 0.97, 0.99)


@dataclass(frozen=True)
class World:
    """A data set as a round reads it."""

    name: str
    modality: Modality
    train: Inputs
    train_labels: IntArray
    test: Inputs
    test_labels: IntArray
    n_classes: int
    label_names: tuple[str, ...] = ()
    label_embeddings: Mapping[str, FloatArray] = field(default_factory=dict)

    def given(self, rows: IntArray, is_random: BoolArray) -> TrainingData:
        """Return these rows of the train half as a round gets them."""
        return TrainingData(
            self.train.take(rows),
            self.train_labels[rows],
            self.n_classes,
            np.arange(len(rows)),
            label_names=self.label_names,
            label_embeddings=self.label_embeddings,
            is_random=is_random,
        )


Say: TypeAlias = Callable[[World, IntArray, BoolArray], FloatArray | None]
"""What a model of these rows of the train half says of all of it, `(n_samples, n_classes)`; None if it cannot learn."""


def read_world(folder: Path) -> World:
    """Read a data set and encode all of it once. Raises as `datasets.read`."""
    data = datasets.read(folder)
    columns = {label: column for column, label in enumerate(data.label_names)}
    is_known = [label in columns for label in data.test.labels]
    train, test, of_labels = _inputs(data)
    return World(
        data.name,
        data.modality,
        train,
        np.array([columns[label] for label in data.train.labels]),
        test.take(np.flatnonzero(is_known)),
        np.array([columns[label] for label in data.test.labels if label in columns]),
        len(columns),
        data.label_names,
        of_labels,
    )


def _inputs(data: datasets.DataSet) -> tuple[Inputs, Inputs, dict[str, FloatArray]]:
    if data.modality is Modality.TABLE:
        train, test = datasets.typed_columns(data)
        return _rows(train, len(data.train.labels)), _rows(test, len(data.test.labels)), {}
    loaded = {name: backbones.load(name) for name in backbones.for_modality(data.modality)}
    of_labels = {}
    if data.modality is Modality.TEXT:
        names = [similarity.label_text(name) for name in data.label_names]
        of_labels = {name: backbone.encode(names) for name, backbone in loaded.items()}
    return _encoded(data.train, loaded), _encoded(data.test, loaded), of_labels


def _rows(columns: Sequence[Column], n_samples: int) -> Inputs:
    """Return table rows, with the cells of texts encoded as a function would encode them."""
    texts = [column for column in columns if column.type is ColumnType.TEXT]
    loaded = {name: backbones.load(name) for name in backbones.for_modality(Modality.TEXT)[:1] if texts}
    cells = {
        cell_key(name, column.key): backbone.encode(column.values.tolist())
        for name, backbone in loaded.items()
        for column in texts
    }
    return Inputs(n_samples, cells, columns=columns)


def _encoded(split: datasets.Split, loaded: dict[str, backbones.Backbone]) -> Inputs:
    samples: list[backbones.Input] = []
    for sample in split.inputs:
        if isinstance(sample, str):
            samples.append(sample)
        else:
            with Image.open(sample) as picture:
                samples.append(picture.convert("RGB"))
    texts = [sample for sample in samples if isinstance(sample, str)]
    return Inputs(len(samples), {name: backbone.encode(samples) for name, backbone in loaded.items()}, texts)


def draw_at_random(world: World, n: int, *, seed: int) -> tuple[IntArray, BoolArray]:
    """Return `n` rows of the train half in the order they are labelled, and that each was drawn at random."""
    names = [str(label) for label in world.train_labels]
    first = datasets.draw_labelled(names, min(n, 30), seed=seed)
    rest = np.random.default_rng(seed).permutation(np.setdiff1d(np.arange(len(names)), first))
    chosen = np.concatenate([first, rest])[: max(n, len(first))]
    return chosen, np.ones(len(chosen), dtype=bool)


def draw_by_queue(world: World, n: int, *, seed: int, say: Say | None = None) -> tuple[IntArray, BoolArray]:
    """Return `n` rows as the label page asks for them, a step at a time, and which of them were drawn at random.

    The doubts are those of `say`, without it of one cheap recipe: which one hardly matters for what is picked.
    """
    random = np.random.default_rng(seed)
    labels, everything = world.train_labels, np.arange(len(world.train_labels))
    points = points_of(world.train)
    say = say or _cheap_words(world)
    chosen, is_random = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.bool_)
    while len(chosen) < min(n, len(labels)):
        pool = np.setdiff1d(everything, chosen)
        drawn = random.choice(pool, min(RANDOM_OF_STEP, len(pool)), replace=False)
        pool = np.setdiff1d(pool, drawn)
        said = say(world, chosen, is_random) if len(chosen) >= query.N_TYPICAL else None
        state = query.State(
            points[pool],
            points[chosen],
            np.bincount(labels[chosen], minlength=world.n_classes),
            None if said is None else query.margin_scores(said[pool]),
            None if said is None else said[pool].argmax(axis=1),
        )
        with one_thread():
            picked = pool[[pick.row for pick in query.next_batch(state, STEP - RANDOM_OF_STEP)]]
        chosen = np.concatenate([chosen, picked, drawn])
        is_random = np.concatenate([is_random, np.zeros(len(picked), bool), np.ones(len(drawn), bool)])
    return chosen[:n], is_random[:n]


def _cheap_words(world: World) -> Say:
    recipe = forecast.cheap_recipe(world.train)
    everything = np.arange(len(world.train_labels))
    reader = readers.create(recipe.backbone).fit(world.given(everything, np.ones(len(everything), dtype=bool)))
    points = reader.read(world.train)

    def say(world: World, rows: IntArray, is_random: BoolArray) -> FloatArray | None:
        labels = world.train_labels[rows]
        if np.sum(np.bincount(labels) >= 2) < 2:
            return None
        head = heads.create(recipe.head, recipe.settings, is_trial=True).fit(points[rows], labels)
        pred_probs = np.zeros((len(world.train_labels), world.n_classes))
        pred_probs[:, head.classes_] = head.predict_proba(points)
        return pred_probs

    return say


@dataclass(frozen=True)
class Draw:
    """What a round said after one draw of labels, and what came true on the test half.

    `later` is what is right with twice the labels. `kept` has, for each option of the slider that was promised, the
    share of test samples automated and how many of those were right.
    """

    said: Estimate
    accuracy: float
    foreseen: Forecast | None
    later: float
    options: tuple[Option, ...]
    kept: tuple[tuple[float, float | None], ...]


def measure_draw(world: World, rows: IntArray, is_random: BoolArray, *, n: int) -> Draw:
    """Train on the first `n` rows, hold the figures against the test half, and train once more on all of them."""
    data = world.given(rows[:n], is_random[:n])
    result = automl.train(data)
    pool = np.setdiff1d(np.arange(len(world.train_labels)), rows[:n])
    unlabelled = result.predictor.pred_probs(world.train.take(pool)).max(axis=1)
    held_out = HeldOut(
        result.pred_probs.max(axis=1),
        result.pred_probs.argmax(axis=1) == data.labels,
        is_random[:n],
        unlabelled,
        n_pool=len(pool),
    )
    said = estimates.accuracy(held_out)
    folds = crossval.assign_folds(data.labels, data.groups, n_folds=5)
    with one_thread():
        removed = forecast.errors_removed(forecast.judge_of(data), folds)
    pred_probs = result.predictor.pred_probs(world.test)
    options = automation.options(held_out, targets=SLIDER)
    twice = automl.train(world.given(rows, is_random)).predictor.pred_probs(world.test)
    return Draw(
        said,
        metrics.accuracy(pred_probs, world.test_labels),
        forecast.forecast(said, removed),
        metrics.accuracy(twice, world.test_labels),
        options,
        tuple(_kept(option, pred_probs, world.test_labels) for option in options),
    )


def _kept(option: Option, pred_probs: FloatArray, labels: IntArray) -> tuple[float, float | None]:
    if option.threshold is None:
        return 0.0, None
    is_automated = pred_probs.max(axis=1) >= option.threshold
    is_right = pred_probs.argmax(axis=1) == labels
    return float(is_automated.mean()), float(is_right[is_automated].mean()) if is_automated.any() else None


@dataclass
class Tally:
    """Draws of one way of picking, and their sums in words and numbers."""

    pick: str
    draws: list[Draw] = field(default_factory=list)

    def row(self) -> dict[str, object]:
        """Return what `bench` writes."""
        said = np.array([draw.said.value for draw in self.draws])
        low, high = np.array([(draw.said.low, draw.said.high) for draw in self.draws]).T
        truth = np.array([draw.accuracy for draw in self.draws])
        return {
            "pick": self.pick,
            "draws": len(self.draws),
            "n_random": _mean([draw.said.n_random for draw in self.draws]),
            "accuracy": _mean(truth),
            "holds": _mean((low <= truth) & (truth <= high)),
            "too_high": _mean(truth < low),
            "too_low": _mean(truth > high),
            "width": _mean(high - low),
            "bias": _mean(said - truth),
            "forecast": self._forecast(),
            "slider": [self._promise(i, target) for i, target in enumerate(SLIDER)],
        }

    def _forecast(self) -> dict[str, object]:
        foreseen = [(draw, draw.foreseen) for draw in self.draws if draw.foreseen is not None]
        if not foreseen:
            return {"n": 0}
        later = np.array([draw.later for draw, _said in foreseen])
        value = np.array([said.value for _draw, said in foreseen])
        gain = value - np.array([draw.said.value for draw, _said in foreseen])
        true_gain = later - np.array([draw.accuracy for draw, _said in foreseen])
        return {
            "n": len(foreseen),
            "error": _mean(np.abs(value - later)),
            "bias": _mean(value - later),
            "error_of_gain": _mean(np.abs(gain - true_gain)),
            "gain": _mean(true_gain),
            "holds": _mean([said.low <= draw.later <= said.high for draw, said in foreseen]),
        }

    def _promise(self, i: int, target: float) -> dict[str, object]:
        made = [
            (draw.options[i], share, right)
            for draw in self.draws
            for share, right in [draw.kept[i]]
            if draw.options[i].threshold is not None and right is not None
        ]
        return {
            "target": target,
            "promised_in": round(len(made) / max(1, len(self.draws)), 3),
            "share": _mean([option.share for option, _share, _right in made]),
            "share_came_true": _mean([share for _option, share, _right in made]),
            "right": _mean([option.right or 0.0 for option, _share, _right in made]),
            "right_came_true": _mean([right for _option, _share, right in made]),
            "broken_in": round(sum(right < target for _option, _share, right in made) / max(1, len(self.draws)), 3),
        }


def measure_forecast(
    folder: Path, *, n_draws: int = N_DRAWS, n_labels: int = N_LABELS, first_seed: int = 0
) -> Iterator[dict[str, object]]:
    """Yield two rows for one data set: labels drawn at random, and as the queue picks them."""
    world = read_world(folder)
    if world.n_classes > datasets.FEW_LABELS:
        n_labels = max(n_labels, datasets.MIN_PER_LABEL_OF_MANY * world.n_classes)
    n_twice = min(2 * n_labels, len(world.train_labels))
    for pick, draw in (("random", draw_at_random), ("queue", draw_by_queue)):
        tally = Tally(pick)
        for seed in range(first_seed, first_seed + n_draws):
            rows, is_random = draw(world, n_twice, seed=seed)
            try:
                tally.draws.append(measure_draw(world, rows, is_random, n=n_labels))
            except NotTrainable:  # two labels with two samples each did not come up
                continue
        yield {"dataset": world.name, "modality": world.modality.value, "n_labels": n_labels, **tally.row()}


def _mean(values: object) -> float | None:
    numbers = np.asarray(values, dtype=np.float64)
    return round(float(numbers.mean()), 4) if numbers.size else None
