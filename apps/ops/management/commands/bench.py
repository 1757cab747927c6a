"""`manage.py bench accuracy|forecast|queue|label-errors|speed|round|search|loop|desk|load`: what is promised."""

import argparse
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
from apps.ops.adapting_bench import measure_loop_adapting
from apps.ops.desk_bench import measure_desk
from apps.ops.load_bench import in_words, measure_load
from apps.ops.loop_bench import measure_loop


class Command(BaseCommand):
    help = "Measure accuracy, forecasts and speed of the engine on public data, or the whole loop through the browser."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        bench.add_arguments(parts)
        loop = parts.add_parser("loop", help="label saved to fresh predictions and figures, over HTTP")
        loop.add_argument("--set", default="snips7")
        loop.add_argument("--annotations", type=int, default=50)
        loop.add_argument("--data", type=Path, default=bench.PUBLIC_DATA, help="folder of the data sets")
        loop.add_argument(
            "--adapting",
            action="store_true",
            help="and calls, while a backbone is adapted, beside the same without",
        )
        desk = parts.add_parser("desk", help="pages and doors of a large function, in milliseconds, while rounds run")
        desk.add_argument("--samples", type=int, default=100_000)
        desk.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
        loop.add_argument("--json", type=Path, metavar="FILE", help="write the lines here as well")
        load = parts.add_parser("load", help="calls over HTTP by 1 to 128 callers, beside the bare pass")
        load.add_argument("--seconds", type=float, default=6.0, help="of calls in each measurement")
        load.add_argument("--functions", type=int, default=500, help="how many are called at random")
        load.add_argument("--data", type=Path, metavar="DIR", help="send the texts or pictures of this data set")
        load.add_argument("--cache-mb", type=int, help="of memory for published models; else what the setting says")
        load.add_argument("--json", type=Path, metavar="FILE", help="write the lines here as well")

    def handle(self, *args: Any, **options: Any) -> None:
        arguments = argparse.Namespace(**options)
        try:
            for line in bench.written(measurements(arguments), arguments.json):
                self.stdout.write(in_words(json.loads(line)) if arguments.what == "load" else line)
                self.stdout.flush()
        except (HundredfoldError, EngineError, OSError, ValueError) as error:
            raise CommandError(str(error)) from error


def measurements(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield each as soon as it is measured."""
    if arguments.what == "loop" and arguments.adapting:
        yield measure_loop_adapting(arguments.data / arguments.set, n_annotations=arguments.annotations)
    elif arguments.what == "loop":
        yield asdict(measure_loop(arguments.data / arguments.set, n_annotations=arguments.annotations))
    elif arguments.what == "desk":
        yield dict(measure_desk(arguments.samples))
    elif arguments.what == "load":
        yield from measure_load(
            seconds=arguments.seconds,
            n_functions=arguments.functions,
            data=arguments.data,
            cache_mb=arguments.cache_mb,
        )
    else:
        yield from bench.measurements(arguments)
