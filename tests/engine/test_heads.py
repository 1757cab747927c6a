"""The logistic head: an estimator like scikit-learn's, and as right as scikit-learn's."""

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import LogisticRegression

from apps.engine import heads
from apps.engine.errors import ArtifactCorrupt
from apps.engine.heads import linear
from apps.engine.heads.logistic import LogisticHead
from apps.engine.heads.span import span


def blobs(n: int, dim: int, n_classes: int, *, seed: int = 0) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    random = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    centres = random.normal(size=(n_classes, dim))
    return (centres[y] + 2 * random.normal(size=(n, dim)) + 5).astype(np.float32), y


def scaled(X: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    centred = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    rows: npt.NDArray[np.float64] = centred / np.sqrt((centred**2).sum(axis=1).mean())
    return rows


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0, 100.0])
@pytest.mark.parametrize(("n", "dim", "n_classes"), [(60, 200, 3), (300, 20, 5)])
def test_probabilities_are_those_of_scikit_learn(C: float, n: int, dim: int, n_classes: int) -> None:
    X, y = blobs(n, dim, n_classes)
    ours = LogisticHead(C=C, tolerance=1e-5).fit(X, y).predict_proba(X)
    theirs = LogisticRegression(C=C, tol=1e-8, max_iter=10_000).fit(scaled(X), y).predict_proba(scaled(X))
    assert np.abs(ours - theirs).max() < 2e-3  # float32 against float64


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("n_classes", [2, 7])
def test_a_fit_in_the_span_equals_a_direct_fit(C: float, n_classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = blobs(80, 400, n_classes)
    X, new = X.astype(np.float64), blobs(40, 400, n_classes, seed=1)[0]
    spanned = LogisticHead(C=C, tolerance=1e-6).fit(X, y)
    monkeypatch.setattr(linear, "SPAN_SHARE", 0.0)
    direct = LogisticHead(C=C, tolerance=1e-6).fit(X, y)
    assert np.abs(spanned.predict_proba(new) - direct.predict_proba(new)).max() < 1e-4


def test_the_span_keeps_all_distances() -> None:
    X = blobs(30, 100, 3)[0]
    found = span(X)
    assert found.coordinates.shape[1] <= 30
    np.testing.assert_allclose(found.coordinates @ found.coordinates.T, X @ X.T, rtol=1e-4, atol=0.05)
    basis = found.lift(X, np.eye(found.coordinates.shape[1]))
    np.testing.assert_allclose(found.coordinates @ basis.T, X, atol=1e-2)


def test_the_span_of_repeated_rows_is_as_small_as_it_is() -> None:
    X = np.repeat(blobs(3, 50, 3)[0], 10, axis=0)
    assert span(X).coordinates.shape == (30, 3)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_setting_out_from_another_head_changes_nothing_but_the_time(n_classes: int) -> None:
    X, y = blobs(300, 20, n_classes)
    near = LogisticHead(C=3.0, tolerance=1e-5).fit(X, y)
    cold = LogisticHead(C=10.0, tolerance=1e-5).fit(X, y)
    warm = LogisticHead(C=10.0, tolerance=1e-5).fit(X, y, start=near)
    assert np.abs(cold.predict_proba(X) - warm.predict_proba(X)).max() < 1e-3
    other = LogisticHead(C=3.0).fit(*blobs(40, 7, 2))
    assert LogisticHead(C=10.0, tolerance=1e-5).fit(X, y, start=other).coef_.tolist() == cold.coef_.tolist()


def test_making_a_head_does_no_work_and_fitting_returns_it() -> None:
    head = LogisticHead(C=3.0)
    assert not hasattr(head, "classes_")
    X, y = blobs(20, 5, 2)
    assert head.fit(X, y) is head
    assert head.C == 3.0


def test_classes_are_those_seen_in_ascending_order() -> None:
    X, y = blobs(20, 5, 2)
    head = LogisticHead().fit(X, np.where(y == 0, 7, 3))
    assert head.classes_.tolist() == [3, 7]
    assert set(head.predict(X).tolist()) <= {3, 7}
    pred_probs = head.predict_proba(X)
    assert pred_probs.shape == (20, 2)
    np.testing.assert_allclose(pred_probs.sum(axis=1), 1.0, rtol=1e-5)


def test_fitting_does_not_change_what_it_is_given() -> None:
    X, y = blobs(20, 5, 2)
    X_before, y_before = X.copy(), y.copy()
    LogisticHead().fit(X, y)
    assert (X_before == X).all()
    assert (y == y_before).all()


def test_fitting_twice_gives_the_same_head() -> None:
    X, y = blobs(50, 80, 3)
    assert LogisticHead().fit(X, y).coef_.tolist() == LogisticHead().fit(X, y).coef_.tolist()


def test_one_class_is_always_predicted() -> None:
    X = blobs(4, 9, 2)[0]
    head = LogisticHead().fit(X, np.array([5, 5, 5, 5]))
    assert head.predict_proba(X).tolist() == [[1.0]] * 4


@pytest.mark.parametrize("X", [np.zeros((6, 4)), np.ones((6, 40)), np.full((6, 3), 0.1)])
def test_samples_that_are_all_the_same_get_the_shares_of_the_labels(X: npt.NDArray[np.float64]) -> None:
    head = LogisticHead(C=100.0).fit(X.astype(np.float32), np.array([0, 0, 0, 0, 1, 1]))
    np.testing.assert_allclose(head.predict_proba(X.astype(np.float32))[0], [2 / 3, 1 / 3], atol=0.01)


def test_no_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        LogisticHead().fit(np.zeros((0, 3)), np.zeros(0, dtype=int))


def test_a_head_comes_back_from_its_arrays() -> None:
    X, y = blobs(30, 6, 3)
    head = heads.create("logistic", {"C": 2.0}).fit(X, y)
    again = heads.restore("logistic", {"C": 2.0}, head.to_arrays())
    assert again.predict_proba(X).tolist() == head.predict_proba(X).tolist()


@pytest.mark.parametrize("name", ["classes", "coef", "intercept"])
def test_arrays_that_do_not_fit_together_are_refused(name: str) -> None:
    arrays = heads.create("logistic", {"C": 2.0}).fit(*blobs(30, 6, 3)).to_arrays()
    with pytest.raises(ArtifactCorrupt):
        heads.restore("logistic", {"C": 2.0}, {key: rows for key, rows in arrays.items() if key != name})
    with pytest.raises(ArtifactCorrupt):
        heads.restore("logistic", {"C": 2.0}, {**arrays, name: arrays[name][:2]})


def test_a_head_or_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no head"):
        heads.create("oracle", {})
    with pytest.raises(ValueError, match="no head"):
        heads.create("logistic", {"D": 1.0})
