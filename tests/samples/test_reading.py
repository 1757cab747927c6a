"""Files as people have them: any delimiter, encoding, header and damage, read row by row from any row on."""

import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.formulas import guard, unguard
from apps.samples.layout import Layout, beginning, first_records, records, sniffed, with_columns
from apps.samples.reading.columns import Role
from apps.samples.reading.encodings import rewrite_as_utf8, sniff
from apps.samples.reading.json_lines import NotARecord, array_to_lines, cells_of_line
from apps.samples.reading.kinds import FileKind, NotReadable, kind_of
from apps.samples.reading.lines import LINE_MAX_BYTES
from apps.samples.reading.records import Record
from apps.samples.reading.tables import CELL_MAX_CHARACTERS, Dialect


def layout_of(content: bytes, *, name: str = "file.csv", for_pictures: bool = False) -> Layout:
    file = io.BytesIO(content)
    encoding, start = sniff(file)
    layout = Layout(encoding=encoding, start=start)
    return sniffed(file, layout, is_named_table=name.endswith((".csv", ".tsv")), for_pictures=for_pictures)


def rows_of(content: bytes, *, name: str = "file.csv") -> list[Record]:
    return first_records(io.BytesIO(content), layout_of(content, name=name), 10_000)


def texts_of(content: bytes, *, name: str = "file.csv") -> list[str]:
    role = layout_of(content, name=name).column(Role.CONTENT)
    return [record.cells.get(role, "") for record in rows_of(content, name=name) if not record.problem]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    lines = [["text", "label"], ["a parcel, lost; or so", "Shipping"], ["money back", "Refund"], ["hi", "Refund"]]
    content = "\n".join(delimiter.join(f'"{cell}"' for cell in line) for line in lines).encode()
    layout = layout_of(content)
    assert layout.dialect == Dialect(delimiter)
    assert layout.roles == {Role.CONTENT: "text", Role.LABEL: "label"}
    assert texts_of(content) == ["a parcel, lost; or so", "money back", "hi"]


def test_commas_and_line_ends_inside_quotes_stay_in_their_cell() -> None:
    content = b'text,label\r\n"one, two\r\nthree ""quoted""",A\r\nplain,B\r\n'
    assert texts_of(content) == ['one, two\r\nthree "quoted"', "plain"]
    assert [record.row for record in rows_of(content)] == [2, 3]


def test_stray_quotes_in_a_tab_separated_file_are_characters() -> None:
    content = b'"hello he said\tham\nfree 5" screens\tspam\n"twice\tham\nlast\tspam\n'
    layout = layout_of(content, name="messages.tsv")
    assert layout.dialect == Dialect("\t", is_quoted=False)
    assert texts_of(content, name="messages.tsv") == ['"hello he said', 'free 5" screens', '"twice', "last"]


def test_a_quote_never_closed_loses_its_own_row_only() -> None:
    rows = [f"text {i},A" for i in range(50)]
    rows[20] = '"text 20,A'
    found = rows_of("\n".join(["text,label", *rows]).encode())
    assert [record.row for record in found if record.problem] == [22]
    assert len([record for record in found if not record.problem]) == 49


def test_a_row_with_too_many_cells_is_a_problem_not_a_shorter_text() -> None:
    content = b"text,label\nhello, you,A\nfine,B\nalso fine,B\nand fine,B\n"
    found = rows_of(content)
    assert [record.row for record in found if record.problem] == [2]
    assert "3 cells" in found[0].problem


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_encodings_are_recognised(encoding: str) -> None:
    text = "Text;Kategorie\nGröße fehlt – wo?;Größen\nStraße unbekannt;Adresse\nWo bleibt es;Adresse\n"
    raw = io.BytesIO(text.encode(encoding))
    found, start = sniff(raw)
    if found.startswith(("utf-16", "utf-32")):
        target = io.BytesIO()
        rewrite_as_utf8(raw, target, encoding=found, start=start)
        content = target.getvalue()
    else:
        content = raw.getvalue()
    assert texts_of(content) == ["Größe fehlt – wo?", "Straße unbekannt", "Wo bleibt es"]


def test_headers_in_any_script_are_understood_by_their_values() -> None:
    content = "本文,分類\n荷物が届きません、どこ,配送\n返金してください、お願い,返金\n荷物はどこですか,配送\n".encode()
    layout = layout_of(content)
    assert layout.has_header
    assert layout.roles == {Role.CONTENT: "本文", Role.LABEL: "分類"}


def test_a_file_without_header_keeps_its_first_row() -> None:
    content = b"ham,see you at the station tonight\nspam,win a free prize now\nham,call me when you are home\n"
    layout = layout_of(content)
    assert not layout.has_header
    assert texts_of(content)[0] == "see you at the station tonight"
    assert layout.column(Role.LABEL) == "Column 1"


def test_headers_that_repeat_or_are_empty_get_names_of_their_own() -> None:
    assert layout_of(b"text,,text\na,b,c\nd,e,f\n").columns == ("text", "Column 2", "text (2)")


def test_a_text_file_is_one_text_a_line() -> None:
    content = b"Hello, you there\nNo comma here\nOne, two, three\n"
    assert layout_of(content, name="notes.txt").dialect.delimiter == ""
    assert texts_of(content, name="notes.txt") == ["Hello, you there", "No comma here", "One, two, three"]


def test_old_macintosh_line_ends_are_line_ends() -> None:
    target = io.BytesIO()
    rewrite_as_utf8(io.BytesIO(b"text,label\rone,A\r\ntwo,B\r"), target, encoding="utf-8", start=0)
    assert target.getvalue() == b"text,label\none,A\ntwo,B\n"


def test_a_line_end_split_between_two_blocks_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.samples.reading.encodings._BLOCK_BYTES", 4)
    target = io.BytesIO()
    rewrite_as_utf8(io.BytesIO(b"abc\r\ndef\r"), target, encoding="utf-8", start=0)
    assert target.getvalue() == b"abc\ndef\n"


def test_one_huge_line_is_refused_and_the_next_row_read() -> None:
    content = b"text,label\nfirst,A\n" + b"x" * (LINE_MAX_BYTES + 10) + b",B\nlast,A\n"
    found = rows_of(content)
    assert [(record.row, bool(record.problem)) for record in found] == [(2, False), (3, True), (4, False)]


def test_one_huge_quoted_cell_of_many_lines_is_one_refused_row() -> None:
    cell = ("y" * 999 + "\n") * (CELL_MAX_CHARACTERS // 1000 + 50)
    found = rows_of(f'text,label\nfirst,A\n"{cell}",B\nlast,A\n'.encode())
    assert [(record.row, bool(record.problem)) for record in found] == [(2, False), (3, True), (4, False)]


def test_a_million_columns_do_not_break_anything() -> None:
    found = rows_of(b"text,label\n" + b"a," * 1_000_000 + b"\nfine,A\nalso,B\nand,A\n")
    assert [bool(record.problem) for record in found] == [True, False, False, False]


def test_wrong_characters_are_told_by_row() -> None:
    file = io.BytesIO(b"text,label\nfine,A\n\xff\xfe bad,B\nfine too,A\n")
    layout = with_columns(file, Layout(encoding="utf-8", dialect=Dialect(), has_header=True), for_pictures=False)
    found = first_records(file, layout, 10)
    assert [(record.row, bool(record.problem)) for record in found] == [(2, False), (3, True), (4, False)]


cell_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


@given(st.lists(st.lists(cell_texts, min_size=2, max_size=2), min_size=1, max_size=12))
def test_reading_can_stop_after_any_row_and_go_on_there(rows: list[list[str]]) -> None:
    import csv

    out = io.StringIO(newline="")
    csv.writer(out).writerows([["text", "label"], *rows])
    file = io.BytesIO(out.getvalue().encode())
    layout = with_columns(file, Layout(has_header=True), for_pictures=False)
    offset, row = beginning(file, layout)
    straight = list(records(file, layout, offset=offset, row=row))
    stepwise = []
    while record := next(records(file, layout, offset=offset, row=row), None):
        stepwise.append(record)
        offset, row = record.end, record.row + 1
    assert stepwise == straight
    assert [[record.cells["text"], record.cells["label"]] for record in straight] == [
        [unguard(cell) for cell in cells] for cells in rows
    ]


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n\x00＝1.e aü")))
def test_guarding_a_cell_is_undone_exactly(cell: str) -> None:
    assert unguard(guard(cell)) == cell
    if guard(cell) == cell and cell:
        assert cell[0] not in "=@\t\r\n\x00"


@pytest.mark.parametrize("number", ["-3.2", "+5", "-1e-9", "-.5"])
def test_numbers_stay_numbers(number: str) -> None:
    assert guard(number) == number
    assert unguard(f"'{number}") == f"'{number}"


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ('{"text": "a", "label": "X"}', {"text": "a", "label": "X"}),
        ('{"text": "a", "label": ["X"]}', {"text": "a", "label": "X"}),
        ('{"text": "a", "label": []}', {"text": "a", "label": ""}),
        ('{"id": 7, "text": "a", "label": null}', {"id": "7", "text": "a", "label": ""}),
        (
            '{"id": 1, "data": {"text": "a"}, "annotations": [{"result": [{"value": {"choices": ["X"]}}]}]}',
            {"id": "1", "text": "a", "label": "X"},
        ),
        ('{"data": "a", "annotation": {"labelName": "X"}}', {"data": "a", "label": "X"}),
        ('"just a text"', {"text": "just a text"}),
        ("   ", {}),
    ],
)
def test_json_of_several_tools_is_understood(line: str, cells: dict[str, str]) -> None:
    assert cells_of_line(line) == cells


@pytest.mark.parametrize(
    "line",
    ['{"text": ', "[1, 2]", "17", '{"text": "a", "label": ["X", "Y"]}', "[" * 100_000, "1" * 5_000, '{"a": NaNN}'],
)
def test_json_that_is_no_record_is_refused_with_a_reason(line: str) -> None:
    with pytest.raises(NotARecord, match=r"\w+ \w+"):
        cells_of_line(line)


def test_a_json_array_becomes_lines() -> None:
    target = io.BytesIO()
    content = '\n [ {"text": "ü"} ,\n {"text": "b\\n"} ]\n'.encode()
    array_to_lines(io.BytesIO(content), target, encoding="utf-8", start=0)
    assert [json.loads(line) for line in target.getvalue().splitlines()] == [{"text": "ü"}, {"text": "b\n"}]


@pytest.mark.parametrize("content", [b'[{"text": "a"}', b'[{"text": "a"} {"text": "b"}]', b"[", b"[" * 50_000])
def test_a_broken_json_array_is_refused(content: bytes) -> None:
    with pytest.raises(NotARecord):
        array_to_lines(io.BytesIO(content), io.BytesIO(), encoding="utf-8", start=0)


@pytest.mark.parametrize(
    ("start", "name", "kind"),
    [
        (b"text,label\n", "a.csv", FileKind.TABLE),
        (b'{"text": 1}', "a.txt", FileKind.JSON_LINES),
        (b'[{"text": 1}]', "a.json", FileKind.JSON_ARRAY),
        (b"[sic] said he,A", "a.csv", FileKind.TABLE),
        (b"PK\x03\x04rest", "a.csv", FileKind.ZIP),
    ],
)
def test_the_kind_is_told_by_content(start: bytes, name: str, kind: FileKind) -> None:
    assert kind_of(start, name) is kind


@pytest.mark.parametrize("start", [b"", b"  \n", b"%PDF-1.7", b"\xff\xd8\xff\xe0", b"\xd0\xcf\x11\xe0", bytes(100)])
def test_files_of_no_use_are_refused_with_advice(start: bytes) -> None:
    with pytest.raises(NotReadable, match=r"\w+ \w+"):
        kind_of(start, "a.csv")


def test_a_layout_survives_its_way_through_the_database() -> None:
    layout = replace(layout_of(b"text;label\na;b\nc;d\n"), encoding="cp1252")
    assert Layout.from_options(json.loads(json.dumps(layout.to_options()))) == layout
