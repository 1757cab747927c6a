"""Many decision trees as plain arrays: how they are kept, checked and walked through, whoever grew them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import numpy.typing as npt

from apps.engine.types import FloatArray

WALKERS = 1 << 18
"""Pairs of a row and a tree walked at once: their arrays stay in the processor's caches."""


class GrownTree(Protocol):
    """What is read of a tree that scikit-learn has grown (`estimator.tree_`)."""

    feature: npt.NDArray[np.int64]
    threshold: npt.NDArray[np.float64]
    children_left: npt.NDArray[np.int64]
    children_right: npt.NDArray[np.int64]
    missing_go_to_left: npt.NDArray[np.uint8]
    value: npt.NDArray[np.float64]


@dataclass(frozen=True)
class TreeEnsemble:
    """Trees, node after node.

    A row goes left where its value of `feature` is at most `threshold`, or is NaN and `missing_left` says so. A leaf is
    its own child on both sides. Every other node's children come after it, so that no walk goes in a circle.

    Parameters
    ----------
    roots
        `(n_trees,)`, the first node of each tree; a tree ends where the next begins.
    column
        `(n_trees,)`, the output to which a tree's values are added: the first of them, where they are several.
    feature, threshold, left, right, missing_left
        `(n_nodes,)`. Thresholds are float32, as the rows are.
    value
        `(n_nodes, width)`, float32, added up at the leaves.
    """

    roots: npt.NDArray[np.int32]
    column: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float32]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    missing_left: npt.NDArray[np.bool_]
    value: npt.NDArray[np.float32]

    def sums(self, X: FloatArray, *, n_outputs: int) -> npt.NDArray[np.float64]:
        """Return `(n_samples, n_outputs)`: the values of the leaves that each row comes to, added up by output.

        `X` is `(n_samples, dim)`, float32; NaN is missing. Raises `ValueError` if its rows are too short.
        """
        if X.shape[1] < self.dim:
            raise ValueError(f"Rows must have at least {self.dim} numbers.")
        sums = np.zeros((len(X), n_outputs))
        step = max(1, WALKERS // max(1, len(self.roots)))
        for start in range(0, len(X), step):
            leaves = self._leaves(X[start : start + step])
            found = sums[start : start + step]
            if self.value.shape[1] > 1:
                for place in range(self.value.shape[1]):
                    found[:, place] = self.value[:, place][leaves].sum(axis=1, dtype=np.float64)
            else:
                for output in range(n_outputs):
                    mine = leaves[:, self.column == output]
                    found[:, output] = self.value[:, 0][mine].sum(axis=1, dtype=np.float64)
        return sums

    def _leaves(self, X: FloatArray) -> npt.NDArray[np.intp]:
        """Return `(n_samples, n_trees)`: the leaf of each row in each tree."""
        X = np.ascontiguousarray(X, dtype=np.float32)
        dim = X.shape[1]
        values = X.ravel()
        has_missing = bool(np.isnan(values).any())
        leaves = np.repeat(self.roots[None, :].astype(np.intp), len(X), axis=0).ravel()
        starts = np.repeat(np.arange(len(X), dtype=np.intp) * dim, len(self.roots))
        walking = np.flatnonzero(self.left[leaves] != leaves)
        while len(walking):
            nodes = leaves[walking]
            seen = values[starts[walking] + self.feature[nodes]]
            is_left = seen <= self.threshold[nodes]
            if has_missing:
                is_left |= np.isnan(seen) & self.missing_left[nodes]
            nodes = np.where(is_left, self.left[nodes], self.right[nodes]).astype(np.intp)
            leaves[walking] = nodes
            walking = walking[self.left[nodes] != nodes]
        return leaves.reshape(len(X), len(self.roots))

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the state."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]], *, n_outputs: int) -> TreeEnsemble:
        """Read what `to_arrays` returned. Raises `KeyError` or `ValueError` if that is no ensemble of trees."""
        roots, column, feature, left, right = (
            arrays[name].astype(np.int32) for name in ("roots", "column", "feature", "left", "right")
        )
        threshold, value = arrays["threshold"].astype(np.float32), arrays["value"].astype(np.float32)
        missing_left = arrays["missing_left"].astype(np.bool_)
        ensemble = cls(roots, column, feature, threshold, left, right, missing_left, value)
        ensemble._check(n_outputs)
        return ensemble

    def _check(self, n_outputs: int) -> None:
        n_nodes = len(self.feature)
        by_node = (self.feature, self.threshold, self.left, self.right, self.missing_left)
        if any(array.shape != (n_nodes,) for array in by_node) or self.value.ndim != 2 or len(self.value) != n_nodes:
            raise ValueError("trees differ in their number of nodes")
        if self.roots.ndim != 1 or self.column.shape != self.roots.shape or not np.isfinite(self.value).all():
            raise ValueError("trees have no sound roots or values")
        if n_nodes and (len(self.roots) == 0 or self.roots[0] != 0 or int(self.feature.min()) < 0):
            raise ValueError("trees have nodes out of range")
        if np.any(np.diff(self.roots) <= 0) or (len(self.roots) and int(self.roots[-1]) >= n_nodes):
            raise ValueError("trees have roots out of range")
        width = self.value.shape[1]
        if len(self.column) and not (int(self.column.min()) >= 0 and int(self.column.max()) + width <= n_outputs):
            raise ValueError("trees have outputs out of range")
        nodes = np.arange(n_nodes)
        bounds = np.append(self.roots, n_nodes)
        ends = np.repeat(bounds[1:], np.diff(bounds))
        is_leaf = (self.left == nodes) & (self.right == nodes)
        is_sound = np.all([(side > nodes) & (side < ends) for side in (self.left, self.right)], axis=0)
        if not np.all(is_leaf | is_sound):
            raise ValueError("trees go in circles")

    @property
    def dim(self) -> int:
        """Numbers a row must have at least."""
        return int(self.feature.max(initial=-1)) + 1


_NO_INDICES = np.zeros(0, dtype=np.int32)
NO_TREES = TreeEnsemble(
    roots=_NO_INDICES,
    column=_NO_INDICES,
    feature=_NO_INDICES,
    threshold=np.zeros(0, dtype=np.float32),
    left=_NO_INDICES,
    right=_NO_INDICES,
    missing_left=np.zeros(0, dtype=np.bool_),
    value=np.zeros((0, 1), dtype=np.float32),
)
"""They add nothing."""


def collect(
    grown: Sequence[GrownTree], values: Sequence[npt.NDArray[np.floating]], columns: Sequence[int]
) -> TreeEnsemble:
    """Return the trees as one ensemble.

    Parameters
    ----------
    grown
        As scikit-learn grew them.
    values
        Per tree `(n_nodes, width)`, what its leaves add.
    columns
        Per tree, the output to which they add it.
    """
    sizes = [len(tree.feature) for tree in grown]
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1])) if sizes else np.zeros(0)
    places = [np.arange(size) for size in sizes]
    is_leaf = [tree.children_left < 0 for tree in grown]
    left, right = (
        [
            np.where(leaf, place, side) + start
            for leaf, place, side, start in zip(is_leaf, places, sides, starts, strict=True)
        ]
        for sides in ([tree.children_left for tree in grown], [tree.children_right for tree in grown])
    )
    return TreeEnsemble(
        roots=starts.astype(np.int32),
        column=np.array(columns, dtype=np.int32),
        feature=np.concatenate([np.maximum(tree.feature, 0) for tree in grown]).astype(np.int32),
        threshold=np.concatenate([_rounded_down(tree.threshold) for tree in grown]),
        left=np.concatenate(left).astype(np.int32),
        right=np.concatenate(right).astype(np.int32),
        missing_left=np.concatenate([tree.missing_go_to_left for tree in grown]).astype(np.bool_),
        value=np.concatenate(values).astype(np.float32),
    )


def joined(ensembles: Sequence[TreeEnsemble]) -> TreeEnsemble:
    """Return all their trees as one ensemble. Those that have trees must add as many values."""
    grown = [ensemble for ensemble in ensembles if len(ensemble.roots)]
    if not grown:
        return NO_TREES
    starts = np.cumsum([0] + [len(ensemble.feature) for ensemble in grown[:-1]], dtype=np.int32)

    def moved(name: str) -> npt.NDArray[np.int32]:
        return np.concatenate([getattr(each, name) + start for each, start in zip(grown, starts, strict=True)])

    return TreeEnsemble(
        roots=moved("roots"),
        column=np.concatenate([each.column for each in grown]),
        feature=np.concatenate([each.feature for each in grown]),
        threshold=np.concatenate([each.threshold for each in grown]),
        left=moved("left"),
        right=moved("right"),
        missing_left=np.concatenate([each.missing_left for each in grown]),
        value=np.concatenate([each.value for each in grown]),
    )


def _rounded_down(thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return the largest float32 not above each threshold: a float32 is at most the one iff it is at most the other."""
    rounded = thresholds.astype(np.float32)
    return np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-np.inf)), rounded).astype(np.float32)
