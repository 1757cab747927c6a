"""Blots out of texts what nobody needs to keep: addresses, numbers of people, cards and accounts.

Patterns find what has a shape; names of people have none. What an operator knows of their own texts belongs into their
own function (`HUNDREDFOLD_REDACT=package.module.function`, str to str), which runs after the patterns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from ipaddress import ip_address
from string import ascii_uppercase

import structlog
from django.conf import settings
from django.utils.module_loading import import_string

from apps.core.errors import HundredfoldError

logger = structlog.get_logger(__name__)


class Redaction(StrEnum):
    """What can be blotted out; the values travel in the API."""

    EMAIL = "email"
    IBAN = "iban"
    CARD = "card"
    IP = "ip"
    PHONE = "phone"
    NUMBER = "number"


WORDS = {
    Redaction.EMAIL: "E-mail addresses",
    Redaction.IBAN: "Bank accounts (IBAN)",
    Redaction.CARD: "Card numbers",
    Redaction.IP: "Internet addresses (IP)",
    Redaction.PHONE: "Phone numbers",
    Redaction.NUMBER: "Other long numbers",
}
LONG_DIGITS = 7
"""Years, dates, prices and room numbers are shorter; customer, contract and passport numbers are not."""
PHONE_DIGITS = range(7, 16)
NATIONAL_DIGITS = 9
"""Without a plus or a zero in front, fewer digits than these with blanks between them are rather a list of numbers."""


class RedactionFailed(HundredfoldError):
    """The operator's function raised, or returned no text: then nothing may be kept."""

    code = "redaction_failed"


# Every quantifier is possessive or bounded, and what precedes a match is excluded: time stays linear in the text.
_EMAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]++(?:\.[\w-]++)+", re.UNICODE)
_IBAN = re.compile(r"(?<![A-Z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}(?![A-Z0-9])", re.IGNORECASE | re.ASCII)
_CARD = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d])")
_IP = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-F:]{2,39}(?:\d{1,3}(?:\.\d{1,3}){3})?)(?![\w:])", re.I)
_PHONE = re.compile(r"(?<![\w.,+])(?:\+|\()?\d(?:[ ()/.\u00a0-]{0,3}\d){6,14}(?!\w)")
_NUMBER = re.compile(rf"(?<!\d)\d{{{LONG_DIGITS},}}(?!\d)")
_IBAN_NUMBERS = str.maketrans({letter: str(10 + place) for place, letter in enumerate(ascii_uppercase)})
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")


def redacted(text: str, kinds: Collection[str]) -> str:
    """Return the text with what is of these kinds blotted out, and after that through the operator's function.

    Raises RedactionFailed.
    """
    for kind, (pattern, is_meant) in _PATTERNS.items():
        if kind.value in kinds:
            text = _blotted(text, kind, pattern, is_meant)
    return _by_operator(text)


def all_kinds() -> list[str]:
    """Return all kinds by their values: what is blotted out unless somebody chose otherwise."""
    return [kind.value for kind in Redaction]


def is_operators_function_set() -> bool:
    return bool(settings.REDACT)


def _blotted(text: str, kind: Redaction, pattern: re.Pattern[str], is_meant: Callable[[str], bool]) -> str:
    """Blot out every match, or the longest part of its beginning that ends with a word, that is what was looked for."""
    done: list[str] = []
    at = 0
    while match := pattern.search(text, at):
        n_meant = next((n for n in _ends(match[0]) if is_meant(match[0][:n])), 0)
        end = match.start() + (n_meant or 1)
        done += [text[at : match.start()], f"[{kind.value}]" if n_meant else text[match.start() : end]]
        at = end
    return "".join([*done, text[at:]])


def _ends(candidate: str) -> Iterator[int]:
    """Where the candidate ends, and where its words do, from the last."""
    yield len(candidate)
    for n in range(len(candidate) - 1, 0, -1):
        if candidate[n - 1].isalnum() and not candidate[n].isalnum():
            yield n


def _by_operator(text: str) -> str:
    if not settings.REDACT:
        return text
    try:
        redact: Callable[[str], object] = import_string(settings.REDACT)
        result = redact(text)
    except Exception as error:  # noqa: BLE001  # the operator's code may raise anything, and the text in it
        logger.error("redaction_failed", function=settings.REDACT, error=type(error).__name__)
        raise RedactionFailed("The operator's redaction failed, so nothing was kept.") from None
    if not isinstance(result, str):
        logger.error("redaction_failed", function=settings.REDACT, error=f"returned {type(result).__name__}")
        raise RedactionFailed("The operator's redaction returned no text, so nothing was kept.")
    return result


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _is_iban(text: str) -> bool:
    """ISO 7064: the first four characters moved to the end, letters as numbers from 10, the remainder by 97 is 1."""
    plain = text.replace(" ", "").replace("-", "").upper()
    if not 15 <= len(plain) <= 34:
        return False
    return int((plain[4:] + plain[:4]).translate(_IBAN_NUMBERS)) % 97 == 1


def _is_card(text: str) -> bool:
    """Luhn: every second digit from the right doubled, the sum of all digits divisible by ten."""
    digits = [int(digit) for digit in _digits(text)]
    doubled = [2 * digit if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return any(digits) and sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return text.strip(":") != ""


def _is_phone(text: str) -> bool:
    digits = _digits(text)
    if len(digits) not in PHONE_DIGITS or _DATE.match(text):
        return False
    if text.startswith(("+", "(", "0")):
        return True
    return len(digits) >= NATIONAL_DIGITS and not text.isdigit()


def _always(_text: str) -> bool:
    return True


# In this order: an account holds what would pass for a phone number, and a card is a long number.
_PATTERNS: Mapping[Redaction, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    Redaction.EMAIL: (_EMAIL, _always),
    Redaction.IBAN: (_IBAN, _is_iban),
    Redaction.CARD: (_CARD, _is_card),
    Redaction.IP: (_IP, _is_ip),
    Redaction.PHONE: (_PHONE, _is_phone),
    Redaction.NUMBER: (_NUMBER, _always),
}
