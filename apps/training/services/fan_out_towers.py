"""Layers that learn, on several machines: the towers of an adaptation in as many parts as workers take such work.

Whoever adapts waits for it anyway (`training.services.adapting`): it does parts itself until none is left, those
included whose worker died, and so needs nobody. What is to be learned lies in a file; a part is some of its towers.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog
from django.db.models import Exists, F, OuterRef

from apps.core import leases
from apps.core.jobs import JobName, enqueue
from apps.core.leases import is_free
from apps.engine.adapt import process
from apps.engine.adapt.process import Cancelled
from apps.engine.artifacts import sha256_of
from apps.engine.readers import State
from apps.engine.runtime import Deadline
from apps.functions.models import Function
from apps.training.models import FunctionWork, PartKind, PartState, RoundPart, WorkKind
from apps.training.services import files
from apps.training.services.encoders import device, timings_file
from apps.training.services.serving import artifact_folder
from apps.training.services.work import sentence_of

logger = structlog.get_logger(__name__)

MOST_SECONDS = 900.0
MOST_ATTEMPTS = 3
LOOK_SECONDS = 0.5
TASK = "towers_to_fit.safetensors"


class TowersFailed(Exception):
    """Some towers could not be fitted by anybody."""


def fit(
    *, function: Function, packed: bytes, n_towers: int, n_parts: int, cancelled: Callable[[], bool]
) -> list[State]:
    """Fit all towers of what was packed, together with other workers. Raises `Cancelled` and `TowersFailed`."""
    batch = f"towers_{secrets.token_hex(8)}"
    path = _path(function, batch)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.write_bytes(packed)
        files.keep(path)
        numbers = range(min(n_parts, n_towers))
        parts = RoundPart.objects.bulk_create(
            RoundPart(
                function=function,
                batch=batch,
                number=number,
                kind=PartKind.TOWER,
                task={"towers": list(range(number, n_towers, len(numbers))), "fingerprint": sha256_of(packed)},
            )
            for number in numbers
        )
        logger.info("towers_fanned_out", function=function.public_id, n_parts=len(parts))
        for part in parts[1:]:  # the first is begun here
            enqueue(JobName.FIT_TOWERS, part.pk)
        _see_through(batch, cancelled)
        return _towers(batch, n_towers)
    finally:
        drop(function, batch)


def fit_towers(*, part_id: int) -> None:
    """Fit some of an adaptation's towers, unless somebody is at it.

    A worker does one such thing at a time, so that whoever waits for the towers leaves the other parts to others.
    """
    part = RoundPart.objects.filter(is_free(), pk=part_id, state=PartState.WAITING).select_related("function").first()
    if part is None:
        return
    with suppress(Cancelled):  # the towers are not wanted any more, or somebody else has them
        _fit_part(part, lambda: False)


def drop(function: Function, batch: str) -> None:
    """Remove the parts and what they are made from: whoever is still at one gives up."""
    RoundPart.objects.filter(batch=batch).delete()
    files.drop(_path(function, batch).parent)


def drop_abandoned() -> None:
    """Remove parts that nobody waits for: whoever sent them has died, and others begin anew."""
    held = FunctionWork.objects.filter(function=OuterRef("function"), kind=WorkKind.ADAPT).exclude(is_free())
    left = RoundPart.objects.filter(kind=PartKind.TOWER).exclude(Exists(held)).select_related("function")
    for part in left.defer("result"):
        drop(part.function, part.batch)


def _see_through(batch: str, cancelled: Callable[[], bool]) -> None:
    """Do what is free, and wait for what others are at."""
    parts = RoundPart.objects.filter(batch=batch).order_by("number")
    while not cancelled():
        if failed := parts.filter(state=PartState.FAILED).first():
            raise TowersFailed(failed.message)
        if not parts.filter(state=PartState.WAITING).exists():
            return
        free = parts.filter(is_free(), state=PartState.WAITING).select_related("function").first()
        if free is None:
            time.sleep(LOOK_SECONDS)
        else:
            _fit_part(free, cancelled)
    raise Cancelled("The towers are not wanted any more.")


def _fit_part(part: RoundPart, cancelled: Callable[[], bool]) -> None:
    if not leases.claim(RoundPart, part.pk):
        return
    try:
        _fit_mine(part, cancelled)
    finally:
        leases.let_go(RoundPart, part.pk)


def _fit_mine(part: RoundPart, cancelled: Callable[[], bool]) -> None:
    mine = RoundPart.objects.filter(pk=part.pk, state=PartState.WAITING, lease_holder=leases.holder_id())
    mine.update(n_attempts=F("n_attempts") + 1)
    try:
        towers = process.fit_packed(
            _read(part),
            part.task["towers"],
            deadline=Deadline.after(MOST_SECONDS),
            cancelled=_Lost(part.pk, cancelled),
            device=device(),
            cache=timings_file(),
        )
    except Cancelled:
        mine.update(lease_holder="", lease_expires_at=None)
        raise
    except BaseException as error:
        leases.reconnect_if_lost()
        is_last = part.n_attempts + 1 >= MOST_ATTEMPTS
        mine.update(
            state=PartState.FAILED if is_last else PartState.WAITING,
            message=sentence_of(error),
            lease_holder="",
            lease_expires_at=None,
        )
        raise
    mine.update(state=PartState.DONE, result=process.pack_towers(towers), lease_holder="", lease_expires_at=None)


class _Lost:
    """Says whether a part is this process's no more; asks the database twice a second at most."""

    def __init__(self, part_id: int, cancelled: Callable[[], bool]) -> None:
        self._rows = RoundPart.objects.filter(pk=part_id, lease_holder=leases.holder_id())
        self._cancelled, self._looked_at = cancelled, time.monotonic()

    def __call__(self) -> bool:
        if self._cancelled():
            return True
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = time.monotonic()
        return not self._rows.all().exists()


def _read(part: RoundPart) -> bytes:
    try:
        packed = files.fetch(_path(part.function, part.batch)).read_bytes()
    except FileNotFoundError as error:
        raise Cancelled("What the towers were to learn from is gone.") from error
    if sha256_of(packed) != part.task["fingerprint"]:
        raise Cancelled("What the towers were to learn from is not what was sent.")
    return packed


def _towers(batch: str, n_towers: int) -> list[State]:
    found: dict[int, State] = {}
    for task, result in RoundPart.objects.filter(batch=batch).values_list("task", "result"):
        found |= zip(task["towers"], process.unpack_towers(bytes(result or b"")), strict=True)
    return [found[number] for number in range(n_towers)]


def _path(function: Function, batch: str) -> Path:
    return artifact_folder(function, batch) / TASK
