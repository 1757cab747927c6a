"""Imports run by the worker: every row once, whatever dies; refused rows told by number and reason."""

import io
import json
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, TooLarge
from apps.core.leases import claim
from apps.events.models import Event, Notice
from apps.events.services import keep_audience
from apps.functions.models import Function
from apps.samples.actors import run_import as actor
from apps.samples.models import Annotation, Import, ImportFormat, ImportState, Sample
from apps.samples.reading import archives
from apps.samples.reading.columns import Role
from apps.samples.services import import_runs
from apps.samples.services.import_runs import ATTEMPTS_MAX, run_import
from apps.samples.services.imports import (
    LayoutChoice,
    choose_folders,
    choose_layout,
    create_import,
    discard_import,
    layout_of,
    start_import,
    stop_import,
)
from tests.samples.conftest import picture, run_to_end, zip_of
from tests.told import undescribed, untold


def uploaded(function: Function, content: bytes, name: str = "file.csv", person: User | None = None) -> Import:
    return create_import(function=function, person=person, file=io.BytesIO(content), name=name, size_bytes=len(content))


def brought(function: Function, content: bytes, name: str = "file.csv", person: User | None = None) -> Import:
    return run_to_end(start_import(import_job=uploaded(function, content, name, person)))


def problems_of(job: Import) -> dict[int, str]:
    return dict(job.problems.values_list("row", "reason"))


def csv_of(n_rows: int) -> bytes:
    lines = (f'"text, number {n}",{"AB"[n % 2]},id-{n}' for n in range(n_rows))
    return "\n".join(["text,label,id", *lines]).encode()


def test_good_rows_go_in_and_bad_ones_are_told_by_row(text_function: Function, owner: User) -> None:
    content = (
        "id;Text;Kategorie\n1;Geld zurück;Erstattung\n2;;Erstattung\n3;Wo ist es?;Versand\n4;a\x00b;Versand\n"
        "5;Wo ist es?;Versand\n"
    ).encode()
    job = brought(text_function, content, person=owner)
    assert (job.state, job.n_read, job.n_added, job.n_labelled, job.n_duplicates, job.n_failed) == (
        ImportState.DONE, 5, 2, 2, 1, 2,
    )  # fmt: skip
    assert sorted(problems_of(job)) == [3, 5]
    assert "empty" in problems_of(job)[3]
    assert "NUL" in problems_of(job)[5]
    sample = text_function.samples.get(external_id="3")
    assert (sample.text, sample.label.name, sample.annotation.person) == ("Wo ist es?", "Versand", owner)


def test_an_import_that_is_done_is_told_to_other_programs(text_function: Function, owner: User) -> None:
    keep_audience(workspace=text_function.workspace.public_id, is_there=True)
    brought(text_function, b"text,label\na,Refund\nb,\na,\n", person=owner)
    notice = Notice.objects.get()
    assert (notice.kind, notice.function_id) == ("import.done", text_function.public_id)
    assert notice.data["added_count"] == 2
    assert notice.data["duplicate_count"] + notice.data["failed_count"] == 1
    assert undescribed(notice.kind, notice.data) == untold(notice.kind, notice.data) == set()


def test_the_same_file_a_second_time_adds_nothing(text_function: Function) -> None:
    brought(text_function, csv_of(30))
    before = list(Sample.objects.order_by("id").values()), Annotation.objects.count()
    again = brought(text_function, csv_of(30))
    assert (again.n_added, again.n_labelled, again.n_duplicates) == (0, 0, 30)
    assert (list(Sample.objects.order_by("id").values()), Annotation.objects.count()) == before


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_any_encoding_comes_in_as_it_was_meant(text_function: Function, encoding: str) -> None:
    content = "text;label\nGrüße – bitte zurück;Größe\nSchöne Straße hier;Größe\n".encode(encoding)
    job = brought(text_function, content)
    assert job.n_failed == 0
    assert set(text_function.samples.values_list("text", flat=True)) == {"Grüße – bitte zurück", "Schöne Straße hier"}


def test_json_lines_and_arrays_come_in(text_function: Function) -> None:
    records: list[Any] = [
        {"text": "one", "label": "A", "external_id": "1"},
        {"text": "two", "label": ["B"]},
        {"text": "both", "label": ["A", "B"]},
        {"text": "half \ud83d", "label": "A"},
    ]
    lines = "\n".join([*map(json.dumps, records), "{broken", ""])
    job = brought(text_function, lines.encode(), "file.jsonl")
    assert job.format == ImportFormat.JSONL
    assert (job.n_added, sorted(problems_of(job))) == (2, [3, 4, 5])
    again = brought(text_function, json.dumps(records[:2]).encode(), "file.json")
    assert (again.n_added, again.n_duplicates) == (0, 2)
    assert text_function.samples.get(text="one").external_id == "1"


def test_a_kill_in_the_middle_loses_and_doubles_nothing(
    text_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dying between the rows and the cursor, between chunks, and in slices of no time at all."""
    monkeypatch.setattr(import_runs, "ROWS_PER_CHUNK", 10)
    job = start_import(import_job=uploaded(text_function, csv_of(95)))
    move, n_calls = import_runs._move, 0

    def die_at_times(*args: object) -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls in {1, 4, 5}:
            raise KeyboardInterrupt
        move(*args)

    monkeypatch.setattr(import_runs, "_move", die_at_times)
    deaths = 0
    for _round in range(40):
        job.refresh_from_db()
        if job.state == ImportState.DONE:
            break
        try:
            run_import(import_id=job.pk, cursor=job.cursor, budget_seconds=0)
        except KeyboardInterrupt:
            deaths += 1
            counted = Sample.objects.filter(function=text_function).count()
            job.refresh_from_db()
            assert counted == job.n_added
    assert deaths == 3
    assert (job.state, job.n_read, job.n_added, job.n_labelled) == (ImportState.DONE, 95, 95, 95)
    assert list(text_function.samples.order_by("id").values_list("external_id", flat=True)) == [
        f"id-{n}" for n in range(95)
    ]
    assert Annotation.objects.count() == 95
    assert Event.objects.filter(kind="samples.imported").count() == 1


def test_a_message_that_comes_too_late_or_twice_does_nothing(text_function: Function) -> None:
    job = start_import(import_job=uploaded(text_function, csv_of(10)))
    assert run_import(import_id=job.pk, cursor=job.cursor + 1) is None
    assert run_import(import_id=10**9, cursor=0) is None
    assert text_function.samples.count() == 0
    claim(Import, job.pk)
    assert run_import(import_id=job.pk, cursor=job.cursor) is None
    assert text_function.samples.count() == 0


def test_a_dead_worker_s_import_is_taken_up_when_its_lease_has_run_out(text_function: Function) -> None:
    job = start_import(import_job=uploaded(text_function, csv_of(10)))
    Import.objects.filter(pk=job.pk).update(
        state=ImportState.RUNNING, lease_holder="dead-1", lease_expires_at=timezone.now()
    )
    assert run_to_end(job).n_added == 10


def test_an_import_taken_over_by_another_stops_without_a_trace(
    text_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_import(import_job=uploaded(text_function, csv_of(10)))
    take_in = import_runs.take_in

    def lose_the_lease(**kwargs: Any) -> object:
        result = take_in(**kwargs)
        Import.objects.filter(pk=job.pk).update(lease_holder="someone-else")
        return result

    monkeypatch.setattr(import_runs, "take_in", lose_the_lease)
    assert run_import(import_id=job.pk, cursor=job.cursor) is None
    assert text_function.samples.count() == 0


def test_an_import_that_always_dies_at_the_same_row_ends_with_a_sentence(
    text_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = start_import(import_job=uploaded(text_function, csv_of(10)))

    def die(*_args: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(import_runs, "_move", die)
    for _attempt in range(ATTEMPTS_MAX):
        with pytest.raises(RuntimeError):
            run_import(import_id=job.pk, cursor=job.cursor)
    assert run_import(import_id=job.pk, cursor=job.cursor) is None
    job.refresh_from_db()
    assert job.state == ImportState.FAILED
    assert "could not be read past row 0" in job.message


def test_the_actor_asks_for_the_next_slice_until_all_is_in(
    text_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr("apps.samples.actors.enqueue", lambda *args: asked.append(args))
    monkeypatch.setattr(import_runs, "ROWS_PER_CHUNK", 10)
    monkeypatch.setattr(import_runs, "monotonic", iter(range(1_000)).__next__)
    job = start_import(import_job=uploaded(text_function, csv_of(25)))
    actor.fn(job.pk, job.cursor)
    while len(asked) and asked[-1] is not None:
        _job, pk, cursor = asked.pop()
        actor.fn(pk, cursor)
    job.refresh_from_db()
    assert (job.state, job.n_added) == (ImportState.DONE, 25)


def test_an_import_can_be_stopped_and_brought_again(text_function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_runs, "ROWS_PER_CHUNK", 10)
    job = start_import(import_job=uploaded(text_function, csv_of(50)))
    cursor = run_import(import_id=job.pk, cursor=job.cursor, budget_seconds=0)
    assert cursor is not None
    stop_import(import_job=job)
    assert run_import(import_id=job.pk, cursor=cursor) is None
    job.refresh_from_db()
    assert (job.state, job.n_added) == (ImportState.DONE, 10)
    assert "Stopped" in job.message
    assert brought(text_function, csv_of(50)).n_added == 40


def test_a_function_deleted_meanwhile_ends_its_import(text_function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_runs, "ROWS_PER_CHUNK", 10)
    job = start_import(import_job=uploaded(text_function, csv_of(50)))
    cursor = run_import(import_id=job.pk, cursor=job.cursor, budget_seconds=0)
    assert cursor is not None
    text_function.delete()
    assert run_import(import_id=job.pk, cursor=cursor) is None


def test_the_file_is_forgotten_when_all_is_in(text_function: Function, django_capture_on_commit_callbacks: Any) -> None:
    job = start_import(import_job=uploaded(text_function, csv_of(3)))
    key = job.file_key
    assert default_storage.exists(key)
    with django_capture_on_commit_callbacks(execute=True):
        run_to_end(job)
    assert not default_storage.exists(key)


def test_a_file_that_vanished_is_said_so(text_function: Function) -> None:
    job = start_import(import_job=uploaded(text_function, csv_of(3)))
    default_storage.delete(job.file_key)
    assert "no longer there" in run_to_end(job).message


def test_starting_twice_starts_once_and_a_started_import_cannot_be_changed(text_function: Function) -> None:
    job = uploaded(text_function, csv_of(3))
    start_import(import_job=job)
    start_import(import_job=job)
    with pytest.raises(Conflict):
        discard_import(import_job=job)
    layout = layout_of(job)
    with pytest.raises(Conflict):
        choose_layout(import_job=job, choice=LayoutChoice("utf-8", layout.dialect, True, {Role.CONTENT: "id"}))


def test_the_columns_chosen_are_the_ones_read(text_function: Function) -> None:
    job = uploaded(text_function, b"a,b,c\nfirst text,second text,X\nmore text,another text,Y\nlast,end,X\n")
    layout = layout_of(job)
    roles = {Role.CONTENT: "b", Role.LABEL: "", Role.EXTERNAL_ID: "", Role.ORIGINAL_NAME: "a"}
    choice = LayoutChoice("utf-8", layout.dialect, layout.has_header, roles, label_for_all="Refund")
    assert choose_layout(import_job=job, choice=choice)
    run_to_end(start_import(import_job=job))
    sample = text_function.samples.get(text="second text")
    assert (sample.original_name, sample.label.name) == ("first text", "Refund")


def test_a_column_used_twice_or_unknown_is_refused(text_function: Function) -> None:
    job = uploaded(text_function, csv_of(3))
    layout = layout_of(job)
    for roles in ({Role.CONTENT: "text", Role.LABEL: "text"}, {Role.CONTENT: "nothing like it"}):
        with pytest.raises(InvalidInput):
            choose_layout(import_job=job, choice=LayoutChoice("utf-8", layout.dialect, layout.has_header, roles))
    no_text = LayoutChoice("utf-8", layout.dialect, layout.has_header, {Role.LABEL: "label"})
    choose_layout(import_job=job, choice=no_text)
    with pytest.raises(InvalidInput, match="Choose the column"):
        start_import(import_job=job)


def test_the_byte_cap_holds(text_function: Function, settings: pytest.FixtureRequest) -> None:
    settings.UPLOAD_MAX_BYTES = 100
    with pytest.raises(TooLarge):
        uploaded(text_function, csv_of(50))


# Zips


def zipped(**options: Any) -> bytes:
    return zip_of(
        {
            "animals/cat/1.jpg": picture(1),
            "animals/cat/2.jpg": picture(2),
            "animals/dog/3.png": picture(3, kind="PNG"),
            "animals/unlabeled/4.jpg": picture(4),
            "animals/readme.txt": b"not a picture",
            "__MACOSX/animals/cat/._1.jpg": b"junk",
            "animals/cat/.DS_Store": b"junk",
        },
        **options,
    )


def test_folders_of_a_zip_are_labels(image_function: Function) -> None:
    job = brought(image_function, zipped(), "animals.zip")
    assert (job.format, job.n_read, job.n_added, job.n_labelled, job.n_failed) == (ImportFormat.ZIP, 5, 4, 3, 1)
    assert dict(image_function.samples.values_list("original_name", "label__name")) == {
        "animals/cat/1.jpg": "cat",
        "animals/cat/2.jpg": "cat",
        "animals/dog/3.png": "dog",
        "animals/unlabeled/4.jpg": None,
    }
    assert job.problems.get().name == "animals/readme.txt"


def test_a_zip_of_one_folder_is_not_taken_for_a_label_unless_it_is_one(image_function: Function) -> None:
    one = uploaded(image_function, zip_of({"photos/1.jpg": picture(1)}), "photos.zip")
    assert one.options["use_folders"] is False
    known = uploaded(image_function, zip_of({"Cat/1.jpg": picture(1)}), "cat.zip")
    assert known.options["use_folders"] is True
    choose_folders(import_job=known, use_folders=False, label_for_all="Dog")
    run_to_end(start_import(import_job=known))
    assert image_function.samples.get().label.name == "Dog"


def test_a_zip_of_text_files_feeds_a_text_function(text_function: Function) -> None:
    members = {"A/1.txt": "Grüße".encode(), "B/2.txt": "Grüße anders".encode("cp1252"), "B/3.txt": b"\0\1\2"}
    job = brought(text_function, zip_of(members), "texts.zip")
    assert (job.n_added, job.n_failed) == (2, 1)
    assert dict(text_function.samples.values_list("text", "label__name")) == {"Grüße": "A", "Grüße anders": "B"}


def test_a_killed_zip_import_goes_on_where_it_stopped(
    image_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_runs, "MEMBERS_PER_CHUNK", 2)
    job = start_import(import_job=uploaded(image_function, zipped(), "animals.zip"))
    take_in, n_calls = import_runs.take_in, 0

    def die_once(**kwargs: Any) -> object:
        nonlocal n_calls
        n_calls += 1
        if n_calls == 2:
            raise KeyboardInterrupt
        return take_in(**kwargs)

    monkeypatch.setattr(import_runs, "take_in", die_once)
    with pytest.raises(KeyboardInterrupt):
        run_to_end(job)
    job = run_to_end(job)
    assert (job.n_read, job.n_added, job.n_failed) == (5, 4, 1)
    n_files = sum(path.is_file() for path in Path(default_storage.path("")).rglob("*.jpg"))
    assert n_files == 8


def hostile_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("../up.jpg", "/etc/passwd", "a/../../up2.jpg", "C:/windows/x.jpg", "..\\back.jpg"):
            archive.writestr(name, picture(1))
        link = zipfile.ZipInfo("link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        device = zipfile.ZipInfo("device.jpg")
        device.external_attr = (stat.S_IFCHR | 0o600) << 16
        archive.writestr(device, b"")
        archive.writestr("nested.zip", zip_of({"x.jpg": picture(2)}))
        archive.writestr("n" * 60_000 + ".jpg", picture(3))
        archive.writestr("fine.jpg", picture(4))
        archive.writestr("FINE.jpg", picture(5))
    return out.getvalue()


def test_hostile_members_are_refused_one_by_one_and_nothing_is_written_by_name(
    image_function: Function, media: Path
) -> None:
    outside = {path for path in media.parent.rglob("*") if media not in path.parents and path != media}
    job = brought(image_function, hostile_zip(), "hostile.zip")
    assert (job.n_read, job.n_added, job.n_failed) == (11, 3, 8)
    assert all("leads out" in problems_of(job)[row] for row in range(1, 6))
    assert "link or device" in problems_of(job)[6]
    assert "link or device" in problems_of(job)[7]
    assert "zip file" in problems_of(job)[8]
    assert {path for path in media.parent.rglob("*") if media not in path.parents and path != media} == outside
    folder = media / image_function.workspace.public_id / image_function.public_id
    assert all(folder in path.parents for path in media.rglob("*") if path.is_file())


def test_bombs_are_refused_while_reading(image_function: Function, settings: pytest.FixtureRequest) -> None:
    settings.IMAGE_MAX_BYTES = 20 * 1024 * 1024
    bomb = zip_of(
        {"zeros.jpg": bytes(15 * 1024 * 1024), "huge.jpg": os.urandom(1024) * 25 * 1024, "fine.jpg": picture(1)},
        compression=zipfile.ZIP_DEFLATED,
    )
    job = brought(image_function, bomb, "bomb.zip")
    assert (job.n_added, job.n_failed) == (1, 2)
    assert "times its size" in problems_of(job)[1]


def test_a_member_that_lies_about_its_size_is_still_capped(
    image_function: Function, settings: pytest.FixtureRequest
) -> None:
    settings.IMAGE_MAX_BYTES = 1000
    content = bytearray(zip_of({"liar.jpg": bytes(5000), "fine.jpg": b"x"}))
    for at in (content.index(b"PK\x03\x04") + 22, content.index(b"PK\x01\x02") + 24):
        content[at : at + 4] = (10).to_bytes(4, "little")
    job = brought(image_function, bytes(content), "liar.zip")
    assert job.n_added == 0
    assert job.n_failed == 2


def test_the_total_of_a_zip_is_capped(image_function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_runs, "UNPACKED_MAX_BYTES", 2_000)
    monkeypatch.setattr(import_runs, "MEMBERS_PER_CHUNK", 1)
    members = {f"{n}.jpg": picture(n) for n in range(10)}
    job = brought(image_function, zip_of(members), "many.zip")
    assert job.state == ImportState.FAILED
    assert "unpacks to more than" in job.message
    assert 0 < job.n_added < 10


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 cut off", "damaged"),
        (b"PK\x05\x06" + bytes(18), "no files"),
        (zip_of({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}), "damaged"),
        (zip_of({"__MACOSX/x": b"1"}), "no files"),
    ],
)
def test_zips_of_no_use_are_refused_at_once(image_function: Function, content: bytes, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        uploaded(image_function, content, "file.zip")


def test_a_zip_with_too_many_entries_is_refused_before_they_are_listed(
    image_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = zip_of({f"{n}.jpg": b"" for n in range(200)})
    monkeypatch.setattr(archives, "MEMBERS_MAX", 100)
    with pytest.raises(InvalidInput, match="more than 100 files"):
        uploaded(image_function, content, "file.zip")
    monkeypatch.setattr(archives, "DIRECTORY_MAX_BYTES", 1_000)
    monkeypatch.setattr(archives, "ZipFile", None)
    with pytest.raises(InvalidInput, match="too many files"):
        uploaded(image_function, content, "file.zip")


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_unusual_packing_is_refused(image_function: Function, method: int) -> None:
    job = brought(image_function, zip_of({"1.jpg": picture(1)}, compression=method), "file.zip")
    assert "unusual" in problems_of(job)[1]


def test_a_list_of_labels_labels_the_pictures_that_are_here(image_function: Function) -> None:
    brought(image_function, zip_of({"1.jpg": picture(1), "2.jpg": picture(2)}), "file.zip")
    job = brought(image_function, b"filename,label\n1.jpg,Cat\n2.jpg,Dog\n3.jpg,Dog\n", "labels.csv")
    assert (job.n_added, job.n_labelled, problems_of(job)) == (0, 2, {4: "There is no such picture here."})
    assert image_function.samples.get(original_name="2.jpg").label.name == "Dog"
