"""What `manage.py doctor` looks at, in the order in which one thing rests on another."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import redis
from django.conf import settings
from django.db import DatabaseError, connection

from apps.core import heartbeat
from apps.core.jobs import Queue
from apps.core.schema import n_migrations_due
from apps.engine.errors import DeviceUnavailable, EngineError
from apps.engine.runtime import describe_device
from apps.engine.types import Modality
from apps.ops import data_lock, redis_server
from apps.training.services import encoders

LOW_SPACE_BYTES = 1_000_000_000
GRAPHICS_CARD = Path("/dev/nvidia0")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    is_well: bool
    words: str


def examine() -> Iterator[Finding]:
    """Yield a finding as soon as it is known; none stops the ones after it."""
    for what, look in CHECKS.items():
        is_well, words = look()
        yield Finding(what, is_well, words)


def _packages() -> tuple[bool, str]:
    required = [line for line in metadata.requires("hundredfold") or [] if "extra ==" not in line]
    names = [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in required]
    missing = [name for name in names if not _is_installed(name)]
    if missing:
        return False, f"missing: {', '.join(missing)}; run `make setup`"
    return True, f"all {len(names)} there, Python {sys.version.split()[0]}"


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _data_directory() -> tuple[bool, str]:
    try:
        with tempfile.TemporaryFile(dir=settings.DATA_DIR) as file:
            file.write(b"0")
    except OSError as error:
        return False, f"cannot write into {settings.DATA_DIR}: {error.strerror}"
    n_free = shutil.disk_usage(settings.DATA_DIR).free
    words = f"{settings.DATA_DIR}, {n_free / 1e9:.0f} GB free"
    holder = data_lock.holder_of(settings.DATA_DIR)
    return n_free > LOW_SPACE_BYTES, f"{words}, `up` is {holder}" if holder else words


def _database() -> tuple[bool, str]:
    try:
        n_due = n_migrations_due()
    except DatabaseError as error:
        return False, f"{connection.vendor} does not answer: {str(error).strip()}"
    if n_due:
        return False, f"{connection.vendor}, {n_due} migrations are due; `up` applies them, or `manage.py migrate`"
    return True, f"{connection.vendor}, up to date"


def _files() -> tuple[bool, str]:
    if settings.FILES == "folder":
        return True, "in the data directory; several machines must share it, or say HUNDREDFOLD_FILES=database"
    words = "in the database; each machine keeps copies of models in its own data directory"
    if connection.vendor == "sqlite":
        return False, f"{words}, but SQLite itself is in one of them: give HUNDREDFOLD_DATABASE_URL"
    return True, words


def _redis() -> tuple[bool, str]:
    if settings.IS_ALONE:
        return True, "none, by choice: each command works alone"
    shown = redis_server.without_password(settings.REDIS_URL)
    if redis_server.answers(settings.REDIS_URL):
        return True, f"answers at {shown}"
    return False, f"does not answer at {shown}; `up` starts a private one"


def _worker() -> tuple[bool, str]:
    if settings.IS_ALONE:
        return True, "none, by choice: each command works alone"
    client = heartbeat.connect()
    try:
        taken = heartbeat.workers_alive(client)
    except redis.RedisError:
        return False, "nothing is known of workers while Redis is away"
    finally:
        client.close()
    if not taken:
        return False, "none is running; `up` starts one, or `manage.py worker`"
    idle = set(Queue) - frozenset().union(*taken)
    words = f"{len(taken)} running"
    return not idle, f"{words}, but none takes {', '.join(sorted(idle))}" if idle else words


def _device() -> tuple[bool, str]:
    try:
        device = encoders.device()
    except DeviceUnavailable as error:
        return False, f"{error} HUNDREDFOLD_DEVICE says which to use"
    words = describe_device(device)
    if device == "cpu" and settings.DEVICE == "auto" and GRAPHICS_CARD.exists():
        return False, f"{words}, but there is a graphics card: install a torch built for it, or set the device to cpu"
    return True, words


def _backbones() -> tuple[bool, str]:
    words = []
    try:
        for modality in (Modality.TEXT, Modality.IMAGE):
            for name in encoders.backbone_names(modality):
                started = time.perf_counter()
                encoders.backbone(name)
                words.append(f"{name} loads in {time.perf_counter() - started:.1f} s")
    except DatabaseError as error:
        return False, f"which ones are chosen is not known: {str(error).strip()}"
    except (EngineError, ImportError, OSError) as error:
        # What was pulled is pulled again; what is built in is installed again.
        return False, str(error) if "manage.py backbones" in str(error) else f"{error}; run `make setup`"
    return True, ", ".join(words)


CHECKS: dict[str, Callable[[], tuple[bool, str]]] = {
    "packages": _packages,
    "data directory": _data_directory,
    "database": _database,
    "files": _files,
    "redis": _redis,
    "worker": _worker,
    "device": _device,
    "backbones": _backbones,
}
