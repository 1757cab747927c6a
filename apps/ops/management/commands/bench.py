"""`manage.py bench accuracy|round|loop`: measure what the product promises. One line of JSON per measurement."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import HundredfoldError
from apps.engine import bench
from apps.engine.errors import EngineError
from apps.ops.loop_bench import measure_loop


class Command(BaseCommand):
    help = "Measure accuracy on public data sets, the bare round of training, or the whole loop through the browser."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        accuracy = parts.add_parser("accuracy", help="test accuracy with few labels, mean of three draws")
        accuracy.add_argument("--sets", nargs="*", default=bench.SETS)
        accuracy.add_argument("--labels", type=int, default=100)
        accuracy.add_argument("--data", type=Path, default=bench.PUBLIC_DATA, help="folder of the data sets")
        a_round = parts.add_parser("round", help="seconds of a round of the engine alone")
        a_round.add_argument("--samples", type=int, nargs="*", default=[100, 1_000, 10_000])
        a_round.add_argument("--classes", type=int, default=4)
        loop = parts.add_parser("loop", help="label saved to fresh predictions and figures, over HTTP")
        loop.add_argument("--set", default="snips7")
        loop.add_argument("--annotations", type=int, default=50)
        loop.add_argument("--data", type=Path, default=bench.PUBLIC_DATA, help="folder of the data sets")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            for measurement in measurements(**options):
                self.stdout.write(json.dumps(measurement))
                self.stdout.flush()
        except (HundredfoldError, EngineError, OSError) as error:
            raise CommandError(str(error)) from error


def measurements(*, what: str, **options: Any) -> Iterator[dict[str, object]]:
    """Yield each as soon as it is measured."""
    if what == "accuracy":
        for name in options["sets"]:
            yield bench.measure_accuracy(options["data"] / name, n_labels=options["labels"])
    elif what == "round":
        for n_samples in options["samples"]:
            yield bench.measure_round(n_samples, n_classes=options["classes"])
    else:
        yield asdict(measure_loop(options["data"] / options["set"], n_annotations=options["annotations"]))
