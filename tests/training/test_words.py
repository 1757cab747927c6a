"""Confidence as a person would say it."""

import pytest

from apps.training.words import confidence_word


@pytest.mark.parametrize(
    ("confidence", "word"),
    [
        (1.0, "sure"),
        (0.9, "sure"),
        (0.899, "fairly sure"),
        (0.7, "fairly sure"),
        (0.699, "only guessing"),
        (0.0, "only guessing"),
    ],
)
def test_confidence_is_told_in_words(confidence: float, word: str) -> None:
    assert confidence_word(confidence) == word
