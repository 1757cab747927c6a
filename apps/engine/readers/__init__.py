"""Readers: what turns samples into the rows of numbers a head is fitted on.

A reader is fitted on a round's samples without their labels, so that what it learned may be shared by every fold, and
saved with the model as plain arrays and facts. `create` makes an unfitted one by the name a recipe calls its backbone:

    NAME         the embeddings of the backbone of that name
    lexical      words and pieces of words of a text
    rules        hits of the owner's keyword rules in a text
    names:NAME   likeness to the labels' names, as that backbone sees it
    table        typed columns
    ONE+OTHER    both, side by side
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from apps.engine.errors import ArtifactCorrupt
from apps.engine.matrices import Matrix
from apps.engine.readers.joined import JoinedReader
from apps.engine.readers.lexical import LexicalReader
from apps.engine.readers.names import NamesReader
from apps.engine.readers.rules import RulesReader
from apps.engine.readers.state import State
from apps.engine.readers.table import TableReader
from apps.engine.types import FloatArray, Inputs, TrainingData

__all__ = ["Matrix", "Reader", "State", "backbones_of", "create", "restore"]

LEXICAL, RULES, NAMES, TABLE, PLUS = "lexical", "rules", "names:", "table", "+"
LARGEST = 1e6
"""Far beyond any embedding, whose rows have a length near 1."""


class Reader(Protocol):
    """What the rest of the engine needs of a reader."""

    def fit(self, data: TrainingData) -> Reader:
        """Learn how to read samples like these. Never looks at `data.labels`."""
        ...

    def read(self, inputs: Inputs) -> Matrix:
        """Return `(n_samples, dim)`, float32, finite."""
        ...

    def to_state(self) -> State:
        """Return what was learned."""
        ...

    def load_state(self, state: State) -> Reader:
        """Take over what `to_state` returned. Raises `KeyError` or `ValueError` if it does not fit."""
        ...


class EmbeddingReader:
    """Rows as a backbone made them; there is nothing to learn."""

    def __init__(self, backbone: str) -> None:
        self.backbone = backbone

    def fit(self, data: TrainingData) -> EmbeddingReader:
        """Return itself."""
        return self

    def read(self, inputs: Inputs) -> FloatArray:
        """Return the embeddings. Raises `ValueError` where the samples have none of this backbone."""
        if self.backbone not in inputs.embeddings:
            raise ValueError(f"The samples have no embeddings of {self.backbone}.")
        return finite(inputs.embeddings[self.backbone])

    def to_state(self) -> State:
        """Return an empty state."""
        return State()

    def load_state(self, state: State) -> EmbeddingReader:
        """Return itself."""
        return self


def create(backbone: str) -> Reader:
    """Return the unfitted reader of that name; any other name is that of a backbone whose embeddings are read."""
    if PLUS in backbone:
        return JoinedReader([create(part) for part in backbone.split(PLUS)])
    if backbone.startswith(NAMES):
        return NamesReader(backbone.removeprefix(NAMES))
    if backbone in _READERS:
        return _READERS[backbone]()
    return EmbeddingReader(backbone)


_READERS: Mapping[str, Callable[[], Reader]] = {LEXICAL: LexicalReader, RULES: RulesReader, TABLE: TableReader}


def restore(backbone: str, state: State) -> Reader:
    """Return the fitted reader whose `to_state` gave `state`. Raises `ArtifactCorrupt` if it does not fit."""
    try:
        return create(backbone).load_state(state)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactCorrupt(f"The saved reader cannot be read: {error}") from error


def backbones_of(backbone: str, inputs: Inputs) -> tuple[str, ...]:
    """Return the keys of `inputs.embeddings` that the reader of that name reads."""
    if backbone == TABLE:
        columns = [column.key for column in inputs.columns]
        return tuple(key for key in inputs.embeddings if key.partition(":")[2] in columns)
    names = [part.removeprefix(NAMES) for part in backbone.split(PLUS)]
    return tuple(name for name in names if name in inputs.embeddings)


def finite(embeddings: FloatArray) -> FloatArray:
    """Return the embeddings with zeros for numbers that are not finite, and none so large that its square is not."""
    if embeddings.size == 0 or float(np.abs(embeddings).max()) <= LARGEST:  # False for NaN
        return embeddings
    return np.clip(np.nan_to_num(embeddings, nan=0.0, posinf=0.0, neginf=0.0), -LARGEST, LARGEST)
