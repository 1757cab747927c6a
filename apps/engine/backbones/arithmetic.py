"""Which arithmetic is fastest here: measured once per backbone and machine, not assumed.

bfloat16 runs text two and a half times as fast as float32 on one processor, and several times slower on another that
emulates it; for pictures, the order in memory matters as much.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from apps.engine import devices

MIN_COSINE = 0.995
"""Embeddings in faster arithmetic must stay this near to those in float32, each of them.

Measured with bfloat16 at 100 labels, five draws, float32 first. Text, cosine at least 0.9999: sms_spam 0.980 and 0.980,
snips7 0.936 and 0.937, clinc20 0.978 and 0.978. Pictures, cosine 0.9988 and 0.9995 on average (0.9989 at least on the
made-up ones measured with): trashnet 0.706 and 0.703, sign_digits 0.807 and 0.804, the loss equal to 0.003. Heads
fitted on one kind and asked with the other do as well.
"""


@dataclass(frozen=True)
class Arithmetic:
    """Number format and memory order of a forward pass."""

    dtype: torch.dtype = torch.float32
    is_channels_last: bool = False

    @property
    def name(self) -> str:
        """A stable name, as in the cache."""
        order = "channels-last" if self.is_channels_last else "contiguous"
        return f"{str(self.dtype).removeprefix('torch.')} {order}"


PLAIN = Arithmetic()
TEXT_CHOICES = (PLAIN, Arithmetic(torch.bfloat16))
PICTURE_CHOICES = (PLAIN, Arithmetic(is_channels_last=True), Arithmetic(torch.bfloat16, is_channels_last=True))


def choices_on(device: str, choices: Sequence[Arithmetic]) -> tuple[Arithmetic, ...]:
    """Return what to choose from on a device: a GPU without circuits for bfloat16 has them for float16.

    On a GPU products of float32 stay in float32 (TF32 is off for them): in that format run only what half precision is
    measured against, and heads, which must be the same wherever they are fitted.
    """
    if not devices.is_gpu(device):
        return tuple(choices)
    with torch.cuda.device(device):
        half = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return tuple(choice if choice.dtype == torch.float32 else replace(choice, dtype=half) for choice in choices)


def choose(
    choices: Sequence[Arithmetic],
    embed: Callable[[Arithmetic], torch.Tensor],
    *,
    key: str,
    device: str,
    cache: Path | None = None,
) -> Arithmetic:
    """Return the fastest choice whose embeddings agree with the first one's.

    Parameters
    ----------
    choices
        The first is the reference and always admissible.
    embed
        Runs a forward pass on fixed inputs and returns `(n, dim)` embeddings; called a few times per choice.
    key
        Names backbone and version in the cache.
    cache
        JSON file with what was measured earlier; written when something new is. A file that cannot be read or
        written only costs measuring again.
    """
    names = {choice.name: choice for choice in choices}
    kind = device.partition(":")[0]  # all of a kind are alike, whichever has room
    machine = f"{key} {kind} {_machine(device)} torch {torch.__version__}"
    known = _read(cache)
    if known.get(machine) in names:
        return names[known[machine]]
    reference = embed(choices[0]).float()
    best, least_s = choices[0], float("inf")
    for choice in choices:
        embeddings, seconds = _timed(partial(embed, choice), device)
        cosines = torch.nn.functional.cosine_similarity(embeddings.float(), reference)
        if seconds < least_s and float(cosines.min()) >= MIN_COSINE:
            best, least_s = choice, seconds
    _write(cache, {**known, machine: best.name})
    return best


def _timed(run: Callable[[], torch.Tensor], device: str) -> tuple[torch.Tensor, float]:
    """Return what `run` returns and the seconds of its faster of two runs, after one to warm up."""
    result, least_s = run(), float("inf")
    for _ in range(2):
        devices.finish(device)
        started = time.perf_counter()
        result = run()
        devices.finish(device)
        least_s = min(least_s, time.perf_counter() - started)
    return result, least_s


def _machine(device: str) -> str:
    if devices.is_gpu(device):
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def _read(cache: Path | None) -> dict[str, str]:
    if cache is None:
        return {}
    try:
        known = json.loads(cache.read_text())
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in known.items()} if isinstance(known, dict) else {}


def _write(cache: Path | None, known: dict[str, str]) -> None:
    if cache is None:
        return
    try:
        # Several processes may write at once: each replaces the file whole.
        descriptor, temporary = tempfile.mkstemp(prefix=f".{cache.name}-", dir=cache.parent)
        with os.fdopen(descriptor, "w") as file:
            json.dump(known, file, indent=1, sort_keys=True)
        Path(temporary).replace(cache)
    except OSError:
        return
