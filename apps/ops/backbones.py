"""What `manage.py backbones` says: which there are, which are here, which is in use, and what a change sets going."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError

from apps.engine.backbones import for_modality
from apps.engine.backbones.presets import PRESETS
from apps.engine.backbones.registry import Kind, Manifest, Registry
from apps.engine.errors import BackboneUnavailable
from apps.engine.types import Modality
from apps.training.models import UNSETTLED, Rereading, RereadingState
from apps.training.services import chosen
from apps.training.services.rereading import Change

WORDS = {Modality.TEXT: "texts", Modality.IMAGE: "pictures"}
MOST_NAMED = 20
"""Functions that are listed one by one."""
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


def consequences(
    change: Change, modality: Modality, manifest: Manifest | None, *, is_anyway: bool = False
) -> Iterator[str]:
    """Yield what choosing a backbone sets going, in words."""
    after = _called(change.after, modality)
    if change.before == change.after:
        yield f"{after} reads {WORDS[modality]} already{'.' if change.n_functions else '; nothing changes.'}"
    else:
        yield f"{after} reads {WORDS[modality]} from now on, in this whole installation."
    if change.n_functions:
        samples, functions = _counted(change.n_samples, "sample"), _counted(change.n_functions, "function")
        yield (
            f"The workers read {samples} of {functions} anew, in the background"
            f"{_duration(change.n_samples, manifest)}. Until its samples are read, each function goes on as before: "
            "calls are answered, and what is labelled is learned from."
        )
        yield _what_follows(after, is_anyway=is_anyway)
    if change.before == change.after:
        return
    if manifest is not None:
        asked = f"{manifest.source}@{manifest.revision}" if manifest.revision else "./FOLDER"
        yield (
            f"Every machine that runs workers or answers calls needs it: `manage.py backbones pull {asked} "
            f"--name {manifest.name}` there. `manage.py doctor` says where it is missing."
        )


def _what_follows(after: str, *, is_anyway: bool) -> str:
    if is_anyway:
        return "Then each is trained again, and its new model answers, also where it does worse than the one of before."
    return (
        f"Then {after} is compared with what reads there now, on the function's own labels, and takes over unless it "
        "does worse. `manage.py backbones list` says what became of each, with figures."
    )


def _in_use() -> Iterator[str]:
    if settings.BACKBONES == "tiny":
        yield "  weightless ones for tests (HUNDREDFOLD_BACKBONES=tiny); choices do not count"
        return
    try:
        found = chosen.read_now()
        rows = list(Rereading.objects.select_related("function").order_by("function__name", "function"))
    except DatabaseError as error:
        yield f"  unknown: the database does not answer ({str(error).strip()})"
        return
    for kind, words in WORDS.items():
        of_kind = [row for row in rows if row.kind == kind.value]
        n_waiting = sum(row.state in UNSETTLED for row in of_kind)
        waiting = f"; {_counted(n_waiting, 'function')} still to be read anew" if n_waiting else ""
        yield f"  {words:24}{_called(found.name_for(kind), kind)}{waiting}"
        yield from _compared(of_kind, kind, found.name_for(kind))
        try:
            chosen.require_here([found.name_for(kind)])
        except BackboneUnavailable as error:
            yield f"    {error}"


def _compared(rows: Sequence[Rereading], kind: Modality, current: str) -> Iterator[str]:
    """Yield what became of functions when the backbone in use was chosen; first of those that it did worse for."""
    taken, kept = ([row for row in rows if row.state == state] for state in (RereadingState.TAKEN, RereadingState.KEPT))
    if kept:
        use = f"use {current}" if current else f"use --default {kind.value}"
        yield (
            f"    worse for {_counted(len(kept), 'function')}, which went on as before "
            f"(`backbones {use}` asks again on today's labels, with --anyway it changes over all the same):"
        )
    for row in kept[:MOST_NAMED]:
        function = f"{row.function.public_id} {row.function.name}"
        yield f"      {function}, read by {_called(row.name, kind)}: {_figures([row])}"
    if len(kept) > MOST_NAMED:
        yield f"      … and {len(kept) - MOST_NAMED:,} others: {_figures(kept[MOST_NAMED:])}"
    if taken:
        yield f"    took over for {_counted(len(taken), 'function')}: {_figures(taken)}"


def _figures(rows: Sequence[Rereading]) -> str:
    n = sum(row.n_compared for row in rows)
    before, after = sum(row.n_right_before for row in rows), sum(row.n_right_after for row in rows)
    return f"{after:,} of {_counted(n, 'labelled sample')} right instead of {before:,}"


def _called(name: str, kind: Modality) -> str:
    """Return what reads a kind of samples, where this pulled backbone does, "" for none."""
    first, *others = for_modality(kind)
    return " and ".join([name or first, *others])


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
