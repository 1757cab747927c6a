"""What sort of file somebody brought, told by its content; its name only breaks ties."""

from enum import StrEnum
from pathlib import PurePosixPath
from typing import IO


class FileKind(StrEnum):
    TABLE = "table"
    JSON_LINES = "json lines"
    JSON_ARRAY = "json array"
    ZIP = "zip"


class NotReadable(Exception):
    """The file is of no use here; the text says what to bring instead."""


_TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".psv"})
OLD_OFFICE = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_BLOCK_BYTES = 1024 * 1024
# First bytes of what people try, and what to do about it.
_REFUSED = (
    (b"%PDF", "This is a PDF. Copy its text into a CSV file, or paste it."),
    (OLD_OFFICE, "This is an old Office file. Open it and save it as CSV (UTF-8)."),
    (b"\x1f\x8b", "This is a gzip file. Unpack it first."),
    (b"7z\xbc\xaf", "This is a 7z archive. Pack the files into a zip instead."),
    (b"Rar!", "This is a RAR archive. Pack the files into a zip instead."),
    (b"PAR1", "This is a Parquet file. Save it as CSV or JSON lines."),
    (b"SQLite format 3", "This is a database. Save the table as CSV."),
    (b"\xff\xd8\xff", "This is a picture. Drop pictures one by one, in a folder or in a zip."),
    (b"\x89PNG", "This is a picture. Drop pictures one by one, in a folder or in a zip."),
    (b"GIF8", "This is a picture. Drop pictures one by one, in a folder or in a zip."),
    (b"{\\rtf", "This is an RTF document. Copy its text into a CSV file, or paste it."),
)


def kind_of(start: bytes, name: str) -> FileKind:
    """Tell the kind from the first kilobyte (decoded to UTF-8 where it was not). Raises NotReadable."""
    for magic, advice in _REFUSED:
        if start.startswith(magic):
            raise NotReadable(advice)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return FileKind.ZIP
    if not start.strip():
        raise NotReadable("The file is empty.")
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"{"):
        return FileKind.JSON_LINES
    if text.startswith(b"[") and not is_named_table(name):
        return FileKind.JSON_ARRAY
    if suffix_of(name) in {".jsonl", ".ndjson"}:
        return FileKind.JSON_LINES
    if start.count(b"\x00") > len(start) // 20:
        raise NotReadable("This does not look like text. Bring a CSV, TSV, JSON lines or zip file.")
    return FileKind.TABLE


def why_no_office_file(content: IO[bytes], name: str) -> str:
    """Say what to do about a file in the container that Office used before .xlsx, and uses to encrypt since."""
    content.seek(0)
    held = b""
    while block := content.read(_BLOCK_BYTES):
        if _ENCRYPTED in held + block:
            return "This file is protected by a password. Open it, take the password off, save it and bring it again."
        held = block[-len(_ENCRYPTED) :]
    if suffix_of(name) in {".doc", ".ppt", ".msg"}:
        return "This is an old Office file. Copy its text into a CSV file, or paste it."
    return "This is an old Excel file (.xls). Open it and save it as .xlsx or as CSV (UTF-8)."


def is_named_table(name: str) -> bool:
    return suffix_of(name) in _TABLE_SUFFIXES


def suffix_of(name: str) -> str:
    return PurePosixPath(name.casefold()).suffix
