"""Keyword rules: does a text contain the words an owner wrote? Before training they answer, later they are features.

Words are compared whole, without regard to upper and lower case, accents and what stands between them: *e-mail* is
found in "E mail". `*` stands for any letters of a word: `refund*` finds "refunded".
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from apps.engine.types import BoolArray

# Scripts written without blanks have no words to find whole: each of their characters counts as one.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])\w)+")
_PATTERN_WORD = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[\w*])+")
_ACCENTS = re.compile("[\u0300-\u036f]+")


def fold(text: str) -> str:
    """Return the text as it is compared: lower case, without accents, in one spelling of each character."""
    if text.isascii():
        return text.lower()
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text.casefold()))
    return unicodedata.normalize("NFKC", bare).casefold()


def pattern_words(words: str) -> tuple[str, ...]:
    """Return the words of a rule as they are compared; empty where there is nothing to look for.

    Equal for rules that find the same texts by the same words.
    """
    found = tuple(re.sub(r"\*+", "*", word) for word in _PATTERN_WORD.findall(fold(words)))
    return found if any(word != "*" for word in found) else ()


class Matcher:
    """Rules made ready to be looked for in many texts, or in one text many times."""

    def __init__(self, rules: Sequence[str]) -> None:
        self.patterns = [pattern_words(words) for words in rules]
        self._wild = {word: _wild(word) for words in self.patterns for word in words if "*" in word}
        self._phrases = [_phrase(words) if len(words) > 1 else None for words in self.patterns]

    def hits(self, texts: Sequence[str]) -> BoolArray:
        """Return `(n_texts, n_rules)`: whether each text contains the words of each rule, in their order.

        Costs one pass over the texts, then for each rule only the texts that have all of its words: 10,000 tickets
        against 200 rules take 0.2 s.
        """
        found = np.zeros((len(texts), len(self.patterns)), dtype=np.bool_)
        if not self.patterns or not texts:
            return found
        words_of = [_WORD.findall(fold(text)) for text in texts]
        rows_of = _rows_by_word(words_of)
        rows_of_pattern = self._rows_by_pattern(rows_of)
        for column, (words, phrase) in enumerate(zip(self.patterns, self._phrases, strict=True)):
            rows = _rows_with_all(words, rows_of_pattern)
            if phrase is not None:
                rows = {row for row in rows if phrase.search(" ".join(words_of[row]))}
            found[list(rows), column] = True
        return found

    def _rows_by_pattern(self, rows_of: Mapping[str, set[int]]) -> dict[str, set[int]]:
        """Return the rows of every word the rules name, those with a wildcard put together from all it stands for."""
        exact = {word for words in self.patterns for word in words if "*" not in word}
        by_pattern = {word: rows_of[word] for word in exact if word in rows_of}
        vocabulary = "\n".join(rows_of) if self._wild else ""
        for word, pattern in self._wild.items():
            by_pattern[word] = set().union(*(rows_of[match] for match in pattern.findall(vocabulary)))
        return by_pattern


def hits(texts: Sequence[str], rules: Sequence[str]) -> BoolArray:
    """Return which texts contain the words of which rules.

    Parameters
    ----------
    texts
        As they were brought.
    rules
        Words as their owner wrote them, `*` standing for any letters of a word.

    Returns
    -------
    `(n_texts, n_rules)`. A rule without a letter or digit is found nowhere.
    """
    return Matcher(rules).hits(texts)


def _rows_by_word(words_of: Iterable[Sequence[str]]) -> dict[str, set[int]]:
    rows_of: defaultdict[str, set[int]] = defaultdict(set)
    for row, words in enumerate(words_of):
        for word in words:
            rows_of[word].add(row)
    return rows_of


def _rows_with_all(words: tuple[str, ...], rows_of: Mapping[str, set[int]]) -> set[int]:
    sets = sorted((rows_of.get(word, set()) for word in words), key=len)
    return set.intersection(*sets) if sets else set()


def _wild(word: str) -> re.Pattern[str]:
    return re.compile(f"^{_letters(word)}$", re.MULTILINE)


def _phrase(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\S){' '.join(_letters(word) for word in words)}(?!\S)")


def _letters(word: str) -> str:
    return r"\S+" if word == "*" else r"\S*".join(re.escape(part) for part in word.split("*"))
