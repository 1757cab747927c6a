"""Heads of many decision trees, for tables: grown by scikit-learn, kept and walked through as plain arrays."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from apps.engine import matrices
from apps.engine.heads.ensemble import NO_TREES, TreeEnsemble, collect, joined
from apps.engine.heads.scoring import ScoringHead
from apps.engine.matrices import Matrix
from apps.engine.types import FloatArray, IntArray, Task

if TYPE_CHECKING:
    from apps.engine.heads import Head

N_TREES, N_TREES_IN_TRIAL, LEAST_TREES = 300, 100, 30
"""Grown to serve, and to compare recipes by. Of tags, all together have three times as many, each at least the last."""
MAX_ROWS = 2_000
"""A tree sees at most so many samples, drawn for it alone: what it costs stays bounded as samples come in."""
FLOOR = 2e-3
"""Share of the trees that no class falls below: what no tree says may still be."""
N_STAGES, MAX_BOOSTED_TREES, LEAST_STAGES = 100, 600, 20
LEARNED = 5.0
"""Stages times learning rate."""
SHARE_OF_ROWS, SHARE_OF_NUMBERS, MIN_LEAF = 0.5, 0.2, 3
"""What a boosted tree sees. Measured at 100 labels on 20 tables: mean accuracy 0.726, with 0.7 of the rows, half of the
numbers and 60 steps of 0.1 0.721. On 19 of them 0.711, histogram boosting in its best three settings 0.702 to 0.706 and
hardly faster; at 500 labels 0.701 and 0.704. What a histogram saves comes with more samples than a tree sees here."""


class TreeHead(ScoringHead):
    """What forests and boosted trees have in common: an output a class, to which the trees add.

    Infinite numbers count as missing. Of tags, each has trees of its own, grown on the samples of which it is known
    whether they have it.

    Parameters
    ----------
    task
        One label a sample, or tags.
    is_trial
        Grow fewer trees, to compare recipes by.
    seed
        The same samples and seed grow the same trees.

    Attributes
    ----------
    classes_
        `(n_seen,)`, the labels that occurred, ascending; of tags, all of them.
    base_, trees_
        `(len(classes_),)`, what every row starts from, and what is added to it.
    """

    def __init__(self, *, task: Task = Task.LABEL, is_trial: bool = False, seed: int = 0) -> None:
        self.task = task
        self.is_trial = is_trial
        self.seed = seed

    def fit(self, X: Matrix, y: IntArray, *, start: Head | None = None) -> Self:
        """Learn from `X` `(n_samples, dim)` and `y`, `(n_samples,)` or for tags `(n_samples, n_tags)` in {-1, 0, 1}.

        `start` is of no use to trees. Raises `ValueError` without samples.
        """
        X = self._clean(matrices.dense(X))
        if len(X) == 0 or len(X) != len(y):
            raise ValueError("A head is fitted on at least one sample, with one label each.")
        if self.task is Task.TAGS:
            self.classes_ = np.arange(y.shape[1], dtype=np.int64)
            grown = [self._fit_tag(X, y[:, tag], n_tags=y.shape[1]) for tag in self.classes_]
            self.base_ = np.array([base for base, _trees in grown])
            self.trees_ = joined([replace(trees, column=trees.column + tag) for tag, (_, trees) in enumerate(grown)])
        else:
            self.classes_, columns = np.unique(y.astype(np.int64), return_inverse=True)
            n_classes = len(self.classes_)
            self.base_, self.trees_ = self._grow(X, columns) if n_classes > 1 else (np.ones(1), NO_TREES)
        return self

    def _fit_tag(self, X: FloatArray, there: IntArray, *, n_tags: int) -> tuple[float, TreeEnsemble]:
        """Return the base and the trees of one tag; no trees where all samples agree."""
        is_known = there >= 0
        n_without, n_with = np.bincount(there[is_known], minlength=2)
        if n_without and n_with:
            return self._grow_tag(X[is_known], there[is_known], n_tags=n_tags)
        return self._base_of((n_with + 0.5) / (n_with + n_without + 1.0)), NO_TREES

    def outputs(self, X: Matrix) -> npt.NDArray[np.float64]:
        """Return `(n_samples, len(classes_))`: what the trees say, as scikit-learn would add it up."""
        return self.base_ + self.trees_.sums(self._clean(matrices.dense(X)), n_outputs=len(self.base_))

    def decision_function(self, X: Matrix) -> FloatArray:
        """Return scores `(n_samples, len(classes_))`, whose softmax (of tags: sigmoid) is `predict_proba`."""
        return self._scores(self.outputs(X)).astype(np.float32)

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the learned state."""
        return {"classes": self.classes_, "base": self.base_, **self.trees_.to_arrays()}

    def load_arrays(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """Take over the state that `to_arrays` returned. Raises `KeyError` or `ValueError` if it does not fit."""
        classes, base = arrays["classes"].astype(np.int64), arrays["base"].astype(np.float64)
        if classes.ndim != 1 or len(classes) == 0 or base.shape != classes.shape or not np.isfinite(base).all():
            raise ValueError("classes and what they start from differ in number")
        self.trees_ = TreeEnsemble.from_arrays(arrays, n_outputs=len(classes))
        self.classes_, self.base_ = classes, base
        return self

    def _clean(self, X: FloatArray) -> FloatArray:
        X = X.astype(np.float32, copy=False)
        return np.where(np.isfinite(X), X, np.float32(np.nan))

    @abstractmethod
    def _grow(self, X: FloatArray, y: IntArray) -> tuple[npt.NDArray[np.float64], TreeEnsemble]:
        """Return the base and the trees for `y` in `[0, n_classes)`, all of which occur."""

    @abstractmethod
    def _grow_tag(self, X: FloatArray, there: IntArray, *, n_tags: int) -> tuple[float, TreeEnsemble]:
        """Return the base and the trees for one tag, `there` in {0, 1}, both of which occur."""

    @abstractmethod
    def _scores(self, outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return what of the outputs is a score."""

    @abstractmethod
    def _base_of(self, share: float) -> float:
        """Return the output for a tag that a share of the samples has, between 0 and 1."""


class ForestHead(TreeHead):
    """Trees grown apart from each other, each on samples and numbers drawn for it; the mean of what they say.

    Parameters
    ----------
    leaf
        Samples in a leaf, at least.
    is_extra
        Take the best of splits drawn at random, on all samples (extremely randomised trees: P. Geurts et al., 2006),
        rather than the best of all splits on a draw of them (random forest: L. Breiman, 2001).
    """

    def __init__(
        self, *, leaf: int = 1, is_extra: bool = False, task: Task = Task.LABEL, is_trial: bool = False, seed: int = 0
    ) -> None:
        super().__init__(task=task, is_trial=is_trial, seed=seed)
        self.leaf = leaf
        self.is_extra = is_extra

    def _grow(self, X: FloatArray, y: IntArray) -> tuple[npt.NDArray[np.float64], TreeEnsemble]:
        targets = np.eye(int(y.max()) + 1)[y]
        return np.zeros(targets.shape[1]), self._forest(X, targets, n_trees=self._n_trees())

    def _grow_tag(self, X: FloatArray, there: IntArray, *, n_tags: int) -> tuple[float, TreeEnsemble]:
        n_trees = max(LEAST_TREES, min(self._n_trees(), 3 * self._n_trees() // n_tags))
        return 0.0, self._forest(X, there[:, None].astype(np.float64), n_trees=n_trees)

    def _n_trees(self) -> int:
        return N_TREES_IN_TRIAL if self.is_trial else N_TREES

    def _forest(self, X: FloatArray, targets: npt.NDArray[np.float64], *, n_trees: int) -> TreeEnsemble:
        """Return trees whose values, added up, are the shares of the targets, `(n_samples, width)`.

        These are the trees of scikit-learn's forests for numbers. On flags they split where a classifier's do (the
        variance of flags is their Gini impurity), and grow in half the time: 0.15 ms each instead of 0.29 at 100
        samples. What the forests do around them takes as long again.
        """
        from sklearn import config_context  # here: its import takes a second
        from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor

        make = ExtraTreeRegressor if self.is_extra else DecisionTreeRegressor
        random = np.random.RandomState(self.seed)
        has_missing = bool(np.isnan(X).any())
        grown = []
        with config_context(assume_finite=True, skip_parameter_validation=True):
            for _ in range(n_trees):
                seed = random.randint(np.iinfo(np.int32).max)
                tree = make(min_samples_leaf=self.leaf, max_features="sqrt", random_state=seed)
                tree.fit(X, targets, sample_weight=self._draw(len(X), seed), check_input=has_missing)
                grown.append(tree.tree_)
        return collect(grown, [tree.value[:, :, 0] / n_trees for tree in grown], [0] * n_trees)

    def _draw(self, n_samples: int, seed: int) -> npt.NDArray[np.float64] | None:
        """Return how often a tree sees each sample, as scikit-learn's forests draw them; None: each once."""
        if self.is_extra and n_samples <= MAX_ROWS:
            return None
        drawn = np.random.RandomState(seed).randint(0, n_samples, min(n_samples, MAX_ROWS), dtype=np.int32)
        return np.bincount(drawn, minlength=n_samples).astype(np.float64)

    def _scores(self, outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if self.task is Task.TAGS:
            return np.asarray(logit(np.clip(outputs, FLOOR, 1 - FLOOR)))
        return np.log(np.maximum(outputs, FLOOR))

    def _base_of(self, share: float) -> float:
        return share


class BoostedHead(TreeHead):
    """Small trees grown one after the other, each on what those before it got wrong (J. Friedman, 2002).

    They see no missing numbers: those count as 0, which is the middle of every column.

    Parameters
    ----------
    depth
        Splits from the root to a leaf, at most.
    """

    def __init__(self, *, depth: int = 3, task: Task = Task.LABEL, is_trial: bool = False, seed: int = 0) -> None:
        super().__init__(task=task, is_trial=is_trial, seed=seed)
        self.depth = depth

    def _grow(self, X: FloatArray, y: IntArray) -> tuple[npt.NDArray[np.float64], TreeEnsemble]:
        n_of_class = np.bincount(y)
        if len(n_of_class) == 2:  # the second class has the trees, the first stays at 0
            base, trees = self._boosted(X, y, n_stages=N_STAGES)
            return np.array([0.0, base[0]]), replace(trees, column=trees.column + 1)
        return self._boosted(X, y, n_stages=_n_stages(len(n_of_class)))

    def _grow_tag(self, X: FloatArray, there: IntArray, *, n_tags: int) -> tuple[float, TreeEnsemble]:
        base, trees = self._boosted(X, there, n_stages=_n_stages(n_tags))
        return float(base[0]), trees

    def _boosted(self, X: FloatArray, y: IntArray, *, n_stages: int) -> tuple[npt.NDArray[np.float64], TreeEnsemble]:
        from sklearn.ensemble import GradientBoostingClassifier  # here: its import takes a second

        rate = LEARNED / n_stages
        boosted = GradientBoostingClassifier(
            n_estimators=n_stages,
            learning_rate=rate,
            subsample=min(SHARE_OF_ROWS, MAX_ROWS / len(X)),
            max_features=SHARE_OF_NUMBERS,
            min_samples_leaf=MIN_LEAF,
            max_depth=self.depth,
            random_state=self.seed,
        ).fit(X, y)
        prior = np.bincount(y) / len(y)
        base = np.log(prior) if len(prior) > 2 else np.atleast_1d(logit(prior[1]))
        n_outputs = len(base)
        grown = [tree.tree_ for tree in boosted.estimators_.ravel()]
        values = [tree.value[:, 0] * rate for tree in grown]
        return base, collect(grown, values, [place % n_outputs for place in range(len(grown))])

    def _clean(self, X: FloatArray) -> FloatArray:
        return np.nan_to_num(super()._clean(X), nan=0.0)

    def _scores(self, outputs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return outputs

    def _base_of(self, share: float) -> float:
        return float(logit(share))


def _n_stages(n_outputs: int) -> int:
    """Return fewer stages where each has many trees."""
    return min(N_STAGES, max(LEAST_STAGES, MAX_BOOSTED_TREES // n_outputs))
