"""Cells, dates and the guessing of columns."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.engine.tables import (
    Cell,
    CellFacts,
    Finding,
    cell_text,
    columns_from_rows,
    find_facts,
    find_giveaways,
    infer_columns,
    parse_cell,
)
from apps.engine.types import Column, ColumnType

NUMBER, CATEGORY, DATE, TEXT, IMAGE = ColumnType
COMMA = CellFacts(decimal=",")
TEXTS = st.one_of(
    st.text(max_size=30),
    st.from_regex(r"[-+(]?[$€]?[0-9]{1,4}([,. '][0-9]{1,4}){0,3}( ?%| EUR)?\)?", fullmatch=True),
    st.from_regex(
        r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2})?( ?[ap]m|Z)?)?", fullmatch=True
    ),
)
CELLS = st.one_of(
    TEXTS,
    st.floats(),
    st.integers(),
    st.booleans(),
    st.none(),
    st.dates(),
    st.times(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
)
ROWS = st.lists(st.dictionaries(st.sampled_from("ab"), CELLS | st.just({"file": "x"}), max_size=2), max_size=5)
FACTS = st.builds(CellFacts, decimal=st.sampled_from(".,"), is_day_first=st.sampled_from([True, False, None]))


def guess_one(name: str, cells: Sequence[Cell]) -> tuple[ColumnType, Finding | None]:
    [guess] = infer_columns([name], [[cell] for cell in cells])
    return guess.type, guess.finding


@pytest.mark.parametrize(
    ("cell", "facts", "number"),
    [
        ("12", CellFacts(), 12.0),
        (" -3.5 ", CellFacts(), -3.5),
        ("−3.5", CellFacts(), -3.5),
        ("1e5", CellFacts(), 1e5),
        ("1,234", CellFacts(), 1234.0),
        ("1,234", COMMA, 1.234),
        ("1.234", CellFacts(), 1.234),
        ("1.234", COMMA, 1234.0),
        ("0.123", COMMA, 0.123),
        ("1,5", CellFacts(), 1.5),
        ("1.5", COMMA, 1.5),
        ("1.234,50", CellFacts(), 1234.5),
        ("1,234.50", COMMA, 1234.5),
        ("1.234.567", CellFacts(), 1234567.0),
        ("12,34,567", CellFacts(), 1234567.0),
        ("12 345,6", CellFacts(), 12345.6),
        ("12\u202f345", CellFacts(), 12345.0),
        ("CHF 1'200", CellFacts(), 1200.0),
        ("$1,200.50", CellFacts(), 1200.5),
        ("-$ 5", CellFacts(), -5.0),
        ("5 €", CellFacts(), 5.0),
        ("(1,200)", CellFacts(), -1200.0),
        ("12 %", CellFacts(), 0.12),
        (3, CellFacts(), 3.0),
        (True, CellFacts(), 1.0),
    ],
)
def test_numbers_are_read_as_people_write_them(cell: Cell, facts: CellFacts, number: float) -> None:
    assert parse_cell(cell, NUMBER, facts) == pytest.approx(number)


@pytest.mark.parametrize(
    "cell", ["", " ", "NA", "n/a", "null", "-", "?", None, math.nan, math.inf, "-inf", 10**400, "#DIV/0!"]
)
def test_what_is_no_number_to_learn_from_is_missing(cell: Cell) -> None:
    assert parse_cell(cell, NUMBER) is None


@pytest.mark.parametrize(
    "cell", ["abc", "1.2.3", "5 kg", "1_000", "+49 170 1234567", "1,23,4", "٣x", "--5", "2024-01-01"]
)
def test_what_is_no_number_is_said_in_a_sentence(cell: str) -> None:
    with pytest.raises(ValueError, match=r"^“.+” is no number\.$"):
        parse_cell(cell, NUMBER)


def test_a_message_repeats_no_more_than_the_beginning_of_a_long_cell() -> None:
    with pytest.raises(ValueError, match=r"^“x{40}…” is no number\.$"):
        parse_cell("x" * 10_000_000, NUMBER)


@pytest.mark.parametrize(
    ("cell", "iso"),
    [
        ("2024-03-04", "2024-03-04"),
        ("2024/3/4", "2024-03-04"),
        ("20240304", "2024-03-04"),
        ("04.03.2024", "2024-03-04"),
        ("04-03-2024", "2024-03-04"),
        ("03/04/2024", "2024-03-04"),
        ("13/04/24", "2024-04-13"),
        ("31.12.99", "1999-12-31"),
        ("4 Mar 2024", "2024-03-04"),
        ("4-Mar-24", "2024-03-04"),
        ("March 4th, 2024", "2024-03-04"),
        ("Mon, 4 March 2024 12:30", "2024-03-04T12:30:00"),
        ("2024-03-04 12:00 am", "2024-03-04T00:00:00"),
        ("2024-03-04T12:00:00+02:00", "2024-03-04T10:00:00+00:00"),
        ("2024-03-04 12:00:00.5Z", "2024-03-04T12:00:00.500000+00:00"),
        ("2024-03", "2024-03-01"),
        ("3/2024", "2024-03-01"),
        ("2:05 pm", "14:05:00"),
        ("1709500000", "2024-03-03T21:06:40"),
        (1709500000000, "2024-03-03T21:06:40"),
        (2024, "2024-01-01"),
        (date(2024, 3, 4), "2024-03-04"),
        (datetime(2024, 3, 4, 5, 6), "2024-03-04T05:06:00"),
        (datetime(2024, 3, 4), "2024-03-04"),
        (time(5, 6), "05:06:00"),
        ("unknown", None),
    ],
)
def test_dates_are_kept_in_one_way(cell: Cell, iso: str | None) -> None:
    assert parse_cell(cell, DATE) == iso


def test_a_column_says_which_of_its_numbers_is_the_day() -> None:
    assert parse_cell("03/04/2024", DATE, find_facts(["03/04/2024", "25/04/2024"])) == "2024-04-03"
    assert parse_cell("03/04/2024", DATE, find_facts(["03/04/2024", "04/25/2024"])) == "2024-03-04"


def test_an_order_in_time_says_which_number_is_the_day() -> None:
    assert find_facts(["11/01/2024", "12/01/2024", "01/02/2024", "05/02/2024"]).is_day_first is True
    assert find_facts(["01/11/2024", "01/12/2024", "02/01/2024", "02/05/2024"]).is_day_first is False
    assert find_facts(["01/01/2024", "02/02/2024", "03/03/2024"]).is_day_first is None


def test_a_column_says_which_mark_is_the_decimal_one() -> None:
    assert find_facts(["1.234", "2.500", "3,5"]).decimal == ","
    assert find_facts(["1,234", "2,500", "3.5"]).decimal == "."
    assert find_facts(["1,234", "2,500"]).decimal == "."


@pytest.mark.parametrize(
    "cell", ["99/99/2020", "30.02.2024", "25:00", "hello", "Foo 2024", 12, True, 1e300, math.pi, 10**400]
)
def test_what_is_no_date_is_said_in_a_sentence(cell: Cell) -> None:
    with pytest.raises(ValueError, match=r"^“.+” is no date\.$"):
        parse_cell(cell, DATE)


def test_categories_are_alike_from_files_and_requests() -> None:
    assert parse_cell(True, CATEGORY) == parse_cell("TRUE", CATEGORY) == "true"
    assert parse_cell(3, CATEGORY) == parse_cell("3.0", CATEGORY) == parse_cell(3.0, CATEGORY) == "3"
    assert parse_cell(" 01234 ", CATEGORY) == "01234"
    assert parse_cell("none", CATEGORY) == "none"


@given(cell=CELLS, type=st.sampled_from(list(ColumnType)), facts=FACTS)
@example(cell="9999-12-31T23:59:59-12:00", type=DATE, facts=CellFacts())
@example(cell="00010101", type=DATE, facts=CellFacts())
@settings(deadline=None, max_examples=400)
def test_any_cell_is_read_or_refused_and_what_was_read_is_read_the_same_again(
    cell: Cell, type: ColumnType, facts: CellFacts
) -> None:
    try:
        value = parse_cell(cell, type, facts)
    except ValueError as error:
        assert str(error).endswith((" is no number.", " is no date."))  # noqa: PT017 - both outcomes are right
        return
    assert value is None or (type is NUMBER) == isinstance(value, float)
    assert not isinstance(value, float) or math.isfinite(value)
    assert parse_cell(value, type, facts) == value
    [column] = columns_from_rows([{"key": value}], {"key": type})
    if type is DATE:
        assert math.isnan(column.values[0]) == (value is None)


@given(st.lists(st.lists(CELLS, max_size=4), max_size=40), st.data())
@settings(deadline=None)
def test_any_table_is_guessed(rows: list[list[Cell]], data: st.DataObject) -> None:
    labels = data.draw(
        st.just([]) | st.lists(st.sampled_from(["a", "b", None]), min_size=len(rows), max_size=len(rows))
    )
    guesses = infer_columns(["one", "two_id", "three"], rows, labels=labels)
    assert [guess.name for guess in guesses] == ["one", "two_id", "three"]
    assert all((guess.finding is None) == (guess.advice == "") for guess in guesses)
    assert all(len(guess.advice) <= 400 for guess in guesses)


@given(st.floats(min_value=-1e9, max_value=1e9), st.sampled_from([",", "."]))
def test_a_number_written_with_marks_is_that_number(number: float, decimal: str) -> None:
    written = f"{number:,.2f}"
    if decimal == ",":
        written = written.translate(str.maketrans(",.", ".,"))
    assert parse_cell(written, NUMBER, CellFacts(decimal)) == pytest.approx(float(f"{number:.2f}"))


@given(st.datetimes(min_value=datetime(1000, 1, 1), max_value=datetime(2999, 1, 1)), st.booleans())
def test_a_date_written_by_a_custom_is_that_date(moment: datetime, is_day_first: bool) -> None:
    written = moment.strftime("%d/%m/" if is_day_first else "%m/%d/") + f"{moment.year:04d}"
    facts = CellFacts(is_day_first=is_day_first)
    assert parse_cell(written, DATE, facts) == moment.date().isoformat()


@pytest.mark.parametrize(
    ("cells", "type"),
    [
        (["1.5", "2", "", "NA"], NUMBER),
        (["1.234,5", "2", "7"], NUMBER),
        (["12 %", "7 %", "100 %"], NUMBER),
        ([1, 2.5, None], NUMBER),
        (["red", "blue", "red"], CATEGORY),
        (["yes", "no"] * 20, CATEGORY),
        ([True, False], CATEGORY),
        (["0", "1", "1"] * 10, CATEGORY),
        (["01234", "94103", "80331"], CATEGORY),
        ([200, 404, 500, 301] * 20, CATEGORY),
        (["1", "2", "3", "4", "5"] * 20, NUMBER),
        (["2024-01-05", "2024-02-01"], DATE),
        (["20240105", "20240201"], DATE),
        (["14:05", "03:10"], DATE),
        ([datetime(2024, 1, 1), None], DATE),
        (["a.jpg", "folder/b c.PNG"], IMAGE),
        (["the printer is on fire again", "please send me a new chair"], TEXT),
        (["a rather long name of a category, with words"] * 50 + ["another one that is as long as it"] * 50, CATEGORY),
        ([f"word{chr(97 + i % 26)} {i * 7919 % 1000}" for i in range(100)], TEXT),
    ],
)
def test_types_are_guessed_from_the_data(cells: Sequence[Cell], type: ColumnType) -> None:
    assert guess_one("column", cells)[0] is type


def test_numbers_named_a_code_are_categories() -> None:
    cells = [str(10 + i % 7) for i in range(70)]
    assert guess_one("store_type", cells)[0] is CATEGORY
    assert guess_one("amount", cells)[0] is NUMBER


@pytest.mark.parametrize(
    ("name", "cells", "finding"),
    [
        ("nothing", ["", None, "NA"], Finding.EMPTY),
        ("country", ["CH"] * 5, Finding.CONSTANT),
        ("is_new", ["yes", "", "yes"], None),
        ("row", [str(i) for i in range(1, 50)], Finding.ID),
        ("customer_id", [str(i * 7919 % 1009) for i in range(1, 50)], Finding.ID),
        ("amount", [str(i * 7919 % 1009) for i in range(1, 50)], None),
        ("sku", [f"A-{i * 7919 % 1009}" for i in range(50)], Finding.ID),
        ("mail", [f"{chr(97 + i)}@example.org" for i in range(20)], Finding.ID),
        ("weight", [str(i / 7) for i in range(50)], None),
        ("weight", ["1.5"] * 50 + ["2.5"] * 49 + ["abc"], Finding.MISFITS),
    ],
)
def test_what_is_off_is_found(name: str, cells: Sequence[Cell], finding: Finding | None) -> None:
    assert guess_one(name, cells)[1] is finding


def test_a_misfit_among_running_numbers_is_no_reason_to_fail() -> None:
    [guess] = infer_columns(["age"], [[str(n)] for n in range(40)] + [["about forty"]])
    assert (guess.type, guess.finding) == (ColumnType.NUMBER, Finding.MISFITS)


def test_misfits_are_shown_to_the_user() -> None:
    [guess] = infer_columns(["weight"], [[cell] for cell in ["1.5", "2"] * 50 + ["abc"]])
    assert (guess.type, guess.is_worth_learning) == (NUMBER, True)
    assert guess.advice == "A few values are no number, such as “abc”."


def people(n: int) -> tuple[list[list[Cell]], list[str | None]]:
    random = np.random.default_rng(0)
    labels: list[str | None] = ["late" if late else "on time" for late in random.random(n) < 0.3]
    rows: list[list[Cell]] = [
        [float(random.normal() + (label == "late")), random.choice(["a", "b", "c"]), float(random.normal()), 7.0]
        for label in labels
    ]
    return rows, labels


def test_a_column_that_gives_the_label_away_is_said_and_stays() -> None:
    rows, labels = people(200)
    for row, label in zip(rows, labels, strict=True):
        row += ["L" if label == "late" else "T", 30.0 + len(row) if label == "late" else 0.0]
    guesses = infer_columns(["x", "group", "noise", "same", "code", "days_late"], rows, labels=labels)
    found = [guess.name for guess in guesses if guess.finding is Finding.GIVES_AWAY]
    assert found == ["code", "days_late"]
    assert all(guess.is_worth_learning for guess in guesses if guess.name in found)


def test_no_column_is_blamed_in_rows_sorted_by_label() -> None:
    rows, labels = people(200)
    order = sorted(range(200), key=lambda i: str(labels[i]))
    guesses = infer_columns(
        ["x", "group", "noise", "same"], [rows[i] for i in order], labels=[labels[i] for i in order]
    )
    assert not any(guess.finding is Finding.GIVES_AWAY for guess in guesses)


def test_few_rows_blame_no_column() -> None:
    columns = [Column("a", CATEGORY, np.array(["x", "y"] * 10, dtype=object))]
    assert find_giveaways(columns, ["x", "y"] * 10) == {}
    columns = [Column("a", CATEGORY, np.array(["x", "y"] * 20, dtype=object))]
    assert set(find_giveaways(columns, ["x", "y"] * 20)) == {"a"}
    assert find_giveaways(columns, ["x"] * 40) == {}


def test_rows_become_columns_of_the_types_they_have_now() -> None:
    rows = [
        {"n": 1.5, "d": "1970-01-02", "c": "red"},
        {"n": "2,5", "d": "00:01:00", "c": 3.0},
        {"d": "soon", "n": {"file": "x"}},
    ]
    types = {"n": NUMBER, "d": DATE, "c": CATEGORY, "t": TEXT, "i": IMAGE}
    number, moment, category, text, image = columns_from_rows(rows, types)
    np.testing.assert_array_equal(number.values, [1.5, 2.5, np.nan])
    np.testing.assert_array_equal(moment.values, [86400.0, 60.0, np.nan])
    assert category.values.tolist() == ["red", "3", ""]
    assert text.values.tolist() == ["", "", ""]
    assert [column.key for column in (number, moment, category, text, image)] == ["n", "d", "c", "t", "i"]


@given(ROWS, st.sampled_from(list(ColumnType)))
@settings(deadline=None)
def test_any_rows_become_columns(rows: list[dict[str, object]], type: ColumnType) -> None:
    [column] = columns_from_rows(rows, {"a": type})
    if type in (NUMBER, DATE):
        assert column.values.dtype == np.float64
    elif type is not IMAGE:
        assert all(isinstance(value, str) for value in column.values)


def test_facts_survive_json() -> None:
    for facts in (CellFacts(), CellFacts(",", True), CellFacts(".", False)):
        assert CellFacts.from_json(facts.to_json()) == facts
    assert CellFacts.from_json({"decimal": 3, "is_day_first": "x"}) == CellFacts()


@pytest.mark.parametrize(("cell", "text"), [(3.0, "3"), (3.5, "3.5"), (True, "true"), (None, ""), (" a ", "a")])
def test_cells_are_shown_as_people_write_them(cell: Cell, text: str) -> None:
    assert cell_text(cell) == text
