"""The reader of table rows."""

import json
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.engine.readers import State
from apps.engine.readers.table import TableReader
from apps.engine.readers.table_parts import WEIGHT_OF_CELLS
from apps.engine.tables import columns_from_rows
from apps.engine.types import Column, ColumnType, FloatArray, Inputs, TrainingData, cell_key

NUMBER, CATEGORY, DATE, TEXT, IMAGE = ColumnType
DAY = 86_400.0


def numbers(*values: float, key: str = "x", type: ColumnType = NUMBER) -> Column:
    return Column(key, type, np.array(values, dtype=np.float64))


def categories(*values: str, key: str = "c", type: ColumnType = CATEGORY) -> Column:
    return Column(key, type, np.array(values, dtype=np.object_))


def given_rows(*columns: Column, n: int | None = None, **embeddings: FloatArray) -> Inputs:
    n_samples = len(columns[0].values) if n is None else n
    return Inputs(n_samples, {name.replace("__", ":"): rows for name, rows in embeddings.items()}, columns=columns)


def fitted(inputs: Inputs) -> TableReader:
    n = inputs.n_samples
    return TableReader().fit(TrainingData(inputs, np.zeros(n, dtype=np.int64), 2, np.arange(n)))


def read(inputs: Inputs, new: Inputs | None = None) -> npt.NDArray[np.float32]:
    return np.asarray(fitted(inputs).read(inputs if new is None else new))


def test_numbers_become_their_distance_from_the_middle_and_their_rank() -> None:
    rows = read(given_rows(numbers(1, 2, 3, 4, 5)))
    assert rows.shape == (5, 2)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[2], [0, 0], atol=1e-6)
    assert (np.diff(rows, axis=0) > 0).all()
    np.testing.assert_allclose(rows[:, 1].std(), 1, atol=0.05)


def test_numbers_of_any_scale_become_alike() -> None:
    values = np.random.default_rng(0).lognormal(size=50)
    here, there = read(given_rows(numbers(*values))), read(given_rows(numbers(*(1e9 * values - 7e12))))
    np.testing.assert_allclose(here, there, atol=1e-3)


def test_outliers_are_drawn_in_and_keep_their_order() -> None:
    rows = read(given_rows(numbers(*range(20), 1e6, 1e12)))
    assert np.abs(rows).max() <= 3.0
    assert (np.diff(rows[:, 0]) >= 0).all()
    assert rows[20, 0] > rows[19, 0]


def test_missing_and_infinite_numbers_lie_in_the_middle_and_are_flagged() -> None:
    rows = read(given_rows(numbers(1, 2, 3, 4, np.nan, np.inf, -np.inf)))
    np.testing.assert_array_equal(rows[4:], [[0, 0, 1]] * 3)
    assert not rows[:4, 2].any()


def test_a_number_missing_for_the_first_time_lies_in_the_middle() -> None:
    rows = read(given_rows(numbers(1, 2, 3)), given_rows(numbers(np.nan)))
    np.testing.assert_array_equal(rows, [[0, 0]])


def test_two_different_numbers_need_one_column() -> None:
    assert read(given_rows(numbers(0, 1, 1, 0))).shape == (4, 1)


@pytest.mark.parametrize(
    "column",
    [
        numbers(3, 3, 3),
        numbers(np.nan, np.nan, np.nan),
        categories("a", "a", "a"),
        categories("", "", ""),
        categories("id1", "id2", "id3"),
        numbers(5, 5, 5, type=DATE),
        numbers(np.nan, np.nan, np.nan, type=DATE),
    ],
)
def test_columns_that_tell_nothing_add_nothing(column: Column) -> None:
    np.testing.assert_array_equal(read(given_rows(column)), np.zeros((3, 1)))
    other = numbers(1, 2, 3, key="other")
    np.testing.assert_array_equal(read(given_rows(column, other)), read(given_rows(other)))


def test_being_there_or_not_tells_by_itself() -> None:
    np.testing.assert_array_equal(read(given_rows(numbers(3, np.nan, 3))), [[0], [1], [0]])


def test_categories_are_flagged_and_rare_ones_are_one() -> None:
    rows = read(
        given_rows(categories("a", "b", "a", "b", "a", "once", "twice", "", "")),
        given_rows(categories("a", "b", "", "once", "never seen")),
    )
    np.testing.assert_array_equal(rows, [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]])


def test_an_unseen_category_is_nothing_where_none_was_rare() -> None:
    rows = read(given_rows(categories("a", "b", "a", "b")), given_rows(categories("c", "a")))
    np.testing.assert_array_equal(rows, [[0, 0], [1, 0]])


def test_many_categories_stay_bounded() -> None:
    many = [categories(*(f"v{i % 97}" for i in range(970)), key=f"c{place}") for place in range(200)]
    assert read(given_rows(many[0])).shape == (970, 30)
    assert read(given_rows(*many)).shape[1] <= 200 * 4


def test_dates_tell_the_moment_the_hour_and_the_weekday() -> None:
    monday = 4 * DAY
    moments = np.array([monday + day * DAY + hour * 3600 for day in range(21) for hour in (0, 6, 12, 18)])
    rows = read(given_rows(numbers(*moments, type=DATE)))
    reader = fitted(given_rows(numbers(*moments, type=DATE)))
    again = reader.read(given_rows(numbers(*(moments + 7 * DAY), type=DATE)))
    np.testing.assert_allclose(rows[:, 2:], again[:, 2:], atol=1e-6)  # a week later: the same hour and weekday
    is_weekend = np.array([day % 7 >= 5 for day in range(21) for _hour in range(4)])
    assert any(len(np.unique(column[is_weekend])) == 1 for column in rows.T)
    assert (rows[:, 0].argsort(kind="stable") == np.arange(84)).all()


def test_days_of_one_week_have_no_hours_and_no_seasons() -> None:
    assert read(given_rows(numbers(0, DAY, 2 * DAY, type=DATE))).shape == (3, 2)


def test_missing_dates_are_flagged_and_otherwise_in_the_middle() -> None:
    rows = read(given_rows(numbers(*(i * 40 * DAY for i in range(30)), np.nan, type=DATE)))
    assert np.count_nonzero(rows[-1]) == 1


def test_a_date_beyond_the_calendar_stays_finite() -> None:
    inputs = given_rows(numbers(*(i * 40.5 * DAY for i in range(30)), type=DATE))
    assert np.isfinite(read(inputs, given_rows(numbers(1e300, -1e300, np.inf, type=DATE)))).all()


def embedded(n: int, dim: int = 64, *, seed: int = 0) -> npt.NDArray[np.float32]:
    random = np.random.default_rng(seed)
    plan = random.normal(size=(40, dim)) * (0.87 ** np.arange(40))[:, None]
    rows = random.normal(size=(n, 40)) @ plan + 3
    return np.asarray(rows, dtype=np.float32)


def test_texts_are_read_in_their_main_directions() -> None:
    texts = categories(*(f"text {i}" for i in range(200)), key="note", type=TEXT)
    rows = embedded(200)
    found = read(given_rows(texts, tiny__note=rows))
    assert found.shape == (200, 30)
    centred = rows - rows.mean(axis=0)
    distances = [np.linalg.norm(each[:50, None] - each[None, :50], axis=2).ravel() for each in (centred, found)]
    assert np.corrcoef(*distances)[0, 1] > 0.99
    np.testing.assert_allclose(np.sqrt((found**2).sum(axis=1).mean()), WEIGHT_OF_CELLS, atol=1e-3)


@pytest.mark.parametrize("n", [10, 100])
def test_fewer_samples_than_numbers_give_the_same_directions(n: int) -> None:
    rows = embedded(n, dim=40)
    texts = categories(*"x" * n, key="note", type=TEXT)
    found = read(given_rows(texts, tiny__note=rows))
    centred = (rows - rows.mean(axis=0)).astype(np.float64)
    size = np.linalg.svd(centred, compute_uv=False)[: found.shape[1]]
    expected = size / np.sqrt((size**2).sum() / n) * WEIGHT_OF_CELLS
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), expected, rtol=2e-3)


def test_empty_cells_lie_in_the_middle_and_are_flagged() -> None:
    texts = categories("", *"abcdefghi", key="note", type=TEXT)
    found = read(given_rows(texts, tiny__note=embedded(10)))
    np.testing.assert_array_equal(found[0], [0] * (found.shape[1] - 1) + [1])
    pictures = embedded(10)
    pictures[3] = 0
    found = read(given_rows(Column("photo", IMAGE, np.empty(0, dtype=np.object_)), n=10, tiny__photo=pictures))
    np.testing.assert_array_equal(found[3], [0] * (found.shape[1] - 1) + [1])


def test_cells_without_their_embeddings_are_refused() -> None:
    texts = categories(*"abcdefghij", key="note", type=TEXT)
    reader = fitted(given_rows(texts, tiny__note=embedded(10)))
    with pytest.raises(ValueError, match=cell_key("tiny", "note")):
        reader.read(given_rows(texts))


def test_columns_are_found_by_their_key_in_any_order() -> None:
    inputs = given_rows(numbers(1, 2, 3), categories("a", "b", "a"))
    reader = fitted(inputs)
    turned = Inputs(3, columns=inputs.columns[::-1])
    np.testing.assert_array_equal(reader.read(inputs), reader.read(turned))


def test_a_column_gone_or_of_another_type_counts_as_missing() -> None:
    reader = fitted(given_rows(numbers(1, 2, 3, np.nan), categories("a", "b", "a", "b")))
    expected = [[0, 0, 1, 0, 0]] * 2
    np.testing.assert_array_equal(reader.read(Inputs(2)), expected)
    np.testing.assert_array_equal(reader.read(given_rows(categories("1", "2", key="x"))), expected)


def test_labels_are_never_looked_at() -> None:
    inputs = given_rows(numbers(*np.random.default_rng(0).normal(size=30)))
    one = TableReader().fit(TrainingData(inputs, np.zeros(30, dtype=np.int64), 2, np.arange(30)))
    two = TableReader().fit(TrainingData(inputs, np.arange(30) % 2, 2, np.arange(30)))
    np.testing.assert_array_equal(one.read(inputs), two.read(inputs))


def mixed(n: int) -> Inputs:
    random = np.random.default_rng(0)
    values = random.normal(size=n)
    return given_rows(
        Column("n", NUMBER, np.where(random.random(n) < 0.1, np.nan, values)),
        Column("c", CATEGORY, np.array([f"c{i}" for i in random.integers(0, 9, n)], dtype=np.object_)),
        Column("d", DATE, random.uniform(0, 1e9, n)),
        Column("note", TEXT, np.array([f"t{i}" for i in range(n)], dtype=np.object_)),
        tiny__note=embedded(n),
    )


def restored(state: State) -> TableReader:
    return TableReader().load_state(State(state.arrays, json.loads(json.dumps(state.facts))))


def test_state_comes_back_the_same_through_json() -> None:
    inputs = mixed(60)
    reader = fitted(inputs)
    np.testing.assert_array_equal(restored(reader.to_state()).read(inputs), reader.read(inputs))


def test_a_broken_state_is_refused() -> None:
    state = fitted(mixed(60)).to_state()
    for name in state.arrays:
        with pytest.raises((KeyError, ValueError)):
            TableReader().load_state(State({k: v for k, v in state.arrays.items() if k != name}, state.facts))
    for facts in ({}, {"columns": 3}, {"columns": [3]}, {"columns": [{"part": "numbers"}]}):
        with pytest.raises((KeyError, ValueError)):
            TableReader().load_state(State(state.arrays, facts))
    knots = {**state.arrays, "0.knots": state.arrays["0.knots"][::-1]}
    with pytest.raises(ValueError, match="do not fit"):
        TableReader().load_state(State(knots, state.facts))


VALUES = st.floats(allow_nan=True, allow_infinity=True, width=64)


@given(st.lists(st.tuples(VALUES, VALUES, st.text(max_size=2)), min_size=1, max_size=30))
@example([(0.0, 0.0, "")] * 4 + [(0.0, 3e154, "")])  # whose squares are infinite
@settings(deadline=None)
def test_any_columns_become_finite_numbers(rows: Sequence[tuple[float, float, str]]) -> None:
    one, two, texts = zip(*rows, strict=True)
    inputs = given_rows(numbers(*one), numbers(*two, key="d", type=DATE), categories(*texts))
    reader = fitted(inputs)
    found = reader.read(inputs)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(restored(reader.to_state()).read(inputs), found)
    for row in range(len(rows)):
        np.testing.assert_array_equal(reader.read(inputs.take(np.array([row])))[0], found[row])


def test_rows_of_the_database_are_read_end_to_end() -> None:
    rows = [{"n": float(i), "c": "ab"[i % 2], "d": f"2024-01-{i + 1:02d}"} for i in range(20)]
    inputs = Inputs(20, columns=columns_from_rows(rows, {"n": NUMBER, "c": CATEGORY, "d": DATE}))
    assert read(inputs).shape[0] == 20


def test_a_hundred_thousand_rows_of_fifty_columns_take_seconds() -> None:
    random = np.random.default_rng(0)
    n = 100_000
    words = np.array([f"word {i}" for i in range(1_000)], dtype=np.object_)
    columns = [Column(f"n{i}", NUMBER, random.normal(size=n)) for i in range(25)]
    columns += [Column(f"c{i}", CATEGORY, words[random.integers(0, 1_000, n)]) for i in range(20)]
    columns += [Column(f"d{i}", DATE, random.uniform(0, 1e9, n)) for i in range(5)]
    inputs = Inputs(n, columns=columns)
    started = time.perf_counter()
    rows = read(inputs)
    assert time.perf_counter() - started < 20
    assert rows.nbytes < 300e6
