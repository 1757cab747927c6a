"""Measures the engine alone: `python -m apps.engine.bench WHAT`, one line of JSON a figure.

No database and no web application; `manage.py bench` offers the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TypeAlias

import numpy as np

from apps.engine import automl, metrics
from apps.engine.runtime import choose_device, describe_device
from apps.engine.types import Inputs, IntArray, TrainingData

_CHECKOUT = Path(__file__).resolve().parents[2]
_PLACES = [folder / "shared" / "data" for folder in (_CHECKOUT.parent, _CHECKOUT)]
PUBLIC_DATA = next((place for place in _PLACES if place.is_dir()), _PLACES[0])
"""Where the public data sets lie: beside the checkout, or in it where it was sent to another machine."""
SETS = ("clinc20", "medical_abstracts", "sms_spam", "snips7", "trashnet", "sign_digits", "german_credit", "penguins")
N_DRAWS = 200
Parts: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # has no public name


def measure_round(
    n_samples: int, *, n_classes: int = 4, dim: int = 1536, repeats: int = 3, device: str = "cpu"
) -> dict[str, object]:
    """Time a bare round on made-up embeddings, about as hard as text at 90 % right."""
    random = np.random.default_rng(0)
    labels: IntArray = random.permutation(np.arange(n_samples) % n_classes)
    centres = random.normal(size=(n_classes, 64))
    plan = random.normal(size=(64, dim)) / 8
    rows = (centres[labels] + 3 * random.normal(size=(n_samples, 64))) @ plan + random.normal(size=(n_samples, dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    inputs = Inputs(n_samples, {"minilm": rows.astype(np.float32)})
    given = TrainingData(inputs, labels, n_classes, np.arange(n_samples))
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        result = automl.train(given, device=device)
        seconds.append(round(time.perf_counter() - started, 4))
    cv_accuracy = round(metrics.accuracy(result.pred_probs, labels), 4)
    shape = {"n_samples": n_samples, "n_classes": n_classes, "dim": dim}
    return {**shape, "cv_accuracy": cv_accuracy, "n_trials": len(result.trials), "seconds": seconds}


def add_arguments(parts: Parts) -> None:
    """Declare what can be measured, and how much of it."""
    accuracy = parts.add_parser("accuracy", help="test accuracy with few labels, a row per folder and draw")
    accuracy.add_argument("--labels", type=int, default=100)
    accuracy.add_argument("--seeds", type=int, default=3, help="draws of labels per folder")
    accuracy.add_argument("--stage", choices=("first", "best"), default="first")
    accuracy.add_argument("--pick", choices=("random", "queue"), default="random", help="who chooses what is labelled")
    forecast = parts.add_parser("forecast", help="whether intervals, forecasts and promises come true")
    forecast.add_argument("--draws", type=int, default=N_DRAWS)
    forecast.add_argument("--labels", type=int, default=100)
    speed = parts.add_parser("speed", help="rounds and backbones beside what they are measured against")
    queue = parts.add_parser("queue", help="what the queue is worth beside random and plain margin, a row per figure")
    queue.add_argument("--start", type=int, default=20, help="labels at the beginning of the curve")
    queue.add_argument("--stop", type=int, default=100)
    queue.add_argument("--step", type=int, default=10)
    queue.add_argument("--seeds", type=int, default=5, help="curves per folder and strategy")
    errors = parts.add_parser("label-errors", help="how well flipped labels are found, a row per folder and draw")
    errors.add_argument("--n", type=int, default=300, help="labels drawn")
    errors.add_argument("--flip", type=float, default=0.1, help="share of them changed to any other")
    errors.add_argument("--seeds", type=int, default=5, help="draws per folder")
    drift = parts.add_parser("drift", help="alarms where calls shift, and where not, a row per folder and shift")
    drift.add_argument("--streams", type=int, default=20, help="streams per row")
    search = parts.add_parser("search", help="how much of what is nearest is found, and how quickly")
    search.add_argument("--samples", type=int, nargs="*", default=[1_000, 100_000])
    for part in (accuracy, forecast, queue, errors, drift, search):
        part.add_argument("folders", nargs="*", type=Path, metavar="DIR", help="data sets; by default the public ones")
    a_round = parts.add_parser("round", help="seconds of a bare round on made-up embeddings")
    a_round.add_argument("--samples", type=int, nargs="*", default=[100, 1_000, 10_000])
    a_round.add_argument("--classes", type=int, default=4)
    for part in (accuracy, forecast, queue, errors, drift, search, speed, a_round):
        part.add_argument("--json", type=Path, metavar="FILE", help="write the lines here as well")


TIMED = frozenset({"accuracy", "speed", "round"})
"""What says how long something took, and therefore on what."""


def measurements(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield what was asked for, each as soon as it is measured."""
    device = {"device": describe_device(choose_device())} if arguments.what in TIMED else {}
    for row in _measured(arguments):
        yield row | device


def _measured(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    # Imported where they are needed: pictures, torch and scikit-learn take seconds.
    if arguments.what == "accuracy":
        from apps.engine.bench_accuracy import Pick, Stage, measure_accuracy

        for folder in arguments.folders or public_folders():
            yield from measure_accuracy(
                folder,
                n_labels=arguments.labels,
                n_seeds=arguments.seeds,
                stage=Stage(arguments.stage),
                pick=Pick(arguments.pick),
            )
    elif arguments.what == "forecast":
        from apps.engine.bench_forecast import measure_forecast

        for folder in arguments.folders or public_folders():
            yield from measure_forecast(folder, n_draws=arguments.draws, n_labels=arguments.labels)
    elif arguments.what == "queue":
        from apps.engine.bench_queue import Steps, measure_queue

        steps = Steps(arguments.start, arguments.stop, arguments.step)
        for folder in arguments.folders or public_folders():
            yield from measure_queue(folder, steps=steps, n_seeds=arguments.seeds)
    elif arguments.what == "label-errors":
        from apps.engine.bench_label_errors import measure_label_errors

        for folder in arguments.folders or public_folders():
            yield from measure_label_errors(folder, n_labels=arguments.n, flip=arguments.flip, n_seeds=arguments.seeds)
    elif arguments.what == "drift":
        from apps.engine.bench_drift import measure_drifts

        yield from measure_drifts(arguments.folders or public_folders(), n_streams=arguments.streams)
    elif arguments.what == "search":
        from apps.engine.bench_search import measure_search

        yield from measure_search(arguments.folders or public_folders(), arguments.samples)
    elif arguments.what == "speed":
        from apps.engine.bench_best import measure_best_rounds
        from apps.engine.bench_speed import measure_speed

        texts, pictures = PUBLIC_DATA / "snips7", PUBLIC_DATA / "trashnet"
        yield {**measure_speed(texts, pictures), **measure_best_rounds(texts, pictures)}
    else:
        for n_samples in arguments.samples:
            yield measure_round(n_samples, n_classes=arguments.classes, device=choose_device())


def public_folders() -> list[Path]:
    """Return the public data sets that are there."""
    return [PUBLIC_DATA / name for name in SETS if (PUBLIC_DATA / name).is_dir()]


def written(rows: Iterable[dict[str, object]], file: Path | None) -> Iterator[str]:
    """Yield each row as a line of JSON, and write the lines to a file as they come."""
    with file.open("w", encoding="utf-8") if file is not None else nullcontext() as out:
        for row in rows:
            line = json.dumps(row)
            if out is not None:
                out.write(f"{line}\n")
                out.flush()
            yield line


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m apps.engine.bench", description=__doc__)
    add_arguments(parser.add_subparsers(dest="what", required=True))
    arguments = parser.parse_args()
    for line in written(measurements(arguments), arguments.json):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
