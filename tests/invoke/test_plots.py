"""Plots as geometry: everything inside its frame, everything said twice, once in words."""

from __future__ import annotations

import pytest

from apps.invoke.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Place, Plot, Series, bars, lines

PLACES = [Place(f"{i}:00", f"from {i} to {i + 1}", f"/calls/{i}") for i in range(24)]


def whole(value: float) -> str:
    return f"{value:g}"


def drawn(kind: str, values: list[float | None]) -> Plot:
    draw = bars if kind == "bars" else lines
    return draw(
        "calls", "Calls", PLACES, [Series("a", "Answered", values), Series("b", "Failed", [1.0] * 24)], said=whole
    )


@pytest.mark.parametrize("kind", ["bars", "lines"])
@pytest.mark.parametrize("values", [[0.0] * 24, [float(i) for i in range(24)], [1e9] * 24, [0.001] * 24])
def test_everything_is_inside_the_frame(kind: str, values: list[float | None]) -> None:
    plot = drawn(kind, values)
    for column in plot.columns:
        assert LEFT <= column.left <= column.left + column.width <= WIDTH - RIGHT + 0.01
        for block in column.blocks:
            assert TOP - 0.01 <= block.top <= block.top + block.height <= HEIGHT - BOTTOM + 0.01
        assert all(TOP - 0.01 <= y <= HEIGHT - BOTTOM + 0.01 for _kind, y in column.dots)
    assert len(plot.x_ticks) <= 6
    assert [tick.at for tick in plot.y_ticks] == sorted((tick.at for tick in plot.y_ticks), reverse=True)


def test_a_line_is_broken_where_nothing_is_known() -> None:
    values: list[float | None] = [1.0, 2.0, None, 3.0, 4.0, None, 5.0, *[None] * 17]
    plot = drawn("lines", values)
    assert [len(piece.split()) for piece in plot.lines[0].pieces] == [2, 2]
    assert [len(column.dots) for column in plot.columns[:3]] == [2, 2, 1]


def test_the_table_says_what_the_plot_shows_and_leads_to_the_same() -> None:
    plot = bars("calls", "Calls", PLACES, [Series("a", "Answered", [0.0, 5.0, *[None] * 22])], said=whole)
    assert plot.rows == (("from 1 to 2", "/calls/1", ("5",)),)
    assert plot.columns[1].href == "/calls/1"
    assert "Answered 5" in plot.columns[1].text
    assert plot.text == "Answered: from 0 to 5, last 5."


def test_bars_stand_upon_one_another() -> None:
    column = drawn("bars", [3.0] * 24).columns[0]
    below, above = column.blocks
    assert above.top + above.height == pytest.approx(below.top)
    assert below.height == pytest.approx(3 * above.height)
