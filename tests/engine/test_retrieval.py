"""Finding what is nearest: exactly among few, and among many by a first look through short forms."""

from __future__ import annotations

import numpy as np
import pytest

from apps.engine import retrieval
from apps.engine.backbones import EFFNET_LITE0, MINILM, PIXELS
from apps.engine.retrieval import Nearest, Rows, RowSpace, counting, first_of, joined, shortened, unit
from apps.engine.types import Column, ColumnType, Inputs


def clustered(n: int, dim: int = 48, *, seed: int = 0) -> Rows:
    """Vectors in loose clumps, as those of texts are."""
    random = np.random.default_rng(seed)
    middles = np.random.default_rng(9).normal(size=(40, dim))
    return unit(middles[random.integers(0, 40, n)] + 0.7 * random.normal(size=(n, dim)))


def numbers(values: list[float]) -> Inputs:
    return Inputs(len(values), {}, (), [Column("age", ColumnType.NUMBER, np.array(values))])


def test_the_nearest_come_first_and_the_same_vector_before_all() -> None:
    vectors = clustered(300)
    rows, cosines = Nearest(vectors).find(vectors[17], 5)
    assert rows[0] == 17
    assert cosines[0] == pytest.approx(1.0, abs=1e-5)
    assert (np.diff(cosines) <= 0).all()
    assert set(rows) == set(np.argsort(-(vectors @ vectors[17]))[:5])


def test_no_more_are_found_than_there_are() -> None:
    assert len(Nearest(clustered(3)).find(clustered(1)[0], 10)[0]) == 3
    assert len(Nearest(np.zeros((0, 4), dtype=np.float32)).find(np.ones(4, dtype=np.float32), 10)[0]) == 0


def test_of_equally_near_ones_the_later_comes_first() -> None:
    rows, _cosines = first_of(np.array([4, 9, 7]), np.array([0.5, 0.5, 0.5], dtype=np.float32), 2)
    assert len(rows) == 2
    assert rows[0] > rows[1]


def test_few_are_not_shortened() -> None:
    assert len(shortened(clustered(100))) == 0


def test_a_first_look_finds_what_comparing_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "EXACT_UP_TO", 1000)
    vectors = clustered(6000).astype(np.float16)
    exact, quick = Nearest(vectors), Nearest(vectors, shortened(vectors))
    hits = [
        len(set(exact.find(asked, 10)[0].tolist()) & set(quick.find(asked, 10)[0].tolist()))
        for asked in clustered(50, seed=1)
    ]
    assert sum(hits) / 500 >= 0.98


def test_cosines_after_a_first_look_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "EXACT_UP_TO", 1000)
    vectors = clustered(2000).astype(np.float16)
    asked = clustered(1, seed=2)[0]
    rows, cosines = Nearest(vectors, shortened(vectors)).find(asked, 10)
    np.testing.assert_allclose(cosines, vectors[rows].astype(np.float32) @ asked, atol=1e-6)


def test_of_many_results_as_many_candidates_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "EXACT_UP_TO", 1000)
    vectors = clustered(3000).astype(np.float16)
    assert len(Nearest(vectors, shortened(vectors)).find(clustered(1)[0], 1000)[0]) == 1000


def test_texts_are_compared_by_two_layers_three_to_one() -> None:
    random = np.random.default_rng(0)
    embedding = random.normal(size=(2, MINILM.dim)).astype(np.float32)
    rows = joined({MINILM.name: embedding})
    last, third = unit(embedding[:, :384]), unit(embedding[:, 384:768])
    expected = 0.75 * last[0] @ last[1] + 0.25 * third[0] @ third[1]
    assert rows.shape == (2, 768)
    assert rows[0] @ rows[1] == pytest.approx(expected, abs=1e-5)


def test_colours_and_edges_count_beside_the_built_in_backbone_of_pictures_alone() -> None:
    assert counting([EFFNET_LITE0.name, PIXELS.name]) == (EFFNET_LITE0.name, PIXELS.name)
    assert counting(["clip", PIXELS.name]) == ("clip",)


def test_rows_near_the_middle_of_all_are_told_apart_by_how_far_they_are() -> None:
    space = RowSpace.fit(numbers([10, 20, 30, 40, 50]))
    middle, beside, far = space.rows(numbers([30, 31, 50]))
    assert middle @ beside > middle @ far
    np.testing.assert_allclose(np.linalg.norm([middle, beside, far], axis=1), 1, atol=1e-5)


def test_numbers_that_are_not_finite_compare_as_nothing() -> None:
    rows = unit(np.array([[np.nan, np.inf], [3.0, 4.0]]))
    np.testing.assert_allclose(rows, [[0, 0], [0.6, 0.8]], atol=1e-6)
