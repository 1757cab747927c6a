"""Backbones that were pulled from a hub, or brought in a folder: a folder each, with a manifest of what is in it.

    <folder>/<name>/manifest.json    where it came from, how it is read, the checksum of every file
    <folder>/<name>/files/           weights as safetensors, configurations, tokenizers; nothing else

A name stands for the same files for ever: another revision comes under another name. Nothing here touches a network.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path

from apps.engine.backbones import BackboneSpec
from apps.engine.errors import BackboneUnavailable
from apps.engine.types import ADAPTED, Modality

FORMAT = 1
READING = "1"
"""Grows whenever pulled backbones are read in another way, so that embeddings are never mixed."""
MANIFEST, FILES = "manifest.json", "files"
MAX_NAME, MAX_MANIFEST_BYTES = 32, 1_000_000
_NAME = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
RESERVED = {"minilm", "effnet-lite0", "pixels", "lexical", "rules", "names", "table"}
RESERVED_BEGINNINGS = (ADAPTED, "tiny-")
NAME_RULE = (
    f"A backbone's name is at most {MAX_NAME} small letters, digits, dots and hyphens, and not that of a built-in one."
)


class Library(StrEnum):
    """What reads the files."""

    TRANSFORMERS = "transformers"
    TIMM = "timm"


class Kind(StrEnum):
    """What a backbone reads."""

    TEXT = "text"
    PICTURES = "pictures"
    PAIR = "pair"  # pictures, and texts into the same space

    @property
    def modality(self) -> Modality:
        """What samples it is for."""
        return Modality.TEXT if self is Kind.TEXT else Modality.IMAGE


@dataclass(frozen=True)
class Reading:
    """How samples are given to a backbone, and what is taken from it.

    Parameters
    ----------
    pooling
        What of the last layer makes the embedding, side by side: "mean", "max", "cls" (the first token), "last" (the
        last token), "pooled" (what the model itself makes of it), "shared" (the space of a pair).
    prefix
        What every text begins with, as the model was taught.
    max_tokens
        Tokens read at once; longer texts are read in parts.
    size_px, mean, std
        Pictures: the side of the square, and what colours from 0 to 1 are brought to.
    name_frame
        What a label's name is put into in the place of {} before it is compared.
    temperature
        What likeness to labels' names is divided by; 0 for the usual.
    """

    pooling: tuple[str, ...] = ()
    prefix: str = ""
    max_tokens: int = 0
    size_px: int = 0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    name_frame: str = "{}"
    temperature: float = 0.0


@dataclass(frozen=True)
class FileFacts:
    """What a file must be."""

    sha256: str
    n_bytes: int


@dataclass(frozen=True)
class Manifest:
    """What is known of a pulled backbone. `revision` is the hub's commit, empty for one brought in a folder."""

    name: str
    source: str
    revision: str
    library: Library
    kind: Kind
    dim: int
    reading: Reading
    files: Mapping[str, FileFacts] = field(default_factory=dict)
    per_second: float = 0.0
    pulled_at: str = ""

    @property
    def version(self) -> str:
        """Changes with the revision, with any byte of any file, and with the way of reading."""
        files = {path: facts.sha256 for path, facts in sorted(self.files.items())}
        what = [READING, self.library, self.kind, self.dim, asdict(self.reading), files]
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        return f"{READING}-{self.revision[:8] or 'folder'}-{digest[:16]}"

    @property
    def spec(self) -> BackboneSpec:
        """What the rest of the engine knows of it."""
        return BackboneSpec(
            self.name,
            self.kind.modality,
            self.dim,
            self.version,
            is_pair=self.kind is Kind.PAIR,
            temperature=self.reading.temperature or None,
        )

    @property
    def n_bytes(self) -> int:
        """What its files take."""
        return sum(facts.n_bytes for facts in self.files.values())

    def to_json(self) -> dict[str, object]:
        """Return plain data that `json` can write; `from_json` reads it back."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def from_json(cls, data: object) -> Manifest:
        """Read what `to_json` wrote. Raises `ValueError` for anything else."""
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError("it was written by another version")
        try:
            reading = _typed_reading(data["reading"])
            files = {_plain_path(path): _file_facts(facts) for path, facts in data["files"].items()}
            return cls(
                name=checked_name(str(data["name"])),
                source=str(data["source"]),
                revision=str(data["revision"]),
                library=Library(data["library"]),
                kind=Kind(data["kind"]),
                dim=int(data["dim"]),
                reading=reading,
                files=files,
                per_second=float(data["per_second"]),
                pulled_at=str(data["pulled_at"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("something is missing in it") from error


def checked_name(name: str) -> str:
    """Return a name that may be a folder's and a backbone's. Raises `ValueError` with a sentence for any other."""
    is_taken = name in RESERVED or name.startswith(RESERVED_BEGINNINGS)
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME or is_taken:
        raise ValueError(NAME_RULE)
    return name


class Registry:
    """The pulled backbones of one machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> tuple[str, ...]:
        """Return the names of those that can be read, in their order."""
        return tuple(manifest.name for manifest in self)

    def __iter__(self) -> Iterator[Manifest]:
        try:
            folders = sorted(path.name for path in self.folder.iterdir())
        except OSError:  # nothing was pulled yet
            return
        for name in folders:
            if _NAME.fullmatch(name) and (found := self.find(name)):
                yield found

    def find(self, name: str) -> Manifest | None:
        """Return what is known of a backbone, None where it is not here or its manifest is not what was written."""
        try:
            return self.manifest(name)
        except BackboneUnavailable:
            return None

    def manifest(self, name: str) -> Manifest:
        """Return what is known of a backbone. Raises `BackboneUnavailable` with what to do."""
        try:
            path = self.folder_of(name) / MANIFEST
            if path.is_symlink() or path.parent.is_symlink():
                raise ValueError("it is a link")
            return _read_manifest(path, path.stat().st_mtime_ns, name)
        except OSError as error:
            raise BackboneUnavailable(f"The backbone {name} is not on this machine. {how_to_get(name)}") from error
        except ValueError as error:
            raise BackboneUnavailable(
                f"The manifest of the backbone {name} cannot be used: {error}. "
                f"Remove the folder {self.folder / name} if it is yours. {how_to_get(name)}"
            ) from error

    def folder_of(self, name: str) -> Path:
        """Return where a backbone lies, or would. Raises `ValueError` for what is not a name."""
        return self.folder / checked_name(name)

    def checked_files(self, manifest: Manifest) -> Path:
        """Return the folder of a backbone's files once each is, byte for byte, the one that was pulled.

        Reads all of them: a second for half a gigabyte. Raises `BackboneUnavailable`.
        """
        folder = self.folder_of(manifest.name) / FILES
        try:
            there = files_in(folder)
            for path, facts in manifest.files.items():
                if path not in there or facts_of(folder / path) != facts:
                    raise ValueError(f"{path} is missing or is not the file that was pulled")
            if extra := sorted(there - set(manifest.files)):
                raise ValueError(f"{extra[0]} was not pulled with it")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise BackboneUnavailable(
                f"The backbone {manifest.name} in {folder} is damaged: {reason}. Remove {folder.parent}. "
                f"{how_to_get(manifest.name, manifest)}"
            ) from error
        return folder


def how_to_get(name: str, manifest: Manifest | None = None) -> str:
    """Say what brings a backbone here, the very same one where it is known."""
    if manifest is None:
        return f"Get it with `manage.py backbones pull {name}`."
    if not manifest.revision:
        return f"Bring its folder again with `manage.py backbones pull FOLDER --name {name}`."
    return f"Get it with `manage.py backbones pull {manifest.source}@{manifest.revision} --name {name}`."


def files_in(folder: Path) -> set[str]:
    """Return the paths of all files below a folder. Raises `ValueError` for anything that is not a plain file."""
    found: set[str] = set()
    if folder.is_symlink():
        raise ValueError(f"{folder.name} is a link")
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            continue
        if not stat.S_ISREG(mode):
            raise ValueError(f"{path.relative_to(folder)} is a link or a device, not a file")
        found.add(path.relative_to(folder).as_posix())
    return found


def facts_of(path: Path) -> FileFacts:
    """Return checksum and size of a file, by reading it."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
        return FileFacts(digest, content.tell())


_read: dict[tuple[Path, int], Manifest] = {}


def _read_manifest(path: Path, changed_at: int, name: str) -> Manifest:
    """Asked several times a request: read once for as long as the file stays what it is."""
    if known := _read.get((path, changed_at)):
        return known
    if path.stat().st_size > MAX_MANIFEST_BYTES:
        raise ValueError("it is too large")
    manifest = Manifest.from_json(json.loads(path.read_text(encoding="utf-8")))
    if manifest.name != name:
        raise ValueError("it is that of another backbone")
    _read[path, changed_at] = manifest
    return manifest


def _plain_path(path: object) -> str:
    if not isinstance(path, str) or not re.fullmatch(r"(?:[A-Za-z0-9_]+/)?[A-Za-z0-9][A-Za-z0-9._-]*", path):
        raise ValueError("it names files in strange places")
    return path


def _file_facts(data: Mapping[str, object]) -> FileFacts:
    sha256, n_bytes = data["sha256"], data["n_bytes"]
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256) or not isinstance(n_bytes, int):
        raise ValueError("a checksum is missing in it")
    return FileFacts(sha256, n_bytes)


def _typed_reading(data: Mapping[str, object]) -> Reading:
    known = {each.name for each in fields(Reading)}
    if set(data) != known:
        raise ValueError("it was written by another version")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    for each in fields(Reading):
        if type(values[each.name]) is not type(each.default):
            raise ValueError(f"{each.name} is not what it should be")
    return Reading(**values)  # type: ignore[arg-type]  # the types were compared above
