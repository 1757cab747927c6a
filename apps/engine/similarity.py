"""Answers before there is a model: by likeness to the names and descriptions of labels, and by keyword rules.

Such probabilities are guesses: what they promise was measured on other people's data, not calibrated on the owner's.
"""

from __future__ import annotations

import re

import numpy as np
from scipy.special import softmax

from apps.engine.types import BoolArray, FloatArray, IntArray

TEMPERATURE = 0.06
"""Measured on all 2,000 texts each of clinc20, snips7, sms_spam and medical_abstracts, likeness to their labels' bare
names, no label of theirs used. Log loss, mean of the four: 0.83 at 0.05, 0.80 at 0.06, 0.80 at 0.08, 0.97 at 0.15; how
far confidence is from the share right: 0.09, 0.08, 0.09, 0.21."""
RULE_CONFIDENCE = 0.9
"""What a rule's label gets where it is found and nothing speaks against it: the owner says so, and no rule is without
exceptions. The rest goes by likeness."""
SENTENCE_DIMS = {"minilm": 384}
"""The first numbers of an embedding are the average of the last layer, which is what MiniLM was taught to compare
texts by. With them 0.867, 0.753, 0.600 and 0.543 of the four sets above were right; with the whole embedding 0.865,
0.741, 0.253 and 0.488. Names as they are written in programs ("GetWeather") lost 0.22 on snips7; a frame around the
name ("This text is about …") lost 0.04 there; descriptions of the two labels of sms_spam gained 0.12."""


def label_text(name: str, description: str = "") -> str:
    """Return what a label is compared by: its name in plain words, and what it was said to mean."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    plain = " ".join(re.sub(r"[_\-/]+", " ", words).split()).lower()
    return f"{plain}: {description}" if description else plain


def likeness(embeddings: FloatArray, label_embeddings: FloatArray, *, backbone: str) -> FloatArray:
    """Return how alike samples and labels are to a backbone.

    Parameters
    ----------
    embeddings
        `(n_samples, dim)`.
    label_embeddings
        `(n_classes, dim)`: of each label's `label_text`.
    backbone
        The name of what made both.

    Returns
    -------
    `(n_samples, n_classes)`, cosines in [-1, 1]; 0 where either is empty.
    """
    n_dims = SENTENCE_DIMS.get(backbone)
    cosines: FloatArray = _unit(embeddings[:, :n_dims]) @ _unit(label_embeddings[:, :n_dims]).T
    return cosines


def guess(
    cosines: FloatArray, hits: BoolArray, rule_labels: IntArray, *, temperature: float = TEMPERATURE
) -> FloatArray:
    """Return probabilities of labels by likeness, and by the rules over it.

    Parameters
    ----------
    cosines
        `(n_samples, n_classes)`, see `likeness`; NaN in rows where it says nothing, such as in a language that the
        backbone does not read.
    hits
        `(n_samples, n_rules)`: which rules were found, see `apps.engine.rules`.
    rule_labels
        `(n_rules,)`: the label each rule speaks for, in `[0, n_classes)`.
    temperature
        What cosines are divided by. Backbones that were taught with another one put all cosines close together.

    Returns
    -------
    `(n_samples, n_classes)`, float32, rows sum to 1; NaN in rows of samples of which nothing can be said. Rules of
    several labels share out `RULE_CONFIDENCE` by how many of each were found, and by likeness.
    """
    by_likeness = softmax(cosines.astype(np.float64) / temperature, axis=1)
    votes = _votes(cosines, hits, rule_labels)
    found: BoolArray = votes.sum(axis=1, keepdims=True) > 0
    even = np.full_like(by_likeness, 1 / cosines.shape[1])
    rest = np.where(np.isnan(by_likeness), even, by_likeness)
    weighted = votes * (rest + even)  # never by likeness alone, which could silence a rule
    by_rules = np.divide(weighted, weighted.sum(axis=1, keepdims=True), out=even.copy(), where=found)
    joined = RULE_CONFIDENCE * by_rules + (1 - RULE_CONFIDENCE) * rest
    pred_probs: FloatArray = np.where(found, joined, by_likeness).astype(np.float32)
    return pred_probs


def guess_tags(
    cosines: FloatArray, hits: BoolArray, rule_labels: IntArray, *, temperature: float = TEMPERATURE
) -> FloatArray:
    """Return the probability that each tag is there; arguments, and rows of NaN, as those of `guess`.

    A tag whose rule was found has `RULE_CONFIDENCE`. The others share what likeness makes of one label a sample, so
    that at most one is more likely there than not: nothing says yet how many tags a sample has.
    """
    by_likeness = softmax(cosines.astype(np.float64) / temperature, axis=1)
    votes = _votes(cosines, hits, rule_labels)
    found: BoolArray = votes.sum(axis=1) > 0
    by_likeness[found] = np.nan_to_num(by_likeness[found], nan=0.0)
    by_rules = np.fmax(by_likeness, RULE_CONFIDENCE)
    pred_probs: FloatArray = np.where(votes > 0, by_rules, by_likeness).astype(np.float32)
    return pred_probs


def _votes(cosines: FloatArray, hits: BoolArray, rule_labels: IntArray) -> FloatArray:
    votes: FloatArray = np.zeros(cosines.shape, dtype=np.float64)
    np.add.at(votes.T, rule_labels, hits.T.astype(np.float64))
    return votes


def _unit(rows: FloatArray) -> FloatArray:
    whole = np.nan_to_num(rows.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    lengths = np.linalg.norm(whole, axis=1, keepdims=True)
    unit: FloatArray = np.divide(whole, lengths, out=np.zeros_like(whole), where=lengths > 0)
    return unit
