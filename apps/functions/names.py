"""How names are read: what looks the same on the page is the same name.

Labels and columns are kept as they came, so that programs find them again under the very name they sent; they are
compared by `tidy`.
"""

import unicodedata
from collections.abc import Iterable

from apps.core.errors import InvalidInput
from apps.engine.rules import pattern_words

FUNCTION_NAME_MAX = 120
LABEL_NAME_MAX = 200
DESCRIPTION_MAX = 1000
RULE_WORDS_MAX = 200
COLOURS = (
    "blue",
    "orange",
    "green",
    "pink",
    "teal",
    "violet",
    "yellow",
    "red",
    "sky blue",
    "lime",
    "brown",
    "grey",
)
"""The palette of labels in words, by number: the stylesheet has what they look like."""


def tidy(text: str) -> str:
    """Compose accents, drop control characters, and make every run of blanks one space."""
    if text.isascii() and text.isprintable():  # as nearly all are, and there may be thousands to compare
        return " ".join(text.split())
    composed = unicodedata.normalize("NFC", text)
    return " ".join("".join(" " if unicodedata.category(ch) == "Cc" else ch for ch in composed).split())


def label_name(text: str) -> str:
    """Return the name a label gets. Raises InvalidInput when it is empty or too long."""
    name = _as_given(text)
    if not name:
        raise InvalidInput("A label needs a name.")
    if len(name) > LABEL_NAME_MAX:
        raise InvalidInput(f"“{name[:40]}…” is too long: a label has at most {LABEL_NAME_MAX} characters.")
    return name


def field_name(text: str) -> str:
    """Return the name a column gets. Raises InvalidInput when it is empty or too long."""
    name = _as_given(text)
    if not name:
        raise InvalidInput("A column needs a name.")
    if len(name) > LABEL_NAME_MAX:
        raise InvalidInput(f"“{name[:40]}…” is too long: a column's name has at most {LABEL_NAME_MAX} characters.")
    return name


def function_name(text: str) -> str:
    """Return the name a function gets. Raises InvalidInput when it is empty or too long."""
    name = tidy(text)
    if not name:
        raise InvalidInput("A function needs a name.")
    if len(name) > FUNCTION_NAME_MAX:
        raise InvalidInput(f"This name is too long: at most {FUNCTION_NAME_MAX} characters.")
    return name


def label_description(text: str) -> str:
    """Return the description a label gets, which may be empty. Raises InvalidInput when it is too long."""
    description = "".join(" " if unicodedata.category(ch) == "Cc" and ch not in "\r\n" else ch for ch in text).strip()
    if len(description) > DESCRIPTION_MAX:
        raise InvalidInput(f"This description is too long: at most {DESCRIPTION_MAX:,} characters.")
    return description


def rule_words(text: str) -> str:
    """Return the words of a rule. Raises InvalidInput when there is nothing in them to look for."""
    words = tidy(text)
    if len(words) > RULE_WORDS_MAX:
        raise InvalidInput(f"These are too many words: at most {RULE_WORDS_MAX} characters.")
    if not pattern_words(words):
        raise InvalidInput("Type the word or words to look for, such as refund or money back.")
    return words


def distinct(names: Iterable[str]) -> list[str]:
    """Keep the first of those that differ in upper and lower case only; people do not mean two labels by that."""
    first: dict[str, str] = {}
    for name in names:
        first.setdefault(sound(name), name)
    return list(first.values())


def sound(name: str) -> str:
    """Return what names have in common that differ in upper and lower case only, or look the same."""
    return tidy(name).casefold()


def _as_given(text: str) -> str:
    """Take off the blanks around it; one with control characters in it cannot be shown as it is."""
    name = text.strip()
    return tidy(name) if any(unicodedata.category(character) == "Cc" for character in name) else name
