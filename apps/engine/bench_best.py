"""How long the best model of a hundred samples takes beside the first: both from samples to a judged model.

In one process and on one thread, as a worker adapts beside its other work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image

from apps.engine import adapt, automl, backbones, datasets
from apps.engine.adapt import Adaptable
from apps.engine.backbones import Input
from apps.engine.errors import BackboneUnavailable
from apps.engine.runtime import choose_device, one_thread
from apps.engine.types import FoldRows, Inputs, Modality, TrainingData

N_SAMPLES, N_TURNS = 100, 2


def measure_best_rounds(text_folder: Path, picture_folder: Path) -> dict[str, object]:
    """Return median seconds of best and of first rounds, by modality, and the one over the other."""
    found = {
        kind.value: measure_best_round(folder)
        for kind, folder in ((Modality.TEXT, text_folder), (Modality.IMAGE, picture_folder))
    }
    return {
        "best_round_seconds": {kind: round(best, 2) for kind, (best, _first) in found.items()},
        "first_round_seconds": {kind: round(first, 3) for kind, (_best, first) in found.items()},
        "best_over_first": {kind: round(best / first, 1) for kind, (best, first) in found.items()},
    }


def measure_best_round(folder: Path, *, n_turns: int = N_TURNS) -> tuple[float, float]:
    """Return median seconds of a best round and of a first one, taken in turns, with the backbones loaded."""
    data = datasets.read(folder)
    rows = datasets.draw_labelled(data.train.labels, N_SAMPLES, seed=0)
    samples: list[Input] = [_sample(data.train.inputs[row]) for row in rows]
    labels = np.unique([data.train.labels[row] for row in rows], return_inverse=True)[1].astype(np.int64)
    loaded = [backbones.load(name) for name in backbones.for_modality(data.modality)]
    learner = next((one for one in loaded if adapt.is_adaptable(one)), None)
    if learner is None:
        raise BackboneUnavailable("None of the backbones here can learn.")
    texts, device = [one for one in samples if isinstance(one, str)], choose_device()

    def first() -> TrainingData:
        inputs = Inputs(len(samples), {one.spec.name: one.encode(samples) for one in loaded}, texts)
        given = TrainingData(inputs, labels, int(labels.max()) + 1, np.arange(len(labels)))
        automl.train(given, device=device)
        return given

    given = first()  # nothing is loaded or measured by the backbones after it
    with _one_thread():
        seconds = [(_seconds(lambda: best_round(learner, samples, given)), _seconds(first)) for _ in range(n_turns)]
    return median(best for best, _ in seconds), median(one for _, one in seconds)


def best_round(backbone: Adaptable, samples: Sequence[Input], given: TrainingData) -> TrainingData:
    """Adapt a backbone to labelled samples and let a round judge it; return what the round was given."""
    adaptation = adapt.fit(backbone, samples, given.labels, given.groups)
    rows = adapt.embed(backbone, [backbone.tower(state) for state in adaptation.towers], samples)
    name = backbone.adapted.name
    inputs = Inputs(len(samples), {**given.inputs.embeddings, name: rows[-1]}, given.inputs.texts)
    adapted = {name: FoldRows(adaptation.folds, rows[:-1])}
    data = TrainingData(inputs, given.labels, given.n_classes, given.groups, adapted=adapted)
    automl.train(data, device=choose_device())
    return data


def _sample(given: str | Path) -> Input:
    if isinstance(given, str):
        return given
    with Image.open(BytesIO(given.read_bytes())) as picture:
        return picture.convert("RGB")


@contextmanager
def _one_thread() -> Iterator[None]:
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with one_thread():
            yield
    finally:
        torch.set_num_threads(n_threads)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
