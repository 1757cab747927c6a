"""Rounds that judge what was adapted to the samples: each fold read as if it had never been seen."""

from __future__ import annotations

import numpy as np
import pytest

from apps.engine import automl
from apps.engine.types import FloatArray, FoldRows, Inputs, IntArray, TrainingData

N, N_FOLDS = 90, 3
ADAPTED = "adapted-minilm"


def samples(random: np.random.Generator) -> tuple[IntArray, IntArray, FloatArray]:
    """Labels, folds, and frozen rows that tell the labels apart poorly."""
    labels = np.arange(N) % 3
    frozen = random.normal(size=(N, 8)).astype(np.float32)
    frozen[:, 0] += 0.7 * labels
    return labels, np.arange(N) // 3 % N_FOLDS, frozen


def given(labels: IntArray, frozen: FloatArray, folds: IntArray, rows: FloatArray, whole: FloatArray) -> TrainingData:
    inputs = Inputs(N, {"minilm": frozen, ADAPTED: whole})
    return TrainingData(inputs, labels, 3, np.arange(N), adapted={ADAPTED: FoldRows(folds, rows)})


def around(labels: IntArray, random: np.random.Generator) -> FloatArray:
    """Rows that say the label outright."""
    rows: FloatArray = (4.0 * np.eye(3)[labels] + 0.1 * random.normal(size=(N, 3))).astype(np.float32)
    return rows


def test_what_was_learned_by_heart_gains_nothing() -> None:
    random = np.random.default_rng(0)
    labels, folds, frozen = samples(random)
    rows = np.stack([around(labels, random) for _ in range(N_FOLDS)])
    for fold in range(N_FOLDS):  # what layers never saw, they know nothing of
        rows[fold, folds == fold] = random.normal(size=(int((folds == fold).sum()), 3))
    result = automl.train(given(labels, frozen, folds, rows, around(labels, random)))
    assert (result.pred_probs.argmax(axis=1) == labels).mean() < 0.7
    best = max(trial.accuracy for trial in result.trials if trial.recipe.backbone == ADAPTED)
    assert best < 0.55


def test_what_generalises_is_chosen_and_serves_with_the_layers_fitted_on_all() -> None:
    random = np.random.default_rng(1)
    labels, folds, frozen = samples(random)
    turns = [np.linalg.qr(random.normal(size=(3, 3)))[0] for _ in range(N_FOLDS)]  # each fold in a space of its own
    rows = np.stack([around(labels, random) @ turn for turn in turns]).astype(np.float32)
    whole = around(labels, random)
    result = automl.train(given(labels, frozen, folds, rows, whole))
    assert ADAPTED in result.blend.backbones
    assert (result.pred_probs.argmax(axis=1) == labels).mean() > 0.95
    served = result.predictor.pred_probs(Inputs(N, {"minilm": frozen, ADAPTED: whole}))
    assert (served.argmax(axis=1) == labels).mean() > 0.95


def test_the_parts_of_a_round_come_to_the_same_as_the_round() -> None:
    random = np.random.default_rng(2)
    labels, folds, frozen = samples(random)
    rows = np.stack([around(labels, random)] * N_FOLDS)
    data = given(labels, frozen, folds, rows, rows[0])
    whole = automl.train(data)
    parts = [candidate for line in automl.plan(data) for candidate in automl.try_line(data, line)]
    result = automl.conclude(data, parts)
    assert result.blend == whole.blend
    assert np.array_equal(result.pred_probs, whole.pred_probs)
    assert [trial.recipe for trial in result.trials] == [trial.recipe for trial in whole.trials]


def test_the_blend_in_service_is_tried_among_the_parts() -> None:
    random = np.random.default_rng(3)
    labels, _folds, frozen = samples(random)
    data = TrainingData(Inputs(N, {"minilm": frozen}), labels, 3, np.arange(N))
    serving = automl.train(data).blend
    tried = [
        candidate.recipe
        for line in automl.plan(data, serving=serving)
        for candidate in automl.try_line(data, line, serving=serving)
    ]
    assert {recipe for recipe, _ in serving.members} <= set(tried)


def test_rows_of_an_adapted_backbone_without_their_folds_are_refused() -> None:
    random = np.random.default_rng(4)
    labels, _folds, frozen = samples(random)
    with pytest.raises(ValueError, match="for each fold"):
        TrainingData(Inputs(N, {"minilm": frozen, ADAPTED: frozen}), labels, 3, np.arange(N))
