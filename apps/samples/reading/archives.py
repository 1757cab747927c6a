"""Zips of files, a folder per label. Nothing is ever unpacked to disk by its name; members are read under caps."""

import stat
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

MEMBERS_MAX = 50_000
DIRECTORY_MAX_BYTES = 16 * 1024 * 1024
UNPACKED_MAX_BYTES = 4 * 1024**3
RATIO_MAX = 200
_RATIO_FROM_BYTES = 1024 * 1024
_BLOCK_BYTES = 256 * 1024

UNLABELLED_FOLDERS = frozenset({"unlabeled", "unlabelled"})
_JUNK_NAMES = frozenset({"thumbs.db", "desktop.ini"})
_END = b"PK\x05\x06"
_END_BYTES = 22
_COMMENT_MAX_BYTES = 65_535
_END64 = b"PK\x06\x06"
_LOCATOR64 = b"PK\x06\x07"


class UnreadableZip(Exception):
    """The archive as a whole cannot be used; the text says why."""


class BadMember(Exception):
    """One member cannot be used; the text says why."""


@dataclass(frozen=True)
class Member:
    """One file of an archive. `number` counts from 1 over what is not junk; `label` comes from its folder."""

    number: int
    name: str
    label: str
    info: ZipInfo


def open_zip(file: IO[bytes]) -> ZipFile:
    """Open an archive whose table of contents is small enough to hold. Raises UnreadableZip."""
    try:
        if _directory_bytes(file) > DIRECTORY_MAX_BYTES:
            raise UnreadableZip(f"The zip lists too many files: at most {MEMBERS_MAX:,} can come in at once.")
        archive = ZipFile(file)
    except (BadZipFile, OSError, ValueError, struct.error, NotImplementedError) as error:
        raise UnreadableZip("This zip is damaged or cut off: its table of contents cannot be read.") from error
    if len(archive.infolist()) > MEMBERS_MAX:
        raise UnreadableZip(f"The zip holds more than {MEMBERS_MAX:,} files. Split it into several.")
    return archive


def _directory_bytes(file: IO[bytes]) -> int:
    """How long the table of contents claims to be, read before `ZipFile` turns a million entries into objects."""
    size = file.seek(0, 2)
    tail_at = max(0, size - _END_BYTES - _COMMENT_MAX_BYTES)
    file.seek(tail_at)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        raise BadZipFile("no end record")
    (n_bytes,) = struct.unpack_from("<L", tail, at + 12)
    locator = tail_at + at - 20
    if locator >= 0:
        file.seek(locator)
        record = file.read(20)
        if record.startswith(_LOCATOR64):
            (end64_at,) = struct.unpack_from("<Q", record, 8)
            file.seek(min(end64_at, size))
            end64 = file.read(56)
            if end64.startswith(_END64) and len(end64) == 56:
                (n_bytes,) = struct.unpack_from("<Q", end64, 40)
    return int(n_bytes)


def members(archive: ZipFile, *, use_folders: bool) -> list[Member]:
    """List the files worth reading, in the archive's order."""
    found = [(_name(info), info) for info in archive.infolist() if not info.is_dir()]
    kept = [(name, info) for name, info in found if not is_junk(name)]
    labels = folder_labels([name for name, _info in kept]) if use_folders else {}
    return [Member(number, name, labels.get(name, ""), info) for number, (name, info) in enumerate(kept, start=1)]


def _name(info: ZipInfo) -> str:
    """The member's name with forward slashes. Archives of some systems hold UTF-8 without saying so."""
    name = info.filename
    if not info.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.filename
    return name.replace("\\", "/")


def is_junk(name: str) -> bool:
    """What operating systems leave in folders unasked."""
    folders, last = _parts(name)
    return "__MACOSX" in folders or (last.startswith(".") and last != "..") or last.casefold() in _JUNK_NAMES


def folder_labels(names: Sequence[str]) -> dict[str, str]:
    """Label each file by the folder it lies in, unless that folder holds further folders or is named `unlabeled`."""
    parents = {name: _parts(name)[0] for name in names}
    holders = {parent[:depth] for parent in set(parents.values()) for depth in range(len(parent))}
    return {
        name: parent[-1]
        for name, parent in parents.items()
        if parent and parent not in holders and parent[-1].casefold() not in UNLABELLED_FOLDERS
    }


def _parts(name: str) -> tuple[tuple[str, ...], str]:
    """The folders of a name and the name without them. Called for each of very many names, so without `pathlib`."""
    parts = tuple(part for part in name.split("/") if part not in {"", "."})
    return parts[:-1], parts[-1] if parts else ""


def label_counts(found: Iterable[Member]) -> dict[str, int]:
    """How many files each label gets, in order of appearance; "" counts those without one."""
    counts: dict[str, int] = {}
    for member in found:
        counts[member.label] = counts.get(member.label, 0) + 1
    return counts


def read_member(archive: ZipFile, member: Member, *, max_bytes: int) -> bytes:
    """Return a member's content. Counts while reading: what the archive says of sizes is only a claim.

    Raises BadMember.
    """
    info = member.info
    _check_member(member)
    content = bytearray()
    try:
        with archive.open(info) as stream:
            while block := stream.read(_BLOCK_BYTES):
                content += block
                if len(content) > max_bytes:
                    raise BadMember(f"The file is larger than {max_bytes / 1024**2:,.0f} MB.")
                if len(content) > max(_RATIO_FROM_BYTES, RATIO_MAX * info.compress_size):
                    raise BadMember(f"The file unpacks to more than {RATIO_MAX} times its size in the zip.")
    except (BadZipFile, zlib.error, EOFError, OSError, ValueError, struct.error) as error:
        raise BadMember("The file is damaged inside the zip.") from error
    except (NotImplementedError, RuntimeError) as error:
        raise BadMember("The file is packed in a way that cannot be read.") from error
    return bytes(content)


def _check_member(member: Member) -> None:
    info = member.info
    parts = member.name.split("/")
    if member.name.startswith("/") or ".." in parts or parts[0].endswith(":"):
        raise BadMember("Its name leads out of the zip.")
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        raise BadMember("It is a link or device, not a file.")
    if info.flag_bits & 0x1:
        raise BadMember("It is protected by a password.")
    # LZMA lets the archive choose how much memory unpacking takes; ordinary zips use these two.
    if info.compress_type not in {ZIP_STORED, ZIP_DEFLATED}:
        raise BadMember("It is packed in an unusual way. Make an ordinary zip.")
