"""Nearest prototypes: a sample has the label whose mean lies in its direction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt

from apps.engine import matrices
from apps.engine.heads.linear import LinearHead
from apps.engine.matrices import Doubles, Matrix
from apps.engine.types import FloatArray, IntArray

if TYPE_CHECKING:
    from apps.engine.heads import Head

SHARPNESS = 10.0
"""Scores are cosines times this; the temperature does the rest."""


class PrototypesHead(LinearHead):
    """Cosines between a sample and the mean of each label, both seen from the mean of all samples.

    Nothing is fitted but means, and every label counts alike, however many samples it has: right where two or three
    samples are all a label has, and where labelled samples are not spread over the labels as new ones will be. Of tags,
    the prototype leads from the mean without the tag to the mean with it.

    Attributes
    ----------
    centre_
        `(dim,)`, the mean of all samples.

    Source: J. Snell, K. Swersky, R. Zemel, Prototypical networks for few-shot learning, 2017.
    """

    gains_by_span: ClassVar[bool] = False

    def _learn(self, X: Matrix, y: IntArray, start: Head | None) -> None:
        is_member = (y == 1) if y.ndim == 2 else y[:, None] == np.arange(len(self.classes_))
        prototypes = _means(X, is_member)
        centre = matrices.mean_row(X)
        prototypes -= _means(X, y == 0) if y.ndim == 2 else centre
        lengths = np.linalg.norm(prototypes, axis=1, keepdims=True)
        units = np.divide(prototypes, lengths, out=np.zeros_like(prototypes), where=lengths > 1e-9)
        self.centre_ = centre.astype(np.float32)
        self._take(SHARPNESS * units.T, np.zeros(len(units)))

    def _learn_nothing(self, X: Matrix) -> None:
        self.centre_ = np.zeros(X.shape[1], dtype=np.float32)
        super()._learn_nothing(X)

    def decision_function(self, X: Matrix) -> FloatArray:
        """Return scores `(n_samples, len(classes_))`, whose softmax (of tags: sigmoid) is `predict_proba`."""
        centre = self.centre_.astype(np.float64)
        along = matrices.product(X, self.coef_.T) - self.coef_ @ self.centre_
        squares = matrices.row_squares(X) - 2 * matrices.product(X, self.centre_[:, None])[:, 0] + centre @ centre
        lengths = np.sqrt(np.maximum(squares, 1e-12))
        scores: FloatArray = (along / lengths[:, None]).astype(np.float32)
        return scores

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the learned state."""
        return {**super().to_arrays(), "centre": self.centre_}

    def load_arrays(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """Take over the state that `to_arrays` returned. Raises `KeyError` or `ValueError` if it does not fit."""
        super().load_arrays(arrays)
        centre = arrays["centre"]
        if centre.shape != self.coef_.shape[1:]:
            raise ValueError("the centre has another number of dimensions")
        self.centre_ = centre.astype(np.float32)
        return self


def _means(X: Matrix, is_member: npt.NDArray[np.bool_]) -> Doubles:
    """Return the mean row of each column's members, `(n_columns, dim)`; 0 where it has none."""
    sums = matrices.transposed_product(X, is_member.astype(np.float32))
    means: Doubles = sums.T.astype(np.float64) / np.maximum(is_member.sum(axis=0), 1)[:, None]
    return means
