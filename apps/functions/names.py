"""How names are read: what looks the same on the page is the same name."""

import unicodedata
from collections.abc import Iterable

from apps.core.errors import InvalidInput

FUNCTION_NAME_MAX = 120
LABEL_NAME_MAX = 200


def tidy(text: str) -> str:
    """Compose accents, drop control characters, and make every run of blanks one space."""
    composed = unicodedata.normalize("NFC", text)
    return " ".join("".join(" " if unicodedata.category(ch) == "Cc" else ch for ch in composed).split())


def label_name(text: str) -> str:
    """Return the name a label gets. Raises InvalidInput when it is empty or too long."""
    name = tidy(text)
    if not name:
        raise InvalidInput("A label needs a name.")
    if len(name) > LABEL_NAME_MAX:
        raise InvalidInput(f"“{name[:40]}…” is too long: a label has at most {LABEL_NAME_MAX} characters.")
    return name


def function_name(text: str) -> str:
    """Return the name a function gets. Raises InvalidInput when it is empty or too long."""
    name = tidy(text)
    if not name:
        raise InvalidInput("A function needs a name.")
    if len(name) > FUNCTION_NAME_MAX:
        raise InvalidInput(f"This name is too long: at most {FUNCTION_NAME_MAX} characters.")
    return name


def distinct(names: Iterable[str]) -> list[str]:
    """Keep the first of those that differ in upper and lower case only; people do not mean two labels by that."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(name.casefold(), name)
    return list(first.values())
