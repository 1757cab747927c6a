"""Dates and times as requests write them."""

from datetime import datetime

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from apps.core.errors import InvalidInput

_FIRST_YEAR, _LAST_YEAR = 1971, 9000
"""Beyond them a time zone or an hour more leads out of the calendar."""


def moment_asked(text: str, *, name: str) -> datetime | None:
    """Return the moment that a parameter says, in UTC where it names no zone; None where it is empty.

    Raises InvalidInput, which names the parameter.
    """
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise InvalidInput(f"{name} must be a date and a time, such as 2026-03-01T09:00:00Z.")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
