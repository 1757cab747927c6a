"""`manage.py up`: start everything this machine needs, and watch it."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from apps.ops.supervisor import CannotStart, UpOptions, run_up


class Command(BaseCommand):
    help = "Start Redis, the web process and the worker, and restart what dies, until Ctrl-C."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on; 0 takes any free one")
        parser.add_argument("--data-dir", help="where everything is kept (default: HUNDREDFOLD_DATA_DIR, else var)")
        parser.add_argument("--demo", action="store_true", help="bring two example functions")
        parser.add_argument("--no-worker", action="store_true", help="leave the worker to another machine")

    def handle(self, *args: object, host: str, port: int, demo: bool, no_worker: bool, **options: object) -> None:
        try:
            run_up(UpOptions(host=host, port=port, has_worker=not no_worker, has_demo=demo))
        except CannotStart as error:
            raise CommandError(str(error)) from error
