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
    """Return in words what is missing before a model can be trained, for the user; empty when nothing is.

    `labels` is `(n_samples,)` in `[0, n_classes)`, or of tags `(n_samples, n_classes)` in {-1, 0, 1}.

    A label is named only where it is the obvious one to go on with, not where others are as near to having enough.
    """
    if labels.ndim == 2:
        return missing_tags_sentence(
            np.count_nonzero(labels == 1, axis=0), np.count_nonzero(labels == 0, axis=0), label_names=label_names
        )
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


def missing_tags_sentence(n_with: IntArray, n_without: IntArray, *, label_names: Sequence[str] = ()) -> str:
    """Return in words what to label before the first tag can be told; empty when one can.

    It takes `MIN_PER_LABEL` samples with a tag, and as many that are known not to have it.

    Parameters
    ----------
    n_with, n_without
        `(n_tags,)`, of how many samples it is known that they have a tag, and that they do not.
    """
    if len(n_with) == 0:
        return "Add a tag to look for."
    with_it, without = (np.maximum(MIN_PER_LABEL - np.asarray(n), 0) for n in (n_with, n_without))
    missing = with_it + without
    nearest = int(missing.argmin())
    if missing[nearest] == 0:
        return ""
    is_clear = len(label_names) == len(missing) and np.count_nonzero(missing == missing[nearest]) == 1
    name = label_names[nearest] if is_clear else "a tag"
    parts = [f"{with_it[nearest]} more with {name}"] if with_it[nearest] else []
    if without[nearest]:
        parts.append(f"{without[nearest]} more without {'it' if parts else name}")
    return f"Label {' and '.join(parts)} to see the first predictions."


def check_trainable(data: TrainingData) -> None:
    """Raise `NotTrainable`, with the sentence for the user, where there is too little to train on."""
    sentence = missing_sentence(data.labels, data.n_classes, label_names=data.label_names)
    if sentence:
        raise NotTrainable(sentence)
