"""What is like what among many samples, and where each goes on the map."""

import subprocess

import numpy as np
import pytest

from apps.engine import survey
from apps.engine.runtime import Deadline
from apps.engine.survey import Vectors, duplicates, process
from apps.engine.survey.layout import LANDMARKS


def clumps(n: int, *, n_clumps: int = 6, dim: int = 40, seed: int = 0) -> tuple[Vectors, np.ndarray]:
    """Return rows scattered about a few middles, and which each belongs to."""
    draw = np.random.default_rng(seed)
    which = draw.integers(n_clumps, size=n)
    middles = draw.standard_normal((n_clumps, dim)) * 3
    return (middles[which] + draw.standard_normal((n, dim))).astype(np.float32), which


def unit(rows: np.ndarray) -> Vectors:
    return survey.find_directions(rows).compact(rows)


def in_time() -> Deadline:
    return Deadline.after(60.0)


class TestVectors:
    def test_short_vectors_keep_who_is_most_like_whom(self) -> None:
        rows, which = clumps(300, dim=400)
        vectors = unit(rows)
        assert vectors.shape == (300, 96)
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
        cosines = vectors @ vectors.T
        np.fill_diagonal(cosines, -1)
        assert (which[cosines.argmax(axis=1)] == which).all()

    def test_few_samples_of_few_numbers_are_no_matter(self) -> None:
        assert unit(clumps(3, dim=5)[0]).shape == (3, 5)

    def test_what_is_no_number_and_a_row_like_all_others_harm_nothing(self) -> None:
        rows, _which = clumps(30)
        rows[3, 2], rows[4, 1] = np.nan, np.inf
        assert np.isfinite(unit(rows)).all()
        assert not unit(np.ones((20, 8), dtype=np.float32)).any()

    def test_the_same_rows_give_the_same_directions(self) -> None:
        rows, _which = clumps(200)
        again = survey.find_directions(rows.copy())
        assert np.array_equal(survey.find_directions(rows).components, again.components)


class TestNeighbours:
    def test_the_likest_come_first_and_ties_in_their_order(self) -> None:
        values = np.array([0.1, 0.9, 0.5, 0.9], dtype=np.float32)
        assert survey.largest(values, 3).tolist() == [1, 3, 2]
        assert survey.largest(values, 10).tolist() == [1, 3, 2, 0]
        assert survey.largest(values, 0).tolist() == []

    def test_one_wrong_example_among_three_does_not_lead(self) -> None:
        vectors = np.eye(4, dtype=np.float32)
        vectors[1] = [0.98, 0.2, 0, 0]
        examples = np.array([[1, 0, 0, 0], [0.99, 0.1, 0, 0], [0, 0, 0, 1]], dtype=np.float32)
        assert survey.likeness_to_any(vectors, examples).argmax() in {0, 1}

    def test_what_is_like_other_examples_too_comes_later(self) -> None:
        vectors = np.array([[0.8, 0.6, 0], [0.75, 0, 0.66]], dtype=np.float32)
        examples = np.array([[1, 0, 0]], dtype=np.float32)
        others = np.array([[0, 1, 0]], dtype=np.float32)
        assert survey.likeness_to_some(vectors, examples, others[:0]).argmax() == 0
        assert survey.likeness_to_some(vectors, examples, others).argmax() == 1


class TestDuplicates:
    @pytest.fixture
    def with_copies(self) -> Vectors:
        rows, _which = clumps(600, dim=64)
        copies = rows[:40] + np.random.default_rng(1).standard_normal((40, 64)).astype(np.float32) * 0.1
        return unit(np.concatenate([rows, copies]).astype(np.float32))

    def test_changed_copies_are_found_and_nothing_else(self, with_copies: Vectors) -> None:
        pairs = survey.near_duplicates(with_copies, at_least=0.97, deadline=in_time())
        assert sorted(map(tuple, pairs.rows.tolist())) == [(i, 600 + i) for i in range(40)]
        assert (np.diff(pairs.cosines) <= 0).all()

    def test_of_many_samples_nearly_all_pairs_are_found_without_comparing_all(
        self, monkeypatch: pytest.MonkeyPatch, with_copies: Vectors
    ) -> None:
        monkeypatch.setattr(duplicates, "EXACT_UP_TO", 100)
        pairs = survey.near_duplicates(with_copies, at_least=0.97, deadline=in_time())
        found = set(map(tuple, pairs.rows.tolist()))
        assert found <= {(i, 600 + i) for i in range(40)}
        assert len(found) >= 38

    def test_a_thousand_copies_of_one_thing_make_no_million_pairs(self) -> None:
        vectors = np.tile(np.eye(1, 8, dtype=np.float32), (1000, 1))
        pairs = survey.near_duplicates(vectors, at_least=0.97, deadline=in_time())
        assert 500 <= len(pairs.rows) <= 3000
        assert pairs.cosines.max() <= 1.0

    def test_when_the_time_is_over_nothing_more_is_looked_for(self, with_copies: Vectors) -> None:
        assert len(survey.near_duplicates(with_copies, at_least=0.97, deadline=Deadline.after(0)).rows) == 0


class TestLayout:
    def test_what_is_alike_is_near_on_the_map(self) -> None:
        rows, which = clumps(400)
        layout = survey.lay_out(unit(rows), deadline=in_time())
        assert layout.xy.min() >= 0
        assert layout.xy.max() <= 1
        apart = ((layout.xy[:, None] - layout.xy[None]) ** 2).sum(axis=2)
        np.fill_diagonal(apart, 9)
        assert (which[apart.argmin(axis=1)] == which).mean() > 0.97

    def test_beyond_the_landmarks_samples_go_among_those_they_are_like(self) -> None:
        rows, which = clumps(LANDMARKS + 500)
        layout = survey.lay_out(unit(rows), deadline=in_time())
        assert len(layout.landmarks) == LANDMARKS
        others = np.setdiff1d(np.arange(len(rows)), layout.landmarks)
        middles = np.array([layout.xy[layout.landmarks][which[layout.landmarks] == k].mean(axis=0) for k in range(6)])
        apart = ((layout.xy[others][:, None] - middles[None]) ** 2).sum(axis=2)
        assert (apart.argmin(axis=1) == which[others]).mean() > 0.97

    def test_the_same_samples_make_the_same_map(self) -> None:
        vectors = unit(clumps(150)[0])
        first, again = (survey.lay_out(vectors, deadline=in_time(), seed=3) for _ in range(2))
        assert np.array_equal(first.xy, again.xy)

    def test_with_no_time_left_it_is_drawn_the_short_way(self) -> None:
        layout = survey.lay_out(unit(clumps(300)[0]), deadline=Deadline.after(0))
        assert len(np.unique(layout.xy, axis=0)) == 300

    def test_samples_that_are_all_the_same_have_a_place_too(self) -> None:
        assert np.isfinite(survey.lay_out(np.zeros((60, 4), np.float32), deadline=in_time()).xy).all()


class TestProcess:
    def test_another_process_draws_the_same_map(self, monkeypatch: pytest.MonkeyPatch) -> None:
        vectors = unit(clumps(process.HERE_UP_TO + 50)[0])
        elsewhere = survey.look_over(vectors, at_least=0.8)
        monkeypatch.setattr(process, "HERE_UP_TO", 10_000)
        here = survey.look_over(vectors, at_least=0.8)
        assert np.allclose(elsewhere.layout.xy, here.layout.xy, atol=1e-3)
        assert np.array_equal(elsewhere.pairs.rows, here.pairs.rows)

    def test_one_that_takes_too_long_is_ended_and_said(self) -> None:
        vectors = unit(clumps(1200)[0])
        with pytest.raises(subprocess.SubprocessError):
            survey.look_over(vectors, at_least=0.9, seconds=0.05)
