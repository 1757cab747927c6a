"""Words and pieces of words as rows of numbers: what a text says, letter by letter, in any language.

Single words and pairs of neighbours are one half; the 3 to 5 letters inside each run of letters are the other. Both are
counted, hashed to columns, and weighted by how rare they are among the samples (TF-IDF). No dictionary and no weights:
names, codes, slang and languages that no backbone has learned count as much as plain English.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from apps.engine.readers.state import State
from apps.engine.types import BoolArray, Inputs, IntArray, TrainingData

N_HASHES = 1 << 18
"""Words have as many columns, pieces as many again. Of those only the ones that occur in a round's samples are kept."""
MAX_CHARS = 4_000
"""What is read of a text; a longer one has said what it is about."""
MAX_CHARS_IN_PIECES = 1_000
"""Up to here words are taken apart as well: long texts are told by their words, and pieces cost six times as much."""
PIECES = (3, 4, 5)
_BASE, _WORD, _PAIR, _PIECE = (
    np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93)
)
_UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF))
"""Scripts written without blanks: each character is a word."""
Hashes: TypeAlias = npt.NDArray[np.uint64]


MANY_TEXTS = 1_000
"""From so many on, what occurs in a single text of them is not learned: more than half of all pieces."""
MOST_WEIGHTS = 12_000_000
"""Columns times labels, at most: 48 MB of weights for a head. With 500 labels, the 24,000 commonest pieces."""


class LexicalReader:
    """TF-IDF over hashed words, pairs of words, and pieces of words.

    Attributes
    ----------
    columns_
        `(dim,)`, the hashes that occurred, ascending; those of pieces follow those of words.
    idf_
        `(dim,)`, how much each counts.
    """

    def __init__(self) -> None:
        self._last: tuple[Sequence[str], _Counts] | None = None

    def fit(self, data: TrainingData) -> LexicalReader:
        """Learn which words and pieces there are, and how rare each is."""
        counts = self._counts(data.inputs.texts)
        columns, n_texts = np.unique(counts.columns, return_counts=True)
        kept = _worth_keeping(n_texts, counts.n_texts, most=MOST_WEIGHTS // max(1, data.n_classes))
        self.columns_, n_texts = columns[kept], n_texts[kept]
        self.idf_ = (np.log((1 + counts.n_texts) / (1 + n_texts)) + 1).astype(np.float32)
        return self

    def read(self, inputs: Inputs) -> csr_array:
        """Return `(n_samples, dim)`, rows of length 1, or 0 where a text holds nothing known."""
        counts = self._counts(inputs.texts)
        self._last = None
        places = np.searchsorted(self.columns_, counts.columns)
        is_known = places < len(self.columns_)
        is_known[is_known] = self.columns_[places[is_known]] == counts.columns[is_known]
        rows, places = counts.rows[is_known], places[is_known]
        values = (1 + np.log(counts.values[is_known])) * self.idf_[places]
        half = rows * 2 + (counts.columns[is_known] >= N_HASHES)
        squares = np.bincount(half, weights=values**2, minlength=2 * counts.n_texts)
        n_halves = np.count_nonzero(squares.reshape(-1, 2), axis=1)
        values /= np.sqrt(squares[half] * n_halves[rows])
        starts = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=counts.n_texts))))
        shape = (counts.n_texts, len(self.columns_))
        return csr_array((values.astype(np.float32), places.astype(np.int32), starts.astype(np.int32)), shape=shape)

    def _counts(self, texts: Sequence[str]) -> _Counts:
        """Count once what a round fits on and then reads."""
        if self._last is None or self._last[0] is not texts:
            self._last = texts, count(texts)
        return self._last[1]

    def to_state(self) -> State:
        """Return what was learned."""
        return State({"columns": self.columns_, "idf": self.idf_})

    def load_state(self, state: State) -> LexicalReader:
        """Take over what `to_state` returned. Raises `KeyError` or `ValueError` if it does not fit."""
        columns, idf = state.arrays["columns"], state.arrays["idf"]
        if columns.ndim != 1 or columns.shape != idf.shape or np.any(np.diff(columns.astype(np.int64)) <= 0):
            raise ValueError("columns and their weights do not fit together")
        self.columns_, self.idf_ = columns.astype(np.int64), idf.astype(np.float32)
        return self


def _worth_keeping(n_texts: IntArray, n_all: int, *, most: int) -> IntArray:
    """Return the places of the columns to keep, ascending, from the number of texts each occurs in."""
    kept = np.flatnonzero(n_texts > 1) if n_all >= MANY_TEXTS else np.arange(len(n_texts))
    if len(kept) <= most:
        return kept
    commonest: IntArray = np.sort(kept[np.argsort(-n_texts[kept], kind="stable")[:most]])
    return commonest


@dataclass(frozen=True)
class _Counts:
    """Entry `i`: column `columns[i]` occurs `values[i]` times in text `rows[i]`; rows, then columns, ascending."""

    n_texts: int
    rows: IntArray
    columns: IntArray
    values: IntArray


def count(texts: Sequence[str]) -> _Counts:
    """Return how often each word, pair and piece occurs in each text.

    All texts are hashed at once, as one array of letters: the hash of any stretch of it is a difference of two sums
    (Karp and Rabin, Efficient randomized pattern-matching algorithms, 1987), so that nothing loops over words.
    """
    letters, rows, places = _letters(texts)
    stretch_hash = _Stretches(letters)
    starts, ends = _words(letters)
    words, owners = stretch_hash(starts, ends), rows[starts]
    is_pair = owners[1:] == owners[:-1]
    pairs = (words[:-1] * _BASE + words[1:])[is_pair]
    found = [_columns(words, _WORD), _columns(pairs, _PAIR)]
    rows_of_found = [owners, owners[1:][is_pair]]
    for length, piece_starts in _pieces(letters, places):
        found.append(_columns(stretch_hash(piece_starts, piece_starts + length), _PIECE) + N_HASHES)
        rows_of_found.append(rows[piece_starts + 1])
    keys = np.concatenate(rows_of_found) * (2 * N_HASHES) + np.concatenate(found)
    keys, values = np.unique(keys, return_counts=True)
    return _Counts(len(texts), keys // (2 * N_HASHES), keys % (2 * N_HASHES), values)


class _Stretches:
    """Hashes of stretches of letters; equal stretches have equal hashes, wherever they lie."""

    def __init__(self, letters: npt.NDArray[np.uint32]) -> None:
        inverse = np.uint64(pow(int(_BASE), -1, 1 << 64))
        powers = np.full(len(letters) + 1, _BASE, dtype=np.uint64)
        undo = np.full(len(letters) + 1, inverse, dtype=np.uint64)
        powers[0] = undo[0] = 1
        powers, self._undo = np.cumprod(powers), np.cumprod(undo)
        self._sums = np.zeros(len(letters) + 1, dtype=np.uint64)
        np.cumsum((letters.astype(np.uint64) + np.uint64(1)) * powers[:-1], out=self._sums[1:])

    def __call__(self, starts: IntArray, ends: IntArray) -> Hashes:
        hashes: Hashes = (self._sums[ends] - self._sums[starts]) * self._undo[starts]
        return hashes


def _letters(texts: Sequence[str]) -> tuple[npt.NDArray[np.uint32], IntArray, IntArray]:
    """Return all texts in lower case as one array, blanks around each, the text of each letter, and its place there."""
    lower = [text[:MAX_CHARS].lower() for text in texts]
    whole = " " + "".join(f"{text} " for text in lower)
    letters = np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).copy()
    letters[_is(letters, str.isspace)] = ord(" ")
    lengths = np.array([len(text) + 1 for text in lower], dtype=np.int64)
    ends = np.cumsum(lengths)
    rows = np.concatenate(([0], np.repeat(np.arange(len(texts)), lengths)))
    places = np.arange(len(letters)) - np.concatenate(([0], ends - lengths))[rows]
    return letters, rows, places


def _is(letters: npt.NDArray[np.uint32], test: Callable[[str], bool]) -> BoolArray:
    """Return which letters pass a test of single characters, asked once for each that occurs."""
    table = np.zeros(int(letters.max()) + 1, dtype=np.bool_)
    table[letters] = True
    for code in np.flatnonzero(table):
        table[code] = test(chr(code))
    return table[letters]


def _words(letters: npt.NDArray[np.uint32]) -> tuple[IntArray, IntArray]:
    """Return where words start and end: letters and digits in a row, or one letter of a script without blanks."""
    is_in_word = _is(letters, lambda letter: letter.isalnum() or letter == "_")
    is_alone = np.zeros(len(letters), dtype=np.bool_)
    for first, last in _UNSPACED:
        is_alone |= (letters >= first) & (letters <= last)
    is_alone &= is_in_word
    follows = np.concatenate(([False], is_in_word[:-1] & ~is_alone[:-1]))
    starts = np.flatnonzero(is_in_word & (~follows | is_alone))
    goes_on = np.concatenate((is_in_word[1:] & ~is_alone[1:], [False]))
    ends = np.flatnonzero(is_in_word & (~goes_on | is_alone)) + 1
    return starts, ends


def _pieces(letters: npt.NDArray[np.uint32], places: IntArray) -> Iterator[tuple[int, IntArray]]:
    """Yield, for each length, where pieces start: stretches with a blank at their ends at most."""
    n_blanks = np.concatenate(([0], np.cumsum(letters == ord(" "))))
    for length in PIECES:
        starts = np.arange(max(0, len(letters) - length + 1))
        is_whole = n_blanks[starts + length - 1] == n_blanks[starts + 1]
        yield length, starts[is_whole & (places[starts] < MAX_CHARS_IN_PIECES)]


def _columns(hashes: Hashes, kind: np.uint64) -> IntArray:
    """Spread hashes over the columns; the high bits of a product depend on all bits of its factors."""
    mixed = (hashes ^ (hashes >> np.uint64(31))) * kind
    columns: IntArray = (mixed >> np.uint64(64 - (N_HASHES - 1).bit_length())).astype(np.int64)
    return columns
