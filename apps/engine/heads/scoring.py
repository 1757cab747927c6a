"""What all heads have in common: scores become probabilities, and the likeliest classes, in one way."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax

from apps.engine.matrices import Matrix
from apps.engine.types import FloatArray, IntArray, Task


class ScoringHead(ABC):
    """A head that says what it knows in scores, one for each of `classes_`."""

    task: Task
    classes_: npt.NDArray[np.int64]

    @abstractmethod
    def decision_function(self, X: Matrix) -> FloatArray:
        """Return scores `(n_samples, len(classes_))`, whose softmax (of tags: sigmoid) is `predict_proba`."""

    def predict_proba(self, X: Matrix) -> FloatArray:
        """Return probabilities `(n_samples, len(classes_))`, columns as in `classes_`, not yet calibrated."""
        scores = self.decision_function(X)
        pred_probs: FloatArray = expit(scores) if self.task is Task.TAGS else softmax(scores, axis=1)
        return pred_probs

    def predict(self, X: Matrix) -> IntArray:
        """Return the likeliest class of each row, `(n_samples,)`; of tags, 1 or 0 for each, `(n_samples, n_tags)`."""
        scores = self.decision_function(X)
        return (scores > 0).astype(np.int64) if self.task is Task.TAGS else self.classes_[scores.argmax(axis=1)]
