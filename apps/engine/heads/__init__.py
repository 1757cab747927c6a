"""Heads: light classifiers on embeddings, one per function, fitted again in every round.

A head is any estimator that follows scikit-learn's contract (no work in `__init__`, `fit` returns itself, learned
state ends in `_`) and can hand over its learned state as plain arrays. `create` makes an unfitted one from a recipe's
settings, `restore` brings a saved one back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from apps.engine.errors import ArtifactCorrupt
from apps.engine.heads.logistic import EXACT, ROUGH, LogisticHead
from apps.engine.types import FloatArray, IntArray, Setting


class Head(Protocol):
    """What the rest of the engine needs of a classifier on embeddings."""

    classes_: npt.NDArray[np.int64]

    def fit(self, X: FloatArray, y: IntArray, *, start: Head | None = None) -> Head:
        """Learn from `X` `(n_samples, dim)` and `y` `(n_samples,)`; one class is enough.

        `start` is a head fitted on the same samples under another setting, from which to set out if that saves time.
        """
        ...

    def decision_function(self, X: FloatArray) -> FloatArray:
        """Return scores `(n_samples, len(classes_))`, whose softmax is `predict_proba`."""
        ...

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """Return probabilities `(n_samples, len(classes_))`, columns as in `classes_`."""
        ...

    def predict(self, X: FloatArray) -> IntArray:
        """Return the likeliest class of each row, `(n_samples,)`."""
        ...

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the learned state."""
        ...

    def load_arrays(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Head:
        """Take over the state that `to_arrays` returned. Raises `KeyError` or `ValueError` if it does not fit."""
        ...


def create(name: str, settings: Mapping[str, Setting], *, is_trial: bool = False) -> Head:
    """Return an unfitted head; one for a trial may fit less exactly, to compare recipes by.

    Raises `ValueError` for a name or setting that does not exist.
    """
    if name == "logistic" and settings.keys() == {"C"}:
        return LogisticHead(C=float(settings["C"]), tolerance=ROUGH if is_trial else EXACT)
    raise ValueError(f"There is no head {name!r} with the settings {sorted(settings)}.")


def restore(name: str, settings: Mapping[str, Setting], arrays: Mapping[str, npt.NDArray[np.generic]]) -> Head:
    """Return the fitted head whose `to_arrays` gave `arrays`. Raises `ArtifactCorrupt` if they do not fit."""
    try:
        return create(name, settings).load_arrays(arrays)
    except (KeyError, ValueError) as error:
        raise ArtifactCorrupt(f"The saved head cannot be read: {error}") from error
