"""Arrays on disk: one safetensors file beside a function's models, named by its checksum and mapped into memory.

Written whole under another name and renamed: whoever has an older one open goes on reading that.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from django.conf import settings

from apps.engine.errors import ArtifactCorrupt
from apps.functions.models import Function
from apps.training.services import files

Arrays = Mapping[str, npt.NDArray[np.generic]]
TYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8", "I64": "<i8", "U16": "<u2", "U8": "u1"}
_READ_AT_ONCE = 1024 * 1024


@dataclass(frozen=True)
class FileKind:
    """What a file is of, which its name begins with, and the version of what is in it."""

    name: str
    format: str

    def path(self, folder: Path, sha256: str) -> Path:
        return folder / f"{self.name}-{sha256[:32]}.safetensors"


def folder_of(function: Function) -> Path:
    return Path(settings.ARTIFACTS_DIR) / function.public_id


def write_arrays(kind: FileKind, folder: Path, arrays: Arrays, facts: Mapping[str, str]) -> str:
    """Write a file that `open_arrays` reads, all or nothing; returns its checksum."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{kind.name}-", dir=folder)
    os.close(descriptor)
    try:
        safetensors.numpy.save_file(dict(arrays), temporary, metadata={"format": kind.format, **facts})
        with Path(temporary).open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        Path(temporary).replace(kind.path(folder, sha256))
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    files.keep(kind.path(folder, sha256))
    return sha256


def open_arrays(kind: FileKind, folder: Path, sha256: str) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Map a file into memory, once its checksum is right: its arrays and facts. Raises `ArtifactCorrupt`."""
    path = kind.path(folder, sha256)
    try:
        whole: npt.NDArray[np.uint8] = np.memmap(files.fetch(path), dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:
        raise ArtifactCorrupt(f"{path} cannot be read: {error}") from error
    if hashlib.sha256(whole.data).hexdigest() != sha256:
        raise ArtifactCorrupt(f"{path} is not the file that was saved.")
    arrays, facts = _mapped(whole)
    if facts.get("format") != kind.format:
        raise ArtifactCorrupt(f"{path} was written by another version.")
    return arrays, facts


def drop_others(kind: FileKind, folder: Path, sha256: str) -> None:
    """Remove what came before a file, and what a process left behind that died while it wrote one."""
    kept = [folder / name for name in files.listing(folder)[1] if name.startswith(f"{kind.name}-")]
    for path in {*_here(kind, folder), *folder.glob(f".{kind.name}-*"), *kept} - {kind.path(folder, sha256)}:
        files.drop(path)


def forget_others_here(kind: FileKind, folder: Path, sha256: str) -> None:
    """Remove this machine's copies of what came before a file that another machine made."""
    for path in set(_here(kind, folder)) - {kind.path(folder, sha256)}:
        files.forget_here(path)


def _here(kind: FileKind, folder: Path) -> list[Path]:
    return list(folder.glob(f"{kind.name}-*.safetensors"))


def _mapped(whole: npt.NDArray[np.uint8]) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Return views of a safetensors file's arrays: its own reader copies them."""
    n_header = int(whole[:8].view("<u8")[0])
    header = json.loads(whole[8 : 8 + n_header].tobytes())
    facts = header.pop("__metadata__", {})
    arrays = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        data = whole[8 + n_header + start : 8 + n_header + end]
        arrays[name] = data.view(TYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays, facts
