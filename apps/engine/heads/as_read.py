"""The head for rows that already are scores: likeness to the labels' names, hits of the owner's rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from apps.engine import matrices
from apps.engine.heads.scoring import ScoringHead
from apps.engine.matrices import Matrix
from apps.engine.types import FloatArray, IntArray, Task

if TYPE_CHECKING:
    from apps.engine.heads import Head


class AsReadHead(ScoringHead):
    """Hands on what the reader made: one score per label. Nothing is learned but how much to trust it.

    Attributes
    ----------
    classes_
        `(n_classes,)`, all labels, whether they occurred or not.
    """

    def __init__(self, *, task: Task = Task.LABEL) -> None:
        self.task = task

    def fit(self, X: Matrix, y: IntArray, *, start: Head | None = None) -> AsReadHead:
        """Return itself."""
        self.classes_ = np.arange(X.shape[1], dtype=np.int64)
        return self

    def decision_function(self, X: Matrix) -> FloatArray:
        """Return the rows."""
        return matrices.dense(X)

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the learned state."""
        return {"classes": self.classes_}

    def load_arrays(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> AsReadHead:
        """Take over the state that `to_arrays` returned. Raises `KeyError` or `ValueError` if it does not fit."""
        self.classes_ = arrays["classes"].astype(np.int64)
        if self.classes_.ndim != 1:
            raise ValueError("classes are a list")
        return self
