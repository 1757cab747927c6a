"""Readers side by side, and those of names and rules."""

import numpy as np
import pytest

from apps.engine import matrices, readers
from apps.engine.errors import ArtifactCorrupt
from apps.engine.matrices import SideBySide
from apps.engine.readers import State
from apps.engine.types import FloatArray, Inputs, Rule, TrainingData

TEXTS = ["refund my order", "where is my parcel", "refund please", "hello"]
ROWS = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32) * 50
INPUTS = Inputs(4, {"minilm": ROWS, "pixels": ROWS[:, :3] / 1e4}, TEXTS)
DATA = TrainingData(
    INPUTS, np.array([0, 1, 0, 1]), 2, np.arange(4), label_embeddings={"minilm": ROWS[:2]}, rules=(Rule("refund*", 0),)
)


def dense(X: matrices.Matrix) -> FloatArray:
    parts = X.parts if isinstance(X, SideBySide) else [X]
    return np.concatenate([part if isinstance(part, np.ndarray) else part.toarray() for part in parts], axis=1)


@pytest.mark.parametrize("name", ["minilm+pixels", "minilm+lexical", "minilm+lexical+rules"])
def test_each_part_has_the_same_say(name: str) -> None:
    rows = readers.create(name).fit(DATA).read(INPUTS)
    parts = rows.parts if isinstance(rows, SideBySide) else [rows[:, :6], rows[:, 6:]]
    assert [matrices.spread(part) for part in parts] == pytest.approx([1.0] * len(parts), rel=1e-4)


@pytest.mark.parametrize("name", ["minilm", "rules", "names:minilm", "minilm+pixels", "minilm+lexical+rules"])
def test_a_reader_comes_back_from_its_state(name: str) -> None:
    reader = readers.create(name).fit(DATA)
    again = readers.restore(name, reader.to_state())
    np.testing.assert_array_equal(dense(again.read(INPUTS)), dense(reader.read(INPUTS)))


@pytest.mark.parametrize("name", ["rules", "names:minilm", "minilm+lexical"])
def test_a_state_that_is_not_its_own_is_refused(name: str) -> None:
    with pytest.raises(ArtifactCorrupt):
        readers.restore(name, State())


def test_rules_are_read_as_hits() -> None:
    assert readers.create("rules").fit(DATA).read(INPUTS).tolist() == [[1.0], [0.0], [1.0], [0.0]]  # type: ignore[union-attr]  # dense


def test_names_are_read_as_likeness() -> None:
    scores = dense(readers.create("names:minilm").fit(DATA).read(INPUTS))
    assert scores.shape == (4, 2)
    assert scores[:2].argmax(axis=1).tolist() == [0, 1]


def test_each_reader_says_which_embeddings_it_reads() -> None:
    names = ["minilm", "lexical", "names:minilm", "minilm+lexical+rules", "minilm+pixels"]
    read = [readers.backbones_of(name, INPUTS) for name in names]
    assert read == [("minilm",), (), ("minilm",), ("minilm",), ("minilm", "pixels")]


def test_missing_embeddings_are_said() -> None:
    for name in ("effnet-lite0", "names:effnet-lite0"):
        with pytest.raises(ValueError, match="no embeddings"):
            readers.create(name).fit(DATA).read(INPUTS)
