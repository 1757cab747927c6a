"""Confidence in plain words, the same on every page."""

SURE, FAIRLY_SURE = 0.9, 0.7


def confidence_word(confidence: float) -> str:
    """Say a calibrated probability as a person would."""
    if confidence >= SURE:
        return "sure"
    return "fairly sure" if confidence >= FAIRLY_SURE else "only guessing"
