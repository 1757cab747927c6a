"""`manage.py create_key`: a key for a program, also one with the client id and secret it has had elsewhere."""

import getpass
import os
import sys
from argparse import ArgumentParser
from datetime import datetime, timedelta

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.accounts.services import OPERATOR_EMAIL
from apps.core.errors import HundredfoldError
from apps.core.schema import require_tables
from apps.workspaces.scopes import Scope
from apps.workspaces.services.provisioning import Provided, Wish, provide_key

_LEAST_DAYS, _MOST_DAYS = 1, 3650


class Command(BaseCommand):
    help = (
        "Make an API key and write its client id and secret. With --client-id it can be repeated: a key that is there "
        "stays as it is, unless --rotate is given."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="NAME", help="name or id; made when there is none")
        parser.add_argument(
            "--owner",
            default="",
            metavar="EMAIL",
            help="whose key it is; default: the oldest owner",
        )
        parser.add_argument("--name", default="", help="what uses it; default: its client id")
        parser.add_argument("--client-id", default="", metavar="ID", help="the one the program has; default: a new one")
        parser.add_argument(
            "--client-secret",
            default="",
            metavar="SECRET",
            help="the one the program has; default: a new one. `-` reads it from standard input",
        )
        parser.add_argument(
            "--client-secret-env",
            default="",
            metavar="VARIABLE",
            help="the environment variable that holds it: unlike arguments, other users of the machine cannot see it",
        )
        parser.add_argument(
            "--scopes", nargs="+", default=list(Scope), help=f"of {', '.join(Scope)}; default: all of them"
        )
        parser.add_argument("--function", default="", metavar="ID", help="the one function it is for; default: all")
        parser.add_argument("--expires", type=int, default=None, metavar="DAYS", help="default: never")
        parser.add_argument("--rotate", action="store_true", help="give the key with this client id a new secret")
        parser.add_argument("--overlap", type=int, default=0, metavar="HOURS", help="how long the old secret works on")

    def handle(self, *args: object, **options: object) -> None:
        require_tables()
        client_id = str(options["client_id"]).strip()
        wish = Wish(
            name=str(options["name"]) or client_id or "Made by a command",
            scopes=_scopes(options["scopes"]),
            client_id=client_id,
            secret=_secret(str(options["client_secret"]), str(options["client_secret_env"])),
            only_function=str(options["function"]),
            expires_at=_expiry(options["expires"]),
        )
        if not client_id and (wish.secret or options["rotate"]):
            raise CommandError("Give the --client-id as well.")
        try:
            provided = provide_key(
                workspace_name=str(options["workspace"]),
                owner_email=str(options["owner"]),
                wish=wish,
                rotates=bool(options["rotate"]),
                overlap=timedelta(hours=int(str(options["overlap"]))),
            )
        except HundredfoldError as error:
            raise CommandError(error.message) from error
        self._tell(provided, wish)

    def _tell(self, provided: Provided, wish: Wish) -> None:
        key = provided.key
        self.stdout.write(f"client_id: {key.client_id}")
        if not provided.secret:
            self.stderr.write("This key is there already and stays as it is. Add --rotate to give it a new secret.")
        elif wish.secret:
            self.stderr.write("The secret is the one you gave. It works at /connect/token.")
        else:
            self.stdout.write(f"client_secret: {provided.secret}")
            self.stderr.write("The secret is shown this once. It works at /connect/token, and directly as a bearer.")
        if not key.owner.has_usable_password() and key.owner.email != OPERATOR_EMAIL:
            self.stderr.write(f"To sign in as {key.owner.email}: python manage.py sign_in_link {key.owner.email}")


def _secret(given: str, variable: str) -> str:
    if given and variable:
        raise CommandError("Give --client-secret or --client-secret-env, not both.")
    if variable:
        if not os.environ.get(variable):
            raise CommandError(f"The environment variable {variable} is not set.")
        return os.environ[variable]
    if given != "-":
        return given
    secret = getpass.getpass("Secret: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise CommandError("There is no secret on standard input.")
    return secret


def _scopes(given: object) -> list[Scope]:
    """Read them whether blanks or commas stand between."""
    words = " ".join(given if isinstance(given, list) else [str(given)]).replace(",", " ").split()
    if not words or set(words) - set(Scope.values):
        raise CommandError(f"--scopes takes some of {', '.join(Scope)}.")
    return [Scope(word) for word in words]


def _expiry(days: object) -> datetime | None:
    if days is None:
        return None
    if not isinstance(days, int) or not _LEAST_DAYS <= days <= _MOST_DAYS:
        raise CommandError(f"--expires takes {_LEAST_DAYS} to {_MOST_DAYS} days.")
    return timezone.now() + timedelta(days=days)
