"""A Django storage whose files lie in the database: what one machine writes, every other reads, with no disk between.

Read and written a part at a time, so that a file takes no more memory than one part of it. Folders are as on a disk:
made by saving into them, listed, and deleted once they are empty.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import IO, TYPE_CHECKING

from django.core.files.base import File
from django.core.files.storage import Storage
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.deconstruct import deconstructible

from apps.core.models import PART_BYTES, StoredFile, StoredFolder, StoredPart

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

N_TRIES = 5
UNFINISHED_DAYS = 1


class NotAsSaved(OSError):
    """A stored file whose bytes are not those that were saved."""


@deconstructible
class DatabaseStorage(Storage):
    """Files below one folder, `root`, of the database."""

    def __init__(self, root: str) -> None:
        self.root = root

    def path_of(self, name: str) -> str:
        """Return the name under which the database knows a file or folder of this storage."""
        return "/".join([self.root, *(part for part in name.replace("\\", "/").split("/") if part)])

    def exists(self, name: str) -> bool:
        path = self.path_of(name)
        return StoredFile.objects.filter(name=path).exists() or StoredFolder.objects.filter(path=path).exists()

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Return the names of folders and of files in a folder; of none where it is not there."""
        whole = self.path_of(path)
        folders = StoredFolder.objects.filter(parent__path=whole).order_by("path").values_list("path", flat=True)
        files = StoredFile.objects.filter(folder__path=whole).order_by("name").values_list("name", flat=True)
        return [_last(each) for each in folders], [_last(each) for each in files]

    def delete(self, name: str) -> None:
        """Delete a file, or a folder that is empty; what is not there is no error."""
        path = self.path_of(name)
        if StoredFile.objects.filter(name=path).delete()[0]:
            return
        try:
            with transaction.atomic():
                StoredFolder.objects.filter(path=path).delete()
        except IntegrityError as error:  # ProtectedError is one
            raise OSError(f"The folder {name} is not empty.") from error

    def size(self, name: str) -> int:
        return self._row(name).size_bytes

    def get_created_time(self, name: str) -> datetime:
        return self._row(name).created_at

    def get_modified_time(self, name: str) -> datetime:
        return self._row(name).created_at

    def _row(self, name: str) -> StoredFile:
        row = StoredFile.objects.filter(name=self.path_of(name), is_whole=True).first()
        if row is None:
            raise FileNotFoundError(f"There is no stored file {name}.")
        return row

    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        if mode != "rb":
            raise ValueError("Stored files are read as bytes; to change one, save another.")
        return File(io.BufferedReader(_Parts(self._row(name))), name=name)

    def _save(self, name: str, content: File[bytes] | IO[bytes]) -> str:
        file = content if isinstance(content, File) else File(content)
        for attempt in range(N_TRIES):
            try:
                with _one_transaction(file):
                    self._write(name, file)
            except IntegrityError:
                # Somebody took the name, or deleted the folder, at the same moment.
                if attempt == N_TRIES - 1:
                    raise
                name = self.get_available_name(name)
            else:
                break
        return name

    def _write(self, name: str, file: File[bytes]) -> None:
        path = self.path_of(name)
        with transaction.atomic():
            row = StoredFile.objects.create(name=path, folder=_made_folder(path.rpartition("/")[0]))
        digest, size_bytes = hashlib.sha256(), 0
        for number, part in enumerate(_parts_of(file)):
            StoredPart.objects.create(file=row, number=number, content=part)
            digest.update(part)
            size_bytes += len(part)
        row.sha256, row.size_bytes, row.is_whole = digest.hexdigest(), size_bytes, True
        row.save(update_fields=["sha256", "size_bytes", "is_whole"])


def clear_unfinished_files() -> None:
    """Delete what a process left behind that died while it wrote."""
    long_ago = timezone.now() - timedelta(days=UNFINISHED_DAYS)
    StoredFile.objects.filter(is_whole=False, created_at__lt=long_ago).delete()


def _one_transaction(file: File[bytes]) -> AbstractContextManager[object]:
    """A large file is written in many transactions: one would hold everybody else up on SQLite."""
    return transaction.atomic() if file.size <= PART_BYTES else nullcontext()


def _made_folder(path: str) -> StoredFolder:
    found = StoredFolder.objects.filter(path=path).first()
    if found is not None:
        return found
    above = path.rpartition("/")[0]
    parent = _made_folder(above) if above else None
    return StoredFolder.objects.get_or_create(path=path, defaults={"parent": parent})[0]


def _parts_of(file: File[bytes]) -> Iterator[bytes]:
    """Cut what is read into parts of exactly `PART_BYTES`: uploads come in pieces of any length."""
    waiting = bytearray()
    for piece in file.chunks(PART_BYTES):
        waiting += piece
        while len(waiting) >= PART_BYTES:
            yield bytes(waiting[:PART_BYTES])
            del waiting[:PART_BYTES]
    if waiting:
        yield bytes(waiting)


def _last(path: str) -> str:
    return path.rpartition("/")[2]


class _Parts(io.RawIOBase):
    """A stored file as a stream that can be read from any place; one part of it is in memory.

    Read from beginning to end it must be what was saved, else `NotAsSaved`.
    """

    def __init__(self, row: StoredFile) -> None:
        self._row = row
        self._position = 0
        self._number, self._part = -1, b""
        self._n_hashed, self._digest = 0, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._row.size_bytes}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        number, start = divmod(self._position, PART_BYTES)
        if not len(view) or self._position >= self._row.size_bytes:
            return 0
        piece = self._read_part(number)[start : start + len(view)]
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _read_part(self, number: int) -> bytes:
        if number != self._number:
            content = StoredPart.objects.filter(file=self._row, number=number).values_list("content", flat=True).first()
            if content is None:
                raise FileNotFoundError(f"The stored file {self._row.name} was deleted while it was read.")
            self._number, self._part = number, bytes(content)
            self._check(number)
        return self._part

    def _check(self, number: int) -> None:
        if number == self._n_hashed:
            self._digest.update(self._part)
            self._n_hashed += 1
            n_parts = -(-self._row.size_bytes // PART_BYTES)
            if self._n_hashed == n_parts and self._digest.hexdigest() != self._row.sha256:
                raise NotAsSaved(f"The stored file {self._row.name} is not what was saved.")
