"""`manage.py import_folder DIR --name NAME`: a data set becomes a trained function."""

import json
import os
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import HundredfoldError
from apps.engine.errors import EngineError
from apps.ops import data_lock
from apps.ops.import_folder import import_folder


class Command(BaseCommand):
    help = (
        "Bring a folder with train.csv and test.csv (columns text,label or path,label) in as a function, labelling "
        "only some of it. Trains here, or by the worker of a running `up`. The last line on stdout is JSON."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--name", required=True, help="name of the new function")
        parser.add_argument("--labels", type=int, default=100, help="how many samples go in with their label")
        parser.add_argument("--seed", type=int, default=0, help="decides which ones")
        parser.add_argument("--data-dir", help="where everything is kept (default: HUNDREDFOLD_DATA_DIR, else var)")

    def handle(self, *args: object, folder: Path, name: str, labels: int, seed: int, **options: object) -> None:
        start_again_alone()
        call_command("migrate", interactive=False, verbosity=0, stdout=sys.stderr)
        try:
            report = import_folder(folder=folder, name=name, n_labels=labels, seed=seed)
        except (HundredfoldError, EngineError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(asdict(report)))


def start_again_alone() -> None:
    """Where a dead `up` left its broker's address behind, start this command anew with no broker.

    The broker is chosen when the settings are read, which is before any command runs.
    """
    is_ours = settings.IS_ALONE or settings.IS_REDIS_GIVEN or data_lock.holder_of(settings.DATA_DIR)
    if not is_ours:
        os.environ["HUNDREDFOLD_REDIS_URL"] = "memory://"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  # this very command, no shell
