"""The queue: which unlabelled samples to ask about next.

`next_batch` is the whole policy but for the random share, which the label page draws: each sample asked for is the one
that says most about what is not known yet. Before there is a model, everything is unknown, and typical samples of all
regions come first; then the samples count for as much as the model is in doubt about them, and a doubtful sample in a
crowd of doubtful ones comes before one that stands alone.

Source: uncertainty herding, W. Bae, G. Oliveira, D. Sutherland, Uncertainty Herding: One Active Learning Method for All
Label Budgets, 2025; its coverage is the facility location of K. Wei, R. Iyer, J. Bilmes, Submodularity in Data Subset
Selection and Active Learning, 2015. What was tried beside it is in EXPERIMENTS.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from apps.engine.types import FloatArray, IntArray

N_TYPICAL = 20
"""Up to so many labelled samples a model's doubts are not listened to. Gain over random, along the curve and at
100 labels, mean of ten text and six picture sets, three draws: from 5 on 0.076 and 0.052, 10 0.083 and 0.057, 15
0.084 and 0.057, 20 0.083 and 0.058, 30 0.082 and 0.058."""
ENOUGH_OF_A_LABEL = 10
"""A label with fewer labelled samples weighs more: as the root of how many times more it should have. The same gains
without that: 0.080 and 0.054; with 5 instead of 10 the gain on sets of few labels is the same."""
RARE_SHARE = 0.5
"""A label is called rare while it has less than this part of its even share."""
TORN_FROM = 0.5
"""Of how nearly the two likeliest tie: above, the page may say that the model is torn between them."""
LEAST_DOUBT = 1e-3
"""Where the model doubts nothing, typical samples come first again."""
COLUMNS_AT_ONCE = 256
CHOSEN = -1.0


class Why(StrEnum):
    """What speaks for a sample."""

    TYPICAL = "typical"
    TORN = "torn"
    RARE = "rare"


@dataclass(frozen=True)
class State:
    """What is known when the next samples are chosen.

    Parameters
    ----------
    points
        `(n_points, dim)`: unlabelled samples, all of them or some, as a backbone reads them.
    labelled_points
        `(n, dim)`: labelled samples, all of them or some.
    n_of_label
        `(n_labels,)`: how many samples have each label, all of them.
    doubts
        `(n_points,)` in [0, 1]: `margin_scores` of the model in service; None before there is one.
    said
        `(n_points,)`: the label that the model says, in `[0, n_labels)`, -1 for none; None without `doubts`.
    stands_for
        `(n_points,)`: how many samples each point stands for, where the points are some of many; else 1 each.
    """

    points: FloatArray
    labelled_points: FloatArray
    n_of_label: IntArray
    doubts: FloatArray | None = None
    said: IntArray | None = None
    stands_for: FloatArray | None = None

    @property
    def listens_to_doubts(self) -> bool:
        """Whether the model has learned from enough for its doubts to mean something."""
        return self.doubts is not None and int(self.n_of_label.sum()) >= N_TYPICAL


@dataclass(frozen=True)
class Pick:
    """A sample to ask about, by its row in `State.points`."""

    row: int
    why: Why


def margin_scores(pred_probs: FloatArray) -> FloatArray:
    """Return how nearly the two likeliest labels tie.

    Parameters
    ----------
    pred_probs
        `(n_samples, n_classes)`, rows sum to 1.

    Returns
    -------
    `(n_samples,)` in [0, 1]: 1 is a tie, 0 is certainty.

    Source: T. Scheffer, C. Decomain, S. Wrobel, Active hidden Markov models for information extraction, 2001.
    """
    if pred_probs.shape[1] < 2:
        return np.zeros(len(pred_probs), dtype=np.float64)
    two = np.partition(pred_probs, -2, axis=1)[:, -2:].astype(np.float64)
    scores: FloatArray = 1.0 - (two[:, 1] - two[:, 0])
    return scores


def next_batch(state: State, n: int) -> list[Pick]:
    """Return up to `n` samples to ask about, in order; the same for the same state.

    They are chosen one by one: each makes the most of what those before it, and the labelled ones, leave unknown. So
    near-copies of what was chosen come last. No sample is weighed twice without need: lazy evaluation, M. Minoux,
    Accelerated greedy algorithms for maximizing submodular set functions, 1978.
    """
    n_points = len(state.points)
    if n_points == 0 or n < 1:
        return []
    cover = _Cover.of(state)
    bounds = cover.all_gains()  # what a sample adds only shrinks as others are chosen, so these stay upper bounds
    picks: list[Pick] = []
    while len(picks) < min(n, n_points):
        row = int(bounds.argmax())
        bounds[row] = min(bounds[row], cover.gain(row))
        if bounds.argmax() != row:  # others may add more now
            continue
        bounds[row] = CHOSEN
        picks.append(Pick(row, why(state, row)))
        cover.add(row)
    return picks


def why(state: State, row: int) -> Why:
    """Return what speaks for a sample: it may be of a rare label, the model is torn, or many are like it."""
    if not state.listens_to_doubts or state.doubts is None:
        return Why.TYPICAL
    label = int(state.said[row]) if state.said is not None else -1
    if label >= 0 and state.n_of_label[label] < RARE_SHARE * state.n_of_label.mean():
        return Why.RARE
    return Why.TORN if state.doubts[row] >= TORN_FROM else Why.TYPICAL


def likeness(points: FloatArray, others: FloatArray, *, centre: FloatArray) -> FloatArray:
    """Return cosines about `centre`, none below 0, `(n_points, n_others)`, float32.

    About the mean, because many backbones put everything into one corner: on six picture sets the gain along the curve
    is 0.103 about the mean and 0.066 about the origin; on ten text sets it is the same.
    """
    cosines: FloatArray = _unit(points - centre) @ _unit(others - centre).T
    return np.maximum(cosines, 0.0, out=cosines)


def label_weights(n_of_label: FloatArray) -> FloatArray:
    """Return how much more samples of each label count, `(n_labels,)`, at least 1: so that rare ones get their turn."""
    weights: FloatArray = np.sqrt(np.maximum(1.0, ENOUGH_OF_A_LABEL / (1.0 + n_of_label)))
    return weights


@dataclass
class _Cover:
    """How well each point is known: `known` is its likeness to the nearest chosen or labelled one.

    A sample adds, for every point, what it is liker to it than any before, times what that point counts for; and it is
    worth as much more the more the model doubts it itself.
    """

    likeness: FloatArray
    known: FloatArray
    counts_for: FloatArray
    doubts: FloatArray
    said: IntArray | None
    n_of_label: FloatArray
    weights: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        self._weigh()

    @classmethod
    def of(cls, state: State) -> _Cover:
        centre = np.concatenate([state.points, state.labelled_points]).mean(axis=0, dtype=np.float64).astype(np.float32)
        known = np.zeros(len(state.points), dtype=np.float32)
        for start in range(0, len(state.labelled_points), COLUMNS_AT_ONCE):
            chunk = state.labelled_points[start : start + COLUMNS_AT_ONCE]
            np.maximum(known, likeness(state.points, chunk, centre=centre).max(axis=1), out=known)
        counts_for = np.ones(len(state.points)) if state.stands_for is None else state.stands_for
        doubts = np.ones(len(state.points))
        if state.listens_to_doubts and state.doubts is not None:
            doubts = np.maximum(state.doubts, LEAST_DOUBT)
        return cls(
            likeness(state.points, state.points, centre=centre),
            known,
            (counts_for * doubts).astype(np.float32),
            doubts.astype(np.float32),
            state.said if state.listens_to_doubts else None,
            state.n_of_label.astype(np.float64),
        )

    def gain(self, row: int) -> float:
        """Return what asking about one sample would add."""
        return float(self.weights @ np.maximum(self.likeness[row] - self.known, 0.0)) * float(self.doubts[row])

    def all_gains(self) -> FloatArray:
        """Return that of every sample, `(n_points,)`."""
        gains = np.empty(len(self.known), dtype=np.float64)
        for start in range(0, len(gains), COLUMNS_AT_ONCE):
            rows = slice(start, start + COLUMNS_AT_ONCE)
            gains[rows] = np.maximum(self.likeness[rows] - self.known, 0.0) @ self.weights
        all_of_them: FloatArray = gains * self.doubts
        return all_of_them

    def add(self, row: int) -> None:
        """Take a sample as asked about, and as having the label that the model says."""
        np.maximum(self.known, self.likeness[row], out=self.known)
        if self.said is not None and self.said[row] >= 0:
            self.n_of_label[self.said[row]] += 1
            self._weigh()

    def _weigh(self) -> None:
        self.weights = self.counts_for
        if self.said is not None:
            of_label = np.append(label_weights(self.n_of_label), 1.0)  # the last one is for -1, which is none
            self.weights = self.counts_for * of_label[self.said].astype(np.float32)


def _unit(rows: FloatArray) -> FloatArray:
    whole = np.nan_to_num(rows.astype(np.float32, copy=False), nan=0.0, posinf=0.0, neginf=0.0)
    lengths = np.linalg.norm(whole, axis=1, keepdims=True)
    unit: FloatArray = np.divide(whole, lengths, out=np.zeros_like(whole), where=lengths > 1e-9)
    return unit
