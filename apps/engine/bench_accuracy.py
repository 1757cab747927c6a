"""How right a round is on data nobody tuned on: labels drawn from the train half, scored on all of the test half."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import numpy as np
from PIL import Image

from apps.engine import adapt, automl, backbones, datasets, estimates, metrics
from apps.engine.bench_forecast import World, draw_by_queue, read_world
from apps.engine.estimates import Estimate, HeldOut
from apps.engine.types import (
    BoolArray,
    ColumnType,
    FloatArray,
    FoldRows,
    Inputs,
    IntArray,
    Modality,
    RoundResult,
    TrainingData,
)

N_BINS = 10


class Stage(StrEnum):
    """How far a model may go: `BEST` lets the top of a backbone learn, and serves the first unless it is better."""

    FIRST = "first"
    BEST = "best"


class Pick(StrEnum):
    """Who chooses what is labelled."""

    RANDOM = "random"
    QUEUE = "queue"


def measure_accuracy(
    folder: Path,
    *,
    n_labels: int = 100,
    n_seeds: int = 3,
    first_seed: int = 0,
    stage: Stage = Stage.FIRST,
    pick: Pick = Pick.RANDOM,
) -> Iterator[dict[str, object]]:
    """Yield a row of figures per draw of labels from a data set folder. Raises as `datasets.read`."""
    world = read_world(folder)
    for seed in range(first_seed, first_seed + n_seeds):
        rows, is_random = _draw(world, n_labels, pick, seed=seed)
        seconds_embed, seconds_adapt = _seconds_to_embed(folder, rows), 0.0
        given, as_read = world.given(rows, is_random), world
        result = automl.train(given, seed=seed)
        if stage is Stage.BEST:
            adapted, with_adapted, seconds_adapt = _adapt(folder, world, given, rows, seed=seed)
            judged = automl.train(adapted, seed=seed, serving=result.blend)
            if adapt.is_read(judged.blend):  # or else a worker trains without it, which was done before
                as_read, result = with_adapted, judged
        pred_probs = result.predictor.pred_probs(as_read.test)
        said = _estimate(as_read, rows, is_random, result)
        yield {
            "dataset": world.name,
            "modality": world.modality.value,
            "n_labels": len(rows),
            "seed": seed,
            "stage": stage.value,
            "pick": pick.value,
            **_figures(pred_probs, world.test_labels),
            "cv_accuracy": round(metrics.accuracy(result.pred_probs, world.train_labels[rows]), 4),
            "interval": [round(said.low, 4), round(said.high, 4)],
            "seconds_embed": round(seconds_embed, 3),
            "seconds_adapt": round(seconds_adapt, 3),
            "seconds_round": round(result.seconds, 3),
            "winner": winner(result),
        }


def winner(result: RoundResult) -> str:
    """Return what serves, in short: "0.6 minilm logistic + 0.4 lexical prototypes"."""
    return " + ".join(f"{weight:.2f} {recipe.backbone} {recipe.head}" for recipe, weight in result.blend.members)


def _draw(world: World, n_labels: int, pick: Pick, *, seed: int) -> tuple[IntArray, BoolArray]:
    if pick is Pick.QUEUE:
        return draw_by_queue(world, n_labels, seed=seed)
    names = [world.label_names[label] for label in world.train_labels] if world.label_names else world.train_labels
    rows = datasets.draw_labelled([str(name) for name in names], n_labels, seed=seed)
    return rows, np.ones(len(rows), dtype=np.bool_)


def _adapt(
    folder: Path, world: World, given: TrainingData, rows: IntArray, *, seed: int
) -> tuple[TrainingData, World, float]:
    """Adapt a backbone to labelled samples; return them and the data set with what it makes of them, and the seconds.

    The seconds are those a worker needs: to fit the towers, and to read the labelled samples with each of them.
    Nothing is adapted to tables.
    """
    names = () if world.modality is Modality.TABLE else backbones.for_modality(world.modality)
    learner = next((one for one in map(_loaded, names) if adapt.is_adaptable(one)), None)
    if learner is None:
        return given, world, 0.0
    data = datasets.read(folder)
    started = time.perf_counter()
    samples = [_sample(data.train.inputs[row]) for row in rows]
    adaptation = adapt.fit(learner, samples, given.labels, given.groups, seed=seed)
    towers = [learner.tower(state) for state in adaptation.towers]
    read = adapt.embed(learner, towers, samples)
    seconds = time.perf_counter() - started
    name = learner.adapted.name

    def with_adapted(inputs: Inputs, split: datasets.Split) -> Inputs:
        known = [row for row, label in enumerate(split.labels) if label in data.label_names]
        (own,) = adapt.embed(learner, towers[-1:], [_sample(split.inputs[row]) for row in known])
        return replace(inputs, embeddings={**inputs.embeddings, name: own})

    world = replace(world, train=with_adapted(world.train, data.train), test=with_adapted(world.test, data.test))
    honest = {name: FoldRows(adaptation.folds, read[:-1])}
    embeddings = {**given.inputs.embeddings, name: read[-1]}
    return replace(given, inputs=replace(given.inputs, embeddings=embeddings), adapted=honest), world, seconds


def _figures(pred_probs: FloatArray, labels: IntArray) -> dict[str, object]:
    figures = {
        "accuracy": metrics.accuracy(pred_probs, labels),
        "balanced_accuracy": metrics.balanced_accuracy(pred_probs, labels),
        "log_loss": float(metrics.sample_log_losses(pred_probs, labels).mean()),
        "ece": metrics.expected_calibration_error(pred_probs, labels, n_bins=N_BINS),
        "majority": metrics.majority_share(labels),
    }
    return {name: round(value, 4) for name, value in figures.items()}


def _estimate(world: World, rows: IntArray, is_random: BoolArray, result: RoundResult) -> Estimate:
    """Return what the owner would be told, who has the rest of the train half without labels."""
    pool = np.setdiff1d(np.arange(len(world.train_labels)), rows)
    confidence = result.pred_probs.max(axis=1)
    is_right = metrics.is_right(result.pred_probs, world.train_labels[rows])
    unlabelled = result.predictor.pred_probs(world.train.take(pool)).max(axis=1) if len(pool) else np.zeros(0)
    return estimates.accuracy(HeldOut(confidence, is_right, is_random, unlabelled, n_pool=len(pool)))


def _seconds_to_embed(folder: Path, rows: IntArray) -> float:
    """Return what reading the labelled samples took, backbones loaded; next to 0 for tables without a text."""
    data = datasets.read(folder)
    samples: list[backbones.Input]
    if data.modality is Modality.TABLE:
        columns, _of_test = datasets.typed_columns(data)
        samples = [text for each in columns if each.type is ColumnType.TEXT for text in each.values[rows].tolist()]
        names = backbones.for_modality(Modality.TEXT)[:1] if samples else ()
    else:
        names = backbones.for_modality(data.modality)
    loaded = [_loaded(name) for name in names]
    started = time.perf_counter()
    if data.modality is not Modality.TABLE:
        samples = [_sample(data.train.inputs[row]) for row in rows]
    for backbone in loaded:
        backbone.encode(samples)
    return time.perf_counter() - started


@functools.cache
def _loaded(name: str) -> backbones.Backbone:
    return backbones.load(name)


def _sample(given: str | Path) -> backbones.Input:
    if isinstance(given, str):
        return given
    with Image.open(given) as picture:
        return picture.convert("RGB")
