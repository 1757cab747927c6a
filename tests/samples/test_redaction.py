"""What is blotted out of texts before they are kept, and what is not."""

import time

import pytest
from pytest_django import Settings

from apps.samples.redaction import RedactionFailed, all_kinds, redacted


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Write to olga.owner+desk@mail.example.co.uk, please", "Write to [email], please"),
        ("Écrivez à josé@exämple.org.", "Écrivez à [email]."),
        ("My card 4111 1111 1111 1111 was charged", "My card [card] was charged"),
        ("5500-0000-0000-0004 and 4111111111111111", "[card] and [card]"),
        ("IBAN DE89 3704 0044 0532 0130 00 thanks", "IBAN [iban] thanks"),
        ("pay to gb82west12345698765432", "pay to [iban]"),
        ("from 192.168.10.24 and 2001:db8::ff00:42:8329", "from [ip] and [ip]"),
        ("Call +49 30 1234567 or (020) 7946 0958.", "Call [phone] or [phone]."),
        ("06 12 34 56 78 or 555-123-4567", "[phone] or [phone]"),
        ("My contract 0044718231 is wrong", "My contract [phone] is wrong"),
        ("customer 8834512 again", "customer [number] again"),
        ("passport 123456789012345678901", "passport [number]"),
    ],
)
def test_what_tells_people_apart_is_blotted_out(text: str, clean: str) -> None:
    assert redacted(text, all_kinds()) == clean


@pytest.mark.parametrize(
    "text",
    [
        "On 2026-11-21 at 10:30:45 I paid 1,234.50 for 12 x 40 cm",
        "room 1204, 21.11.2026, version 2.10.3.1a, ratio 16:9",
        "1 2 3 4 5 6",
        "999999 points",
        "a@b, 50 % @ home",
        "Straße der Pariser Kommune 8",
        "::",
    ],
)
def test_dates_prices_and_small_numbers_stay(text: str) -> None:
    assert redacted(text, all_kinds()) == text


def test_a_card_that_fails_its_check_is_only_a_long_number() -> None:
    assert redacted("4111 1111 1111 1112", ["card"]) == "4111 1111 1111 1112"
    assert redacted("4111111111111112", ["card", "number"]) == "[number]"


def test_only_the_kinds_chosen_are_blotted_out() -> None:
    assert redacted("a@example.org 8834512", ["number"]) == "a@example.org [number]"
    assert redacted("a@example.org 8834512", []) == "a@example.org 8834512"


@pytest.mark.parametrize("piece", ["1", "a", "1 ", "a.", "a@", "1.", ":", "DE", "+", "1-", "a-", "(1)", "AB12 "])
def test_the_largest_text_takes_no_longer_than_its_length(piece: str) -> None:
    text = (piece * 100_000)[:100_000]
    started = time.process_time()
    redacted(text, all_kinds())
    assert time.process_time() - started < 2


def shout(text: str) -> str:
    return text.upper()


def nothing(text: str) -> None:
    return None


def fail(text: str) -> str:
    raise ValueError(f"cannot read {text}")


def test_the_operators_function_runs_after_the_patterns(settings: Settings) -> None:
    settings.REDACT = f"{__name__}.shout"
    assert redacted("ask olga@example.org", ["email"]) == "ASK [EMAIL]"


@pytest.mark.parametrize("name", [f"{__name__}.fail", f"{__name__}.nothing", "no.such.function"])
def test_where_the_operators_function_fails_nothing_is_kept_and_the_log_holds_no_text(
    settings: Settings, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    settings.REDACT = name
    with pytest.raises(RedactionFailed) as caught:
        redacted("my secret is hunter2", [])
    assert caplog.records
    assert "hunter2" not in f"{caplog.text} {caught.value!r} {caught.value.__cause__!r}"
