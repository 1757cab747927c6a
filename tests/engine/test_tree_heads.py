"""Heads of trees: scikit-learn's trees, walked through as arrays."""

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)

from apps.engine.heads import trees
from apps.engine.heads.ensemble import TreeEnsemble
from apps.engine.heads.trees import BoostedHead, ForestHead, TreeHead
from apps.engine.types import Task

Rows = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
HEADS: list[Callable[..., TreeHead]] = [
    ForestHead,
    lambda **options: ForestHead(is_extra=True, leaf=2, **options),
    BoostedHead,
]
NAMES = ["forest", "extra", "boosted"]


def samples(n: int, dim: int, n_classes: int, *, seed: int = 0) -> tuple[Rows, Labels]:
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, dim)).astype(np.float32)
    X[:, 0] = np.round(X[:, 0])  # ties, and thresholds on them
    score = X[:, :n_classes] + 0.5 * random.normal(size=(n, n_classes))
    return X, np.asarray(score.argmax(axis=1), dtype=np.int64)


def with_holes(X: Rows) -> Rows:
    holed = X.copy()
    holed[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
    return holed


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("is_extra", [False, True])
@pytest.mark.parametrize("has_holes", [False, True])
def test_forests_say_what_those_of_scikit_learn_say(n_classes: int, is_extra: bool, has_holes: bool) -> None:
    X, y = samples(150, 8, n_classes)
    new = samples(300, 8, n_classes, seed=1)[0]
    if has_holes:
        X, new = with_holes(X), with_holes(new)
    head = ForestHead(is_extra=is_extra, leaf=2, seed=3).fit(X, y)
    make = ExtraTreesRegressor if is_extra else RandomForestRegressor
    theirs = make(300, min_samples_leaf=2, max_features="sqrt", random_state=3)
    expected = theirs.fit(X, np.eye(n_classes)[y]).predict(new)
    np.testing.assert_allclose(head.outputs(new), expected, atol=1e-6)
    np.testing.assert_array_equal(head.outputs(new).argmax(axis=1), head.predict(new))


def test_a_forest_of_flags_is_a_forest_of_classes() -> None:
    X, y = samples(400, 8, 3)
    new, _ = samples(1_000, 8, 3, seed=1)
    ours = ForestHead().fit(X, y).outputs(new)
    theirs = RandomForestClassifier(300, random_state=0).fit(X, y).predict_proba(new)
    assert np.abs(ours - theirs).mean() < 0.01  # they differ where several splits are as good


@pytest.mark.parametrize("n_classes", [2, 5])
def test_boosted_trees_say_what_those_of_scikit_learn_say(n_classes: int) -> None:
    X, y = samples(150, 8, n_classes)
    new = samples(300, 8, n_classes, seed=1)[0]
    head = BoostedHead(depth=2, seed=3).fit(X, y)
    theirs = GradientBoostingClassifier(
        n_estimators=100,
        learning_rate=0.05,
        subsample=trees.SHARE_OF_ROWS,
        max_features=trees.SHARE_OF_NUMBERS,
        min_samples_leaf=trees.MIN_LEAF,
        max_depth=2,
        random_state=3,
    ).fit(X, y)
    np.testing.assert_allclose(head.predict_proba(new), theirs.predict_proba(new), atol=1e-5)


def test_a_value_at_a_threshold_goes_where_scikit_learn_sends_it() -> None:
    X = np.nextafter(np.float32(1), np.float32([[0], [2]]))  # neighbours of 1: no float32 lies in the middle but 1
    X = np.repeat(X, 20, axis=0)
    y = np.repeat([0, 1], 20)
    new = np.float32([[np.nextafter(np.float32(1), np.float32(0))], [1], [np.nextafter(np.float32(1), np.float32(2))]])
    head = ForestHead().fit(X, y)
    expected = RandomForestClassifier(300, random_state=0).fit(X, y).predict_proba(new)
    np.testing.assert_allclose(head.outputs(new), expected, atol=1e-6)


@pytest.mark.parametrize("make", HEADS, ids=NAMES)
@pytest.mark.parametrize("task", list(Task))
def test_state_comes_back_the_same(make: Callable[..., TreeHead], task: Task) -> None:
    X, y = samples(80, 6, 3)
    target = np.eye(3, dtype=np.int64)[y] if task is Task.TAGS else y
    head = make(task=task).fit(X, target)
    again = make(task=task).load_arrays(head.to_arrays())
    np.testing.assert_array_equal(head.predict_proba(X), again.predict_proba(X))
    np.testing.assert_array_equal(head.classes_, again.classes_)


@pytest.mark.parametrize("make", HEADS, ids=NAMES)
def test_the_same_seed_grows_the_same_trees(make: Callable[..., TreeHead]) -> None:
    X, y = samples(60, 6, 3)
    one, two, other = (make(seed=seed).fit(X, y).decision_function(X) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - other).max() > 0


@pytest.mark.parametrize("make", HEADS, ids=NAMES)
def test_one_class_is_always_predicted(make: Callable[..., TreeHead]) -> None:
    X, _ = samples(10, 4, 2)
    head = make().fit(X, np.full(10, 7))
    assert head.predict(X).tolist() == [7] * 10
    np.testing.assert_array_equal(head.predict_proba(X), np.ones((10, 1)))
    assert make().load_arrays(head.to_arrays()).predict(X).tolist() == [7] * 10


@pytest.mark.parametrize("make", HEADS, ids=NAMES)
def test_labels_keep_their_numbers(make: Callable[..., TreeHead]) -> None:
    X, y = samples(90, 6, 3)
    head = make().fit(X, y * 10 + 4)
    assert head.classes_.tolist() == [4, 14, 24]
    assert np.mean(head.predict(X) == y * 10 + 4) > 0.9


@pytest.mark.parametrize("make", HEADS, ids=NAMES)
def test_tags_are_learned_apart_and_from_what_is_known(make: Callable[..., TreeHead]) -> None:
    X, _ = samples(200, 5, 2)
    y = np.stack([X[:, 1] > 0, X[:, 2] > 0.5, np.ones(200), np.zeros(200), np.ones(200)], axis=1).astype(np.int64)
    y[::3, 0] = -1
    y[:, 4] = -1
    head = make(task=Task.TAGS).fit(X, y)
    pred_probs = head.predict_proba(X)
    assert pred_probs.shape == (200, 5)
    assert np.mean((pred_probs[:, 0] > 0.5) == (X[:, 1] > 0)) > 0.9
    assert np.mean((pred_probs[:, 1] > 0.5) == (X[:, 2] > 0.5)) > 0.9
    assert pred_probs[:, 2].min() > 0.95 > 0.05 > pred_probs[:, 3].max()
    np.testing.assert_allclose(pred_probs[:, 4], 0.5)
    np.testing.assert_array_equal(head.predict(X), pred_probs > 0.5)


def test_the_trees_of_a_tag_do_not_know_the_other_tags() -> None:
    X, y = samples(100, 5, 2)
    other = samples(100, 5, 2, seed=9)[1]
    one = ForestHead(task=Task.TAGS).fit(X, np.stack([y, other], axis=1)).predict_proba(X)[:, 0]
    two = ForestHead(task=Task.TAGS).fit(X, np.stack([y, 1 - other], axis=1)).predict_proba(X)[:, 0]
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("make", HEADS, ids=NAMES)
@pytest.mark.parametrize("task", list(Task))
def test_holes_and_infinities_do_no_harm(make: Callable[..., TreeHead], task: Task) -> None:
    X, y = samples(100, 5, 2)
    odd = with_holes(X)
    odd[0], odd[1] = np.inf, -np.inf
    target = np.eye(2, dtype=np.int64)[y] if task is Task.TAGS else y
    for rows in (X, odd):
        head = make(task=task).fit(rows, target)
        assert np.isfinite(head.decision_function(odd)).all()
        assert head.predict_proba(odd).shape == (100, 2)


@pytest.mark.parametrize("make", HEADS, ids=NAMES)
def test_no_class_is_impossible(make: Callable[..., TreeHead]) -> None:
    X, y = samples(100, 5, 2)
    assert make().fit(X, y).predict_proba(X * 100).min() > 1e-4


@pytest.mark.parametrize("make", HEADS, ids=NAMES)
@given(n=st.integers(2, 12), n_classes=st.integers(2, 4), seed=st.integers(0, 1000))
@settings(deadline=None, max_examples=10)
def test_few_and_equal_samples_grow_trees(make: Callable[..., TreeHead], n: int, n_classes: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    X = random.integers(0, 2, size=(n, 3)).astype(np.float32)
    y = random.integers(0, n_classes, size=n)
    pred_probs = make(is_trial=True).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(pred_probs.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("make", HEADS, ids=NAMES)
def test_nothing_to_fit_is_refused(make: Callable[..., TreeHead]) -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        make().fit(np.zeros((0, 3), dtype=np.float32), np.zeros(0, dtype=np.int64))


def test_rows_too_short_are_refused_and_never_read_from_the_next_one() -> None:
    X, y = samples(50, 5, 2)
    head = ForestHead(is_trial=True).fit(X, y)
    with pytest.raises(ValueError, match="at least 5 numbers"):
        head.predict(X[:, :3])


@pytest.mark.parametrize("make", HEADS, ids=NAMES)
def test_one_row_is_answered_in_well_under_three_milliseconds(make: Callable[..., TreeHead]) -> None:
    X, y = samples(1_000, 30, 4)
    head = make().fit(X, y)
    seconds = []
    for row in range(30):
        started = time.perf_counter()
        head.decision_function(X[row : row + 1])
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.002


def test_walking_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = samples(70, 5, 3)
    head = ForestHead(is_trial=True).fit(X, y)
    whole = head.outputs(X)
    monkeypatch.setattr("apps.engine.heads.ensemble.WALKERS", 250)
    np.testing.assert_array_equal(head.outputs(X), whole)


def broken(name: str, place: int, value: float) -> Callable[[dict[str, npt.NDArray[np.generic]]], None]:
    def break_it(arrays: dict[str, npt.NDArray[np.generic]]) -> None:
        arrays[name] = arrays[name].copy()
        arrays[name].reshape(-1)[place] = value  # type: ignore[call-overload]

    return break_it


@pytest.mark.parametrize(
    "break_it",
    [
        broken("left", 0, 0),
        broken("right", 0, 0),
        broken("left", 1, 0),
        broken("left", 0, 10**6),
        broken("right", 0, -1),
        broken("feature", 0, -1),
        broken("roots", 0, 1),
        broken("roots", 1, 0),
        broken("roots", -1, 10**6),
        broken("column", 0, 1),
        broken("column", 0, -1),
        broken("value", 0, np.nan),
        broken("base", 0, np.inf),
        lambda arrays: arrays.update(feature=arrays["feature"][:-1]),
        lambda arrays: arrays.update(value=arrays["value"][:-1]),
        lambda arrays: arrays.update(value=arrays["value"][:, 0]),
        lambda arrays: arrays.update(classes=arrays["classes"][:-1]),
        lambda arrays: arrays.update(classes=arrays["classes"][:0], base=arrays["base"][:0]),
        lambda arrays: arrays.pop("left"),
    ],
)
def test_a_broken_state_is_refused(break_it: Callable[[dict[str, npt.NDArray[np.generic]]], None]) -> None:
    X, y = samples(60, 5, 3)
    arrays = ForestHead(is_trial=True).fit(X, y).to_arrays()
    break_it(arrays)
    with pytest.raises((KeyError, ValueError)):
        ForestHead().load_arrays(arrays)


def test_a_tree_leads_into_no_other() -> None:
    X, y = samples(60, 5, 2)
    arrays = ForestHead(is_trial=True).fit(X, y).to_arrays()
    second = int(arrays["roots"][1])
    arrays["right"] = np.where(np.arange(len(arrays["right"])) == 0, second, arrays["right"])
    with pytest.raises(ValueError, match="circles"):
        TreeEnsemble.from_arrays(arrays, n_outputs=2)
