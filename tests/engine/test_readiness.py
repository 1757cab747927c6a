"""What is missing before the first model, in words."""

import numpy as np
import pytest

from apps.engine.readiness import missing_samples, missing_sentence

REFUND_SCAM = ("Refund", "Scam")
FOUR = ("Refund", "Scam", "Praise", "Other")


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        ([], (), "Add another label: it takes at least two to tell apart."),
        ([0], ("Refund",), "Add another label: it takes at least two to tell apart."),
        ([], REFUND_SCAM, "Label 2 more Refund and 2 more Scam to see the first predictions."),
        ([0], REFUND_SCAM, "Label 1 more Refund and 2 more Scam to see the first predictions."),
        ([0, 0, 0], REFUND_SCAM, "Label 2 more Scam to see the first predictions."),
        ([0, 0, 1], REFUND_SCAM, "Label 1 more Scam to see the first predictions."),
        ([], FOUR, "Label 2 samples each of two labels to see the first predictions."),
        ([0, 0], FOUR, "Label 2 more of any other label to see the first predictions."),
        ([0, 0, 2], FOUR, "Label 1 more Praise to see the first predictions."),
        ([0, 0, 2, 1], FOUR, "Label 1 more of any other label to see the first predictions."),
        ([0, 0, 1, 1], FOUR, ""),
    ],
)
def test_the_sentence_says_what_to_label(labels: list[int], names: tuple[str, ...], expected: str) -> None:
    assert missing_sentence(np.array(labels, dtype=int), len(names), label_names=names) == expected


def test_without_names_the_sentence_counts() -> None:
    assert missing_sentence(np.array([0, 0]), 2) == "Label 2 more of any other label to see the first predictions."


@pytest.mark.parametrize(
    ("tags", "names", "expected"),
    [
        ([], (), "Add a tag to look for."),
        ([], ("Refund",), "Label 2 more with Refund and 2 more without it to see the first predictions."),
        ([[1], [-1]], ("Refund",), "Label 1 more with Refund and 2 more without it to see the first predictions."),
        ([[1], [1]], ("Refund",), "Label 2 more without Refund to see the first predictions."),
        ([[1, 0], [0, 0], [0, 0]], REFUND_SCAM, "Label 1 more with Refund to see the first predictions."),
        ([[0, 0]], REFUND_SCAM, "Label 2 more with a tag and 1 more without it to see the first predictions."),
        ([[1, 0], [1, 0], [0, 0], [0, 0]], REFUND_SCAM, ""),
    ],
)
def test_the_sentence_says_which_tags_to_say(tags: list[list[int]], names: tuple[str, ...], expected: str) -> None:
    labels = np.array(tags, dtype=int).reshape(len(tags), len(names))
    assert missing_sentence(labels, len(names), label_names=names) == expected


def test_missing_samples_are_those_of_the_labels_nearest_to_having_enough() -> None:
    assert missing_samples(np.array([2, 0, 0]), 4) == {2: 1}
    assert missing_samples(np.array([1, 1, 3, 3]), 4) == {}
