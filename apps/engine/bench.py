"""Measures the engine alone: `python -m apps.engine.bench accuracy|round`. One line of JSON per measurement."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from apps.engine import automl, backbones, datasets, metrics
from apps.engine.types import FloatArray, Inputs, IntArray, TrainingData

PUBLIC_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Where the public data sets lie: beside the checkout."""
SETS = ("sms_spam", "clinc20", "snips7", "medical_abstracts", "trashnet", "sign_digits")


def encode_split(backbone: backbones.Backbone, split: datasets.Split) -> FloatArray:
    """Return the embeddings of a split, `(n_samples, dim)`."""
    inputs: list[backbones.Input] = []
    for sample in split.inputs:
        if isinstance(sample, str):
            inputs.append(sample)
        else:
            with Image.open(sample) as picture:
                inputs.append(picture.convert("RGB"))
    return backbone.encode(inputs)


def measure_accuracy(folder: Path, *, n_labels: int = 100, seeds: tuple[int, ...] = (0, 1, 2)) -> dict[str, object]:
    """Train on labels drawn from a data set's train split and score its whole test split, once per seed."""
    data = datasets.read(folder)
    name = backbones.for_modality(data.modality)[0]
    backbone = backbones.load(name)
    train_rows, test_rows = encode_split(backbone, data.train), encode_split(backbone, data.test)
    columns = {label: column for column, label in enumerate(data.label_names)}
    train_labels = np.array([columns[label] for label in data.train.labels])
    test_labels = np.array([columns[label] for label in data.test.labels])
    figures: dict[str, list[float]] = {}
    n_labelled = 0
    for seed in seeds:
        drawn = datasets.draw_labelled(data.train.labels, n_labels, seed=seed)
        n_labelled = len(drawn)
        given = TrainingData(
            Inputs(n_labelled, {name: train_rows[drawn]}), train_labels[drawn], len(columns), np.arange(n_labelled)
        )
        result = automl.train(given, seed=seed)
        pred_probs = result.predictor.pred_probs(Inputs(len(test_rows), {name: test_rows}))
        for key, value in {
            "test_accuracy": metrics.accuracy(pred_probs, test_labels),
            "test_balanced_accuracy": metrics.balanced_accuracy(pred_probs, test_labels),
            "test_log_loss": float(metrics.sample_log_losses(pred_probs, test_labels).mean()),
            "test_calibration_error": metrics.expected_calibration_error(pred_probs, test_labels),
            "cv_accuracy": metrics.accuracy(result.pred_probs, given.labels),
            "seconds": result.seconds,
        }.items():
            figures.setdefault(key, []).append(value)
    means = {key: round(float(np.mean(values)), 4) for key, values in figures.items()}
    majority = round(metrics.majority_share(test_labels), 4)
    return {"set": data.name, "n_labels": n_labelled, "n_seeds": len(seeds), "majority": majority, **means}


def measure_round(n_samples: int, *, n_classes: int = 4, dim: int = 1536, repeats: int = 3) -> dict[str, object]:
    """Time a bare round on made-up embeddings, about as hard as text at 90 % right."""
    random = np.random.default_rng(0)
    labels: IntArray = random.permutation(np.arange(n_samples) % n_classes)
    centres = random.normal(size=(n_classes, 64))
    plan = random.normal(size=(64, dim)) / 8
    rows = (centres[labels] + 3 * random.normal(size=(n_samples, 64))) @ plan + random.normal(size=(n_samples, dim))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    given = TrainingData(
        Inputs(n_samples, {"minilm": rows.astype(np.float32)}), labels, n_classes, np.arange(n_samples)
    )
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        result = automl.train(given)
        seconds.append(round(time.perf_counter() - started, 4))
    cv_accuracy = round(metrics.accuracy(result.pred_probs, labels), 4)
    shape = {"n_samples": n_samples, "n_classes": n_classes, "dim": dim}
    return {**shape, "cv_accuracy": cv_accuracy, "n_trials": len(result.trials), "seconds": seconds}


def measurements(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield what was asked for, each as soon as it is measured."""
    if arguments.what == "accuracy":
        for name in arguments.sets or SETS:
            yield measure_accuracy(arguments.data / name, n_labels=(arguments.n or [100])[0])
    else:
        for n_samples in arguments.n or (100, 1_000, 10_000):
            yield measure_round(n_samples, n_classes=arguments.classes)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m apps.engine.bench", description=__doc__)
    parser.add_argument("what", choices=("accuracy", "round"))
    parser.add_argument("--n", type=int, nargs="*", help="samples: labels to draw, or sizes of a round")
    parser.add_argument("--classes", type=int, default=4, help="labels in a round")
    parser.add_argument("--sets", nargs="*", help="data sets to measure accuracy on")
    parser.add_argument("--data", type=Path, default=PUBLIC_DATA, help="folder of the data sets")
    for measurement in measurements(parser.parse_args()):
        print(json.dumps(measurement), flush=True)


if __name__ == "__main__":
    main()
