"""Which pulled backbones are in use: the database says so to all machines, each looks again every few seconds.

What is known of a backbone without its files comes from there as well, so that a machine that lacks the files does not
take models for outdated; only what needs the files fails there, and says what to run.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from django.conf import settings
from django.db import DatabaseError

from apps.engine.backbones import BackboneSpec
from apps.engine.backbones.registry import Registry
from apps.engine.errors import BackboneUnavailable
from apps.engine.types import Modality
from apps.training.models import BackboneChoice, Rereading, RereadingState

logger = structlog.get_logger(__name__)

FRESH_SECONDS = 2.0
REPEAT_SECONDS = 60.0


@dataclass(frozen=True)
class Chosen:
    """The choices at one moment.

    `current` has a name for each kind of sample that is not read by the built-in backbones, `choices` everything ever
    chosen by its name, `before` what functions read with instead ("" for the built-in ones), while their samples are
    being read anew or because what was chosen does worse. Of `compared` functions the next round says whether it does.
    """

    current: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, BackboneChoice] = field(default_factory=dict)
    specs: Mapping[str, BackboneSpec] = field(default_factory=dict)
    before: Mapping[tuple[int, str], str] = field(default_factory=dict)
    compared: frozenset[int] = frozenset()

    def name_for(self, modality: Modality, function_id: int | None = None) -> str:
        """Return the pulled backbone that reads such samples, of a function where one is given; "" for the built-in."""
        current = self.current.get(modality.value, "")
        return current if function_id is None else self.before.get((function_id, modality.value), current)


class _Memory:
    """The choices as this process saw them last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chosen: Chosen | None = None
        self._read_at = 0.0

    def get(self) -> Chosen:
        """Raises `DatabaseError` only where nothing was ever read."""
        with self._lock:
            known = self._chosen
            if known is not None and time.monotonic() - self._read_at < FRESH_SECONDS:
                return known
        try:
            found = _read()
        except DatabaseError:
            if known is None:
                raise
            return known
        with self._lock:
            self._chosen, self._read_at = found, time.monotonic()
        return found

    def forget(self) -> None:
        """Look again the next time."""
        with self._lock:
            self._chosen = None


class _Spoken:
    """What the log has been told lately: a sweeper asks every few seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at: dict[str, float] = {}

    def is_due(self, sentence: str) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._at.get(sentence, -REPEAT_SECONDS) < REPEAT_SECONDS:
                return False
            self._at = {sentence: now}
            return True


_memory, _spoken = _Memory(), _Spoken()


def chosen() -> Chosen:
    """Return the choices, two small queries every few seconds. Without weights, as in tests, there are none."""
    return Chosen() if settings.BACKBONES == "tiny" else _memory.get()


def read_now() -> Chosen:
    """Return the choices as they are, not as they were a moment ago."""
    return Chosen() if settings.BACKBONES == "tiny" else _read()


def forget() -> None:
    """See a change made by this process at once; others see it within seconds."""
    _memory.forget()


def spec_of(choice: BackboneChoice) -> BackboneSpec:
    """Return what the engine knows of a chosen backbone."""
    return BackboneSpec(
        choice.name,
        Modality(choice.kind),
        choice.dim,
        choice.version,
        is_pair=choice.is_pair,
        temperature=choice.temperature,
    )


def folder() -> Path:
    """Return where pulled backbones lie on this machine."""
    return Path(settings.BACKBONES_DIR)


def require_here(names: Iterable[str], *, is_logged: bool = False) -> None:
    """Raise `BackboneUnavailable`, with what to run, where this machine lacks the files of a chosen backbone.

    Cheap: whether the files are whole is looked at when they are opened. `is_logged`: say it in the log as well, once
    in a while.
    """
    try:
        _require_here(names)
    except BackboneUnavailable as error:
        if is_logged and _spoken.is_due(str(error)):
            logger.error("backbone_unavailable", error=str(error))
        raise


def _require_here(names: Iterable[str]) -> None:
    choices = chosen().choices
    for choice in (choices[name] for name in names if name in choices):
        manifest = Registry(folder()).find(choice.name)
        asked = f"{choice.source}@{choice.revision}" if choice.revision else "FOLDER"
        how = f"run `manage.py backbones pull {asked} --name {choice.name}` there, then it goes on by itself"
        if manifest is None:
            raise BackboneUnavailable(f"The backbone {choice.name} is not on this machine: {how}.")
        if manifest.version != choice.version:
            raise BackboneUnavailable(
                f"This machine has another {choice.name} than the one in use: "
                f"remove {Registry(folder()).folder_of(choice.name)} and {how}."
            )


def _read() -> Chosen:
    choices = {choice.name: choice for choice in BackboneChoice.objects.all()}
    if not choices:
        return Chosen()
    rows = list(Rereading.objects.exclude(state=RereadingState.TAKEN))
    return Chosen(
        current={choice.kind: choice.name for choice in choices.values() if choice.is_current},
        choices=choices,
        specs={name: spec_of(choice) for name, choice in choices.items()},
        before={(row.function_id, row.kind): row.name for row in rows if row.state != RereadingState.READ},
        compared=frozenset(row.function_id for row in rows if row.state == RereadingState.READ),
    )
