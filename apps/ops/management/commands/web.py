"""`manage.py web`: one web process, where several share a load balancer; `up` starts its own through this too."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from apps.ops.listening import CannotListen, inherited, listen
from apps.ops.web import serve


class Command(BaseCommand):
    help = "Answer requests. `up` does this and more; use it where web processes run on machines of their own."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--descriptor", type=int, help="a listening socket passed on by the parent process")

    def handle(self, *args: object, host: str, port: int, descriptor: int | None, **options: object) -> None:
        try:
            listener = listen(host, port) if descriptor is None else inherited(descriptor)
        except CannotListen as error:
            raise CommandError(str(error)) from error
        serve(listener)
