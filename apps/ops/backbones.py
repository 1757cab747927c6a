"""What `manage.py backbones` says: which there are, which are here, which is in use, and what a change sets going."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError

from apps.engine.backbones import for_modality
from apps.engine.backbones.presets import PRESETS
from apps.engine.backbones.registry import Kind, Manifest, Registry
from apps.engine.errors import BackboneUnavailable
from apps.engine.types import Modality
from apps.training.models import Rereading
from apps.training.services import chosen
from apps.training.services.rereading import Change

WORDS = {Modality.TEXT: "texts", Modality.IMAGE: "pictures"}
KINDS = {Kind.TEXT: "texts", Kind.PICTURES: "pictures", Kind.PAIR: "pictures and names"}


def described() -> Iterator[str]:
    """Yield the lines of `list`."""
    yield "In use:"
    yield from _in_use()
    yield ""
    here = list(Registry(chosen.folder()))
    yield f"Here, in {chosen.folder()}:" if here else "Here: none but the built-in ones."
    for manifest in here:
        yield f"  {manifest.name:24}{_facts(manifest)}"
    yield ""
    yield "To pull by a short name, with `manage.py backbones pull NAME`; others as OWNER/MODEL, or from a ./FOLDER:"
    for preset in PRESETS.values():
        if Registry(chosen.folder()).find(preset.name) is None:
            yield f"  {preset.name:24}{preset.words}"


def consequences(change: Change, modality: Modality, manifest: Manifest | None) -> Iterator[str]:
    """Yield what choosing a backbone sets going, in words."""
    before, after = (name or " and ".join(for_modality(modality)) for name in (change.before, change.after))
    if change.before == change.after:
        yield f"{after} reads {WORDS[modality]} already; nothing changes."
        return
    yield f"{after} reads {WORDS[modality]} from now on, in this whole installation."
    if change.n_functions:
        samples, functions = _counted(change.n_samples, "sample"), _counted(change.n_functions, "function")
        yield (
            f"The workers read {samples} of {functions} anew, in the background"
            f"{_duration(change.n_samples, manifest)}. Until its samples are read, each function goes on with "
            f"{before}: calls are answered, and what is labelled is learned from. Then it is trained again, and its "
            "new model answers."
        )
    if manifest is not None:
        asked = f"{manifest.source}@{manifest.revision}" if manifest.revision else "./FOLDER"
        yield (
            f"Every machine that runs workers or answers calls needs it: `manage.py backbones pull {asked} "
            f"--name {manifest.name}` there. `manage.py doctor` says where it is missing."
        )


def _in_use() -> Iterator[str]:
    if settings.BACKBONES == "tiny":
        yield "  weightless ones for tests (HUNDREDFOLD_BACKBONES=tiny); choices do not count"
        return
    try:
        found = chosen.read_now()
        n_waiting = {kind: Rereading.objects.filter(kind=kind.value).count() for kind in WORDS}
    except DatabaseError as error:
        yield f"  unknown: the database does not answer ({str(error).strip()})"
        return
    for kind, words in WORDS.items():
        first, *others = for_modality(kind)
        names = " and ".join([found.name_for(kind) or first, *others])
        waiting = f"; {_counted(n_waiting[kind], 'function')} still to be read anew" if n_waiting[kind] else ""
        yield f"  {words:24}{names}{waiting}"
        try:
            chosen.require_here([found.name_for(kind)])
        except BackboneUnavailable as error:
            yield f"    {error}"


def _facts(manifest: Manifest) -> str:
    speed = f", about {manifest.per_second:,.0f} a second when it was pulled" if manifest.per_second else ""
    origin = f"{manifest.source}@{manifest.revision[:12]}" if manifest.revision else f"folder {manifest.source}"
    return f"{KINDS[manifest.kind]}, {_size(manifest.n_bytes)}{speed}; {origin}"


def _counted(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.0f} MB" if n_bytes >= 1e6 else f"{n_bytes / 1e3:,.0f} kB"


def _duration(n_samples: int, manifest: Manifest | None) -> str:
    if manifest is None or not manifest.per_second:
        return ""
    minutes = n_samples / manifest.per_second / 60
    return f", about {minutes:,.0f} minutes for one worker like this machine" if minutes >= 1.5 else ""


def is_folder(asked: str) -> bool:
    """Whether what is to be pulled is meant as a folder: written as a path, as no name on a hub is."""
    return asked in {".", ".."} or asked.startswith(("/", "./", "../", "~")) or asked.endswith("/") or "\\" in asked


def folder_of(asked: str) -> Path:
    """Return the folder that is meant."""
    return Path(asked).expanduser().absolute()
