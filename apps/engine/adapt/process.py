"""Fitting towers in a process of its own, on one thread, so that nobody waits for it, and ended at any time.

A step cannot be interrupted and holds memory and cores; beside it in one process every answer would take longer. It
computes when nobody else wants to; where somebody always does, it takes a small share all the same.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors.numpy

from apps.engine import backbones
from apps.engine.adapt import is_adaptable
from apps.engine.artifacts import without_prefix
from apps.engine.backbones import Input
from apps.engine.backbones.pictures import to_rgb
from apps.engine.errors import DeadlineExpired
from apps.engine.readers.state import State
from apps.engine.runtime import Deadline
from apps.engine.types import IntArray

SECONDS = 900.0
NICENESS = 10
ASK_SECONDS = 0.2
"""How often it is asked whether the result is still wanted."""
PICTURE_PX = 224
"""Side at which pictures are sent: what the image backbone looks at."""
PATIENCE_SECONDS, LEAST_SHARE = 120.0, 0.1
"""A child that has stood in line so long in all, and computed for less than such a share of the time, is put in another
one: what it did is little. A nice process gets that share beside one other on its core."""
OUT_OF_TIME = 75
"""The child's exit status when the deadline came first."""
PR_SET_PDEATHSIG = 1
_ROOT = Path(__file__).resolve().parents[3]
Arrays = dict[str, npt.NDArray[np.generic]]


class Cancelled(Exception):
    """Nobody wants the towers any more: what they were to be fitted on has changed."""


class _Starved(Exception):
    """The machine is never idle for long enough."""


class Turn(StrEnum):
    """When a child computes."""

    IDLE = "idle"  # when nobody else wants to
    NICE = "nice"  # a little always


def fit_apart(
    backbone: str,
    inputs: Sequence[Input],
    labels: IntArray,
    held_out: Sequence[IntArray],
    *,
    seed: int = 0,
    warm: Sequence[State | None] = (),
    deadline: Deadline | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    device: str | None = None,
    cache: Path | None = None,
) -> list[State]:
    """Do what `Adaptable.fit_towers` does, in another process; this one only waits, without holding the interpreter.

    Parameters
    ----------
    backbone
        The name of one whose top can learn.
    inputs, labels, held_out, seed, warm
        As for `Adaptable.fit_towers`; `held_out` may have some of an adaptation's towers only.
    deadline
        By default in a quarter of an hour.
    cancelled
        Asked a few times a second, in this thread; the process ends when it says so.
    device, cache
        As for `backbones.load`.

    Raises
    ------
    Cancelled
    DeadlineExpired
    subprocess.CalledProcessError
        If the process died; its `stderr` says why.
    """
    facts, arrays = _task(backbone, inputs, labels, held_out, seed, warm)
    return _fitted(facts, arrays, deadline, cancelled, device, cache)


def pack(
    backbone: str,
    inputs: Sequence[Input],
    labels: IntArray,
    held_out: Sequence[IntArray],
    *,
    seed: int = 0,
    warm: Sequence[State | None] = (),
) -> bytes:
    """Return what there is to fit, with the arguments of `fit_apart`, for `fit_packed` on any machine."""
    return _packed(*_task(backbone, inputs, labels, held_out, seed, warm))


def fit_packed(
    packed: bytes,
    towers: Sequence[int],
    *,
    deadline: Deadline | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    device: str | None = None,
    cache: Path | None = None,
) -> list[State]:
    """Fit some of the towers of what was packed, by number: the same ones as `fit_apart` does; it raises the same."""
    facts, arrays = _unpacked(packed)
    warm = facts["warm"]
    if not isinstance(warm, list):
        raise TypeError("Towers to set out from come as a list.")
    others = {name: array for name, array in arrays.items() if not name.startswith(("held_out.", "warm."))}
    own: Arrays = {f"held_out.{i}": arrays[f"held_out.{tower}"] for i, tower in enumerate(towers)}
    for i, tower in enumerate(towers if warm else ()):
        own |= {f"warm.{i}.{name}": array for name, array in without_prefix(f"warm.{tower}.", arrays).items()}
    chosen = {**facts, "warm": [warm[tower] for tower in towers] if warm else []}
    return _fitted(chosen, others | own, deadline, cancelled, device, cache)


def pack_towers(towers: Sequence[State]) -> bytes:
    """Return fitted towers as bytes; `unpack_towers` reads them back."""
    return _packed({"towers": [dict(tower.facts) for tower in towers]}, _named("towers", towers))


def unpack_towers(packed: bytes) -> list[State]:
    """Return the towers, in their order."""
    facts, arrays = _unpacked(packed)
    of_towers = facts["towers"]
    if not isinstance(of_towers, list):
        raise TypeError("Towers come with a list of their facts.")
    return [State(without_prefix(f"towers.{i}.", arrays), own) for i, own in enumerate(of_towers)]


def _task(
    backbone: str,
    inputs: Sequence[Input],
    labels: IntArray,
    held_out: Sequence[IntArray],
    seed: int,
    warm: Sequence[State | None],
) -> tuple[dict[str, object], Arrays]:
    facts: dict[str, object] = {
        "backbone": backbone,
        "seed": seed,
        "texts": [one for one in inputs if isinstance(one, str)],
        "warm": [None if state is None else dict(state.facts) for state in warm],
    }
    arrays: Arrays = {
        "labels": labels,
        **({} if not inputs or isinstance(inputs[0], str) else {"pictures": _pictures(inputs)}),
        **{f"held_out.{i}": rows for i, rows in enumerate(held_out)},
        **_named("warm", warm),
    }
    return facts, arrays


def _fitted(
    facts: dict[str, object],
    arrays: Arrays,
    deadline: Deadline | None,
    cancelled: Callable[[], bool],
    device: str | None,
    cache: Path | None,
) -> list[State]:
    until = deadline or Deadline.after(SECONDS)
    until.check()
    here = {"device": device, "cache": None if cache is None else str(cache), "seconds": until.remaining()}
    return unpack_towers(_answer(_packed({**facts, **here}, arrays), until, cancelled))


def _answer(sent: bytes, until: Deadline, cancelled: Callable[[], bool]) -> bytes:
    """Return what a child answers: one that computes when nobody else wants to, or, where it starves, a nice one.

    It begins anew because nobody without privileges may take a process out of the idle class.
    """
    try:
        return _answer_of(Turn.IDLE, sent, until, cancelled)
    except _Starved:
        return _answer_of(Turn.NICE, sent, until, cancelled)


def _answer_of(turn: Turn, sent: bytes, until: Deadline, cancelled: Callable[[], bool]) -> bytes:
    """Return what the child answers; whatever happens, it is no longer there afterwards."""
    command = [sys.executable, "-m", "apps.engine.adapt.process", str(os.getpid()), turn]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    # Started by this thread, with which it would die; talked to by another, since a communication that was timed out
    # does not go on where it was in every Python.
    child = subprocess.Popen(  # noqa: S603  # this installation's own module, no part comes from outside
        command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, cwd=_ROOT
    )
    with ThreadPoolExecutor(1) as pool:
        try:
            answer = pool.submit(child.communicate, sent)
            while not wait([answer], timeout=min(ASK_SECONDS, until.remaining())).done:
                until.check()
                if cancelled():
                    raise Cancelled("The towers are not wanted any more.")
                if turn is Turn.IDLE and is_starved(child.pid, patience=PATIENCE_SECONDS):
                    raise _Starved
        finally:
            child.kill()  # does nothing to one that has ended
    out, err = answer.result()
    if child.returncode == OUT_OF_TIME:
        raise DeadlineExpired("The time given to this computation is over.")
    if child.returncode:
        raise subprocess.CalledProcessError(child.returncode, command, out, err.decode(errors="replace"))
    return out


def is_starved(pid: int, *, patience: float) -> bool:
    """Whether a process of one thread has waited so many seconds for a core, and hardly got one; see `LEAST_SHARE`.

    Waiting for anything else is not counted. Where the kernel does not tell, nobody is.
    """
    try:
        ran_ns, waited_ns, _ = map(int, Path(f"/proc/{pid}/schedstat").read_text().split())
    except (OSError, ValueError):
        return False
    return waited_ns > patience * 1e9 and ran_ns < LEAST_SHARE * (ran_ns + waited_ns)


def main() -> None:
    """Read what to fit from standard input, write the towers to standard output."""
    _die_with(parent=int(sys.argv[1]))
    _give_way(Turn(sys.argv[2]))
    facts, arrays = _unpacked(sys.stdin.buffer.read())
    signal.alarm(int(float(str(facts["seconds"]))) + 30)  # native code may not come to look at the time
    deadline = Deadline.after(float(str(facts["seconds"])))
    cache = None if facts["cache"] is None else Path(str(facts["cache"]))
    device = None if facts["device"] is None else str(facts["device"])
    backbone = backbones.load(str(facts["backbone"]), device=device, cache=cache)
    if "torch" in sys.modules:  # imported by a backbone that needs it
        sys.modules["torch"].set_num_threads(1)
    if not is_adaptable(backbone):
        raise ValueError(f"The top of {facts['backbone']} cannot learn.")
    texts, warm = facts["texts"], facts["warm"]
    if not isinstance(texts, list) or not isinstance(warm, list):
        raise TypeError("Texts and towers to set out from come as lists.")
    inputs: list[Input] = [*arrays["pictures"].astype(np.uint8)] if "pictures" in arrays else texts
    n_towers = sum(name.startswith("held_out.") for name in arrays)
    try:
        towers = backbone.fit_towers(
            inputs,
            arrays["labels"].astype(np.int64),
            [arrays[f"held_out.{i}"].astype(np.int64) for i in range(n_towers)],
            seed=int(str(facts["seed"])),
            warm=[
                None if own is None else State(without_prefix(f"warm.{i}.", arrays), own) for i, own in enumerate(warm)
            ],
            deadline=deadline,
        )
    except DeadlineExpired:
        sys.exit(OUT_OF_TIME)
    sys.stdout.buffer.write(pack_towers(towers))


def _give_way(turn: Turn) -> None:
    """Let others compute first.

    A process that is only nice keeps its turn of milliseconds from a call that comes in between; one of the idle class
    is put off at once. With one of two cores busy, calls of one text took 1.4 times as long (p95) beside a nice one as
    without it, 1.06 times beside an idle one.
    """
    os.nice(NICENESS)
    if turn is Turn.IDLE and hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _die_with(*, parent: int) -> None:
    """Ask the kernel for an end with the parent's, also one by kill -9; where there is no such kernel, time ends it."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError):
        return
    if os.getppid() != parent:  # it died before
        sys.exit(1)


def _pictures(inputs: Sequence[Input]) -> npt.NDArray[np.uint8]:
    """Return pictures as `(n, PICTURE_PX, PICTURE_PX, 3)`."""
    rows = []
    for one in inputs:
        if isinstance(one, str):
            raise TypeError("Texts and pictures are not adapted to together.")
        rows.append(to_rgb(one, size_px=PICTURE_PX))
    return np.stack(rows)


def _named(kind: str, states: Sequence[State | None]) -> Arrays:
    """Return the arrays of all states, each under its number."""
    return {
        f"{kind}.{i}.{name}": array
        for i, state in enumerate(states)
        if state is not None
        for name, array in state.arrays.items()
    }


def _packed(facts: dict[str, object], arrays: Arrays) -> bytes:
    text = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
    return safetensors.numpy.save(
        {"facts": text, **{name: np.ascontiguousarray(array) for name, array in arrays.items()}}
    )


def _unpacked(content: bytes) -> tuple[dict[str, object], Arrays]:
    arrays: Arrays = safetensors.numpy.load(content)
    facts: dict[str, object] = json.loads(arrays.pop("facts").tobytes())
    return facts, arrays


if __name__ == "__main__":
    main()
