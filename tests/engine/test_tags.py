"""Rounds of functions that give tags: each there or not, whatever the others."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.engine import artifacts, automl, crossval, heads, thresholds
from apps.engine.errors import NotTrainable
from apps.engine.types import FloatArray, Inputs, Task, TrainingData

Tags = npt.NDArray[np.int64]


def samples(n: int, n_tags: int = 3, *, spread: float = 0.4, seed: int = 0) -> tuple[FloatArray, Tags]:
    random = np.random.default_rng(seed)
    tags = (random.random((n, n_tags)) < 0.35).astype(np.int64)
    directions = np.random.default_rng(7).normal(size=(n_tags, 24))
    return (tags @ directions + spread * random.normal(size=(n, 24))).astype(np.float32), tags


def inputs(X: FloatArray) -> Inputs:
    return Inputs(len(X), {"minilm": X})


def round_data(X: FloatArray, tags: Tags) -> TrainingData:
    return TrainingData(inputs(X), tags, tags.shape[1], np.arange(len(X)))


def test_each_tag_is_told_whatever_the_others() -> None:
    X, tags = samples(300)
    result = automl.train(round_data(X[:100], tags[:100]))
    pred_probs = result.predictor.pred_probs(inputs(X[100:]))
    assert result.predictor.task is Task.TAGS
    assert result.predictor.thresholds is not None
    said = pred_probs >= result.predictor.thresholds
    assert np.mean(said == (tags[100:] == 1)) > 0.93
    assert pred_probs.sum(axis=1).std() > 0.3  # no shares of one whole


def test_out_of_fold_figures_of_tags_do_not_flatter() -> None:
    X = np.random.default_rng(0).normal(size=(80, 200)).astype(np.float32)
    tags = np.random.default_rng(1).integers(0, 2, (80, 2))
    result = automl.train(round_data(X, tags))
    assert np.mean((result.pred_probs >= 0.5) == (tags == 1)) < 0.62


def test_what_nobody_was_asked_is_neither_learned_nor_counted() -> None:
    X, tags = samples(120)
    lying = tags.copy()
    asked = np.arange(120) < 80
    lying[~asked, 0] = -1
    result = automl.train(round_data(X, lying))
    same = automl.train(round_data(X[asked], tags[asked]))
    new_X, new_tags = samples(200, seed=5)
    told = [
        np.mean((each.predictor.pred_probs(inputs(new_X))[:, 0] >= 0.5) == new_tags[:, 0]) for each in (result, same)
    ]
    assert told[0] > told[1] - 0.03


@pytest.mark.parametrize("name", ["logistic", "discriminant", "prototypes"])
def test_heads_of_tags_are_fitted_together_as_they_would_be_alone(name: str) -> None:
    settings_of = {"logistic": {"C": 3.0}, "discriminant": {"shrinkage": 0.5}, "prototypes": {}}
    X, tags = samples(150)
    together = heads.create(name, settings_of[name], task=Task.TAGS).fit(X, tags).decision_function(X)
    alone = [
        heads.create(name, settings_of[name], task=Task.TAGS).fit(X, tags[:, [tag]]).decision_function(X)[:, 0]
        for tag in range(3)
    ]
    np.testing.assert_allclose(together, np.stack(alone, axis=1), atol=0.05)


def test_a_tag_that_all_samples_have_or_none_is_in_the_model() -> None:
    X, tags = samples(60, 4)
    tags[:, 1], tags[:, 2], tags[:, 3] = 1, 0, -1
    result = automl.train(round_data(X, tags))
    pred_probs = result.predictor.pred_probs(inputs(X))
    assert np.isfinite(pred_probs).all()
    assert pred_probs[:, 1].min() > 0.5 > pred_probs[:, 2].max()


def test_too_little_to_tell_any_tag_by_is_said() -> None:
    X, tags = samples(30)
    tags[:] = 1
    with pytest.raises(NotTrainable):
        automl.train(round_data(X, tags))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(1, 5), st.integers(1, 40))
def test_a_round_of_tags_never_fails_on_what_is_trainable(seed: int, n: int, n_tags: int, dim: int) -> None:
    random = np.random.default_rng(seed)
    X = (random.normal(size=(n, dim)) * 10.0 ** random.integers(-8, 8)).astype(np.float32)
    X[random.random(n) < 0.3] = X[0]
    X[random.random(X.shape) < 0.02] = np.nan
    tags = random.integers(-1, 2, (n, n_tags))
    try:
        result = automl.train(TrainingData(inputs(X), tags, n_tags, random.integers(0, n, n)))
    except NotTrainable:
        return
    for pred_probs in (result.pred_probs, result.predictor.pred_probs(inputs(X))):
        assert pred_probs.shape == (n, n_tags)
        assert np.isfinite(pred_probs).all()
        assert (pred_probs >= 0).all()
        assert (pred_probs <= 1).all()


def test_a_model_of_tags_comes_back_from_disk(tmp_path_factory: pytest.TempPathFactory) -> None:
    X, tags = samples(60)
    result = automl.train(round_data(X, tags))
    folder = tmp_path_factory.mktemp("models") / "one"
    sha256 = artifacts.save(
        folder, predictor=result.predictor, label_ids=["a", "b", "c"], backbone_versions={}, trained_with={}
    )
    again = artifacts.load(folder, sha256=sha256).predictor
    assert again.pred_probs(inputs(X)).tolist() == result.predictor.pred_probs(inputs(X)).tolist()
    assert again.thresholds is not None
    assert result.predictor.thresholds is not None
    np.testing.assert_allclose(again.thresholds, result.predictor.thresholds)


def test_folds_spread_the_rarest_tags() -> None:
    tags = np.zeros((60, 2), dtype=np.int64)
    tags[:, 0] = 1
    tags[:10, 1] = 1
    folds = crossval.assign_folds(tags, np.arange(60), n_folds=5)
    assert np.bincount(folds[:10], minlength=5).tolist() == [2] * 5


def test_a_threshold_moves_where_more_is_caught_below_half() -> None:
    probs = np.concatenate([np.full(40, 0.3), np.full(160, 0.05)])[:, None]
    tags = np.concatenate([np.ones(40), np.zeros(160)]).astype(np.int64)[:, None]
    assert 0.3 <= thresholds.choose(probs, tags)[0] < 0.35
    assert thresholds.choose(probs[35:], tags[35:])[0] > 0.4  # five samples say less


@pytest.mark.parametrize("value", [0, -1])
def test_a_tag_that_no_sample_has_is_not_said_of_what_might_as_well_not_have_it(value: int) -> None:
    [chosen] = thresholds.choose(np.full((9, 1), 0.5), np.full((9, 1), value))
    assert 0.5 < chosen < 0.6


def test_thresholds_lie_between_never_and_always() -> None:
    random = np.random.default_rng(0)
    probs = random.choice([0.0, 1.0, 0.5], (50, 6))
    chosen = thresholds.choose(probs, random.integers(-1, 2, (50, 6)))
    assert ((chosen > 0) & (chosen < 1)).all()
