"""Languages of texts, told without a network."""

import pytest

from apps.engine import languages


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("where is my parcel, it should have been here on monday", "en"),
        ("Ich möchte mein Geld zurück, die Lampe ist kaputt", "de"),
        ("Je veux être remboursé tout de suite", "fr"),
        ("Quiero un reembolso de mi compra", "es"),
        ("Chcę zwrotu pieniędzy za lampę", "pl"),
        ("返金してください", "ja"),
        ("我的包裹在哪里", "zh"),
    ],
)
def test_sentences_are_told_apart(text: str, language: str) -> None:
    assert languages.detect([text]) == [language]


@pytest.mark.parametrize("text", ["", "ok", "12345", "!!!", "thanks!!", "\ud800"])
def test_what_is_too_short_to_tell_is_not_guessed(text: str) -> None:
    assert languages.detect([text]) == [languages.UNKNOWN]


def test_a_long_text_takes_no_longer_than_its_beginning() -> None:
    assert languages.detect(["the parcel is late and I want my money back. " * 50_000]) == ["en"]


def test_the_english_backbone_reads_english_and_what_nobody_can_tell() -> None:
    assert languages.reads("minilm", "en")
    assert languages.reads("minilm", languages.UNKNOWN)
    assert not languages.reads("minilm", "de")
    assert languages.reads("tiny-text", "de")


def test_a_backbone_says_which_texts_it_can_read() -> None:
    texts = ["where is my parcel, it is late", "Wo bleibt mein Paket, es ist schon spät", "ok"]
    assert languages.can_read("minilm", texts).tolist() == [True, False, True]
    assert languages.can_read("tiny-text", texts).tolist() == [True, True, True]
    assert languages.can_read("bge-small", texts).tolist() == [True, False, True]
    assert languages.can_read("multilingual-e5-small", texts).tolist() == [True, True, True]
    assert languages.can_read("minilm", []).shape == (0,)
