"""How soon a shift of the calls is noticed, and how often there is an alarm where nothing shifted.

Half a data set is what a model knows; a model of 100 labels answers. Calls are drawn from the other half, or from what
shifted; out-of-fold answers stand for the labelled samples, as in the product. A shift begins at once, or after 5,000
calm calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from apps.engine import automl, backbones, datasets
from apps.engine.bench_forecast import World, read_world
from apps.engine.drift import Alarm, Call, Watch, Watched
from apps.engine.familiarity import Familiar, Numbers, familiar
from apps.engine.predictor import Predictor
from apps.engine.query_points import point_reader
from apps.engine.types import Inputs, IntArray, Modality

N_LABELS = 100
N_CALM, N_SHIFTED, N_BEFORE = 10_000, 1_000, 5_000
MIXED = 0.3
BURST = 10
Change: TypeAlias = Callable[[Image.Image], Image.Image]
CHANGES: dict[str, Change] = {
    "darkened": lambda picture: ImageEnhance.Brightness(picture).enhance(0.4),
    "blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(picture.width / 60)),
}


@dataclass(frozen=True)
class Said:
    """What is recorded of each of some inputs: `(n,)` each."""

    labels: IntArray
    confidences: Numbers
    novelties: Numbers

    def take(self, rows: IntArray) -> Said:
        return Said(self.labels[rows], self.confidences[rows], self.novelties[rows])

    def with_(self, other: Said) -> Said:
        return Said(
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.confidences, other.confidences]),
            np.concatenate([self.novelties, other.novelties]),
        )

    def calls(self, rows: IntArray, *, first: int = 0) -> list[Call]:
        return [
            Call(first + i, str(self.labels[row]), float(self.confidences[row]), float(self.novelties[row]))
            for i, row in enumerate(rows.tolist())
        ]


@dataclass(frozen=True)
class Scene:
    """A function at work: its data, what answers, what it is watched against."""

    world: World
    predictor: Predictor
    known: Familiar
    watch: Watch

    def say(self, inputs: Inputs) -> Said:
        pred_probs = self.predictor.pred_probs(inputs)
        novelties = self.known.novelty(point_reader(self.world.train)(inputs))
        return Said(pred_probs.argmax(axis=1), pred_probs.max(axis=1).astype(np.float64), novelties)

    def begun(self) -> Watch:
        watch = Watch.from_json(self.watch.to_json())
        assert watch is not None
        return watch


def measure_drifts(folders: Sequence[Path], *, n_streams: int) -> Iterator[dict[str, object]]:
    """Measure each of some data sets; strangers come from the next of the same kind of input."""
    kinds = {folder: datasets.read(folder).modality for folder in folders}
    for folder in folders:
        alike = [other for other in folders if kinds[other] is kinds[folder] is not Modality.TABLE]
        after = alike[(alike.index(folder) + 1) % len(alike)] if len(alike) > 1 else None
        yield from measure_drift(folder, n_streams=n_streams, other=after)


def measure_drift(folder: Path, *, n_streams: int, other: Path | None) -> Iterator[dict[str, object]]:
    """Yield a row per kind of stream; `other` is a data set of the same kind of input. Raises as `datasets.read`."""
    scene = set_scene(_read_once(folder))
    held_out = scene.say(scene.world.test)
    yield _calm(scene, held_out, n_streams)
    for name, said in _shifts(scene, folder, held_out, other):
        yield _shifted(scene, held_out, name, said, n_streams)


def set_scene(world: World, *, seed: int = 0) -> Scene:
    """Train on some samples of the train half, and watch against all of it."""
    draw = np.random.default_rng(seed)
    labelled = draw.permutation(len(world.train_labels))[:N_LABELS]
    result = automl.train(world.given(labelled, np.ones(len(labelled), dtype=bool)))
    pred_probs = result.predictor.pred_probs(world.train).copy()
    pred_probs[labelled] = result.pred_probs
    points = point_reader(world.train)(world.train)
    known = familiar(points)
    if known is None:
        raise ValueError(f"{world.name} has too few samples.")
    said = pred_probs.argmax(axis=1)
    counts = {str(label): int((said == label).sum()) for label in range(world.n_classes)}
    confidences = pred_probs.max(axis=1).astype(np.float64)
    watch = Watch.of(novelties=known.own, confidences=confidences, labels=counts)
    return Scene(world, result.predictor, known, watch)


def _calm(scene: Scene, held_out: Said, n_streams: int) -> dict[str, object]:
    """How many streams drawn from the held-out half raise an alarm, evenly and in bursts of ten calls of one label."""
    n_even = n_bursts = 0
    for seed in range(n_streams):
        draw = np.random.default_rng(seed)
        n_even += bool(scene.begun().follow(held_out.calls(draw.integers(len(held_out.labels), size=N_CALM))))
        n_bursts += bool(scene.begun().follow(held_out.calls(_bursts(scene.world.test_labels, draw))))
    row = {"dataset": scene.world.name, "stream": "calm", "n_streams": n_streams, "n_calls": N_CALM}
    return {**row, "n_with_alarm": n_even, "n_with_alarm_in_bursts": n_bursts}


def _bursts(labels: IntArray, draw: np.random.Generator) -> IntArray:
    """Ten calls in a row of samples of one label, then of another."""
    of_label = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    sizes = np.array([len(rows) for rows in of_label], dtype=np.float64)
    chosen = draw.choice(len(of_label), size=N_CALM // BURST, p=sizes / sizes.sum())
    return np.concatenate([draw.choice(of_label[label], size=BURST) for label in chosen])


def _shifted(scene: Scene, held_out: Said, name: str, said: Said, n_streams: int) -> dict[str, object]:
    """Calls from the shift to the first alarm, where it is there at once and where it comes after a calm time."""
    row: dict[str, object] = {"dataset": scene.world.name, "stream": name, "n_streams": n_streams}
    for when, n_before in (("at_once", 0), ("later", N_BEFORE)):
        first: list[Alarm] = []
        for seed in range(n_streams):
            draw = np.random.default_rng(1_000 + seed)
            watch = scene.begun()
            watch.follow(held_out.calls(draw.integers(len(held_out.labels), size=n_before)))
            calls = said.calls(draw.integers(len(said.labels), size=N_SHIFTED), first=n_before)
            first += watch.follow(calls)[:1]
        delays = np.array([alarm.raised - n_before + 1 for alarm in first] + [np.inf] * (n_streams - len(first)))
        row[when] = {
            "median": _finite(np.median(delays)),
            "worst": _finite(np.max(delays)),
            "within_300": float(np.mean(delays <= 300)),
            "by": {watched: [alarm.watched for alarm in first].count(watched) for watched in Watched},
        }
    return row


def _finite(calls: float) -> float | None:
    """None where it was not noticed within `N_SHIFTED` calls."""
    return float(calls) if np.isfinite(calls) else None


def _shifts(scene: Scene, folder: Path, held_out: Said, other: Path | None) -> Iterator[tuple[str, Said]]:
    labels = scene.world.test_labels
    if other is not None:
        strangers = scene.say(_read_once(other).test)
        yield f"all of {other.name}", strangers
        yield f"{MIXED:.0%} of {other.name}", _mixture(held_out, strangers)
    if scene.world.modality is Modality.IMAGE:
        for name, change in CHANGES.items():
            yield name, scene.say(_changed(folder, change))
    largest = np.bincount(labels).argmax()
    yield "one label only", held_out.take(np.flatnonzero(labels == largest))
    is_more = labels % 2 == 0
    twice = np.concatenate([np.flatnonzero(is_more).repeat(4), np.flatnonzero(~is_more)])
    yield "half of the labels four times as frequent", held_out.take(twice)


def _mixture(held_out: Said, strangers: Said) -> Said:
    """So many of them that one call in a few is a stranger, whatever the sizes of the two."""
    n = round(len(held_out.labels) * MIXED / (1 - MIXED))
    return held_out.with_(strangers.take(np.arange(n) % len(strangers.labels)))


def _changed(folder: Path, change: Change) -> Inputs:
    samples: list[backbones.Input] = []
    for path in datasets.read(folder).test.inputs:
        with Image.open(path) as picture:
            samples.append(change(picture.convert("RGB")))
    loaded = {name: backbones.load(name) for name in backbones.for_modality(Modality.IMAGE)}
    return Inputs(len(samples), {name: backbone.encode(samples) for name, backbone in loaded.items()})


@cache
def _read_once(folder: Path) -> World:
    return read_world(folder)
