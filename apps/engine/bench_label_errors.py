"""How well wrong labels are found: some are flipped, a round learns from all of them, and its doubts are ranked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from apps.engine import automl, datasets, label_issues
from apps.engine.bench_forecast import World, read_world
from apps.engine.readers.table import TableReader
from apps.engine.survey import FITTED_ON, Vectors, find_directions
from apps.engine.types import BoolArray, FloatArray, IntArray, TrainingData

FIRST_SHARE = 0.1


def measure_label_errors(
    folder: Path, *, n_labels: int = 300, flip: float = 0.1, n_seeds: int = 5, first_seed: int = 0
) -> Iterator[dict[str, object]]:
    """Yield a row of figures per draw of labels from a data set folder. Raises as `datasets.read`."""
    world = read_world(folder)
    alike = _vectors(world)
    for seed in range(first_seed, first_seed + n_seeds):
        rows, data, is_flipped = draw(world, n_labels, flip, seed=seed)
        result = automl.train(data, seed=seed)
        doubts = label_issues.label_doubts(result.pred_probs, data.labels, alike[rows], data.groups)
        yield {"dataset": world.name, "seed": seed, **figures(doubts.scores, is_flipped)}


def draw(world: World, n_labels: int, flip: float, *, seed: int) -> tuple[IntArray, TrainingData, BoolArray]:
    """Return samples of the train half, as rows and as a round gets them, a share of their labels changed to any other,
    and which those are."""
    names = [world.label_names[label] for label in world.train_labels] if world.label_names else world.train_labels
    rows = datasets.draw_labelled([str(name) for name in names], n_labels, seed=seed)
    random = np.random.default_rng(seed)
    flipped = random.permutation(len(rows))[: round(flip * len(rows))]
    given = world.given(rows, np.ones(len(rows), dtype=np.bool_))
    labels = given.labels.copy()
    labels[flipped] = (labels[flipped] + random.integers(1, world.n_classes, len(flipped))) % world.n_classes
    is_flipped = np.zeros(len(rows), dtype=np.bool_)
    is_flipped[flipped] = True
    return rows, replace(given, labels=labels, groups=_groups(world, rows)), is_flipped


def figures(scores: FloatArray, is_flipped: BoolArray) -> dict[str, object]:
    """Return how a ranking, the most doubted first, finds what was flipped.

    `precision_at_k` is the share flipped among as many as were flipped; `found_in_first_10_percent` the share of those
    flipped that is among the first tenth of the list.
    """
    n, n_flipped = len(scores), int(is_flipped.sum())
    in_order = is_flipped[np.argsort(-scores, kind="stable")]
    found = {
        "auroc": _auroc(scores, is_flipped),
        "average_precision": _average_precision(scores, is_flipped),
        "precision_at_k": float(in_order[:n_flipped].mean()),
        "found_in_first_10_percent": float(in_order[: round(FIRST_SHARE * n)].sum() / n_flipped),
    }
    return {name: round(value, 4) for name, value in found.items()}


def _auroc(scores: FloatArray, is_flipped: BoolArray) -> float:
    from sklearn.metrics import roc_auc_score  # here, because it takes a second and only this needs it

    return float(roc_auc_score(is_flipped, scores))


def _average_precision(scores: FloatArray, is_flipped: BoolArray) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(is_flipped, scores))


def _vectors(world: World) -> Vectors:
    """Return short vectors of the train half, as a survey of a function's samples makes them."""
    if world.train.columns:
        everything = np.zeros(world.train.n_samples, dtype=np.int64)
        read = TableReader().fit(TrainingData(world.train, everything, 1, everything)).read(world.train)
    else:
        read = next(iter(world.train.embeddings.values()))
    return find_directions(read[:FITTED_ON]).compact(read)


def _groups(world: World, rows: IntArray) -> IntArray:
    """Number the samples so that those that are equal to every backbone share a number, as in a function."""
    matrices = [embeddings[rows] for embeddings in world.train.embeddings.values()]
    if not matrices:
        return np.arange(len(rows))
    groups: IntArray = np.unique(np.concatenate(matrices, axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    return groups
