"""Dates and times as people write them, to ISO 8601."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, timezone

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january",
            "feb february",
            "mar march",
            "apr april",
            "may",
            "jun june",
            "jul july",
            "aug august",
            "sep sept september",
            "oct october",
            "nov november",
            "dec december",
        ),
        start=1,
    )
    for name in names.split()
}
CENTURY_TURNS = 69
"""Two-digit years from here on lie in the last century, as in POSIX."""
LONGEST = 60
"""Characters in the longest way to write a date; patterns never see more."""

_TIME = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?\s*(?P<half>[ap]\.?m\.?)?"
)
_ZONE = r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?"
_AFTER = rf"(?:[T,\s]\s*{_TIME}{_ZONE})?"
_YEAR = r"(?P<year>\d{4}|\d{2})"
_MONTH_NAME = r"(?P<name>[a-z]{3,9})\.?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,?\s+)?"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        rf"(?P<year>\d{{4}})(?P<mark>[-/.])(?P<month>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}}){_AFTER}",
        rf"(?P<first>\d{{1,2}})(?P<mark>[-/.])(?P<second_part>\d{{1,2}})(?P=mark){_YEAR}{_AFTER}",
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[.\s-]*{_MONTH_NAME}[,\s-]*{_YEAR}{_AFTER}",
        rf"{_WEEKDAY}{_MONTH_NAME}\s*(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}}){_AFTER}",
        r"(?P<year>\d{4})-(?P<month>\d{2})",
        r"(?P<month>\d{1,2})/(?P<year>\d{4})",
        rf"{_MONTH_NAME}[\s-]+(?P<year>\d{{4}})",
        _TIME,
    )
)
_ORDERED_BY_CUSTOM = re.compile(r"(\d{1,2})([-/])(\d{1,2})\2(?:\d{4}|\d{2})(?:[T,\s].*)?", re.ASCII)


def to_iso(text: str, *, is_day_first: bool | None = None) -> str | None:
    """Return the date, date and time, or time of day that `text` says, in ISO 8601; None if it says none.

    `is_day_first` settles 03/04/2024. None: a slash means the month first, a hyphen or point the day. Where only one
    reading exists (13/04/2024), that one is taken. With a time zone the result is in UTC, else as written.
    """
    if len(text) > LONGEST:
        return None
    for pattern in _PATTERNS:
        found = pattern.fullmatch(text)
        if found is not None:
            try:
                return _iso_of(found, is_day_first)
            except (ValueError, OverflowError):
                return None
    return None


def to_seconds(iso: str) -> float:
    """Return seconds since 1970 in UTC; a time of day counts from the start of 1970. Raises `ValueError`."""
    if len(iso) > 2 and iso[2] == ":":
        moment = datetime.combine(date(1970, 1, 1), time.fromisoformat(iso))
    else:
        moment = datetime.fromisoformat(iso)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def from_seconds(seconds: float) -> str:
    """Return the moment in ISO 8601, in UTC and without a zone. Raises `ValueError` beyond the year 9999."""
    try:
        return (datetime(1970, 1, 1) + timedelta(seconds=round(seconds))).isoformat()
    except OverflowError as error:
        raise ValueError("That moment lies outside the calendar.") from error


def find_day_first(texts: Iterable[str]) -> bool | None:
    """Say whether dates such as 03/04/2024 name the day first; None where nothing tells.

    A number above 12 tells. Failing that, so does an order of rows that is an order in time under one reading only.
    """
    parts = [(int(found[1]), int(found[3]), found[0]) for found in map(_ORDERED_BY_CUSTOM.fullmatch, texts) if found]
    n_day_first = sum(first > 12 >= second for first, second, _text in parts)
    n_month_first = sum(second > 12 >= first for first, second, _text in parts)
    if n_day_first != n_month_first:
        return n_day_first > n_month_first
    if n_day_first or len(parts) < 3:
        return None
    in_order = [_is_in_order([text for *_numbers, text in parts], is_day_first) for is_day_first in (True, False)]
    return in_order[0] if in_order[0] != in_order[1] else None


def _is_in_order(texts: list[str], is_day_first: bool) -> bool:
    moments = [to_iso(text, is_day_first=is_day_first) or "" for text in texts]
    return moments in (sorted(moments), sorted(moments, reverse=True))


def _iso_of(found: re.Match[str], is_day_first: bool | None) -> str:
    parts = found.groupdict()
    clock = _clock(parts) if parts.get("hour") else None
    if parts.get("year") is None:
        if clock is None:
            raise ValueError("no time of day")
        return clock.isoformat()
    day, month = _day_and_month(parts, is_day_first)
    the_day = date(_full_year(parts["year"]), month, day)
    if clock is None:
        return the_day.isoformat()
    moment = datetime.combine(the_day, clock)
    return (moment.astimezone(UTC) if moment.tzinfo else moment).isoformat()


def _day_and_month(parts: dict[str, str], is_day_first: bool | None) -> tuple[int, int]:
    if "first" in parts:
        first, second = int(parts["first"]), int(parts["second_part"])
        by_custom = parts["mark"] != "/" if is_day_first is None or parts["mark"] == "." else is_day_first
        is_day = first > 12 or (by_custom and second <= 12)
        return (first, second) if is_day else (second, first)
    month = MONTHS.get(parts["name"].lower()) if parts.get("name") else int(parts["month"])
    if month is None:
        raise ValueError("no month")
    return int(parts.get("day") or 1), month


def _full_year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 4:
        return year
    return year + (1900 if year >= CENTURY_TURNS else 2000)


def _clock(parts: dict[str, str]) -> time:
    hour, half = int(parts["hour"]), (parts.get("half") or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("no hour of half a day")
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    fraction = int((parts.get("fraction") or "").ljust(6, "0")[:6] or 0)
    zone = _zone(parts.get("zone"))
    return time(hour, int(parts["minute"]), int(parts.get("second") or 0), fraction, tzinfo=zone)


def _zone(text: str | None) -> timezone | None:
    if not text:
        return None
    if text[0] not in "+-":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)
