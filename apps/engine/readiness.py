"""Whether there is enough to train on, and what to label if not. The first step of a round."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apps.engine.errors import NotTrainable
from apps.engine.types import IntArray, TrainingData

MIN_PER_LABEL = 2
"""One sample to learn from while the other is held out."""
MIN_LABELS = 2


def missing_samples(labels: IntArray, n_classes: int) -> dict[int, int]:
    """Return how many more samples which labels need before a model can be trained; empty when it can.

    The labels named are those nearest to having enough. `labels` is `(n_samples,)` in `[0, n_classes)`.
    """
    n_of_label = np.bincount(labels, minlength=n_classes)
    nearest = np.argsort(-n_of_label, kind="stable")[:MIN_LABELS]
    lacking = {int(label): int(MIN_PER_LABEL - n_of_label[label]) for label in nearest}
    return {label: n for label, n in lacking.items() if n > 0}


def missing_sentence(labels: IntArray, n_classes: int, *, label_names: Sequence[str] = ()) -> str:
    """Return in words what `missing_samples` counts, for the user; empty when nothing is missing.

    A label is named only where it is the obvious one to go on with, not where others are as near to having enough.
    """
    if n_classes < MIN_LABELS:
        return "Add another label: it takes at least two to tell apart."
    missing = missing_samples(labels, n_classes)
    if not missing:
        return ""
    n_of_label = np.bincount(labels, minlength=n_classes)
    n_as_near = int(np.sum(n_of_label == min(n_of_label[label] for label in missing)))
    if len(label_names) == n_classes and (n_classes == MIN_LABELS or n_as_near == 1):
        parts = [f"{n} more {label_names[label]}" for label, n in missing.items()]
    elif len(missing) == 1:
        parts = [f"{n} more of any other label" for n in missing.values()]
    else:
        parts = [f"{MIN_PER_LABEL} samples each of two labels"]
    return f"Label {' and '.join(parts)} to see the first predictions."


def check_trainable(data: TrainingData) -> None:
    """Raise `NotTrainable`, with the sentence for the user, where there is too little to train on."""
    sentence = missing_sentence(data.labels, data.n_classes, label_names=data.label_names)
    if sentence:
        raise NotTrainable(sentence)
