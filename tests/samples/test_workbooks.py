"""Excel workbooks: cells as their reader means them, one sheet at a time, and nothing a hostile file could take."""

import csv
import io
import time
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from datetime import time as time_of_day

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from openpyxl import Workbook

from apps.core.errors import InvalidInput
from apps.functions.models import Function
from apps.samples.models import ImportFormat, ImportState
from apps.samples.reading import sheets, workbooks
from apps.samples.reading.columns import Role
from apps.samples.reading.kinds import NotReadable
from apps.samples.reading.sheets import sheet_to_csv
from apps.samples.services.imports import choose_sheet, create_import, discard_import, layout_of, start_import
from apps.samples.services.leftovers import clear_leftovers
from tests.samples.conftest import picture, run_to_end, zip_of
from tests.samples.workbooks import book_of, saved, with_part

Callbacks = Callable[..., AbstractContextManager[object]]
HTMX = {"HX-Request": "true"}


def rows_of(content: bytes, wanted: str = "") -> list[list[str]]:
    out = io.BytesIO()
    sheet_to_csv(io.BytesIO(content), out, wanted=wanted)
    return list(csv.reader(io.StringIO(out.getvalue().decode(), newline="")))


def uploaded(function: Function, content: bytes, name: str = "book.xlsx"):
    return create_import(function=function, person=None, file=io.BytesIO(content), name=name, size_bytes=len(content))


def refusal_of(function: Function, content: bytes, name: str = "book.xlsx") -> str:
    with pytest.raises(InvalidInput) as refused:
        uploaded(function, content, name)
    return refused.value.message


TICKETS = [
    ["text", "label", "id"],
    ["Money back", "Refund", 1],
    ["Where is it", "Shipping", 2],
    ["Lost", "Shipping", 3],
]


def test_cells_become_texts_that_mean_one_thing() -> None:
    book = Workbook()
    sheet = book.active
    sheet.append([31, 0.1 + 0.2, 1e21, True, date(2024, 3, 4), datetime(2024, 3, 4, 15, 30), time_of_day(9, 5)])
    sheet.append([0.125, 7, None, False, timedelta(hours=26), "  spaced ", 'two\nlines, "quoted"'])
    sheet["A2"].number_format = "0.0%"
    sheet["B2"].number_format = "0%"
    sheet["E2"].number_format = "[h]:mm:ss"
    assert rows_of(saved(book)) == [
        ["31", "0.3", "1e+21", "true", "2024-03-04", "2024-03-04T15:30:00", "09:05:00"],
        ["12.5%", "700%", "", "false", "26:00:00", "  spaced ", 'two\nlines, "quoted"'],
    ]


def test_errors_and_merged_cells_are_empty_and_rows_keep_their_numbers(text_function: Function) -> None:
    book = Workbook()
    sheet = book.active
    sheet["A3"], sheet["B3"] = "text", "label"
    sheet["A4"], sheet["B4"] = "Money back", "Refund"
    sheet["A7"], sheet["B7"] = "#REF!", "Refund"
    sheet["A8"], sheet["B8"] = "Where is it", "Shipping"
    sheet["A9"] = "And now"
    sheet.merge_cells("B8:B9")
    job = run_to_end(start_import(import_job=uploaded(text_function, saved(book))))
    assert (job.format, job.n_added, job.n_labelled) == (ImportFormat.XLSX, 3, 2)
    assert list(job.problems.values_list("row", "reason")) == [(7, "The text is empty.")]


def test_the_first_sheet_that_holds_something_is_read_and_another_can_be_chosen(
    text_function: Function, django_capture_on_commit_callbacks: Callbacks
) -> None:
    book = book_of({"Cover": [], "Tickets": TICKETS, "Old": [["message"], ["Long ago"]]})
    job = uploaded(text_function, book)
    assert (job.options["sheet"], job.options["sheets"]) == ("Tickets", ["Cover", "Tickets", "Old"])
    assert layout_of(job).roles == {Role.CONTENT: "text", Role.LABEL: "label", Role.EXTERNAL_ID: "id"}
    before = job.file_key
    assert choose_sheet(import_job=job, name="Old")
    assert layout_of(job).columns == ("message",)
    assert not default_storage.exists(before)
    assert not choose_sheet(import_job=job, name="Old")
    with pytest.raises(InvalidInput):
        choose_sheet(import_job=job, name="Missing")
    with django_capture_on_commit_callbacks(execute=True):
        job = run_to_end(start_import(import_job=job))
    assert list(text_function.samples.values_list("text", flat=True)) == ["Long ago"]
    assert not any(default_storage.exists(key) for key in job.file_keys)


def test_a_workbook_thrown_away_or_forgotten_leaves_no_file(
    text_function: Function, django_capture_on_commit_callbacks: Callbacks
) -> None:
    job = uploaded(text_function, book_of({"Tickets": TICKETS}))
    keys = job.file_keys
    assert len(keys) == 2
    with django_capture_on_commit_callbacks(execute=True):
        discard_import(import_job=job)
    job = uploaded(text_function, book_of({"Tickets": TICKETS}))
    keys += job.file_keys
    text_function.imports.update(created_at="2020-01-01T00:00:00Z")
    clear_leftovers()
    assert not text_function.imports.exists()
    assert not any(default_storage.exists(key) for key in keys)


def test_file_names_in_a_workbook_label_pictures(image_function: Function) -> None:
    pictures = zip_of({f"{n}.jpg": picture(n) for n in range(2)})
    run_to_end(start_import(import_job=uploaded(image_function, pictures, "pictures.zip")))
    book = book_of({"Labels": [["file", "label"], ["0.jpg", "Cat"], ["1.jpg", "Dog"]]})
    job = run_to_end(start_import(import_job=uploaded(image_function, book)))
    assert job.n_labelled == 2


def test_the_preview_offers_the_sheets_and_no_delimiters(owner_client: Client, text_function: Function) -> None:
    job = uploaded(text_function, book_of({"Tickets": TICKETS, "Old": [["message"], ["Long ago"]]}))
    page = owner_client.get(job.get_absolute_url()).content.decode()
    assert 'name="sheet"' in page
    assert 'name="delimiter"' not in page
    check = f"{job.get_absolute_url()}check/"
    answer = owner_client.post(check, {"sheet": "Old", "content": "text", "has_header": "on"}, headers=HTMX)
    assert "Long ago" in answer.content.decode()
    answer = owner_client.post(check, {"sheet": "Old", "content": "message"}, headers=HTMX)
    job.refresh_from_db()
    assert not layout_of(job).has_header
    assert job.state == ImportState.PREVIEW


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"[Content_Types].xml": b"", "xl/workbook.bin": b""}, ".xlsb"),
        ({"[Content_Types].xml": b"", "word/document.xml": b""}, "Word"),
        ({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet"}, "OpenDocument"),
        ({"[Content_Types].xml": b"", "xl/workbook.xml": b"not xml"}, "damaged"),
    ],
)
def test_other_office_files_are_refused_with_advice(
    text_function: Function, parts: dict[str, bytes], words: str
) -> None:
    message = refusal_of(text_function, zip_of(parts))
    assert words in message
    assert "CSV" in message


def test_old_and_protected_workbooks_are_refused_with_advice(text_function: Function) -> None:
    container = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000_000)
    assert "password" in refusal_of(text_function, container + "EncryptedPackage".encode("utf-16-le"))
    assert "(.xls)" in refusal_of(text_function, container, "book.xls")


def test_a_workbook_that_unpacks_to_far_more_is_refused_unopened(
    text_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.samples.services.imports.sheet_to_csv", lambda *_args, **_more: pytest.fail("opened"))
    bomb = with_part(book_of({"A": TICKETS}), "xl/media/zeros.bin", bytes(64 * 1024**2))
    assert "200 times" in refusal_of(text_function, bomb)
    monkeypatch.setattr(workbooks, "UNPACKED_MAX_BYTES", 1000)
    assert "too large" in refusal_of(text_function, book_of({"A": TICKETS}))


@pytest.mark.parametrize("entity", [b'"boom"', b'SYSTEM "file:///etc/hostname"'])
def test_entities_are_not_followed(text_function: Function, entity: bytes) -> None:
    content = book_of({"A": TICKETS})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    hostile = (
        b'<?xml version="1.0"?><!DOCTYPE worksheet [<!ENTITY a ' + entity + b">]>" + sheet[sheet.index(b"<worksheet") :]
    )
    hostile = hostile.replace(b"Money back", b"&a;")
    assert b"&a;" in hostile
    assert "damaged" in refusal_of(text_function, with_part(content, "xl/worksheets/sheet1.xml", hostile))


def test_rows_and_columns_far_away_take_no_time(text_function: Function) -> None:
    content = book_of({"A": TICKETS})
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    started = time.monotonic()
    far_down = sheet.replace(b'<row r="4">', b'<row r="999999999999">').replace(b'r="A4"', b'r="A999999999999"')
    assert far_down != sheet
    assert "rows" in refusal_of(text_function, with_part(content, "xl/worksheets/sheet1.xml", far_down))
    far_right = sheet.replace(b'r="C4"', b'r="XFD4"')
    assert "columns" in refusal_of(text_function, with_part(content, "xl/worksheets/sheet1.xml", far_right))
    assert time.monotonic() - started < 20


def test_what_takes_too_long_or_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO(book_of({"A": [[f"text {n}", n] for n in range(5000)]}))
    monkeypatch.setattr(sheets, "SECONDS_MAX", 0.05)
    with pytest.raises(NotReadable, match="too large"):
        sheet_to_csv(content, io.BytesIO())
