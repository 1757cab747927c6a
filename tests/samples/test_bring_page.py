"""The bring page and what is posted from it: who may, and what comes of it."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.functions.models import Function
from apps.samples.models import Import, ImportState, Sample
from tests.samples.conftest import picture, run_to_end

JSON = {"Accept": "application/json"}


def url(name: str, function: Function) -> str:
    return reverse(f"samples:{name}", args=[function.public_id])


def csv_file(content: bytes = b"text,label\nhello,A\nworld,B\nagain,A\n", name: str = "file.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


@pytest.mark.parametrize("name", ["text_function", "image_function"])
def test_owner_sees_the_page(owner_client: Client, name: str, request: pytest.FixtureRequest) -> None:
    response = owner_client.get(url("bring_page", request.getfixturevalue(name)))
    assert response.status_code == 200
    assert b'id="drop"' in response.content


def test_labeler_may_not_bring(member_client: Client, text_function: Function) -> None:
    assert member_client.get(url("bring_page", text_function)).status_code == 403
    assert member_client.post(url("paste_lines", text_function), {"lines": "a"}).status_code == 403
    assert Sample.objects.count() == 0


def test_outsider_cannot_see_that_the_function_exists(outsider_client: Client, text_function: Function) -> None:
    assert outsider_client.get(url("bring_page", text_function)).status_code == 404
    assert outsider_client.post(url("upload_file", text_function), {"file": csv_file()}).status_code == 404
    assert Import.objects.count() == 0


def test_pasted_lines_go_in_at_once(reviewer_client: Client, text_function: Function) -> None:
    lines = "Money back please\r\n\r\nWhere is it?\nMoney back please\n"
    response = reviewer_client.post(
        url("paste_lines", text_function), {"lines": lines, "label": ""}, headers={"HX-Request": "true"}
    )
    assert response.status_code == 200
    assert list(text_function.samples.values_list("text", flat=True)) == ["Money back please", "Where is it?"]
    job = Import.objects.get()
    assert (job.state, job.n_added, job.n_duplicates) == (ImportState.DONE, 2, 1)


def test_pasted_lines_can_bring_a_label(owner_client: Client, text_function: Function) -> None:
    owner_client.post(url("paste_lines", text_function), {"lines": "Money back", "label": "Refund"})
    assert text_function.samples.get().label == text_function.labels.get(name="Refund")


def test_nothing_pasted_is_said_so(owner_client: Client, text_function: Function) -> None:
    response = owner_client.post(url("paste_lines", text_function), {"lines": " \n "}, headers=JSON)
    assert response.status_code == 400
    assert "at least one line" in response.json()["message"]


def test_cells_of_a_spreadsheet_become_a_preview(owner_client: Client, text_function: Function) -> None:
    response = owner_client.post(
        url("paste_lines", text_function),
        {"lines": "Money back please\tRefund\nWhere is my parcel\tShipping\nReturn it\tRefund"},
        headers={"HX-Request": "true"},
    )
    job = Import.objects.get()
    assert response["HX-Redirect"] == job.get_absolute_url()
    assert job.state == ImportState.PREVIEW
    assert text_function.samples.count() == 0


def test_many_pasted_lines_go_to_the_worker(owner_client: Client, text_function: Function) -> None:
    lines = "\r\n".join(f"line number {n}" for n in range(1200))
    owner_client.post(url("paste_lines", text_function), {"lines": lines, "label": "Refund"})
    job = Import.objects.get()
    assert job.state == ImportState.QUEUED
    assert run_to_end(job).n_added == 1200
    assert text_function.samples.filter(label__name="Refund").count() == 1200
    assert text_function.samples.order_by("id").values_list("text", flat=True)[1199] == "line number 1199"


def test_a_file_is_checked_before_it_comes_in(owner_client: Client, text_function: Function) -> None:
    answer = owner_client.post(url("upload_file", text_function), {"file": csv_file()}, headers=JSON).json()
    page = owner_client.get(answer["url"])
    assert page.status_code == 200
    assert b"hello" in page.content
    assert text_function.samples.count() == 0
    job = Import.objects.get()
    fields = {"encoding": "utf-8", "delimiter": "comma", "has_header": "on", "content": "text", "label": "label"}
    owner_client.post(reverse("samples:start_import", args=[job.public_id]), fields)
    job = run_to_end(job)
    assert (job.n_added, job.n_labelled) == (3, 3)
    assert dict(text_function.samples.values_list("text", "label__name")) == {"hello": "A", "world": "B", "again": "A"}
    assert owner_client.get(job.get_absolute_url()).status_code == 200


def test_another_delimiter_gives_new_columns_to_look_at(owner_client: Client, text_function: Function) -> None:
    content = b"a;b|c\nd;e|f\n"
    answer = owner_client.post(url("upload_file", text_function), {"file": csv_file(content)}, headers=JSON).json()
    job = Import.objects.get()
    fields = {"encoding": "utf-8", "delimiter": "bar", "content": "Column 1"}
    response = owner_client.post(reverse("samples:check_import", args=[job.public_id]), fields)
    assert b"a;b" in response.content
    started = owner_client.post(
        reverse("samples:start_import", args=[job.public_id]), fields | {"delimiter": "semicolon"}
    )
    assert started["Location"] == answer["url"]
    job.refresh_from_db()
    assert job.state == ImportState.PREVIEW


def test_column_names_and_cells_are_shown_as_text_never_as_markup(
    owner_client: Client, text_function: Function
) -> None:
    attack = "<script>alert(1)</script>"
    content = f'"{attack}",label\n"<img src=x onerror=alert(1)>",A\nplain,B\nother,A\n'.encode()
    answer = owner_client.post(
        url("upload_file", text_function), {"file": csv_file(content, f"{attack}.csv")}, headers=JSON
    ).json()
    page = owner_client.get(answer["url"]).content.decode()
    assert attack not in page
    assert "<img" not in page
    assert "&lt;script&gt;" in page


def test_an_unusable_file_is_refused_with_advice(owner_client: Client, text_function: Function) -> None:
    response = owner_client.post(url("upload_file", text_function), {"file": csv_file(b"%PDF-1.7 rest")}, headers=JSON)
    assert response.status_code == 400
    assert "PDF" in response.json()["message"]
    assert Import.objects.count() == 0


def test_a_preview_can_be_thrown_away_with_its_file(
    owner_client: Client, text_function: Function, django_capture_on_commit_callbacks: Any
) -> None:
    from django.core.files.storage import default_storage

    owner_client.post(url("upload_file", text_function), {"file": csv_file()})
    job = Import.objects.get()
    assert default_storage.exists(job.file_key)
    with django_capture_on_commit_callbacks(execute=True):
        owner_client.post(reverse("samples:discard_import", args=[job.public_id]))
    assert Import.objects.count() == 0
    assert not default_storage.exists(job.file_key)


def test_strangers_and_labelers_cannot_touch_an_import(
    owner_client: Client, member_client: Client, outsider_client: Client, text_function: Function
) -> None:
    owner_client.post(url("upload_file", text_function), {"file": csv_file()})
    job = Import.objects.get()
    for client, status in ((member_client, 403), (outsider_client, 404)):
        assert client.get(job.get_absolute_url()).status_code == status
        for name in ("start_import", "discard_import", "check_import", "stop_import"):
            assert client.post(reverse(f"samples:{name}", args=[job.public_id])).status_code == status
        for name in ("import_progress", "import_problems"):
            assert client.get(reverse(f"samples:{name}", args=[job.public_id])).status_code == status
    job.refresh_from_db()
    assert job.state == ImportState.PREVIEW


def drop(
    client: Client, function: Function, files: list[tuple[str, bytes, str]], *, chunk: int = 0
) -> dict[str, object]:
    if not Import.objects.exists():
        client.post(url("begin_drop", function), {"n_files": len(files)}, headers=JSON)
    job = Import.objects.get()
    body = {
        "chunk": chunk,
        "first_row": 1,
        "files": [SimpleUploadedFile("file", content) for _name, content, _label in files],
        "names": [name for name, _content, _label in files],
        "labels": [label for _name, _content, label in files],
    }
    response = client.post(reverse("samples:drop_chunk", args=[job.public_id]), body, headers=JSON)
    assert response.status_code == 200, response.content
    return response.json()


def test_dropped_pictures_are_answered_one_by_one(owner_client: Client, image_function: Function) -> None:
    files = [
        ("cat/1.jpg", picture(1), "Cat"),
        ("again.jpg", picture(1), ""),
        ("notes.html", b"<html><script>alert(1)</script></html>", ""),
        ("2.png", picture(2, kind="PNG"), ""),
    ]
    results = drop(owner_client, image_function, files)["results"]
    assert [(result["name"], result["outcome"]) for result in results] == [
        ("cat/1.jpg", "added"),
        ("again.jpg", "duplicate"),
        ("notes.html", "refused"),
        ("2.png", "added"),
    ]
    assert "web page" in results[2]["reason"]
    assert image_function.samples.get(original_name="cat/1.jpg").label.name == "Cat"
    job = Import.objects.get()
    end = owner_client.post(reverse("samples:end_drop", args=[job.public_id]))
    job.refresh_from_db()
    assert (job.state, job.n_added, job.n_duplicates, job.n_failed) == (ImportState.DONE, 2, 1, 1)
    assert "1 did not go in" in end.content.decode()
    problem = job.problems.get()
    assert (problem.row, problem.name) == (3, "notes.html")


def test_a_chunk_sent_twice_counts_once_and_is_answered_alike(owner_client: Client, image_function: Function) -> None:
    files = [(f"{n}.jpg", picture(n), "") for n in range(3)] + [("bad", b"nothing", "")]
    first = drop(owner_client, image_function, files)
    again = drop(owner_client, image_function, files)
    assert [result["outcome"] for result in again["results"]] == [result["outcome"] for result in first["results"]]
    job = Import.objects.get()
    assert (job.n_read, job.n_added, job.n_duplicates, job.n_failed) == (4, 3, 0, 1)
    assert image_function.samples.count() == 3


def test_too_many_files_in_one_request_are_refused(owner_client: Client, image_function: Function) -> None:
    owner_client.post(url("begin_drop", image_function), {"n_files": 60}, headers=JSON)
    body = {
        "chunk": 0,
        "first_row": 1,
        "files": [SimpleUploadedFile("file", b"x") for _ in range(60)],
        "names": ["x"] * 60,
        "labels": [""] * 60,
    }
    job = Import.objects.get()
    response = owner_client.post(reverse("samples:drop_chunk", args=[job.public_id]), body, headers=JSON)
    assert response.status_code == 400


def test_pictures_cannot_be_dropped_on_a_text_function(owner_client: Client, text_function: Function) -> None:
    response = owner_client.post(url("begin_drop", text_function), {"n_files": 2}, headers=JSON)
    assert response.status_code == 400
    assert "takes texts" in response.json()["message"]
