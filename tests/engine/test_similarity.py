"""Guesses before there is a model: by likeness to labels' names, and by rules."""

import numpy as np
import pytest

from apps.engine import backbones, similarity
from apps.engine.types import BoolArray, FloatArray, IntArray, Modality

NO_HITS: BoolArray = np.zeros((1, 0), dtype=np.bool_)
NO_RULES: IntArray = np.zeros(0, dtype=np.int64)
NOTHING = np.full((1, 3), np.nan)


def cosines(*row: float) -> FloatArray:
    return np.array([row])


def test_names_are_compared_in_plain_words_with_what_they_mean() -> None:
    assert similarity.label_text("GetWeather") == "get weather"
    assert similarity.label_text("card_declined") == "card declined"
    assert similarity.label_text("PAID") == "paid"
    assert similarity.label_text("Refund", "wants money back") == "refund: wants money back"


def test_likeness_is_that_of_words_in_common() -> None:
    backbone = backbones.tiny(Modality.TEXT)
    alike = similarity.likeness(
        backbone.encode(["refund my order", "the parcel is late"]),
        backbone.encode(["refund", "late parcel"]),
        backbone="tiny-text",
    )
    assert alike.argmax(axis=1).tolist() == [0, 1]
    assert np.all(np.abs(alike) <= 1.0 + 1e-6)


def test_an_empty_or_broken_embedding_is_like_nothing() -> None:
    rows = np.array([[0.0, 0.0], [np.nan, np.inf]], dtype=np.float32)
    assert np.isfinite(similarity.likeness(rows, np.eye(2, dtype=np.float32), backbone="tiny-text")).all()


def test_without_rules_the_likest_label_is_guessed() -> None:
    pred_probs = similarity.guess(cosines(0.3, 0.1, 0.0), NO_HITS, NO_RULES)
    assert pred_probs.sum() == pytest.approx(1.0)
    assert 0.9 < pred_probs[0, 0] < 1.0


def test_a_rule_speaks_over_likeness_and_leaves_the_rest_to_it() -> None:
    pred_probs = similarity.guess(cosines(0.9, 0.1, 0.0), np.array([[True]]), np.array([2]))
    assert pred_probs[0, 2] == pytest.approx(similarity.RULE_CONFIDENCE, abs=0.01)
    assert pred_probs[0, 0] > pred_probs[0, 1]
    assert pred_probs.sum() == pytest.approx(1.0)


def test_rules_that_disagree_are_weighed_by_number_and_likeness() -> None:
    two_against_one = similarity.guess(NOTHING, np.array([[True, True, True]]), np.array([0, 0, 1]))
    assert two_against_one[0, 0] > two_against_one[0, 1] > two_against_one[0, 2]
    tied = similarity.guess(cosines(0.1, 0.4, 0.0), np.array([[True, True]]), np.array([0, 1]))
    assert tied[0, 1] > tied[0, 0] > 0.15


def test_where_nothing_speaks_nothing_is_said() -> None:
    hits = np.array([[False], [True]])
    pred_probs = similarity.guess(np.full((2, 3), np.nan), hits, np.array([1]))
    assert np.isnan(pred_probs[0]).all()
    assert pred_probs[1, 1] == pytest.approx(0.9 + 0.1 / 3)


def test_tags_of_rules_are_there_together_and_likeness_adds_at_most_one() -> None:
    pred_probs = similarity.guess_tags(cosines(0.9, 0.1, 0.2), np.array([[True, True]]), np.array([1, 2]))
    assert (pred_probs[0] > 0.5).tolist() == [True, True, True]
    by_likeness = similarity.guess_tags(cosines(0.3, 0.3, 0.3), NO_HITS, NO_RULES)
    assert not (by_likeness > 0.5).any()
    assert np.isnan(similarity.guess_tags(NOTHING, NO_HITS, NO_RULES)).all()
    only_rules = similarity.guess_tags(NOTHING, np.array([[True]]), np.array([1]))
    assert only_rules[0].tolist() == pytest.approx([0.0, 0.9, 0.0])
