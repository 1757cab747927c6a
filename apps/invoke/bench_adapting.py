"""How fast calls are while the top of a backbone is being adapted, beside the same calls without: part of the bench.

The adaptation is the worker's: a niced process of its own, begun again whenever it is done. For every other block of
calls it is held up by a signal, so that the two sides take turns and other load on the machine weighs on both alike.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from apps.engine import adapt, backbones, datasets
from apps.engine.adapt import process
from apps.engine.bench import PUBLIC_DATA
from apps.engine.types import Modality
from apps.invoke import bench

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from apps.engine.backbones import Input

N_LEARNED, N_BLOCK, SETTLED_SECONDS = 100, 20, 0.1
SETS = {Modality.TEXT: "snips7", Modality.IMAGE: "trashnet"}


def measure_adapting(calls: Sequence[bench.Call], modality: Modality) -> dict[str, object]:
    """Return figures of one caller on each side, and their ratios; every call is made on both."""
    sides: dict[str, list[float]] = {"without": [], "adapting": []}
    with _adapting(modality) as group, bench.caller(bench.call_in_turn, calls) as pipe:
        bench.in_turn(pipe, range(min(bench.N_WARM_UP, len(calls))))
        for start in range(0, len(calls), N_BLOCK):
            for ms, number in zip(sides.values(), (signal.SIGSTOP, signal.SIGCONT), strict=True):
                os.killpg(group, number)
                time.sleep(SETTLED_SECONDS)
                ms += bench.in_turn(pipe, range(start, min(start + N_BLOCK, len(calls))))
        pipe.send(None)
    figures = {name: bench.spread(ms) for name, ms in sides.items()}
    without, adapting = figures.values()
    ratios = {key: bench.rounded(adapting[key] / without[key]) for key in without}
    return {"n_calls": len(calls), **figures, "ratios": ratios}


@contextmanager
def _adapting(modality: Modality) -> Iterator[int]:
    """Adapt on and on for the length of the block; yields the group of processes that does, at work."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    worker = context.Process(target=_adapt_on_and_on, args=(there, modality), daemon=True)
    worker.start()
    here.recv()
    assert worker.pid is not None
    try:
        yield worker.pid
    finally:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.join()


def _adapt_on_and_on(pipe: Connection, modality: Modality) -> None:
    """Fit towers as a worker does, in a group of its own, and in this session: outside it, being niced says nothing."""
    os.setpgid(0, 0)
    name = backbones.for_modality(modality)[0]
    inputs, labels = _samples(modality)
    dealt = adapt.plan(labels, np.arange(len(labels)))
    pipe.send(True)
    while True:
        process.fit_apart(name, inputs, labels, dealt.held_out)


def _samples(modality: Modality) -> tuple[list[Input], np.ndarray]:
    """Return what there is to learn from: of a public data set, else what the benchmark makes up."""
    folder = PUBLIC_DATA / SETS[modality]
    if not folder.is_dir():
        made_up = bench.made_up(range(N_LEARNED), has_pictures=modality is Modality.IMAGE)
        return [_read(one) for one in made_up], np.arange(N_LEARNED) % 2
    data = datasets.read(folder).train
    rows = datasets.draw_labelled(data.labels, N_LEARNED, seed=0)
    given = [data.inputs[row] for row in rows]
    labels = np.unique([data.labels[row] for row in rows], return_inverse=True)[1].astype(np.int64)
    return [_read(one if isinstance(one, str) else one.read_bytes()) for one in given], labels


def _read(one: str | bytes) -> Input:
    if isinstance(one, str):
        return one
    with Image.open(BytesIO(one)) as picture:
        return picture.convert("RGB")
