"""Confidence that means what it says."""

import numpy as np
import pytest
from scipy.special import softmax

from apps.engine import metrics
from apps.engine.calibration import fit_temperature, fit_temperature_shown


@pytest.mark.parametrize("sharpness", [0.2, 1.0, 5.0])
def test_the_temperature_undoes_too_much_or_too_little_confidence(sharpness: float) -> None:
    random = np.random.default_rng(0)
    honest = random.normal(size=(4_000, 3)) * 2
    labels = np.array([random.choice(3, p=row) for row in softmax(honest, axis=1)])
    temperature = fit_temperature(honest * sharpness, labels)
    assert temperature == pytest.approx(sharpness, rel=0.1)
    pred_probs = softmax(honest * sharpness / temperature, axis=1)
    assert metrics.expected_calibration_error(pred_probs, labels) < 0.03


def test_doubtful_labels_do_not_make_the_confidence_shown_far_too_low() -> None:
    random = np.random.default_rng(1)
    scores = random.normal(size=(4_000, 5)) * 4
    labels = scores.argmax(axis=1)
    is_doubtful = random.random(len(labels)) < 0.3
    labels[is_doubtful] = random.integers(5, size=int(is_doubtful.sum()))
    pred_probs = softmax(scores / fit_temperature(scores, labels), axis=1)
    assert pred_probs.max(axis=1).mean() == pytest.approx(
        metrics.accuracy(pred_probs, labels), abs=0.13
    )  # the loss on all labels: 0.22


def test_a_few_samples_that_happen_to_be_right_do_not_make_it_sure_of_everything() -> None:
    scores = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert 0.4 < fit_temperature(scores, np.array([0, 1])) < 1.0


@pytest.mark.parametrize("scores", [np.zeros((4, 2)), np.array([[-1e4, 0.0]] * 4), np.zeros((0, 2))])
def test_scores_without_information_give_a_finite_temperature(scores: np.ndarray) -> None:
    temperature = fit_temperature(scores, np.zeros(len(scores), dtype=int))
    assert np.isfinite(temperature)
    assert temperature > 0


class TestShown:
    def test_where_nothing_held_out_was_wrong_it_is_not_surer_than_that_can_tell(self) -> None:
        random = np.random.default_rng(2)
        scores = random.normal(size=(100, 3)) * 10
        labels = scores.argmax(axis=1)
        said = softmax(scores / fit_temperature(scores, labels), axis=1).max(axis=1).mean()
        shown = softmax(scores / fit_temperature_shown(scores, labels), axis=1).max(axis=1).mean()
        assert shown < said
        assert shown < 100.5 / 101

    def test_where_much_was_wrong_and_samples_are_many_it_hardly_differs(self) -> None:
        random = np.random.default_rng(3)
        honest = random.normal(size=(2_000, 3)) * 2
        labels = np.array([random.choice(3, p=row) for row in softmax(honest, axis=1)])
        assert fit_temperature_shown(honest, labels) == pytest.approx(fit_temperature(honest, labels), rel=0.01)

    def test_where_everything_was_wrong_some_confidence_is_left(self) -> None:
        scores = np.tile([2.0, 0.0], (10, 1))
        assert np.isfinite(fit_temperature_shown(scores, np.ones(10, dtype=int)))
