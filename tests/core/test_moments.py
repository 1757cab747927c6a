"""Moments in addresses: as people and programs write them, and nothing beyond the calendar."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from apps.core.errors import InvalidInput
from apps.core.moments import moment_asked

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00",
        "2026-03-01 12:00:00",
        "2026-03-01T14:00:00+02:00",
        "2026-03-01T14:00:00 02:00",  # a plus that was not encoded
        "2026-03-01 14:00:00.000 0200",
        "2026-03-01T06:00:00-06:00",
    ],
)
def test_a_moment_is_read_in_utc_unless_it_names_a_zone(text: str) -> None:
    assert moment_asked(text, name="from") == NOON


def test_a_day_means_its_beginning_and_nothing_means_none() -> None:
    assert moment_asked("2026-03-01", name="from") == NOON.replace(hour=0)
    assert moment_asked("", name="from") is None


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-02-30", "0001-01-01T00:00:00+14:00", "9999-12-31", "12:00", "\x00"]
)
def test_what_is_no_moment_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInput, match="createdAfter must be a date and a time"):
        moment_asked(text, name="createdAfter")
