"""A whole round, on ordinary data and on everything odd that real data brings."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.engine import automl, backbones, metrics, search
from apps.engine.errors import DeadlineExpired, NotTrainable
from apps.engine.heads import linear
from apps.engine.runtime import Deadline
from apps.engine.types import Blend, Inputs, Modality, Recipe, RoundResult, Rule, TrainingData, Verdict

Rows = npt.NDArray[np.float32]


def blobs(
    n: int, n_classes: int, *, dim: int = 48, spread: float = 1.0, seed: int = 0
) -> tuple[Rows, npt.NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    centres = random.normal(size=(n_classes, dim))
    return (centres[y] + spread * random.normal(size=(n, dim))).astype(np.float32), y


def inputs(X: Rows) -> Inputs:
    return Inputs(len(X), {"minilm": X})


def given_data(
    X: Rows, y: npt.NDArray[np.int64], n_classes: int, groups: npt.NDArray[np.int64] | None = None
) -> TrainingData:
    return TrainingData(inputs(X), y, n_classes, np.arange(len(y)) if groups is None else groups)


def assert_sound(result: RoundResult, n_samples: int, n_classes: int, dim: int) -> None:
    assert result.pred_probs.shape == (n_samples, n_classes)
    for pred_probs in (result.pred_probs, result.predictor.pred_probs(inputs(np.ones((3, dim), dtype=np.float32)))):
        assert pred_probs.dtype == np.float32
        assert np.isfinite(pred_probs).all()
        assert (pred_probs >= 0).all()
        np.testing.assert_allclose(pred_probs.sum(axis=1), 1.0, rtol=1e-4)
    assert result.predictor.members[0].temperature > 0
    assert result.trials


def test_a_round_learns_what_there_is_to_learn() -> None:
    X, y = blobs(150, 3)
    new_X, new_y = blobs(150, 3)
    result = automl.train(given_data(X[:100], y[:100], 3))
    assert_sound(result, 100, 3, 48)
    assert metrics.accuracy(result.pred_probs, y[:100]) > 0.9
    assert metrics.accuracy(result.predictor.pred_probs(inputs(new_X[100:])), new_y[100:]) > 0.9


def test_out_of_fold_figures_do_not_flatter() -> None:
    random = np.random.default_rng(0)
    X, y = random.normal(size=(100, 300)).astype(np.float32), np.arange(100) % 2
    result = automl.train(given_data(X, y, 2))
    assert metrics.accuracy(result.pred_probs, y) < 0.65  # labels are noise: only a head that saw them does better
    assert metrics.accuracy(result.predictor.pred_probs(inputs(X)), y) > 0.8


def test_duplicates_do_not_flatter_either() -> None:
    random = np.random.default_rng(0)
    X = np.repeat(random.normal(size=(50, 300)).astype(np.float32), 2, axis=0)
    y, groups = np.repeat(np.arange(50) % 2, 2), np.repeat(np.arange(50), 2)
    kept_together = automl.train(given_data(X, y, 2, groups))
    torn_apart = automl.train(given_data(X, y, 2))
    assert metrics.accuracy(torn_apart.pred_probs, y) > 0.9
    assert metrics.accuracy(kept_together.pred_probs, y) < 0.7


def test_the_same_data_and_seed_give_the_same_model() -> None:
    X, y = blobs(60, 3)
    one, two = (automl.train(given_data(X, y, 3), seed=4) for _ in range(2))
    assert one.blend == two.blend
    assert one.pred_probs.tolist() == two.pred_probs.tolist()
    assert one.predictor.pred_probs(inputs(X)).tolist() == two.predictor.pred_probs(inputs(X)).tolist()


def test_too_little_to_train_on_is_said_in_words() -> None:
    X = np.ones((1, 4), dtype=np.float32)
    data = TrainingData(inputs(X), np.array([0]), 2, np.array([0]), label_names=("Refund", "Scam"))
    with pytest.raises(NotTrainable, match=r"^Label 1 more Refund and 2 more Scam to see the first predictions\.$"):
        automl.train(data)


@pytest.mark.parametrize("n_classes", [0, 1, 2, 300])
def test_no_samples_at_all_are_not_trainable(n_classes: int) -> None:
    with pytest.raises(NotTrainable):
        automl.train(given_data(np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.int64), n_classes))


def test_one_label_is_not_trainable() -> None:
    with pytest.raises(NotTrainable):
        automl.train(given_data(np.ones((9, 4), dtype=np.float32), np.zeros(9, dtype=np.int64), 2))


def test_two_labels_with_two_samples_each_are_enough() -> None:
    X, y = blobs(4, 2)
    assert_sound(automl.train(given_data(X, y, 2)), 4, 2, 48)


def test_rare_labels_are_in_the_model_and_get_honest_rows() -> None:
    X, y = blobs(41, 2)
    y[-1] = 2
    result = automl.train(given_data(X, y, 4))
    assert_sound(result, 41, 4, 48)
    assert result.pred_probs[-1, 2] == 0.0
    assert result.predictor.pred_probs(inputs(X))[-1].argmax() == 2
    assert (result.predictor.pred_probs(inputs(X))[:, 3] == 0.0).all()


def test_three_hundred_labels_with_three_samples_each_train() -> None:
    X, y = blobs(900, 300, dim=64, spread=0.2)
    result = automl.train(given_data(X, y, 300))
    assert_sound(result, 900, 300, 64)
    assert metrics.accuracy(result.pred_probs, y) > 0.9


@pytest.mark.parametrize("value", [0.0, 1.0, -3e20, 1e-30])
def test_samples_that_are_all_identical_train(value: float) -> None:
    X = np.full((12, 30), value, dtype=np.float32)
    y = np.array([0] * 8 + [1] * 4)
    for groups in (np.arange(12), np.zeros(12, dtype=np.int64)):
        assert_sound(automl.train(given_data(X, y, 2, groups)), 12, 2, 30)


def test_identical_samples_with_different_labels_are_called_a_toss_up() -> None:
    X = np.repeat(blobs(10, 2)[0], 2, axis=0)
    y, groups = np.arange(20) % 2, np.repeat(np.arange(10), 2)
    result = automl.train(given_data(X, y, 2, groups))
    assert_sound(result, 20, 2, 48)
    assert result.predictor.pred_probs(inputs(X)).max() < 0.7


def test_every_sample_of_a_label_in_one_group_trains() -> None:
    X, y = blobs(20, 2)
    groups = np.where(y == 0, 0, np.arange(20))
    result = automl.train(given_data(X, y, 2, groups))
    assert_sound(result, 20, 2, 48)
    assert (result.pred_probs[y == 0, 0] == 0.0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_embeddings_that_are_not_finite_count_as_zero(value: float) -> None:
    X, y = blobs(40, 2)
    X[3] = value
    X[5, 7] = value
    result = automl.train(given_data(X, y, 2))
    assert_sound(result, 40, 2, 48)
    zeros = np.where(np.isfinite(X), X, 0).astype(np.float32)
    assert result.predictor.pred_probs(inputs(X)).tolist() == result.predictor.pred_probs(inputs(zeros)).tolist()


def test_no_data_handed_in_is_changed() -> None:
    X, y = blobs(40, 2)
    X[3] = np.nan
    before = X.copy()
    automl.train(given_data(X, y, 2))
    np.testing.assert_array_equal(X, before)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(1, 6), st.integers(1, 40))
def test_a_round_never_fails_on_what_is_trainable(seed: int, n: int, n_classes: int, dim: int) -> None:
    random = np.random.default_rng(seed)
    X = (random.normal(size=(n, dim)) * 10.0 ** random.integers(-8, 8)).astype(np.float32)
    X[random.random(n) < 0.3] = X[0]
    X[random.random(X.shape) < 0.02] = np.nan
    y, groups = random.integers(0, n_classes, n), random.integers(0, n, n)
    try:
        result = automl.train(given_data(X, y, n_classes, groups))
    except NotTrainable:
        assert np.sum(np.bincount(y, minlength=n_classes) >= 2) < 2
    else:
        assert_sound(result, n, n_classes, dim)


def test_empty_texts_train() -> None:
    texts = ["", "refund please", "", "refund now", "hello", "hello there"]
    rows = backbones.tiny(Modality.TEXT).encode(texts)
    given = Inputs(6, {"tiny-text": rows}, texts)
    result = automl.train(TrainingData(given, np.array([0, 1, 0, 1, 0, 0]), 2, np.array([0, 1, 0, 2, 3, 4])))
    pred_probs = result.predictor.pred_probs(Inputs(2, {"tiny-text": rows[:2]}, ["", "\ud800 unheard of"]))
    np.testing.assert_allclose(pred_probs.sum(axis=1), 1.0, rtol=1e-4)


def test_the_first_result_comes_before_the_last() -> None:
    X, y = blobs(60, 3)
    firsts: list[RoundResult] = []
    result = automl.train(given_data(X, y, 3), on_first=firsts.append)
    assert len(firsts) == 1
    assert_sound(firsts[0], 60, 3, 48)
    assert len(firsts[0].trials) == 1 < len(result.trials)
    assert result.is_complete
    assert not firsts[0].is_complete


def test_an_expired_deadline_is_said_before_anything_is_tried() -> None:
    with pytest.raises(DeadlineExpired):
        automl.train(given_data(*blobs(60, 3), 3), deadline=Deadline.after(0))


def test_a_deadline_that_comes_later_gives_the_best_so_far() -> None:
    X, y = blobs(60, 3)

    class Soon(Deadline):
        """Expires once the first recipe was tried."""

        def expired(self) -> bool:
            return bool(firsts)

    firsts: list[RoundResult] = []
    result = automl.train(given_data(X, y, 3), on_first=firsts.append, deadline=Soon(0.0))
    assert_sound(result, 60, 3, 48)
    assert len(result.trials) == 1
    assert not result.is_complete


def test_the_blend_in_service_is_kept_without_evidence_against_it() -> None:
    X, y = blobs(60, 3, spread=3.0)
    best = automl.train(given_data(X, y, 3)).blend
    near = Blend((*best.members[1:], (Recipe("minilm", "discriminant", {"shrinkage": 0.75}), best.members[0][1])))
    result = automl.train(given_data(X, y, 3), serving=near)
    assert result.blend == near
    assert {recipe for recipe, _weight in near.members} <= {trial.recipe for trial in result.trials}
    assert result.decision.verdict is Verdict.KEPT
    assert automl.train(given_data(X, y, 3), serving=best).decision.verdict is Verdict.SAME


def test_a_blend_that_is_clearly_worse_is_replaced() -> None:
    X, y = blobs(200, 8, spread=1.5)
    poor = Blend.of(Recipe("minilm", "logistic", {"C": 1e-6}))
    result = automl.train(given_data(X, y, 8), serving=poor)
    assert result.blend != poor
    assert result.decision.verdict is Verdict.REPLACED
    assert result.decision.gain > result.decision.gain_error > 0


@pytest.mark.parametrize("gone", [Recipe("other", "logistic", {"C": 1.0}), Recipe("minilm", "oracle")])
def test_a_blend_that_can_no_longer_be_tried_is_replaced(gone: Recipe) -> None:
    X, y = blobs(60, 3)
    here = Recipe("minilm", "logistic", {"C": 1.0})
    result = automl.train(given_data(X, y, 3), serving=Blend(((here, 0.5), (gone, 0.5))))
    assert result.decision.verdict is Verdict.FIRST
    assert gone not in {trial.recipe for trial in result.trials}


JOINED = Recipe("minilm+lexical", "discriminant", {"shrinkage": 0.6})


def texts_and_blobs(n: int, n_words: int) -> TrainingData:
    """Samples of which some words are not told apart by the embedding."""
    X, y = blobs(n, 3, dim=8, spread=2.0)
    random = np.random.default_rng(0)
    texts = [f"w{random.integers(n_words)} of{label}" for label in y]
    return TrainingData(Inputs(n, {"minilm": X}, texts), y, 3, np.arange(n))


def test_a_function_grows_beyond_the_samples_of_which_a_served_recipe_can_be_fitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (search, linear):
        monkeypatch.setattr(module, "MOST_SPANNED", 60)
    few, many = texts_and_blobs(60, 500), texts_and_blobs(61, 500)
    assert JOINED in {trial.recipe for trial in automl.train(few, serving=Blend.of(JOINED)).trials}
    assert JOINED in automl.served_recipes(few, Blend.of(JOINED))
    result = automl.train(many, serving=Blend(((JOINED, 0.5), (Recipe("minilm", "logistic", {"C": 1.0}), 0.5))))
    assert JOINED not in {trial.recipe for trial in result.trials}
    assert metrics.accuracy(result.pred_probs, many.labels) > 0.8


def test_more_samples_than_all_their_words_and_numbers_are_learned_from() -> None:
    data = texts_and_blobs(400, 2)
    result = automl.train(data, serving=Blend.of(JOINED))
    assert JOINED in {trial.recipe for trial in result.trials}
    assert metrics.accuracy(result.pred_probs, data.labels) > 0.9
    assert metrics.accuracy(result.predictor.pred_probs(data.inputs), data.labels) > 0.9


def test_words_are_told_apart_that_no_embedding_shows() -> None:
    texts = [f"order {i} of article {'XK' if i % 2 else 'QF'}-{i * 7919 % 97}" for i in range(80)]
    labels = np.arange(80) % 2
    blind = np.random.default_rng(0).normal(size=(80, 8)).astype(np.float32)
    whole = Inputs(80, {"minilm": blind}, texts)
    data = TrainingData(whole.take(np.arange(40)), labels[:40], 2, np.arange(40))
    result = automl.train(data)
    assert any("lexical" in recipe.backbone for recipe, _weight in result.blend.members)
    pred_probs = result.predictor.pred_probs(whole.take(np.arange(40, 80)))
    assert metrics.accuracy(pred_probs, labels[40:]) > 0.9


def test_names_of_labels_help_where_samples_are_few() -> None:
    random = np.random.default_rng(0)
    names = random.normal(size=(4, 384)).astype(np.float32)
    y = np.arange(100) % 4
    X = (names[y] + 3.5 * random.normal(size=(100, 384))).astype(np.float32)
    few = Inputs(12, {"minilm": X[:12]}, ["?"] * 12)
    rest = Inputs(88, {"minilm": X[12:]}, ["?"] * 88)
    without = automl.train(TrainingData(few, y[:12], 4, np.arange(12)))
    told = automl.train(TrainingData(few, y[:12], 4, np.arange(12), label_embeddings={"minilm": names}))
    right = [metrics.accuracy(result.predictor.pred_probs(rest), y[12:]) for result in (without, told)]
    assert right[1] > right[0] + 0.1


def test_rules_are_learned_from_like_everything_else() -> None:
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 120)
    filler = ["alpha", "beta", "gamma", "delta", "omega"]
    texts = [" ".join(random.choice(filler, 6)) + (" money back" if label else " back money") for label in y]
    blind = random.normal(size=(120, 8)).astype(np.float32)
    rules = (Rule("money back", 1),)
    train, test = Inputs(40, {"minilm": blind[:40]}, texts[:40]), Inputs(80, {"minilm": blind[40:]}, texts[40:])
    result = automl.train(TrainingData(train, y[:40], 2, np.arange(40), rules=rules))
    assert any("rules" in trial.recipe.backbone for trial in result.trials)
    assert metrics.accuracy(result.predictor.pred_probs(test), y[40:]) > 0.9


def test_data_that_contradicts_itself_is_refused() -> None:
    X = np.ones((3, 2), dtype=np.float32)
    for labels, groups in (([0, 1], [0, 1]), ([0, 1, 2], [0, 1, 2]), ([0, 1, -1], [0, 1, 2]), ([0, 1, 1], [0])):
        with pytest.raises(ValueError, match="must"):
            TrainingData(inputs(X), np.array(labels), 2, np.array(groups))


def test_samples_that_do_not_count_have_no_say_in_which_recipe_is_best() -> None:
    """All of them carry the wrong label: judged by them, confidence would mean nothing."""
    random = np.random.default_rng(3)
    y = np.arange(160) % 2
    X = random.normal(size=(160, 8)) + 1.5 * y[:, None]
    counts = np.arange(160) < 120
    told = np.where(counts, y, 1 - y)
    counted = automl.train(TrainingData(inputs(X), told, 2, np.arange(160), counts=counts))
    everything = automl.train(TrainingData(inputs(X), told, 2, np.arange(160)))
    assert counted.log_loss < everything.log_loss - 0.1
    right = metrics.is_right(counted.pred_probs, told)
    assert right[counts].mean() > 0.9 > 0.3 > right[~counts].mean()


def test_where_too_few_count_all_are_compared_by() -> None:
    random = np.random.default_rng(3)
    y = np.arange(60) % 2
    X = random.normal(size=(60, 8)) + 1.5 * y[:, None]
    few = automl.train(TrainingData(inputs(X), y, 2, np.arange(60), counts=np.arange(60) < 5))
    assert few.log_loss == automl.train(TrainingData(inputs(X), y, 2, np.arange(60))).log_loss
