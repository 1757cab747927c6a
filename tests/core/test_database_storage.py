"""Files in the database are read as they were saved, by anybody, a part at a time."""

import io
import zipfile
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import InMemoryUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.core.database_storage import DatabaseStorage, NotAsSaved, clear_unfinished_files
from apps.core.models import PART_BYTES, StoredFile, StoredFolder, StoredPart

pytestmark = pytest.mark.django_db
LARGE = bytes(range(256)) * (5 * PART_BYTES // 512) + b"the end"


@pytest.fixture
def storage() -> DatabaseStorage:
    return DatabaseStorage(root="media")


def test_a_file_is_read_as_it_was_saved(storage: DatabaseStorage) -> None:
    assert storage.save("shop/cats/one.jpg", ContentFile(b"miaow")) == "shop/cats/one.jpg"
    assert storage.exists("shop/cats/one.jpg")
    assert storage.size("shop/cats/one.jpg") == 5
    with storage.open("shop/cats/one.jpg") as file:
        assert file.read() == b"miaow"


def test_an_empty_file_is_a_file(storage: DatabaseStorage) -> None:
    storage.save("empty", ContentFile(b""))
    with storage.open("empty") as file:
        assert (file.read(), file.size) == (b"", 0)


def test_a_large_file_is_cut_into_parts_and_read_from_any_place(storage: DatabaseStorage) -> None:
    storage.save("large", ContentFile(LARGE))
    assert [len(part.content) for part in StoredPart.objects.order_by("number")] == [PART_BYTES] * 2 + [
        PART_BYTES // 2 + 7
    ]
    with storage.open("large") as file:
        assert file.size == len(LARGE)
        file.seek(PART_BYTES - 3)
        assert file.read(6) == LARGE[PART_BYTES - 3 : PART_BYTES + 3]
        file.seek(-7, io.SEEK_END)
        assert file.read() == b"the end"
        file.seek(0)
        assert file.read() == LARGE


def test_reading_a_piece_reads_the_part_it_lies_in_and_no_other(storage: DatabaseStorage) -> None:
    storage.save("large", ContentFile(LARGE))
    with storage.open("large") as file, CaptureQueriesContext(connection) as queries:
        file.seek(PART_BYTES + 10)
        file.read(100)
    assert len(queries) == 1


def test_an_archive_is_read_without_leaving_the_database(storage: DatabaseStorage) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("one.txt", b"1" * 3_000_000)
        archive.writestr("two.txt", b"two")
    storage.save("both.zip", ContentFile(packed.getvalue()))
    with storage.open("both.zip") as file, zipfile.ZipFile(file) as archive:
        assert archive.read("two.txt") == b"two"
        assert len(archive.read("one.txt")) == 3_000_000


def test_uploads_come_in_pieces_of_any_length(storage: DatabaseStorage) -> None:
    upload = InMemoryUploadedFile(io.BytesIO(LARGE), "file", "x", "application/octet-stream", len(LARGE), None)
    storage.save("uploaded", upload)
    with storage.open("uploaded") as file:
        assert file.read() == LARGE


def test_lines_are_read_as_from_a_file(storage: DatabaseStorage) -> None:
    storage.save("rows.csv", ContentFile(b"text,label\nhello,Refund\n"))
    with storage.open("rows.csv") as file:
        assert list(io.TextIOWrapper(file, encoding="utf-8")) == ["text,label\n", "hello,Refund\n"]


def test_a_name_that_is_taken_gives_another_one(storage: DatabaseStorage) -> None:
    first, second = (storage.save("a/x.txt", ContentFile(text)) for text in (b"1", b"2"))
    assert first != second
    with storage.open(first) as one, storage.open(second) as two:
        assert (one.read(), two.read()) == (b"1", b"2")


def test_folders_are_listed_and_go_once_they_are_empty(storage: DatabaseStorage) -> None:
    for name in ("shop/cats/one.jpg", "shop/cats/two.jpg", "shop/rows.csv"):
        storage.save(name, ContentFile(b"x"))
    assert storage.listdir("") == (["shop"], [])
    assert storage.listdir("shop") == (["cats"], ["rows.csv"])
    assert storage.listdir("shop/cats") == ([], ["one.jpg", "two.jpg"])
    assert storage.exists("shop/cats")
    with pytest.raises(OSError, match="not empty"):
        storage.delete("shop/cats")
    for name in ("shop/cats/one.jpg", "shop/cats/two.jpg", "shop/cats"):
        storage.delete(name)
    assert not storage.exists("shop/cats")
    assert storage.listdir("shop") == ([], ["rows.csv"])
    assert not StoredPart.objects.filter(file__name__contains="cats").exists()


def test_what_is_not_there_is_missed_when_read_and_not_when_deleted(storage: DatabaseStorage) -> None:
    storage.delete("nothing/here")
    assert storage.listdir("nothing") == ([], [])
    with pytest.raises(FileNotFoundError):
        storage.open("nothing/here")


def test_two_storages_never_see_each_others_files(storage: DatabaseStorage) -> None:
    other = DatabaseStorage(root="models")
    storage.save("x", ContentFile(b"1"))
    assert not other.exists("x")
    assert other.listdir("") == ([], [])


@pytest.mark.parametrize("name", ["../models/x", "/etc/passwd", "a/../../x"])
def test_a_path_out_of_the_storage_is_refused(storage: DatabaseStorage, name: str) -> None:
    with pytest.raises(Exception, match="path"):
        storage.save(name, ContentFile(b"x"))
    assert not StoredFile.objects.exists()


def test_a_damaged_file_is_noticed_when_read_to_its_end(storage: DatabaseStorage) -> None:
    storage.save("large", ContentFile(LARGE))
    StoredPart.objects.filter(number=1).update(content=b"\0" * PART_BYTES)
    with storage.open("large") as file, pytest.raises(NotAsSaved):
        file.read()


def test_a_file_that_is_still_being_written_is_not_read_and_cleared_away_in_the_end(storage: DatabaseStorage) -> None:
    folder = StoredFolder.objects.create(path="media")
    row = StoredFile.objects.create(name="media/half", folder=folder)
    StoredPart.objects.create(file=row, number=0, content=b"half")
    with pytest.raises(FileNotFoundError):
        storage.open("half")
    clear_unfinished_files()
    assert StoredFile.objects.count() == 1
    StoredFile.objects.update(created_at=timezone.now() - timedelta(days=2))
    clear_unfinished_files()
    assert StoredPart.objects.count() == 0


def test_a_name_taken_at_the_same_moment_gives_another_one(
    storage: DatabaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.save("shop/one", ContentFile(b"1"))
    taken = iter([True])
    write = storage._write

    def collide(name: str, file: object) -> None:
        if next(taken, False):
            write("shop/two", ContentFile(b"somebody else's"))
        write(name, file)  # type: ignore[arg-type]  # whatever is given is passed on

    monkeypatch.setattr(storage, "_write", collide)
    name = storage.save("shop/two", ContentFile(b"mine"))
    with storage.open(name) as file:
        assert file.read() == b"mine"
