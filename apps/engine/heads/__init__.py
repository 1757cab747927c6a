"""Heads: light classifiers on what readers read, one per function, fitted again in every round.

A head is any estimator that follows scikit-learn's contract (no work in `__init__`, `fit` returns itself, learned
state ends in `_`) and can hand over its learned state as plain arrays. `create` makes an unfitted one from a recipe's
settings, `restore` brings a saved one back.

    logistic      a penalised regression: the best single head on most text
    discriminant  linear discriminants, closed form: the best single head on pictures
    prototypes    nearest label mean: the best with two or three samples a label
    as_read       rows that are scores already: likeness to names
    forest, extra, boosted  trees, for tables
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from apps.engine.errors import ArtifactCorrupt
from apps.engine.heads.as_read import AsReadHead
from apps.engine.heads.discriminant import DiscriminantHead
from apps.engine.heads.logistic import EXACT, ROUGH, LogisticHead
from apps.engine.heads.prototypes import PrototypesHead
from apps.engine.heads.trees import BoostedHead, ForestHead
from apps.engine.matrices import Matrix
from apps.engine.types import FloatArray, IntArray, Setting, Task

TREES = frozenset({"forest", "extra", "boosted"})
"""Heads that look at one number of a row at a time: turned rows would tell them something else."""


class Head(Protocol):
    """What the rest of the engine needs of a classifier."""

    classes_: npt.NDArray[np.int64]

    def fit(self, X: Matrix, y: IntArray, *, start: Head | None = None) -> Head:
        """Learn from `X` `(n_samples, dim)` and `y`; one class is enough.

        `y` is `(n_samples,)`, or for tags `(n_samples, n_tags)` in {-1, 0, 1}, -1 where nobody was asked. `start` is a
        head fitted on the same samples under another setting, from which to set out if that saves time.
        """
        ...

    def decision_function(self, X: Matrix) -> FloatArray:
        """Return scores `(n_samples, len(classes_))`, whose softmax (of tags: sigmoid) is `predict_proba`."""
        ...

    def predict_proba(self, X: Matrix) -> FloatArray:
        """Return probabilities `(n_samples, len(classes_))`, columns as in `classes_`."""
        ...

    def predict(self, X: Matrix) -> IntArray:
        """Return the likeliest class of each row, `(n_samples,)`; of tags, 1 or 0 for each, `(n_samples, n_tags)`."""
        ...

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the learned state."""
        ...

    def load_arrays(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Head:
        """Take over the state that `to_arrays` returned. Raises `KeyError` or `ValueError` if it does not fit."""
        ...


def create(
    name: str,
    settings: Mapping[str, Setting],
    *,
    task: Task = Task.LABEL,
    is_trial: bool = False,
    device: str = "cpu",
) -> Head:
    """Return an unfitted head; one for a trial may fit less exactly, to compare recipes by.

    On a GPU as `device` fits of many samples run there, with the same results within rounding; see `placing`.

    Raises `ValueError` for a name or setting that does not exist.
    """
    if not exists(name, settings):
        raise ValueError(f"There is no head {name!r} with the settings {sorted(settings)}.")
    return _MAKERS[(name, *sorted(settings))](settings, _How(task, is_trial, device))


def exists(name: str, settings: Mapping[str, Setting]) -> bool:
    """Whether there is a head of this name with these settings."""
    return (name, *sorted(settings)) in _MAKERS


@dataclass(frozen=True)
class _How:
    task: Task
    is_trial: bool
    device: str


_Maker = Callable[[Mapping[str, Setting], _How], Head]
_MAKERS: Mapping[tuple[str, ...], _Maker] = {
    ("logistic", "C"): lambda of, how: LogisticHead(
        C=float(of["C"]), tolerance=ROUGH if how.is_trial else EXACT, task=how.task, device=how.device
    ),
    ("discriminant", "shrinkage"): lambda of, how: DiscriminantHead(
        shrinkage=float(of["shrinkage"]), task=how.task, device=how.device
    ),
    ("prototypes",): lambda _, how: PrototypesHead(task=how.task),
    ("as_read",): lambda _, how: AsReadHead(task=how.task),
    ("forest", "leaf"): lambda of, how: ForestHead(leaf=int(of["leaf"]), task=how.task, is_trial=how.is_trial),
    ("extra", "leaf"): lambda of, how: ForestHead(
        leaf=int(of["leaf"]), is_extra=True, task=how.task, is_trial=how.is_trial
    ),
    ("boosted", "depth"): lambda of, how: BoostedHead(depth=int(of["depth"]), task=how.task, is_trial=how.is_trial),
}


def restore(
    name: str,
    settings: Mapping[str, Setting],
    arrays: Mapping[str, npt.NDArray[np.generic]],
    *,
    task: Task = Task.LABEL,
) -> Head:
    """Return the fitted head whose `to_arrays` gave `arrays`. Raises `ArtifactCorrupt` if they do not fit."""
    try:
        return create(name, settings, task=task).load_arrays(arrays)
    except (KeyError, ValueError) as error:
        raise ArtifactCorrupt(f"The saved head cannot be read: {error}") from error
