"""Multipart forms of calls, read in memory: the body was capped while it came in, so nothing can grow."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from apps.core.errors import InvalidInput

Files = Mapping[str, list[bytes]]


def read_form(body: bytes, content_type: str, advice: str) -> tuple[dict[str, str], dict[str, list[bytes]]]:
    """Read a form into fields (last one wins, names without case) and files. Raises InvalidInput."""
    meta = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body))}
    try:
        fields, files = MultiPartParser(meta, BytesIO(body), [_KeepInMemory()], "utf-8").parse()
    except (MultiPartParserError, SuspiciousOperation) as error:
        raise InvalidInput(f"The multipart form cannot be read. {advice}") from error
    contents: dict[str, list[bytes]] = {}
    for name, group in files.lists():
        of_name = [file.read() for file in group if isinstance(file, SimpleUploadedFile)]
        contents.setdefault(name.lower(), []).extend(of_name)
    return {str(name).lower(): str(fields[name]) for name in fields}, contents


def chosen_file(files: Files) -> bytes:
    """Return the file named `data`, or the only one, whatever its name. Raises InvalidInput."""
    if len(files.get("data", [])) == 1:
        return files["data"][0]
    every = [content for contents in files.values() for content in contents]
    if len(every) != 1:
        raise InvalidInput("The form holds several files. Name the picture's part data.")
    return every[0]


class _KeepInMemory(FileUploadHandler):
    """Keeps a part's bytes."""

    def new_file(self, *args: object, **options: object) -> None:
        super().new_file(*args, **options)  # type: ignore[arg-type]  # passed through as they came
        self._chunks: list[bytes] = []

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._chunks.append(raw_data)

    def file_complete(self, file_size: int) -> SimpleUploadedFile:
        return SimpleUploadedFile("data", b"".join(self._chunks))
