"""Where pulled files come from: a hub, through its own library, or a folder on this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from apps.engine.backbones.hub_files import taken
from apps.engine.errors import PullRefused

SECONDS = 30.0


@dataclass(frozen=True)
class Listing:
    """What a source has: the commit, the size of each file, and the checksums it announces."""

    revision: str
    sizes: Mapping[str, int]
    sha256: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """Where files come from."""

    label: str

    def look(self) -> Listing:
        """Return what is there. Raises `PullRefused`."""
        ...

    def fetch(self, listing: Listing, names: tuple[str, ...], into: Path) -> None:
        """Bring these files into a folder. Raises `PullRefused`."""
        ...


class FolderSource:
    """A folder somebody carried here. Only its own plain files count; links are not followed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.label = folder.name or "the folder"

    def look(self) -> Listing:
        """Return its files two levels deep, which is where models have theirs. Raises `PullRefused`."""
        if not self.folder.is_dir():
            raise PullRefused(f"There is no folder {self.folder}.")
        sizes: dict[str, int] = {}
        for name, entry in _entries(self.folder):
            if entry.is_symlink() and (taken([name]) or entry.is_dir()):
                raise PullRefused(
                    f"{name} in {self.folder} is a link, which is not followed. Copy the files themselves: "
                    f"`cp -rL {self.folder} COPY`, then pull COPY."
                )
            if entry.is_file(follow_symlinks=False):
                sizes[name] = entry.stat(follow_symlinks=False).st_size
        return Listing("", sizes)

    def fetch(self, listing: Listing, names: tuple[str, ...], into: Path) -> None:
        """Copy the files. Raises `PullRefused`."""
        for name in names:
            target = into / name
            target.parent.mkdir(exist_ok=True)
            try:
                # Not through a link that took the file's place since it was looked at.
                descriptor = os.open(self.folder / name, os.O_RDONLY | os.O_NOFOLLOW)
                with os.fdopen(descriptor, "rb") as source, target.open("xb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
            except OSError as error:
                raise PullRefused(f"{name} in {self.folder} cannot be copied: {error.strerror}.") from error


class HubSource:
    """A repository of a hub, through huggingface_hub: the one place that uses the network.

    `endpoint` is another hub's address, by default the library's own (`HF_ENDPOINT`).
    """

    def __init__(self, repository: str, revision: str = "", *, endpoint: str | None = None) -> None:
        self.repository, self.revision, self.endpoint = repository, revision, endpoint
        self.label = repository

    def look(self) -> Listing:
        """Return the commit and its files. Raises `PullRefused`."""
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        from huggingface_hub import HfApi

        try:
            api = HfApi(endpoint=self.endpoint)
            info = api.model_info(self.repository, revision=self.revision or None, files_metadata=True, timeout=SECONDS)
        except _errors() as error:
            raise PullRefused(self._why(error)) from error
        files = info.siblings or []
        if not info.sha or any(file.size is None for file in files):
            raise PullRefused(f"The hub does not say which commit of {self.repository} it has, or how large it is.")
        sizes = {file.rfilename: file.size or 0 for file in files}
        return Listing(info.sha, sizes, {file.rfilename: file.lfs.sha256 for file in files if file.lfs})

    def fetch(self, listing: Listing, names: tuple[str, ...], into: Path) -> None:
        """Download the files of that commit. Raises `PullRefused`."""
        from huggingface_hub import snapshot_download

        try:
            snapshot_download(
                self.repository,
                revision=listing.revision,
                local_dir=into,
                allow_patterns=list(names),
                endpoint=self.endpoint,
                max_workers=2,
            )
        except _errors() as error:
            raise PullRefused(self._why(error)) from error
        shutil.rmtree(into / ".cache", ignore_errors=True)  # its notes on what it fetched

    def _why(self, error: Exception) -> str:
        from huggingface_hub.errors import GatedRepoError, OfflineModeIsEnabled, RepositoryNotFoundError
        from huggingface_hub.errors import RevisionNotFoundError as NoRevision

        by_folder = "Where no hub can be reached, bring a folder: `manage.py backbones pull ./FOLDER --name NAME`."
        if isinstance(error, OfflineModeIsEnabled):
            return f"HF_HUB_OFFLINE is set, so the hub is not asked. {by_folder}"
        if isinstance(error, GatedRepoError):
            return f"{self.repository} asks for consent on its page first; then set HF_TOKEN to a token of yours."
        if isinstance(error, NoRevision):
            return f"{self.repository} has no revision {self.revision or 'main'}."
        if isinstance(error, RepositoryNotFoundError):
            return f"The hub knows no {self.repository}, or not without HF_TOKEN."
        first_line = str(error).strip().partition("\n")[0][:200]
        return f"The hub did not hand out {self.repository}: {first_line or type(error).__name__}. {by_folder}"


def _errors() -> tuple[type[Exception], ...]:
    """Return what the hub's library raises: its own errors, and those of the HTTP library it is built on."""
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # there, but not announced

    return (HTTPError, OSError, ValueError)


def _entries(folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield what is in a folder and in its own folders, with its path from there."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        yield entry.name, entry
        if entry.is_dir(follow_symlinks=False):
            for inner in sorted(os.scandir(entry), key=lambda inner: inner.name):
                yield f"{entry.name}/{inner.name}", inner
