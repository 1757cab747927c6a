"""What the linear heads have in common: a weight per number and label, and an intercept per label."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from apps.engine import matrices
from apps.engine.heads.scoring import ScoringHead
from apps.engine.heads.span import Span, span
from apps.engine.matrices import Matrix
from apps.engine.types import FloatArray, IntArray, Task

if TYPE_CHECKING:
    from apps.engine.heads import Head

SPAN_SHARE = 0.6
"""A head that is fitted on less than this share of what may be spanned looks for the span itself. Below 2/3, so that no
fold of samples that are in their span already (one dimension each at most), or are too many, is decomposed again."""
MOST_SPANNED = 2_000
"""Samples up to which their span is looked for: 0.1 s for 1,000, 0.8 s for 2,000."""


class LinearHead(ScoringHead):
    """A head whose scores are products with weights.

    Parameters
    ----------
    task
        One label a sample, or tags.
    device
        Where fits of many samples run, as `runtime.choose_device` names it; the others run here.

    Attributes
    ----------
    classes_
        `(n_seen,)`, the labels that occurred, ascending; of tags, all of them.
    coef_, intercept_
        `(n_seen, dim)` and `(n_seen,)`, float32.
    """

    gains_by_span: ClassVar[bool] = True
    """Whether fewer dimensions make a fit faster."""

    def __init__(self, *, task: Task = Task.LABEL, device: str = "cpu") -> None:
        self.task, self.device = task, device

    def fit(self, X: Matrix, y: IntArray, *, start: Head | None = None) -> Self:
        """Learn from `X` `(n_samples, dim)` and `y`, `(n_samples,)` or for tags `(n_samples, n_tags)` in {-1, 0, 1}.

        With one class, that class is always predicted. `start` is a head fitted on the same samples under another
        setting, to set out from; it saves time, no more. Raises `ValueError` without samples.
        """
        if X.shape[0] == 0 or X.shape[0] != len(y):
            raise ValueError("A head is fitted on at least one sample, with one label each.")
        if self.gains_by_span and is_worth_spanning(X, share=SPAN_SHARE):
            spanned = span(X)
            return self.fit(spanned.coordinates, y).lifted(X, spanned)
        if self.task is Task.TAGS:
            self.classes_ = np.arange(y.shape[1], dtype=np.int64)
            self._learn(X, y, start)
        else:
            self.classes_, columns = np.unique(y.astype(np.int64), return_inverse=True)
            if len(self.classes_) == 1:
                self._learn_nothing(X)
            else:
                self._learn(X, columns, start)
        return self

    @abstractmethod
    def _learn(self, X: Matrix, y: IntArray, start: Head | None) -> None:
        """Learn from labels in `[0, len(classes_))`, all of which occur, or from tags; ends in `_take`."""

    def _learn_nothing(self, X: Matrix) -> None:
        """Score the only class that occurs 0 everywhere."""
        self._take(np.zeros((X.shape[1], 1)), np.zeros(1))

    def _take(self, weights: FloatArray, intercepts: FloatArray) -> None:
        """Take over weights `(dim, n_seen)` and intercepts `(n_seen,)`."""
        self.coef_ = np.ascontiguousarray(weights.T, dtype=np.float32)
        self.intercept_ = intercepts.astype(np.float32)

    def lifted(self, X: Matrix, spanned: Span) -> Self:
        """Return itself, fitted on the coordinates of a span, for rows like those of `X`, the matrix spanned."""
        self.coef_ = np.ascontiguousarray(spanned.lift(X, self.coef_.T.astype(np.float64)).T, dtype=np.float32)
        return self

    def decision_function(self, X: Matrix) -> FloatArray:
        """Return scores `(n_samples, len(classes_))`, whose softmax (of tags: sigmoid) is `predict_proba`."""
        scores: FloatArray = matrices.product(X, self.coef_.T) + self.intercept_
        return scores

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the learned state."""
        return {"classes": self.classes_, "coef": self.coef_, "intercept": self.intercept_}

    def load_arrays(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """Take over the state that `to_arrays` returned. Raises `KeyError` or `ValueError` if it does not fit."""
        classes, coef, intercept = arrays["classes"], arrays["coef"], arrays["intercept"]
        if classes.ndim != 1 or coef.ndim != 2 or not len(classes) == len(coef) == len(intercept):
            raise ValueError("classes, coefficients and intercepts differ in number")
        self.classes_ = classes.astype(np.int64)
        self.coef_ = coef.astype(np.float32)
        self.intercept_ = intercept.astype(np.float32)
        return self


def is_worth_spanning(X: Matrix, *, share: float = 1.0) -> bool:
    """Whether fits in the span of the samples are cheaper than on their rows."""
    n_samples, dim = X.shape
    return bool(n_samples <= share * min(dim, MOST_SPANNED))
