"""Folds, and the scores every sample gets from heads that saw neither it nor a duplicate of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import prod

import numpy as np
import numpy.typing as npt

from apps.engine.heads import Head
from apps.engine.matrices import Matrix
from apps.engine.runtime import Deadline
from apps.engine.types import BoolArray, FloatArray, IntArray

IMPOSSIBLE = -1e4
"""Score of a label that a fold's head never saw: probability 0 at any temperature, yet finite."""
MOST_LEARNED_FROM = 20_000
"""Samples a head learns from, at most: more gain next to nothing, and a round would take minutes."""
FEW_SAMPLES, MANY_SAMPLES, MANY_SCORES = 300, 3_000, 100_000
THREADS_FROM = 3_000_000
"""Numbers in the samples from which folds are fitted side by side; below, starting threads costs more than it saves."""


def n_folds_for(n_samples: int, n_classes: int) -> int:
    """Return how many folds to hold out in turn: more where samples are few and each is missed in the fit."""
    if n_samples > MANY_SAMPLES or n_samples * n_classes > MANY_SCORES:
        return 3
    return 10 if n_samples <= FEW_SAMPLES else 5


def assign_folds(
    labels: IntArray, groups: IntArray, *, n_folds: int, seed: int = 0, known: IntArray | None = None
) -> IntArray:
    """Deal the samples into folds: labels (of tags, the rarest that is there) spread evenly, each group in one fold.

    Samples are dealt in order, each new group to the fold with the fewest samples of its label so far, then with the
    fewest samples, then at random by `seed`. So the folds of the first samples stay what they were when more are
    appended, and figures before and after an annotation compare.

    Parameters
    ----------
    labels, groups
        `(n_samples,)`; tags `(n_samples, n_tags)`. A group goes where its first sample's label calls for.
    n_folds
        At least 2.
    known
        `(n_samples,)`: folds that samples have already and keep, -1 for those to deal. The others of their groups join
        them.

    Returns
    -------
    `(n_samples,)` in `[0, n_folds)`. With fewer groups than folds, some folds are empty.
    """
    if n_folds < 2:
        raise ValueError("Holding out takes at least two folds.")
    _, label_rows = np.unique(rarest_tag(labels) if labels.ndim == 2 else labels, return_inverse=True)
    _, group_rows = np.unique(groups, return_inverse=True)
    n_of_label = np.zeros((int(label_rows.max(initial=-1)) + 1, n_folds), dtype=np.int64)
    n_in_fold = np.zeros(n_folds, dtype=np.int64)
    fold_of_group = np.full(int(group_rows.max(initial=-1)) + 1, -1, dtype=np.int64)
    turn = np.random.default_rng(seed).permutation(n_folds)
    folds = np.full(len(labels), -1, dtype=np.int64) if known is None else known.astype(np.int64)
    of_known = np.flatnonzero(folds >= 0)
    fold_of_group[group_rows[of_known]] = folds[of_known]
    np.add.at(n_of_label, (label_rows[of_known], folds[of_known]), 1)
    np.add.at(n_in_fold, folds[of_known], 1)
    for i in np.flatnonzero(folds < 0).tolist():
        label, group = label_rows[i], group_rows[i]
        if fold_of_group[group] < 0:
            fold_of_group[group] = np.lexsort((turn, n_in_fold, n_of_label[label]))[0]
        fold = folds[i] = fold_of_group[group]
        n_of_label[label, fold] += 1
        n_in_fold[fold] += 1
    return folds


def rarest_tag(tags: IntArray) -> IntArray:
    """Return for each sample the rarest tag it has, or the number of tags where it has none."""
    n_with = (tags == 1).sum(axis=0)
    order = np.argsort(n_with, kind="stable")
    has = np.concatenate([tags[:, order] == 1, np.ones((len(tags), 1), dtype=np.bool_)], axis=1)
    rarest: IntArray = np.append(order, tags.shape[1])[has.argmax(axis=1)]
    return rarest


def learned_from(rows: IntArray, labels: IntArray, *, seed: int = 0) -> IntArray:
    """Return the rows a head learns from: all of them, or of very many an even draw with some of every label."""
    if len(rows) <= MOST_LEARNED_FROM:
        return rows
    drawn = np.random.default_rng(seed).permutation(rows)
    _, first = np.unique(rarest_tag(labels[drawn]) if labels.ndim == 2 else labels[drawn], return_index=True)
    return np.sort(np.unique(np.concatenate([drawn[:MOST_LEARNED_FROM], drawn[first]])))


def out_of_fold_scores(
    make_head: Callable[[], Head],
    X: Matrix | Callable[[int], Matrix],
    labels: IntArray,
    folds: IntArray,
    *,
    n_classes: int,
    deadline: Deadline | None = None,
    fitted: dict[int, Head] | None = None,
) -> FloatArray:
    """Score each sample by a head fitted on the other folds.

    Parameters
    ----------
    make_head
        Returns an unfitted head.
    X, labels, folds
        `(n_samples, dim)`, or a function that returns it for a fold; `(n_samples,)` in `[0, n_classes)`,
        `(n_samples,)`. Tags: `(n_samples, n_classes)`.
    deadline
        Checked before each fit.
    fitted
        Heads by fold, fitted on the same samples under another setting, for the new ones to set out from. The new ones
        take their places.

    Returns
    -------
    `(n_samples, n_classes)`, float32, columns in label order. Labels that the fold's head never saw have a score
    `IMPOSSIBLE`; where it saw nothing at all (every sample in one fold), all labels score alike.

    Raises
    ------
    DeadlineExpired
    """
    unseen = 0.0 if labels.ndim == 2 else IMPOSSIBLE
    scores = np.full((len(labels), n_classes), unseen, dtype=np.float32)
    known = {} if fitted is None else fitted

    def read_for(fold: int) -> Matrix:
        return X(fold) if callable(X) else X

    def score_fold(fold: int) -> None:
        if deadline is not None:
            deadline.check()
        is_held_out = folds == fold
        if not is_held_out.all():
            rows, read = learned_from(np.flatnonzero(~is_held_out), labels), read_for(fold)
            head = make_head().fit(read[rows], labels[rows], start=known.get(fold))
            known[fold] = head
            scores[np.ix_(is_held_out, head.classes_)] = head.decision_function(read[is_held_out])

    all_folds = np.unique(folds).tolist()
    size = prod(read_for(all_folds[0]).shape) if all_folds else 0
    if size < THREADS_FROM:
        for fold in all_folds:
            score_fold(fold)
    else:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(score_fold, all_folds))  # list() raises what a fold raised
    return scores


def could_be_known(labels: IntArray, folds: IntArray) -> BoolArray:
    """Return, in the shape of `labels`, whether the head that scored the sample had seen its label at all.

    The others (an only sample of its label, say) are wrong under every recipe. They tell nothing about which recipe
    or temperature is better. Tags: whether it is known, and the head had seen samples with the tag and without.
    """
    if labels.ndim == 2:
        seen = np.zeros(labels.shape, dtype=np.bool_)
        for fold in np.unique(folds):
            others = labels[folds != fold]
            seen[folds == fold] = (others == 1).any(axis=0) & (others == 0).any(axis=0)
        return seen & (labels >= 0)
    n_of_label = np.bincount(labels)
    pairs: npt.NDArray[np.int64] = labels.astype(np.int64) * (int(folds.max(initial=0)) + 1) + folds
    _, pair_rows, n_of_pair = np.unique(pairs, return_inverse=True, return_counts=True)
    known: BoolArray = n_of_label[labels] > n_of_pair[pair_rows]
    return known
