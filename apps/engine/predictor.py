"""From samples to probabilities: the one code path for live prediction and invoke, and for held-out scores.

A model is a blend: each member reads the samples its own way, its head scores them, its temperature turns scores into
probabilities; the probabilities are averaged by weight, and one more temperature makes the average mean what it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, softmax

from apps.engine.heads import Head
from apps.engine.readers import Reader
from apps.engine.types import Blend, FloatArray, Inputs, IntArray, Recipe, Task

SMALLEST = 1e-7
"""Probabilities of tags are kept this far from 0 and 1 before their logarithms are taken."""


@dataclass(frozen=True)
class Member:
    """One fitted recipe of a model: what reads, what scores, what its scores are divided by, how much it counts."""

    recipe: Recipe
    weight: float
    temperature: float
    reader: Reader
    head: Head


@dataclass(frozen=True)
class Predictor:
    """A fitted model.

    Parameters
    ----------
    members
        At least one; weights sum to 1.
    temperature
        Applied to the averaged probabilities; 1 leaves them as they are.
    thresholds
        Tags: `(n_classes,)`, the probability from which on a tag counts as there. None for one label a sample.
    """

    members: tuple[Member, ...]
    n_classes: int
    task: Task = Task.LABEL
    temperature: float = 1.0
    thresholds: FloatArray | None = None

    @property
    def blend(self) -> Blend:
        """The recipes with their weights."""
        return Blend(tuple((member.recipe, member.weight) for member in self.members))

    def pred_probs(self, inputs: Inputs) -> FloatArray:
        """Return `(n_samples, n_classes)`, float32, columns in label order.

        One label a sample: rows sum to 1. Tags: each entry is the probability that the tag is there.
        """
        of_members = [
            probabilities(
                member.head.decision_function(member.reader.read(inputs)),
                member.head.classes_,
                temperature=member.temperature,
                n_classes=self.n_classes,
                task=self.task,
            )
            for member in self.members
        ]
        weights = [member.weight for member in self.members]
        return mixed(of_members, weights, temperature=self.temperature, task=self.task)


def probabilities(
    scores: FloatArray, classes: IntArray, *, temperature: float, n_classes: int, task: Task = Task.LABEL
) -> FloatArray:
    """Return calibrated probabilities in label order.

    Parameters
    ----------
    scores
        `(n_samples, len(classes))`, what a head's `decision_function` returned.
    classes
        `(n_seen,)`: the label of each column of `scores`. Other labels get probability 0.
    temperature
        Above 0; higher makes every row less sure.

    Returns
    -------
    `(n_samples, n_classes)`, float32. One label a sample: rows sum to 1.
    """
    pred_probs = np.zeros((len(scores), n_classes), dtype=np.float32)
    relative = scores.astype(np.float64) / temperature
    pred_probs[:, classes] = expit(relative) if task is Task.TAGS else softmax(relative, axis=1)
    return pred_probs


def mixed(
    of_members: Sequence[FloatArray], weights: Sequence[float], *, temperature: float, task: Task = Task.LABEL
) -> FloatArray:
    """Return the members' probabilities `(n_samples, n_classes)` averaged by weight, at a temperature above 0."""
    if len(of_members) == 1 and temperature == 1.0:
        return of_members[0]
    average = np.zeros(of_members[0].shape)
    for pred_probs, weight in zip(of_members, weights, strict=True):
        average += weight * pred_probs
    return tempered(average, temperature, task=task)


def log_scores(pred_probs: FloatArray, task: Task) -> FloatArray:
    """Return the scores whose softmax (of tags: sigmoid) is `pred_probs`, finite."""
    inside = np.clip(pred_probs.astype(np.float64), SMALLEST, 1 - SMALLEST)
    scores: FloatArray = logit(inside) if task is Task.TAGS else np.log(inside)
    return scores


def tempered(pred_probs: FloatArray, temperature: float, *, task: Task = Task.LABEL) -> FloatArray:
    """Return probabilities made less sure by a temperature above 1, surer below; 0 stays 0. float32."""
    if temperature == 1.0:
        return pred_probs.astype(np.float32)
    if task is Task.TAGS:
        inside = np.clip(pred_probs, SMALLEST, 1 - SMALLEST)
        return np.where(pred_probs > 0, expit(logit(inside) / temperature), 0.0).astype(np.float32)
    largest = pred_probs.max(axis=1, keepdims=True)
    powers = np.power(pred_probs / largest, 1 / temperature)
    result: FloatArray = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return result
