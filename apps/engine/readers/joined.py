"""Several readers side by side, each with the same say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from apps.engine import matrices
from apps.engine.matrices import Matrix, SideBySide
from apps.engine.readers.state import State
from apps.engine.types import Inputs, TrainingData

if TYPE_CHECKING:
    from apps.engine.readers import Reader


class JoinedReader:
    """The rows of several readers in one, each part brought to a mean squared distance of 1 from its mean.

    Attributes
    ----------
    scales_
        `(n_parts,)`, what each part is multiplied by.
    """

    def __init__(self, parts: Sequence[Reader]) -> None:
        self.parts = parts

    def fit(self, data: TrainingData) -> JoinedReader:
        """Learn how large each part is."""
        spreads = [matrices.spread(_plain(part.fit(data).read(data.inputs))) for part in self.parts]
        self.scales_ = np.array([spread**-0.5 if spread > 0 else 1.0 for spread in spreads], dtype=np.float32)
        return self

    def read(self, inputs: Inputs) -> Matrix:
        """Return `(n_samples, dim)`."""
        rows = [_plain(part.read(inputs)) for part in self.parts]
        return matrices.side_by_side([part * scale for part, scale in zip(rows, self.scales_, strict=True)])

    def to_state(self) -> State:
        """Return what was learned, each part's under its number."""
        states = [part.to_state() for part in self.parts]
        arrays = {f"{i}.{name}": array for i, state in enumerate(states) for name, array in state.arrays.items()}
        return State({"scales": self.scales_, **arrays}, {str(i): dict(state.facts) for i, state in enumerate(states)})

    def load_state(self, state: State) -> JoinedReader:
        """Take over what `to_state` returned. Raises `KeyError` or `ValueError` if it does not fit."""
        scales = state.arrays["scales"]
        if scales.shape != (len(self.parts),):
            raise ValueError("there is not one scale per part")
        self.scales_ = scales.astype(np.float32)
        for i, part in enumerate(self.parts):
            prefix, facts = f"{i}.", state.facts[str(i)]
            if not isinstance(facts, dict):
                raise ValueError("the facts of a part are missing")
            own = {key.removeprefix(prefix): array for key, array in state.arrays.items() if key.startswith(prefix)}
            part.load_state(State(own, facts))
        return self


def _plain(rows: Matrix) -> matrices.Plain:
    if isinstance(rows, SideBySide):
        raise ValueError("Joined readers are not joined again.")
    return rows
