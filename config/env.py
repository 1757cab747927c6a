"""Typed readers of `HUNDREDFOLD_…` environment variables. A value that does not read as its type stops the start."""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

PREFIX = "HUNDREDFOLD_"
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


def text(name: str, default: str = "") -> str:
    """Read a string, given empty as if not given; a variable ending in `_FILE` names a file that holds it."""
    file = os.environ.get(f"{PREFIX}{name}_FILE")
    if file:
        return Path(file).read_text(encoding="utf-8").strip()
    return os.environ.get(PREFIX + name) or default


def flag(name: str, *, default: bool) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value not in _TRUE | _FALSE:
        raise ImproperlyConfigured(f"{PREFIX}{name} must be true or false, not {value!r}.")
    return value in _TRUE


def integer(name: str, default: int) -> int:
    value = text(name)
    if not value:
        return default
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{PREFIX}{name} must be a whole number, not {value!r}.") from error


def words(name: str) -> list[str]:
    """Read a comma-separated list; blanks are dropped."""
    return [word.strip() for word in text(name).split(",") if word.strip()]
