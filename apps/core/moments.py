"""Dates and times as requests write them."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, time

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from apps.core.errors import InvalidInput

_FIRST_YEAR, _LAST_YEAR = 1971, 2999
"""At either end of the calendar a time zone or an hour more leads out of it."""
_LOST_PLUS = re.compile(r"(:[\d.]+) (\d\d:?\d\d)$")
"""A plus sign that was not encoded arrives as a space: +02:00."""


def moment_asked(text: str, *, name: str) -> datetime | None:
    """Return the moment that a parameter says; None where it is empty.

    A time without a zone is in UTC, a day without a time its beginning. Raises InvalidInput, which names the parameter.
    """
    if not text:
        return None
    moment = next(_readings(_LOST_PLUS.sub(r"\1+\2", text)), None)
    if moment is None or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise InvalidInput(f"{name} must be a date and a time, such as 2026-03-01T09:00:00Z.")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)


def _readings(text: str) -> Iterator[datetime]:
    readers: tuple[Callable[[str], datetime | None], ...] = (parse_datetime, _midnight)
    for read in readers:
        try:
            found = read(text)
        except ValueError:  # of the right shape, and no date: the 31st of February
            continue
        if found is not None:
            yield found


def _midnight(text: str) -> datetime | None:
    day = parse_date(text)
    return datetime.combine(day, time()) if day else None
