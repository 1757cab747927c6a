"""Another backbone is compared with the one in use, on the same samples held out alike."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from apps.engine import automl, changeover
from apps.engine.changeover import Comparison, compare
from apps.engine.runtime import Deadline
from apps.engine.types import ADAPTED, Blend, FoldRows, Inputs, Recipe, TrainingData

Rows = npt.NDArray[np.float32]


def reading(
    labels: npt.NDArray[np.int64], *, spread: float, seed: int = 0, counts: npt.NDArray[np.bool_] | None = None
) -> TrainingData:
    """Samples whose labels lie the further apart the less they are spread."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(3, 24))
    rows = (centres[labels] + spread * random.normal(size=(len(labels), 24))).astype(np.float32)
    inputs = Inputs(len(labels), {"minilm": rows})
    return TrainingData(inputs, labels, 3, np.arange(len(labels)), label_names=["a", "b", "c"], counts=counts)


@pytest.fixture
def labels() -> npt.NDArray[np.int64]:
    return np.arange(90) % 3


def test_what_tells_less_is_worse_and_what_tells_more_is_not(labels: npt.NDArray[np.int64]) -> None:
    clear, vague = reading(labels, spread=1.0), reading(labels, spread=6.0, seed=1)
    found = compare(clear, vague)
    assert found is not None
    assert found.is_worse
    assert found.n_right_after < found.n_right_before <= found.n_samples == 90
    turned = compare(vague, clear)
    assert turned is not None
    assert not turned.is_worse
    assert turned.gain > 0
    assert (turned.n_right_before, turned.n_right_after) == (found.n_right_after, found.n_right_before)


def test_equals_let_the_new_one_take_over(labels: npt.NDArray[np.int64]) -> None:
    found = compare(reading(labels, spread=2.0), reading(labels, spread=2.0))
    assert found is not None
    assert found.n_right_before == found.n_right_after
    assert not found.is_worse
    assert not Comparison(100, 50, 40, gain=-0.01, gain_error=0.02).is_worse
    assert Comparison(100, 50, 40, gain=-0.03, gain_error=0.02).is_worse
    assert not Comparison(100, 50, 50, gain=-0.03, gain_error=0.02).is_worse  # less sure of as many


def test_recipes_in_service_are_tried_as_they_read(labels: npt.NDArray[np.int64]) -> None:
    serving = Blend.of(Recipe("minilm", "logistic", {"C": 3.0}))
    found = compare(reading(labels, spread=1.0), reading(labels, spread=6.0, seed=1), serving=serving)
    assert found is not None
    assert found.is_worse


def test_with_a_handful_of_labels_nothing_can_be_told(labels: npt.NDArray[np.int64]) -> None:
    few = labels[:15]
    assert compare(reading(few, spread=1.0), reading(few, spread=6.0, seed=1)) is None
    counts = np.arange(90) < 15  # the others were accepted in the grid
    clear, vague = (reading(labels, spread=spread, counts=counts) for spread in (1.0, 6.0))
    assert compare(clear, vague) is None
    one_label = np.zeros(90, dtype=np.int64)
    assert compare(reading(one_label, spread=1.0), reading(one_label, spread=6.0)) is None
    assert compare(reading(labels, spread=1.0), reading(labels, spread=6.0), deadline=Deadline.after(0)) is None


def test_tags_are_compared_too(labels: npt.NDArray[np.int64]) -> None:
    tags = np.eye(3, dtype=np.int64)[labels]
    tags[0] = -1
    clear, vague = (
        replace(reading(labels, spread=spread, seed=seed), labels=tags) for spread, seed in ((1.0, 0), (6.0, 1))
    )
    found = compare(clear, vague)
    assert found is not None
    assert found.is_worse


def test_both_are_held_out_as_what_was_adapted_was(
    labels: npt.NDArray[np.int64], monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen, folds = reading(labels, spread=6.0), np.arange(90) // 3 % 3
    rows = reading(labels, spread=1.0).inputs.embeddings["minilm"]
    name = f"{ADAPTED}minilm"
    adapted = replace(
        frozen,
        inputs=replace(frozen.inputs, embeddings={**frozen.inputs.embeddings, name: rows}),
        adapted={name: FoldRows(folds, np.stack([rows] * 3))},
    )
    held_out = []
    train = automl.train

    def remember(data: TrainingData, **arguments: object) -> object:
        held_out.append(data.folds)
        return train(data, **arguments)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(automl, "train", remember)
    found = compare(adapted, reading(labels, spread=6.0, seed=1))
    assert found is not None
    assert found.is_worse  # than what is adapted; the frozen reading tells as little
    compare(reading(labels, spread=6.0, seed=1), adapted)
    assert len(held_out) == 4
    for each in held_out:
        np.testing.assert_array_equal(each, folds)


def test_of_very_many_samples_some_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changeover, "MOST_COMPARED", 60)
    many = np.arange(300) % 3
    found = compare(reading(many, spread=1.0), reading(many, spread=6.0, seed=1))
    assert found is not None
    assert found.n_samples == 60
    assert found.is_worse


def test_folds_that_are_given_must_fit(labels: npt.NDArray[np.int64]) -> None:
    data = reading(labels, spread=1.0)
    with pytest.raises(ValueError, match="one fold per sample"):
        replace(data, held_out=np.zeros(3, dtype=np.int64))
    some = replace(data, held_out=labels).take(np.array([4, 2]))
    assert some.folds is not None
    assert some.folds.tolist() == [1, 2]
    np.testing.assert_array_equal(some.inputs.embeddings["minilm"], data.inputs.embeddings["minilm"][[4, 2]])
