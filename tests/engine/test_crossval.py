"""Folds, and scores from heads that never saw the sample."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.engine import crossval
from apps.engine.errors import DeadlineExpired
from apps.engine.heads import Head, create
from apps.engine.runtime import Deadline

LABELS = st.lists(st.integers(0, 6), min_size=1, max_size=80)
SEEDS = st.integers(0, 5)
N_FOLDS = st.integers(2, 10)


@settings(deadline=None)  # a busy machine is no error
@given(LABELS, N_FOLDS, SEEDS)
def test_every_label_is_spread_evenly_over_the_folds(labels: list[int], n_folds: int, seed: int) -> None:
    y = np.array(labels)
    folds = crossval.assign_folds(y, np.arange(len(y)), n_folds=n_folds, seed=seed)
    for label in set(labels):
        counts = np.bincount(folds[y == label], minlength=n_folds)
        assert counts.max() - counts.min() <= 1


@settings(deadline=None)  # a busy machine is no error
@given(st.data(), LABELS, N_FOLDS, SEEDS)
def test_duplicates_are_never_held_out_apart(data: Any, labels: list[int], n_folds: int, seed: int) -> None:
    groups = data.draw(st.lists(st.integers(0, 9), min_size=len(labels), max_size=len(labels)))
    folds = crossval.assign_folds(np.array(labels), np.array(groups), n_folds=n_folds, seed=seed)
    assert folds.min() >= 0
    assert folds.max() < n_folds
    for group in set(groups):
        assert len(set(folds[np.array(groups) == group])) == 1


@settings(deadline=None)  # a busy machine is no error
@given(st.data(), LABELS, N_FOLDS, SEEDS)
def test_folds_of_earlier_samples_stay_when_more_are_appended(
    data: Any, labels: list[int], n_folds: int, seed: int
) -> None:
    groups = np.array(data.draw(st.lists(st.integers(0, 30), min_size=len(labels), max_size=len(labels))))
    y, n = np.array(labels), data.draw(st.integers(0, len(labels)))
    before = crossval.assign_folds(y[:n], groups[:n], n_folds=n_folds, seed=seed)
    after = crossval.assign_folds(y, groups, n_folds=n_folds, seed=seed)
    assert after[:n].tolist() == before.tolist()


@settings(deadline=None)  # a busy machine is no error
@given(LABELS, N_FOLDS, SEEDS)
def test_a_label_with_two_samples_is_seen_when_one_of_them_is_held_out(
    labels: list[int], n_folds: int, seed: int
) -> None:
    y = np.array(labels)
    folds = crossval.assign_folds(y, np.arange(len(y)), n_folds=n_folds, seed=seed)
    known = crossval.could_be_known(y, folds)
    assert known.tolist() == (np.bincount(y)[y] >= 2).tolist()


def test_one_fold_is_refused() -> None:
    with pytest.raises(ValueError, match="two folds"):
        crossval.assign_folds(np.array([0, 1]), np.array([0, 1]), n_folds=1)


class Recorder:
    """A head that remembers what it was shown."""

    def __init__(self, seen: list[set[float]]) -> None:
        self.seen = seen

    def fit(self, X: Any, y: Any, *, start: object = None) -> "Recorder":
        self.classes_ = np.unique(y)
        self.own = set(X[:, 0].tolist())
        self.seen.append(self.own)
        return self

    def decision_function(self, X: Any) -> Any:
        assert not self.own & set(X[:, 0].tolist())
        return np.zeros((len(X), len(self.classes_)))


def test_no_head_scores_a_sample_it_saw() -> None:
    seen: list[set[float]] = []
    X, y = np.arange(30, dtype=np.float32)[:, None], np.arange(30) % 3
    folds = crossval.assign_folds(y, np.arange(30) // 2, n_folds=5)
    crossval.out_of_fold_scores(lambda: Recorder(seen), X, y, folds, n_classes=3)  # type: ignore[arg-type,return-value]  # only what is used of a head
    assert len(seen) == 5
    assert set.union(*seen) == set(X[:, 0].tolist())


def logistic() -> Head:
    return create("logistic", {"C": 1.0})


def test_the_only_sample_of_a_label_gets_a_row_that_calls_it_impossible() -> None:
    X = np.eye(7, dtype=np.float32)
    y = np.array([0, 0, 0, 1, 1, 1, 2])
    folds = crossval.assign_folds(y, np.arange(7), n_folds=3)
    scores = crossval.out_of_fold_scores(logistic, X, y, folds, n_classes=4)
    assert np.isfinite(scores).all()
    assert scores[6, 2] == crossval.IMPOSSIBLE
    assert (scores[:, 3] == crossval.IMPOSSIBLE).all()
    assert (scores[:6, :2] > crossval.IMPOSSIBLE).all()


def test_an_expired_deadline_ends_it_between_fits() -> None:
    y = np.array([0, 0, 1, 1])
    folds = crossval.assign_folds(y, np.arange(4), n_folds=2)
    with pytest.raises(DeadlineExpired):
        crossval.out_of_fold_scores(
            logistic, np.eye(4, dtype=np.float32), y, folds, n_classes=2, deadline=Deadline.after(0)
        )


def test_fitting_side_by_side_gives_the_same_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    X, y = random.normal(size=(60, 8)).astype(np.float32), np.arange(60) % 3
    folds = crossval.assign_folds(y, np.arange(60), n_folds=5)
    one_by_one = crossval.out_of_fold_scores(logistic, X, y, folds, n_classes=3)
    monkeypatch.setattr(crossval, "THREADS_FROM", 0)
    side_by_side = crossval.out_of_fold_scores(logistic, X, y, folds, n_classes=3)
    assert side_by_side.tolist() == one_by_one.tolist()
