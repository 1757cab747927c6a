"""Bringing a backbone here: from a hub, or from a folder where no hub can be reached, and opening it ever after.

    look        which files there are, of which commit
    select      weights as safetensors, configurations and tokenizers, within the caps; nothing else is fetched
    fetch       into a folder beside the others
    check       nothing asks for foreign code, every file is the one that was announced
    try         it is opened and reads something, so that what is in the folder is known to work
    record      name, commit, checksums and way of reading, in the manifest; only now it has its name

Only `pull` from a hub uses the network. Opening checks every file against the manifest first.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from apps.engine.backbones import Backbone, Input, Pair
from apps.engine.backbones.hub_files import CONFIG, MAX_BYTES, check_contents, checked_selection, facts_in
from apps.engine.backbones.hub_models import fitting
from apps.engine.backbones.hub_pictures import HubPictures
from apps.engine.backbones.hub_sources import FolderSource, Listing, Source
from apps.engine.backbones.hub_text import HubText
from apps.engine.backbones.presets import PRESETS, Preset
from apps.engine.backbones.registry import (
    FILES,
    MANIFEST,
    NAME_RULE,
    Kind,
    Library,
    Manifest,
    Reading,
    Registry,
    checked_name,
    facts_of,
    files_in,
)
from apps.engine.errors import BackboneUnavailable, PullRefused

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
SPARE = 1.1
LEFTOVER_SECONDS = 24 * 3600.0
LEAST_LENGTH, SAME = 0.5, 1e-5
TEXTS = (
    "Where is my parcel? It was due on Monday.",
    "the weather is lovely",
    "",
    "word " * 2_000,
    "日本語のテキスト",
    "\ud800 half a surrogate",
)
NAMES = ("refund", "parcel " * 100)


@dataclass(frozen=True)
class Wanted:
    """What to bring: its name here, where from, and what is known of how it is read.

    Where any revision will do, one that is here will, too, and the hub is not asked for a newer one.
    """

    name: str
    source: Source
    kind: Kind | None = None
    reading: Reading = field(default_factory=Reading)
    is_any_revision: bool = False


def wanted_from_hub(asked: str, *, name: str = "", make: Callable[[str, str], Source]) -> Wanted:
    """Read `NAME[@REVISION]`: a preset's short name, or OWNER/MODEL as the hub has it. Raises `PullRefused`.

    `make` returns the source of a repository and revision.
    """
    asked_name, _, revision = asked.partition("@")
    preset = PRESETS.get(asked_name)
    repository = preset.repository if preset else asked_name
    if not _REPOSITORY.fullmatch(repository) or ".." in repository:
        raise PullRefused(
            f"{asked_name!r} is neither a preset ({', '.join(PRESETS)}) nor OWNER/MODEL as a hub has it. "
            "A folder is written ./FOLDER, with --name."
        )
    if revision and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise PullRefused(f"{revision!r} is not a revision: give a commit, a branch or a tag.")
    local = _local_name(name or (preset.name if preset else repository.rpartition("/")[2].lower().replace("_", "-")))
    source = make(repository, revision or (preset.revision if preset else ""))
    return replace(_wanted(local, source, preset), is_any_revision=not revision)


def wanted_from_folder(folder: Path, *, name: str) -> Wanted:
    """Return what to bring from a folder; by the name of a preset it is read as that. Raises `PullRefused`."""
    local = _local_name(name)
    return _wanted(local, FolderSource(folder), PRESETS.get(local))


def _wanted(name: str, source: Source, preset: Preset | None) -> Wanted:
    return Wanted(name, source, preset.kind, preset.reading) if preset else Wanted(name, source)


def _local_name(name: str) -> str:
    try:
        return checked_name(name)
    except ValueError:
        raise PullRefused(f"{name!r} cannot be its name here. {NAME_RULE} Choose one with --name.") from None


def pull(
    wanted: Wanted,
    *,
    into: Path,
    say: Callable[[str], None] = lambda sentence: None,
    max_bytes: int = MAX_BYTES,
) -> Manifest:
    """Bring a backbone here, or leave everything as it was. Raises `PullRefused` or `BackboneUnavailable`.

    One that is here already and whole is not fetched again; one that is damaged is, and must turn out the same.
    """
    registry = Registry(into)
    before = registry.find(wanted.name)
    if before and wanted.is_any_revision and before.source == wanted.source.label and _is_whole(registry, before):
        say(f"{wanted.name} is here already, and every file is whole.")
        return before
    listing = wanted.source.look()
    is_same = before is None or (before.source, before.revision) == (wanted.source.label, listing.revision)
    if before is not None and not is_same and (before.revision or listing.revision):
        raise PullRefused(_is_another(before, listing))
    if before is not None and listing.revision and _is_whole(registry, before):
        say(f"{wanted.name} is here already, and every file is whole.")
        return before
    names = checked_selection(wanted.source.label, listing.sizes, max_bytes=max_bytes)
    n_bytes = sum(listing.sizes[name] for name in names)
    _make_room(into, n_bytes)
    _clear_leftovers(into)
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=into) as temporary:
        folder = Path(temporary) / wanted.name
        files = folder / FILES
        files.mkdir(parents=True, mode=0o755)
        say(f"Bringing {len(names)} files of {wanted.source.label}, {n_bytes / 1e6:,.1f} MB.")
        wanted.source.fetch(listing, names, files)
        manifest = _tried(_recorded(wanted, listing, names, files), files)
        before = registry.find(wanted.name)  # again: somebody else may have pulled it meanwhile
        if before is not None and (before.revision, before.files) != (manifest.revision, manifest.files):
            raise PullRefused(_is_another(before, listing))
        if before is not None:
            manifest = before  # what it is called by and read like stays what it was
        _write_manifest(folder / MANIFEST, manifest)
        _put_in_place(folder, registry.folder_of(wanted.name), Path(temporary) / "damaged")
    return manifest


def open_pulled(name: str, *, pulled: Path, device: str | None = None, cache: Path | None = None) -> Backbone:
    """Return a pulled backbone once every file of it is the one that was pulled. Raises `BackboneUnavailable`."""
    registry = Registry(pulled)
    manifest = registry.manifest(name)
    return _open(manifest, registry.checked_files(manifest), device=device, cache=cache)


def _open(manifest: Manifest, folder: Path, *, device: str | None, cache: Path | None) -> HubText | HubPictures:
    kind = HubText if manifest.kind is Kind.TEXT else HubPictures
    try:
        with fitting(folder):
            return kind(manifest, folder, device=device, cache=cache)
    except PullRefused as error:
        raise BackboneUnavailable(str(error)) from error


def _is_whole(registry: Registry, manifest: Manifest) -> bool:
    try:
        registry.checked_files(manifest)
    except BackboneUnavailable:
        return False
    return True


def _is_another(before: Manifest, listing: Listing) -> str:
    known = f"revision {before.revision} of {before.source}" if before.revision else "what a folder brought"
    found = f"revision {listing.revision}" if listing.revision else "this folder"
    return (
        f"{before.name} is here already, as {known}. A name stands for the same files for ever, so that nothing "
        f"already read is mixed up: bring {found} under another name, with --name."
    )


def _make_room(into: Path, n_bytes: int) -> None:
    try:
        into.mkdir(parents=True, exist_ok=True)
        n_free = shutil.disk_usage(into).free
    except OSError as error:
        raise PullRefused(f"{into} cannot be written to: {error.strerror}.") from error
    if n_free < SPARE * n_bytes:
        raise PullRefused(f"{into} has {n_free / 1e9:.1f} GB free; {SPARE * n_bytes / 1e9:.1f} GB are needed.")


def _clear_leftovers(into: Path) -> None:
    """Remove what pulls left behind that were killed; one that goes on for so long is none."""
    for path in into.glob(".pull-*"):
        if not path.is_symlink() and time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _recorded(wanted: Wanted, listing: Listing, names: tuple[str, ...], files: Path) -> Manifest:
    """Return the manifest of what was fetched, not tried yet. Raises `PullRefused` if it is not what was announced."""
    try:
        if files_in(files) != set(names):
            raise PullRefused(f"{wanted.source.label} did not hand out what it announced.")
    except ValueError as error:
        raise PullRefused(f"{wanted.source.label} cannot be taken: {error}.") from error
    facts = {name: facts_of(files / name) for name in names}
    for name, fact in facts.items():
        if fact.n_bytes != listing.sizes[name] or fact.sha256 != listing.sha256.get(name, fact.sha256):
            raise PullRefused(f"{name} of {wanted.source.label} was not handed out whole. Try again.")
    check_contents(wanted.source.label, files, names)
    config = facts_in(files, CONFIG)
    library = Library.TIMM if "pretrained_cfg" in config and "model_type" not in config else Library.TRANSFORMERS
    return Manifest(
        name=wanted.name,
        source=wanted.source.label,
        revision=listing.revision,
        library=library,
        kind=wanted.kind or _kind_of(config, library),
        dim=0,
        reading=wanted.reading,
        files=facts,
        pulled_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _kind_of(config: Mapping[str, object], library: Library) -> Kind:
    if library is Library.TIMM:
        return Kind.PICTURES
    if isinstance(config.get("vision_config"), dict) and isinstance(config.get("text_config"), dict):
        return Kind.PAIR
    is_of_pictures = "image_size" in config or ("num_channels" in config and "vocab_size" not in config)
    return Kind.PICTURES if is_of_pictures else Kind.TEXT


def _tried(manifest: Manifest, files: Path) -> Manifest:
    """Return the manifest with what only reading something tells: the width, how it is read, and how fast.

    Raises `BackboneUnavailable` for a model that cannot be read, or that says the same of everything.
    """
    opened = _open(manifest, files, device="cpu", cache=None)
    samples: list[Input] = list(TEXTS) if manifest.kind is Kind.TEXT else list(_pictures())
    with fitting(files):
        _check_rows(manifest, opened.encode(samples))
        if manifest.kind is Kind.PAIR:
            names = opened.encode_names(NAMES) if isinstance(opened, Pair) else None
            if names is None or names.shape[1] != opened.width:
                raise BackboneUnavailable(f"{manifest.source} does not bring texts and pictures into one space.")
            _check_rows(manifest, names)
        started = time.perf_counter()
        opened.encode(samples[:2] * 8)
        per_second = 16 / max(time.perf_counter() - started, 1e-6)
    return replace(manifest, dim=opened.width, reading=opened.reading, per_second=round(per_second, 1))


def _check_rows(manifest: Manifest, rows: npt.NDArray[np.float32]) -> None:
    lengths = np.linalg.norm(rows, axis=1)
    if not np.isfinite(rows).all() or lengths.max() < LEAST_LENGTH or np.abs(rows[0] - rows[1]).max() < SAME:
        raise BackboneUnavailable(f"{manifest.source} says the same of everything: its weights do not fit its reading.")


def _pictures() -> list[Image.Image]:
    ramp = np.linspace(0, 255, 64, dtype=np.uint8)
    across = np.broadcast_to(ramp, (64, 64))
    return [Image.fromarray(np.stack([across, across.T, across], axis=2)), Image.new("RGB", (40, 30), "red")]


def _write_manifest(path: Path, manifest: Manifest) -> None:
    path.write_text(json.dumps(manifest.to_json(), indent=1, sort_keys=True), encoding="utf-8")


def _put_in_place(folder: Path, place: Path, aside: Path) -> None:
    """Give the folder its name; what was there before, damaged, goes with the temporary folder."""
    try:
        if place.exists():
            place.rename(aside)
        folder.rename(place)
    except OSError as error:
        raise PullRefused(f"{place} cannot be written: {error.strerror}.") from error
