"""Weights of the default backbones: files of two installed packages, used only if they are the ones measured."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from apps.engine.errors import BackboneUnavailable


def checked_file(package: str, path: str, *, sha256: str, install: str) -> Path:
    """Return the path of a package's file, without importing the package.

    Raises `BackboneUnavailable`, naming the package to `install`, if it is missing or not the file with this checksum.
    """
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise BackboneUnavailable(f"Weights are missing: install the package {install}.")
    file = Path(found.origin).parent / path
    try:
        with file.open("rb") as content:
            actual = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise BackboneUnavailable(f"{file} cannot be read: install the package {install} again.") from error
    if actual != sha256:
        raise BackboneUnavailable(f"{file} is not the file expected: install the package {install} again.")
    return file
