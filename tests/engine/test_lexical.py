"""Words and pieces of words as numbers."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.engine import readers
from apps.engine.errors import ArtifactCorrupt
from apps.engine.readers import State, lexical
from apps.engine.readers.lexical import LexicalReader
from apps.engine.types import FloatArray, Inputs, TrainingData


def data(texts: list[str], *, n_classes: int = 2) -> TrainingData:
    n = len(texts)
    return TrainingData(Inputs(n, {}, texts), np.zeros(n, dtype=np.int64), n_classes, np.arange(n))


def read(texts: list[str], fitted_on: list[str] | None = None) -> FloatArray:
    rows: FloatArray = LexicalReader().fit(data(fitted_on or texts)).read(Inputs(len(texts), {}, texts)).toarray()
    return rows


def test_rows_have_length_one_and_alike_texts_lie_near_each_other() -> None:
    rows = read(["refund my order", "please refund the order", "what a lovely day"])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-5)
    assert rows[0] @ rows[1] > 0.2 > rows[0] @ rows[2]


def test_a_word_counts_alike_wherever_it_stands_and_whatever_its_case() -> None:
    one, other = read(["REFUND", "buy a refund"], fitted_on=["refund"])
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_spelling_mistakes_share_pieces() -> None:
    rows = read(["cancellation", "cancelation", "invoice"])
    assert rows[0] @ rows[1] > 0.3 > rows[0] @ rows[2]


def test_scripts_without_blanks_are_read_letter_by_letter() -> None:
    rows = read(["払い戻しをお願いします", "払い戻しはいつですか", "天気がいいですね"])
    assert rows[0] @ rows[1] > 2 * (rows[0] @ rows[2])


def test_what_was_never_seen_counts_nothing() -> None:
    assert not read(["zzz"], fitted_on=["refund my order"]).any()


def test_rare_words_count_more_than_common_ones() -> None:
    rows = read(["the lamp", "the desk", "the lamp desk"] + ["the"] * 20)
    assert rows[0] @ rows[2] > rows[0] @ rows[5]


def words_of(text: str) -> Counter[str]:
    return Counter("".join(letter if letter.isalnum() or letter == "_" else " " for letter in text.lower()).split())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="abc _!?-äß\t\n", max_size=40), max_size=6))
def test_as_many_words_are_counted_as_there_are(texts: list[str]) -> None:
    counts = lexical.count(texts)
    is_word = counts.columns < lexical.N_HASHES
    found = np.bincount(counts.rows[is_word], weights=counts.values[is_word], minlength=len(texts))
    expected = [2 * n - 1 if (n := words_of(text).total()) else 0 for text in texts]  # words, and pairs of them
    assert found.tolist() == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=6))
def test_any_text_is_read_alone_as_among_others(texts: list[str]) -> None:
    reader = LexicalReader().fit(data(texts))
    together = reader.read(Inputs(len(texts), {}, texts)).toarray()
    alone = [reader.read(Inputs(1, {}, [text])).toarray()[0] for text in texts]
    np.testing.assert_array_equal(together, alone)
    assert np.isfinite(together).all()


def test_what_was_learned_comes_back() -> None:
    texts = ["refund my order", "where is my parcel"]
    reader = readers.create("lexical").fit(data(texts))
    again = readers.restore("lexical", reader.to_state())
    given_inputs = Inputs(1, {}, ["my order"])
    assert (again.read(given_inputs) != reader.read(given_inputs)).nnz == 0  # type: ignore[union-attr]  # both sparse


@pytest.mark.parametrize("name", ["columns", "idf"])
def test_what_does_not_fit_is_refused(name: str) -> None:
    arrays = dict(LexicalReader().fit(data(["refund my order"])).to_state().arrays)
    with pytest.raises(ArtifactCorrupt):
        readers.restore("lexical", State({key: value for key, value in arrays.items() if key != name}))
    with pytest.raises(ArtifactCorrupt):
        readers.restore("lexical", State({**arrays, name: arrays[name][:2]}))


def test_more_labels_get_fewer_pieces() -> None:
    texts = [f"number {i} is not number {i * i}" for i in range(200)]
    few = LexicalReader().fit(data(texts, n_classes=100_000))
    assert len(few.columns_) == lexical.MOST_WEIGHTS // 100_000
    assert few.read(Inputs(1, {}, ["number is not"])).nnz > 0  # the commonest are kept


def test_of_many_texts_what_occurs_in_one_alone_is_forgotten() -> None:
    texts = [f"refund {i}q{i}" for i in range(lexical.MANY_TEXTS)]
    assert len(LexicalReader().fit(data(texts)).columns_) < len(LexicalReader().fit(data(texts[:-1])).columns_)
