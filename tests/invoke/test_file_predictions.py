"""Files whose every row is predicted: as many rows as came, in their order, each answered as a call would be."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import threading
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.events.models import Event
from apps.functions.models import Function, InputKind, OutputKind
from apps.invoke import services
from apps.invoke.file_predictions import answers, clearing, creation, drops, results, runs, sending
from apps.invoke.file_predictions.storage import folder_of_prediction
from apps.invoke.models import FilePart, FilePrediction, FileState
from apps.samples.models import Origin
from apps.samples.reading.columns import Role
from apps.samples.reading.tables import Dialect
from apps.samples.reading.tag_cells import RowTags, split_tags
from apps.samples.services.imports import LayoutChoice
from apps.samples.services.intake import NewRow, NewText, add_rows, add_texts, take_in
from apps.samples.services.leftovers import clear_leftovers
from apps.samples.services.row_pictures import prepared_rows
from apps.training.models import TrainedModel
from apps.training.services import figures, finish_work
from apps.workspaces.models import Workspace
from tests.invoke.conftest import path_of
from tests.pictures import picture
from tests.samples.workbooks import book_of

pytestmark = pytest.mark.django_db(transaction=True)


def dropped(
    function: Function, content: bytes | str, name: str = "tickets.csv", *, start: bool = True
) -> FilePrediction:
    content = content.encode() if isinstance(content, str) else content
    job = creation.create_from_upload(
        function=function, person=None, file=io.BytesIO(content), name=name, size_bytes=len(content)
    )
    return creation.start_prediction(prediction=job) if start else job


def run_to_end(job: FilePrediction, *, budget_seconds: float = 60.0) -> FilePrediction:
    """Do what the worker would: slice after slice until it is over."""
    job.refresh_from_db()
    n_slices: int | None = job.n_slices
    for _slice in range(10_000):
        if n_slices is None:
            break
        n_slices = runs.work_on_file(prediction_id=job.pk, n_slices=n_slices, budget_seconds=budget_seconds)
    job.refresh_from_db()
    assert job.state in {FileState.DONE, FileState.FAILED}, job.state
    return job


def table_of(job: FilePrediction) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(results.csv_chunks(job)), newline="")))


def body_of(response: StreamingHttpResponse) -> str:
    async def drawn() -> bytes:
        return b"".join([chunk async for chunk in response])

    return asyncio.run(drawn()).decode()


def zip_of(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


TEXTS = ["please refund me", "where is my parcel", "please refund me", "my parcel is late", "money back now"]


def as_csv(texts: list[str]) -> str:
    return "id,text\n" + "".join(f'{n},"{text}"\n' for n, text in enumerate(texts))


def test_rows_come_back_in_their_order_and_duplicates_stay(trained: Function) -> None:
    job = run_to_end(dropped(trained, as_csv(TEXTS * 50)))
    rows = table_of(job)
    assert [(row["id"], row["text"]) for row in rows] == [(str(n), text) for n, text in enumerate(TEXTS * 50)]
    assert list(rows[0]) == ["id", "text", "label", "confidence", "decision", "reason"]
    assert {row["label"] for row in rows} == {"Refund", "Shipping"}
    assert {row["text"]: row["label"] for row in rows}["please refund me"] == "Refund"
    assert (job.state, job.n_rows, job.n_failed) == (FileState.DONE, 250, 0)
    assert job.n_auto + job.n_review == 250
    assert sum(job.label_counts.values()) == 250


def test_a_file_says_exactly_what_a_call_says(trained: Function, post: Callable[..., httpx.Response]) -> None:
    rows = table_of(run_to_end(dropped(trained, as_csv(TEXTS))))
    for row in rows:
        said = post(path_of(trained), json={"data": row["text"]}).json()
        assert (row["label"], row["decision"]) == (said["labelName"], said["decision"])
        assert float(row["confidence"]) == pytest.approx(said["confidence"], abs=1e-3)


def test_what_cannot_be_read_gets_a_reason_and_no_label(trained: Function) -> None:
    content = 'text,n\n"please, refund me",1\n,2\n\nwhere is it,3,4,5\n"never closed,6\nmoney back,7\n'
    job = run_to_end(dropped(trained, content))
    rows = table_of(job)
    assert [row["n"] for row in rows] == ["1", "2", "", "", "", "7"]
    assert [bool(row["label"]) for row in rows] == [True, False, False, False, False, True]
    assert [row["decision"] == "" for row in rows] == [False, True, True, True, True, False]
    assert rows[1]["reason"] == "The text is empty."
    assert rows[3]["text"] == "where is it,3,4,5"
    assert "4 cells in 2 columns" in rows[3]["reason"]
    assert rows[4]["text"] == '"never closed,6'
    assert (job.n_rows, job.n_failed) == (6, 4)


def test_a_run_that_died_is_taken_up_where_it_stopped(trained: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"parcel {n} is late" for n in range(400)]
    job = dropped(trained, as_csv(texts))
    n_slices = runs.work_on_file(prediction_id=job.pk, n_slices=0, budget_seconds=0.0)
    assert n_slices == 1
    move = runs._move

    def die(*_args: Any) -> None:
        raise KeyboardInterrupt  # after the part was written, before its row was

    monkeypatch.setattr(runs, "_move", die)
    with pytest.raises(KeyboardInterrupt):
        runs.work_on_file(prediction_id=job.pk, n_slices=1)
    monkeypatch.setattr(runs, "_move", move)
    job.refresh_from_db()
    assert job.n_rows == 32
    job = run_to_end(job, budget_seconds=0.05)
    assert [row["text"] for row in table_of(job)] == texts
    assert job.n_rows == 400


def test_a_held_file_is_left_alone_and_asked_for_again_when_its_lease_is_over(trained: Function) -> None:
    job = dropped(trained, as_csv(TEXTS))
    later = timezone.now() + timedelta(seconds=60)
    FilePrediction.objects.filter(pk=job.pk).update(lease_holder="another", lease_expires_at=later)
    assert runs.work_on_file(prediction_id=job.pk, n_slices=0) is None
    assert clearing.enqueue_unfinished_files() == 0
    FilePrediction.objects.filter(pk=job.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert clearing.enqueue_unfinished_files() == 1
    assert run_to_end(job).n_rows == 5


def test_an_old_message_does_nothing(trained: Function) -> None:
    job = dropped(trained, as_csv(TEXTS))
    assert runs.work_on_file(prediction_id=job.pk, n_slices=7) is None
    run_to_end(job)
    assert runs.work_on_file(prediction_id=job.pk, n_slices=0) is None
    assert len(table_of(job)) == 5


def test_a_row_that_kills_every_run_is_left_out_at_last(trained: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    job = dropped(trained, as_csv(["refund", "poison", "parcel"]))
    plain = runs.answered

    def answer(prediction: FilePrediction, answerer: services.Answerer, batch: Any) -> list[answers.AnsweredRow]:
        if any("poison" in row.cells for row in batch):
            raise RuntimeError
        return plain(prediction, answerer, batch)

    monkeypatch.setattr(runs, "answered", answer)
    for _attempt in range(20):
        job.refresh_from_db()
        if job.state == FileState.DONE:
            break
        try:
            runs.work_on_file(prediction_id=job.pk, n_slices=job.n_slices)
        except RuntimeError:
            continue
    rows = table_of(job)
    assert [row["text"] for row in rows] == ["refund", "poison", "parcel"]
    assert [bool(row["label"]) for row in rows] == [True, False, True]
    assert rows[1]["reason"] == "The model could not read this row."


def test_the_model_of_the_start_answers_to_the_end(trained: Function) -> None:
    job = dropped(trained, as_csv(TEXTS))
    first = job.model
    assert first is not None
    items = [NewText("completely new words here", "Shipping"), NewText("give it back", "Refund")]
    add_texts(function=trained, items=items, person=None, origin=Origin.IMPORT)
    finish_work(function_id=trained.pk)
    assert TrainedModel.objects.get(function=trained, is_live=True) != first
    assert run_to_end(job).model == first
    gone = dropped(trained, as_csv(TEXTS))
    TrainedModel.objects.filter(pk=gone.model_id).update(sha256="")
    gone = run_to_end(gone)
    assert (gone.state, gone.message) == (FileState.FAILED, runs.GONE)


def test_what_was_wanted_of_automated_answers_at_the_start_decides_to_the_end(
    trained: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "threshold_for", lambda _model, target: None if target > 0.9 else 0.0)
    Function.objects.filter(pk=trained.pk).update(automation_target=0.8)
    trained.refresh_from_db()
    job = dropped(trained, as_csv([f"refund {n}" for n in range(100)]))
    runs.work_on_file(prediction_id=job.pk, n_slices=0, budget_seconds=0.0)
    Function.objects.filter(pk=trained.pk).update(automation_target=0.99)
    job = run_to_end(job)
    assert (job.n_auto, job.n_review) == (100, 0)


def test_before_training_it_guesses_and_says_so(text_function: Function) -> None:
    text_function.labels.get(name="Refund").rules.create(words="refund")
    job = run_to_end(dropped(text_function, as_csv(["a refund please", "zzz"])))
    assert job.is_guess
    assert job.model is None
    rows = table_of(job)
    assert rows[0]["label"] == "Refund"
    assert {row["decision"] for row in rows} == {"review"}


def test_without_anything_to_say_it_is_refused(workspace: Workspace) -> None:
    function = workspace.functions.create(name="New", input_kind=InputKind.TEXT)
    with pytest.raises(InvalidInput, match="not trained yet"):
        dropped(function, as_csv(TEXTS))
    assert not FilePrediction.objects.exists()


def test_the_column_of_the_text_is_guessed_and_can_be_chosen(trained: Function) -> None:
    content = "subject;ticket\nplease refund me;where is my parcel\nmoney back;track my delivery\n"
    job = dropped(trained, content, start=False)
    assert job.state == FileState.PREVIEW
    layout = creation.layout_of(job)
    assert layout.column(Role.CONTENT) == "subject"
    choice = LayoutChoice("utf-8", Dialect(";"), has_header=True, roles={Role.CONTENT: "ticket"})
    assert creation.choose_layout(prediction=job, choice=choice)
    creation.start_prediction(prediction=job)
    rows = table_of(run_to_end(job))
    assert {row["label"] for row in rows} == {"Shipping"}
    assert rows[0]["subject"] == "please refund me"


def test_cells_that_would_run_as_formulas_are_guarded_and_names_taken_give_way(trained: Function) -> None:
    content = 'text,label,Confidence\n"=1+1 refund",old,-3.2\n'
    job = run_to_end(dropped(trained, content))
    text = "".join(results.csv_chunks(job))
    assert text.splitlines()[0] == "text,label,Confidence,predicted_label,predicted_confidence,decision,reason"
    assert text.splitlines()[1].startswith("'=1+1 refund,old,-3.2,")


def test_a_workbook_is_read_like_a_table(trained: Function) -> None:
    content = book_of({"Notes": [], "Tickets": [["nr", "text"], [1, "please refund me"], [2.5, "where is my parcel"]]})
    job = run_to_end(dropped(trained, content, "tickets.xlsx"))
    assert [(row["nr"], row["label"]) for row in table_of(job)] == [("1", "Refund"), ("2.5", "Shipping")]


def test_another_sheet_can_be_chosen_and_its_header_unsaid(trained: Function) -> None:
    sheets = {"A": [["text"], ["please refund me"]], "B": [["parcel late"], ["where is my parcel"], ["delivery"]]}
    job = dropped(trained, book_of(sheets), "tickets.xlsx", start=False)
    assert creation.choose_sheet(prediction=job, name="B")
    assert not creation.choose_sheet(prediction=job, name="B")
    with pytest.raises(InvalidInput, match="no such sheet"):
        creation.choose_sheet(prediction=job, name="C")
    choice = LayoutChoice("", Dialect(), has_header=False, roles={})
    creation.choose_layout(prediction=job, choice=choice)
    rows = table_of(run_to_end(creation.start_prediction(prediction=job)))
    assert [row["Column 1"] for row in rows] == ["parcel late", "where is my parcel", "delivery"]
    assert len(default_storage.listdir(folder_of_prediction(job))[1]) == 3, "workbook, table and one part"


def test_lines_and_json_lines_are_read_too(trained: Function) -> None:
    rows = table_of(run_to_end(dropped(trained, "please refund me\nwhere is my parcel\n", "lines.txt")))
    assert [row["label"] for row in rows] == ["Refund", "Shipping"]
    lines = [json.dumps({"text": text, "labels": ["a", "b"], "n": n}) for n, text in enumerate(TEXTS * 50)]
    late = json.dumps({"text": "refund", "note": "new"})
    rows = table_of(run_to_end(dropped(trained, "\n".join([*lines, late, "{broken"]), "lines.jsonl")))
    assert [row["text"] for row in rows[:250]] == TEXTS * 50
    assert "note" in rows[250]["reason"]
    assert bool(rows[250]["label"])
    assert (rows[251]["label"], len(rows)) == ("", 252)
    assert rows[251]["text"] == "{broken"


def test_pictures_of_a_zip_are_answered_in_its_order(trained_pictures: Function) -> None:
    members = {"b/1.png": picture("#f00"), "a/2.png": picture("#00f"), "a/.DS_Store": b"x", "c.txt": b"no picture"}
    job = run_to_end(dropped(trained_pictures, zip_of(members), "pictures.zip", start=False))
    rows = table_of(job)
    assert [(row["file"], row["label"]) for row in rows] == [("b/1.png", "Red"), ("a/2.png", "Blue"), ("c.txt", "")]
    assert "not a picture" in rows[2]["reason"]


def test_dropped_pictures_come_back_in_the_order_of_their_chunks(
    trained_pictures: Function, settings: Settings
) -> None:
    job = drops.begin_drop(function=trained_pictures, person=None, n_files=4)
    red, blue = picture("#f00"), picture("#00f")
    drops.take_chunk(prediction=job, chunk_number=1, files=[("third.png", 9, blue), ("../4.png", 10**9, b"")])
    for _again in range(2):
        files = [("first.png", len(red), red), ("first.png", len(blue), blue)]
        drops.take_chunk(prediction=job, chunk_number=0, files=files)
    drops.end_drop(prediction=job)
    job = run_to_end(creation.start_prediction(prediction=job), budget_seconds=0.0)
    rows = table_of(job)
    assert [(row["file"], row["label"]) for row in rows] == [
        ("first.png", "Red"), ("first.png", "Blue"), ("third.png", "Blue"), ("../4.png", "")
    ]  # fmt: skip
    assert "larger than" in rows[3]["reason"]
    with pytest.raises(Conflict):
        drops.take_chunk(prediction=job, chunk_number=2, files=[("late.png", 1, b"x")])


@pytest.fixture
def trained_rows(workspace: Workspace) -> Function:
    function = workspace.functions.create(name="Will they stay?", input_kind=InputKind.TABLE)
    age = function.fields.create(name="Age", type="number", position=0)
    plan = function.fields.create(name="Plan", type="category", position=1)
    for position, name in enumerate(["Stays", "Leaves"]):
        function.labels.create(name=name, position=position, colour=position)
    items = [
        NewRow({age.public_id: str(20 + n), plan.public_id: ("gold", "basic")[n % 2]}, ("Stays", "Leaves")[n % 2])
        for n in range(24)
    ]
    add_rows(function=function, items=items, person=None, origin=Origin.IMPORT)
    finish_work(function_id=function.pk)
    return function


def test_table_rows_are_read_by_the_names_of_their_columns(
    trained_rows: Function, post: Callable[..., httpx.Response]
) -> None:
    job = run_to_end(dropped(trained_rows, "plan,AGE,other\ngold,31,x\nbasic,many,y\n,,z\n", "people.csv"))
    rows = table_of(job)
    assert [row["label"] for row in rows] == ["Stays", "Leaves", ""]
    assert "Column “Age”" in rows[1]["reason"]
    assert rows[2]["reason"] == "The row is empty."
    assert [row["other"] for row in rows] == ["x", "y", "z"]
    said = post(path_of(trained_rows), json={"data": {"Plan": "gold", "Age": 31}}).json()
    assert rows[0]["label"] == said["labelName"]
    assert float(rows[0]["confidence"]) == pytest.approx(said["confidence"], abs=1e-3)
    with pytest.raises(InvalidInput, match="None of the columns"):
        dropped(trained_rows, "a,b\n1,2\n")


def test_pictures_that_cells_name_come_in_the_zip_of_their_table(workspace: Workspace) -> None:
    function = workspace.functions.create(name="Which colour?", input_kind=InputKind.TABLE)
    photo = function.fields.create(name="Photo", type="image", position=0)
    for position, name in enumerate(["Red", "Blue"]):
        function.labels.create(name=name, position=position, colour=position)
    shades = [("Red", f"#f{n}{n}") for n in range(8)] + [("Blue", f"#{n}{n}f") for n in range(8)]
    with_photos = {f"{n}.png": picture(colour) for n, (_label, colour) in enumerate(shades)}
    items = [NewRow({photo.public_id: f"{n}.png"}, label) for n, (label, _colour) in enumerate(shades)]
    key = default_storage.save("brought.zip", io.BytesIO(zip_of(with_photos)))
    with prepared_rows(function=function, items=items, origin=Origin.IMPORT, pictures_key=key) as batch:
        take_in(batch=batch, person=None)
    finish_work(function_id=function.pk)
    folder = f"{function.workspace.public_id}/{function.public_id}"
    n_stored = len(default_storage.listdir(folder)[1])
    table = b"photo,nr\nnew/red.png,1\nblue.png,2\nmissing.png,3\n"
    content = zip_of({"rows.csv": table, "new/red.png": picture("#e00"), "blue.png": picture("#00e")})
    job = run_to_end(dropped(function, content, "rows.zip"))
    rows = table_of(job)
    assert [(row["nr"], row["label"]) for row in rows[:2]] == [("1", "Red"), ("2", "Blue")]
    assert "no picture “missing.png”" in rows[2]["reason"]
    assert len(default_storage.listdir(folder)[1]) == n_stored, "pictures that were only read stayed behind"


def test_tags_are_one_cell_that_can_be_read_back(workspace: Workspace) -> None:
    function = workspace.functions.create(name="What?", input_kind=InputKind.TEXT, output_kind=OutputKind.TAGS)
    for position, name in enumerate(["Late, or lost", "Refund"]):
        function.labels.create(name=name, position=position, colour=position)
    items = [
        NewText(f"parcel late and refund wanted {n}", tags=RowTags(("Late, or lost", "Refund"))) for n in range(8)
    ] + [NewText(f"hello there {n}", tags=RowTags(())) for n in range(8)]
    add_texts(function=function, items=items, person=None, origin=Origin.IMPORT)
    finish_work(function_id=function.pk)
    rows = table_of(run_to_end(dropped(function, as_csv(["parcel late and refund wanted", "hello there"]))))
    assert set(split_tags(rows[0]["tags"])) == {"Late, or lost", "Refund"}
    assert split_tags(rows[1]["tags"]) == ()
    assert rows[1]["tags"] == "[]"


def test_unsure_rows_become_samples_without_a_label_and_known_ones_stay_one(
    trained: Function, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [*TEXTS, "where is my parcel", *(f"something odd {n}" for n in range(150))]
    job = run_to_end(dropped(trained, as_csv([*texts, ""])), budget_seconds=0.05)
    assert job.n_review == 156, "a model of eight samples promises nothing"
    n_before = trained.samples.count()
    sent = sending.send_to_queue(prediction=job, person=owner)
    assert sent.state == FileState.SENDING
    job = run_to_end(job, budget_seconds=0.0)
    new = trained.samples.order_by("pk")[n_before:]
    # "where is my parcel" was learned from, and two texts come twice.
    assert [sample.text for sample in new] == list(dict.fromkeys(t for t in texts if t != "where is my parcel"))
    assert {(sample.origin, sample.annotation_id) for sample in new} == {(Origin.CAPTURE.value, None)}
    assert (job.n_sent, job.n_known) == (153, 3)
    again = sending.send_to_queue(prediction=job, person=owner)
    assert (again.state, trained.samples.count()) == (FileState.DONE, n_before + 153)
    assert Event.objects.filter(kind="samples.imported", data__n_added=153, actor=owner.public_id).exists()


def test_others_write_while_unsure_rows_are_sent(trained: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    job = run_to_end(dropped(trained, as_csv([f"something odd {n}" for n in range(800)])), budget_seconds=0.0)
    assert job.parts.count() == 25
    plain = sending._prepared

    def meanwhile() -> None:
        Function.objects.filter(pk=trained.pk).update(name="Renamed meanwhile")
        connection.close()

    def prepared(*args: Any) -> Any:
        thread = threading.Thread(target=meanwhile)
        thread.start()
        thread.join()
        return plain(*args)

    monkeypatch.setattr(sending, "_prepared", prepared)
    sending.send_to_queue(prediction=job, person=None)
    assert run_to_end(job).n_sent == 800


def test_unsure_pictures_and_rows_are_sent_as_what_they_are(trained_pictures: Function, trained_rows: Function) -> None:
    pictures = zip_of({"new.png": picture("#a05"), "known.png": picture("#f00"), "no.txt": b"no"})
    job = run_to_end(dropped(trained_pictures, pictures, "p.zip"))
    FilePart.objects.filter(prediction=job).update(review=[0, 1])
    FilePrediction.objects.filter(pk=job.pk).update(n_review=2)
    job.refresh_from_db()
    sending.send_to_queue(prediction=job, person=None)
    assert (run_to_end(job).n_sent, run_to_end(job).n_known) == (1, 1)
    new = trained_pictures.samples.latest("pk")
    assert (new.original_name, new.label) == ("new.png", None)
    assert default_storage.exists(new.file_key)
    table = run_to_end(dropped(trained_rows, "Age,Plan\n99,silver\n"))
    FilePart.objects.filter(prediction=table).update(review=[0])
    FilePrediction.objects.filter(pk=table.pk).update(n_review=1)
    table.refresh_from_db()
    sending.send_to_queue(prediction=table, person=None)
    assert run_to_end(table).n_sent == 1
    assert trained_rows.samples.latest("pk").text == "Age: 99 · Plan: silver"


def test_a_stopped_file_keeps_what_was_said(trained: Function) -> None:
    job = dropped(trained, as_csv([f"refund {n}" for n in range(100)]))
    n_slices = runs.work_on_file(prediction_id=job.pk, n_slices=0, budget_seconds=0.0)
    assert n_slices == 1
    job = runs.stop_prediction(prediction=job)
    assert runs.work_on_file(prediction_id=job.pk, n_slices=1) is None
    assert (job.state, len(table_of(job))) == (FileState.DONE, 32)
    assert "Stopped" in job.message


def test_old_files_go_with_all_that_was_stored(trained: Function) -> None:
    job = run_to_end(dropped(trained, as_csv(TEXTS)))
    folder = folder_of_prediction(job)
    assert len(default_storage.listdir(folder)[1]) == 2
    clearing.clear_old_files()
    assert FilePrediction.objects.filter(pk=job.pk).exists()
    long_ago = timezone.now() - timedelta(days=8)
    FilePrediction.objects.filter(pk=job.pk).update(created_at=long_ago, finished_at=long_ago)
    clearing.clear_old_files()
    assert not FilePrediction.objects.filter(pk=job.pk).exists()
    assert not default_storage.exists(folder)


def test_a_deleted_function_takes_its_files_along(trained: Function) -> None:
    job = run_to_end(dropped(trained, as_csv(TEXTS)))
    folder = folder_of_prediction(job)
    trained.delete()
    clear_leftovers()
    assert not FilePrediction.objects.exists()
    assert not default_storage.exists(folder)


def test_what_is_no_table_is_refused_and_leaves_nothing(trained: Function, trained_pictures: Function) -> None:
    for function, content, name in (
        (trained, b"%PDF-1.7", "a.pdf"),
        (trained, b"", "a.csv"),
        (trained, zip_of({}), "a.zip"),
        (trained_pictures, b"text\nhello\n", "a.csv"),
    ):
        with pytest.raises(InvalidInput):
            dropped(function, content, name)
    assert not FilePrediction.objects.exists()
    for function in (trained, trained_pictures):
        assert (
            not default_storage.exists(f"{function.workspace.public_id}/{function.public_id}/predictions")
            or not (default_storage.listdir(f"{function.workspace.public_id}/{function.public_id}/predictions")[0])
        )


def test_pages_follow_a_file_from_drop_to_queue(trained: Function, owner_client: Client) -> None:
    page = owner_client.get(f"/functions/{trained.public_id}/predict/")
    assert "Drop a file here" in page.content.decode()
    file = io.BytesIO(as_csv(TEXTS).encode())
    file.name = "tickets.csv"
    answer = owner_client.post(
        f"/functions/{trained.public_id}/predict/file/", {"file": file}, headers={"accept": "application/json"}
    )
    url = answer.json()["url"]
    preview = owner_client.get(url).content.decode()
    assert "The text is in" in preview
    choice = {"content": "text", "delimiter": "comma", "encoding": "utf-8", "has_header": "on"}
    assert "Predict it" in owner_client.post(f"{url}check/", choice).content.decode()
    assert owner_client.post(f"{url}start/", choice).headers["Location"] == url
    job = FilePrediction.objects.get()
    assert "Waiting" in owner_client.get(url).content.decode()
    run_to_end(job)
    done = owner_client.get(url).content.decode()
    assert "Queue 5 unsure rows<" in done
    assert job.model is not None
    assert f"model {job.model.number}" in done
    download = owner_client.get(f"{url}predicted.csv")
    assert download.headers["Content-Disposition"] == 'attachment; filename="tickets-predicted.csv"'
    assert body_of(download).startswith("id,text,label,confidence,decision,reason\r\n0,please refund me,Refund,")
    owner_client.post(f"{url}send/")
    run_to_end(job)
    sent = owner_client.get(url).content.decode()
    assert "3 unsure rows" in sent
    assert f"/functions/{trained.public_id}/label/" in sent
    assert owner_client.post(f"{url}discard/").status_code == 302
    assert owner_client.get(url).status_code == 404


def test_who_may_not_call_may_not_predict_and_strangers_find_nothing(
    trained: Function, member_client: Client, outsider_client: Client
) -> None:
    job = run_to_end(dropped(trained, as_csv(TEXTS)))
    for path in (f"/functions/{trained.public_id}/predict/", job.get_absolute_url()):
        assert member_client.get(path).status_code == 403
        assert outsider_client.get(path).status_code == 404
    assert outsider_client.post(f"{job.get_absolute_url()}send/").status_code == 404
