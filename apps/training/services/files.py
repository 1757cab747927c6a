"""Models, surveys and other results: files below `ARTIFACTS_DIR`, wherever the machine that asks stands.

With `HUNDREDFOLD_FILES=folder` that directory is the one place there is, shared by all machines, and nothing here does
anything. Else it is this machine's copy of what the storage `artifacts` has: who writes a file `keep`s it before the
row that names it is committed, who reads one `fetch`es it first, who removes one `drop`s it. A file is never changed
under its name. Paths are of files or of folders, those below them included.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import Storage, storages
from django.utils import timezone


def are_apart() -> bool:
    """Whether machines have directories of their own, and files travel between them."""
    return settings.FILES != "folder"


def keep(path: Path) -> None:
    """Let every machine have a file, or a folder with all that is in it, as it is here now."""
    if not are_apart():
        return
    store = _store()
    for file_path in _files_below(path):
        name = _name(file_path)
        store.delete(name)
        with file_path.open("rb") as file:
            store.save(name, File(file))


def fetch(path: Path) -> Path:
    """See to it that a file, or all of a folder, is on this machine if it is anywhere; return the same path.

    Raises `NotAsSaved` where what was kept has been damaged, other `OSError`s where this machine's disk fails.
    """
    if are_apart() and not path.is_file():
        store = _store()
        for name in _names_below(store, _name(path)):
            _fetch_file(store, name)
    return path


def drop(path: Path) -> None:
    """Remove a file or folder here and for all machines; one already gone is no error."""
    forget_here(path)
    if are_apart():
        _delete(_store(), _name(path))


def forget_here(path: Path) -> None:
    """Remove this machine's copy alone. With one directory for all there is no copy: the thing itself is removed."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def listing(path: Path) -> tuple[list[str], list[str]]:
    """Return the names of the folders and of the files kept in a folder; of none where machines share a directory."""
    return _store().listdir(_name(path)) if are_apart() else ([], [])


def is_older(path: Path, seconds: float) -> bool:
    """Whether everything in a shared folder was kept longer ago: somebody may be about to name it in a row."""
    store = _store()
    oldest_allowed = timezone.now() - timedelta(seconds=seconds)
    return all(store.get_created_time(name) < oldest_allowed for name in _names_below(store, _name(path)))


def _store() -> Storage:
    return storages["artifacts"]


def _name(path: Path) -> str:
    name = path.relative_to(settings.ARTIFACTS_DIR).as_posix()
    return "" if name == "." else name


def _files_below(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    else:
        yield from sorted(each for each in path.rglob("*") if each.is_file())


def _names_below(store: Storage, name: str) -> Iterator[str]:
    folders, files = store.listdir(name)
    if not folders and not files and store.exists(name):
        yield name
    for file in files:
        yield f"{name}/{file}"
    for folder in folders:
        yield from _names_below(store, f"{name}/{folder}")


def _fetch_file(store: Storage, name: str) -> None:
    """All or nothing: whoever finds the file here finds all of it."""
    path = Path(settings.ARTIFACTS_DIR) / name
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".fetched-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as target, store.open(name) as source:
            shutil.copyfileobj(source, target)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _delete(store: Storage, name: str) -> None:
    folders, files = store.listdir(name)
    for folder in folders:
        _delete(store, f"{name}/{folder}")
    for file in files:
        store.delete(f"{name}/{file}")
    store.delete(name)
