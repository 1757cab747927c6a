"""What a text, a label, an id or a file name must be to come in; refusals are sentences for who brought it."""

import unicodedata

from apps.core.errors import InvalidInput
from apps.functions.names import label_name

TEXT_MAX_CHARACTERS = 100_000
EXTERNAL_ID_MAX = 200
ORIGINAL_NAME_MAX = 400
# Marks that turn the reading direction: a name could pretend to be another.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def checked_text(text: str) -> str:
    """Return the text as it will be stored: as it came."""
    if not text.strip():
        raise InvalidInput("The text is empty.")
    if len(text) > TEXT_MAX_CHARACTERS:
        raise InvalidInput(f"The text is longer than {TEXT_MAX_CHARACTERS:,} characters.")
    if "\x00" in text:
        raise InvalidInput("The text holds a NUL character, so it is probably not text.")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInput("The text holds half a character (a lone surrogate): it was cut or encoded wrongly.")
    return text


def checked_label(name: str) -> str:
    """Return the label's name as it will be compared, or "" for none."""
    return label_name(checked_text(name)) if name.strip() else ""


def checked_id(external_id: str) -> str:
    """Return the id without blanks around it, or "" for none."""
    trimmed = external_id.strip()
    if len(trimmed) > EXTERNAL_ID_MAX:
        raise InvalidInput(f"The id is longer than {EXTERNAL_ID_MAX} characters.")
    return checked_text(trimmed) if trimmed else ""


def clean_name(name: str) -> str:
    """Return a file name fit to store and to show; a strange name is no reason to refuse what it names."""
    return "".join("\ufffd" if _is_unseen(character) else character for character in name)[:ORIGINAL_NAME_MAX]


def _is_unseen(character: str) -> bool:
    return character in _TURNING or unicodedata.category(character) in _UNSEEN_CATEGORIES
