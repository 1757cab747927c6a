"""Which labels are likely wrong."""

import time

import numpy as np
import numpy.typing as npt
import pytest

from apps.engine import crossval, label_issues
from apps.engine.label_issues import LOOKED_AT, label_doubts, nearest_others, tag_doubts
from apps.engine.types import IntArray

Floats = npt.NDArray[np.float64]


def points(labels: IntArray, *, dim: int = 12, apart: float = 3.0, seed: int = 0) -> Floats:
    """Unit rows that lie around a centre of their label's own."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(int(labels.max()) + 1, dim))
    rows = apart * centres[labels] / np.linalg.norm(centres[labels], axis=1, keepdims=True)
    rows = rows + random.normal(size=(len(labels), dim))
    unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def said(labels: IntArray, n_classes: int, confidence: float = 0.9) -> Floats:
    """Probabilities of a model that is right of everything."""
    pred_probs = np.full((len(labels), n_classes), (1 - confidence) / (n_classes - 1))
    pred_probs[np.arange(len(labels)), labels] = confidence
    return pred_probs


def test_what_was_flipped_comes_first_with_what_it_was() -> None:
    truth = np.arange(60) % 3
    labels = truth.copy()
    flipped = [4, 20, 41]
    labels[flipped] = (truth[flipped] + 1) % 3
    found = label_doubts(said(truth, 3), labels, points(truth), np.arange(60))
    assert sorted(np.argsort(-found.scores)[:3]) == flipped
    assert found.instead[flipped].tolist() == truth[flipped].tolist()
    assert np.flatnonzero(found.is_doubted).tolist() == flipped
    assert 0 <= found.scores.min() <= found.scores.max() < 1


def test_neighbours_decide_where_the_round_does_not() -> None:
    truth = np.arange(40) % 2
    labels = truth.copy()
    labels[6] = 1 - truth[6]
    torn = np.full((40, 2), 0.5)
    found = label_doubts(torn, labels, points(truth, apart=6.0), np.arange(40))
    assert found.scores.argmax() == 6


def test_a_duplicate_does_not_vouch_for_its_twin() -> None:
    truth = np.arange(40) % 2
    labels, groups = truth.copy(), np.arange(40)
    vectors = points(truth, apart=6.0)
    twins = [6, 8, 10, 12]
    labels[twins] = 1 - truth[twins]
    vectors[twins] = vectors[6]
    apart = label_doubts(np.full((40, 2), 0.5), labels, vectors, groups)
    groups[twins] = 6
    together = label_doubts(np.full((40, 2), 0.5), labels, vectors, groups)
    assert (together.scores[twins] > apart.scores[twins]).all()


def test_an_only_sample_of_its_label_is_not_doubted_for_that() -> None:
    labels = np.array([0] * 20 + [1] * 20 + [2])
    groups = np.arange(41)
    pred_probs = said(np.append(labels[:-1], 0), 3)
    assert label_doubts(pred_probs, labels, points(labels), groups).scores[-1] == 0
    # Nor are two that are the same: both were held out together.
    twice = np.append(labels, 2)
    found = label_doubts(np.vstack([pred_probs, pred_probs[-1]]), twice, points(twice), np.append(groups, 40))
    assert (found.scores[-2:] == 0).all()
    assert not found.is_doubted[-2:].any()


def test_a_label_the_model_says_too_seldom_does_not_fill_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a rare label it is sure of nothing, and of a common one just once hardly more: that one stands out."""
    monkeypatch.setattr(label_issues, "NEIGHBOURS_SAY", 0.0)
    labels = np.array([0] * 50 + [1] * 8)
    pred_probs = said(labels, 2, 0.95)
    pred_probs[50:] = [0.76, 0.24]
    pred_probs[3] = [0.25, 0.75]
    found = label_doubts(pred_probs, labels, points(labels), np.arange(58))
    assert found.scores.argmax() == 3
    assert not found.is_doubted[50:].any()
    monkeypatch.setattr(label_issues, "OWN_STANDARD", 0.0)
    assert label_doubts(pred_probs, labels, points(labels), np.arange(58)).scores.argmax() == 50


def test_of_tags_the_one_said_wrongly_is_doubted_and_those_nobody_asked_about_are_not() -> None:
    random = np.random.default_rng(2)
    truth = (random.random((80, 3)) < 0.4).astype(np.int64)
    tags = truth.copy()
    tags[5, 1] = 1 - tags[5, 1]
    tags[7, 2] = -1
    pred_probs = np.where(truth == 1, 0.9, 0.1)
    found = tag_doubts(pred_probs, tags, points(np.arange(80) % 2), np.arange(80))
    assert np.unravel_index(found.scores.argmax(), found.scores.shape) == (5, 1)
    assert found.instead[5] == 1
    assert np.argwhere(found.is_doubted).tolist() == [[5, 1]]
    assert found.scores[7, 2] == 0


def test_a_tag_that_was_always_said_to_be_there_is_doubted_nowhere() -> None:
    tags = np.ones((20, 1), dtype=np.int64)
    assert not tag_doubts(np.full((20, 1), 0.1), tags, points(np.arange(20) % 2), np.arange(20)).is_doubted.all()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_next_to_nothing_is_doubted_nowhere(n: int) -> None:
    labels = np.zeros(n, dtype=np.int64)
    found = label_doubts(np.full((n, 2), 0.5), labels, np.ones((n, 4)), np.arange(n))
    assert len(found.scores) == n
    assert not found.is_doubted.any()
    tags = label_doubts(np.full((n, 2), 0.5), labels, np.ones((n, 4)), np.arange(n))
    assert len(tags.scores) == n


def test_the_nearest_others_are_those_of_other_groups_in_order() -> None:
    angles = np.array([0.0, 0.0, 0.1, 0.4, 0.2])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    nearest, cosines = nearest_others(vectors, np.array([0]), np.arange(5), np.array([0, 0, 1, 2, 3]), n=2)
    assert nearest.tolist() == [[2, 4]]
    assert cosines[0] == pytest.approx(np.cos([0.1, 0.2]))
    alone, infinite = nearest_others(vectors, np.array([0]), np.array([0, 1]), np.zeros(5, dtype=np.int64), n=3)
    assert alone.shape == (1, 2)
    assert np.isneginf(infinite).all()


def test_a_sample_whose_place_is_unknown_is_judged_by_the_round_alone() -> None:
    truth = np.arange(60) % 3
    labels = truth.copy()
    labels[4] = (truth[4] + 1) % 3
    unknown = label_doubts(said(truth, 3), labels, np.zeros((60, 4)), np.arange(60))
    assert np.flatnonzero(unknown.is_doubted).tolist() == [4]
    assert len(np.unique(unknown.scores.round(9))) == 2


def test_it_stays_cheap_and_what_is_not_looked_at_stands_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    n = LOOKED_AT + 500
    truth = np.arange(n) % 4
    labels = truth.copy()
    labels[:20] = (truth[:20] + 1) % 4
    vectors = points(truth, dim=96).astype(np.float32)
    monkeypatch.setattr(crossval, "MOST_LEARNED_FROM", 1_000)
    started = time.process_time()
    found = label_doubts(said(truth, 4), labels, vectors, np.arange(n))
    assert time.process_time() - started < 5
    assert sorted(np.argsort(-found.scores, kind="stable")[:20]) == list(range(20))
