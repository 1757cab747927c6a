"""Shares in percent: rounded, but never more certain than they are."""

import pytest

from apps.core.templatetags.numbers import percent, thousands


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "0%"),
        (0.001, "under 1%"),
        (0.005, "1%"),
        (0.0051, "1%"),
        (0.874, "87%"),
        (0.994, "99%"),
        (0.995, "over 99%"),
        (0.99999, "over 99%"),
        (1, "100%"),
    ],
)
def test_nearly_all_is_not_all_and_nearly_none_is_not_none(share: float, said: str) -> None:
    assert percent(share) == said


def test_thousands_stand_apart() -> None:
    assert [thousands(number) for number in (0, 999, 1000, 1234567)] == ["0", "999", "1,000", "1,234,567"]
