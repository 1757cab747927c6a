"""Words an owner wrote, looked for in texts."""

import time

import numpy as np
import pytest

from apps.engine import rules


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("refund", "I want a Refund!"),
        ("REFUND", "refund"),
        ("cafe", "Das Café hat zu"),
        ("Überweisung", "uberweisung doppelt"),
        ("straße", "STRASSE"),
        ("refund*", "they refunded me"),
        ("*fund", "a refund"),
        ("re*d", "refund"),
        ("money back", "my money, back at last"),
        ("charg* twice", "you charged twice"),
        ("e-mail", "send an E mail"),
        ("give * refund", "give me refund"),
        ("10", "10 % off"),
        ("返金", "返金してください"),
        ("ﬁne", "fine"),
    ],
)
def test_words_are_found_whatever_their_case_accents_and_punctuation(words: str, text: str) -> None:
    assert rules.hits([text], [words]).tolist() == [[True]]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("refund", "refunded"),
        ("fund", "refund"),
        ("money back", "back my money"),
        ("money back", "money comes back"),
        ("give * refund", "give refund"),
        ("refund*", "a fund"),
        ("*", "anything"),
        ("?!", "what?!"),
        ("", "anything"),
        ("a.c", "abc"),
    ],
)
def test_parts_of_words_and_other_orders_are_not(words: str, text: str) -> None:
    assert rules.hits([text], [words]).tolist() == [[False]]


def test_each_text_and_each_rule_has_its_own_row_and_column() -> None:
    found = rules.hits(["refund please", "where is my parcel", ""], ["parcel", "refund", "please"])
    assert found.tolist() == [[False, True, True], [True, False, False], [False, False, False]]


def test_no_rules_and_no_texts_are_empty_not_wrong() -> None:
    assert rules.hits(["a"], []).shape == (1, 0)
    assert rules.hits([], ["a"]).shape == (0, 1)


def test_rules_that_look_for_the_same_words_are_equal() -> None:
    assert rules.pattern_words(" Money  BACK ") == rules.pattern_words("money-back")
    assert rules.pattern_words("refund**") == rules.pattern_words("Refund*") != rules.pattern_words("refund")
    assert rules.pattern_words(" * ") == ()


def test_ten_thousand_texts_and_two_hundred_rules_take_about_a_second() -> None:
    rng = np.random.default_rng(0)
    vocabulary = [f"word{i}" for i in range(20_000)]
    texts = [" ".join(vocabulary[i] for i in rng.integers(0, 20_000, 25)) for _ in range(10_000)]
    words = [f"word{i}" for i in range(100)] + [f"word{i}*" for i in range(50)] + [f"word{i} word*" for i in range(50)]
    started = time.process_time()
    found = rules.hits(texts, words)
    assert time.process_time() - started < 2.0
    assert found[:, 100].any()
