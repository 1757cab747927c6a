"""`manage.py quota`: what a workspace may have, and what it has used."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from apps.core.schema import require_tables
from apps.workspaces.models import Workspace
from apps.workspaces.services.quotas import Quota, n_samples_of, set_quotas, usage_of

_MOST = 2**31 - 1


class Command(BaseCommand):
    help = (
        "Write what a workspace has used and may use; a number, `none` or `default` behind an option changes that. "
        "`default` is what the settings say for all workspaces."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", required=True, metavar="NAME", help="its name or id")
        for quota in Quota:
            parser.add_argument(f"--{quota.value.replace('_', '-')}", dest=quota.value, metavar="N")

    def handle(self, *args: object, workspace: str, **options: object) -> None:
        require_tables()
        found = Workspace.objects.filter(public_id=workspace) or Workspace.objects.filter(name=workspace)
        if len(found) != 1:
            raise CommandError("There are several of this name: give its id." if found else f"There is no {workspace}.")
        wanted = {quota: _value(str(options[quota.value])) for quota in Quota if options[quota.value] is not None}
        if wanted:
            set_quotas(workspace=found[0], quotas=wanted)
        usage = usage_of(found[0])
        self.stdout.write(f"calls today: {usage.calls_today:,} of {_words(usage.calls_per_day)}")
        self.stdout.write(f"calls in 30 days: {usage.calls_in_30_days:,}")
        self.stdout.write(f"functions: {usage.n_functions:,} of {_words(usage.max_functions)}")
        self.stdout.write(f"samples: {n_samples_of(found[0]):,} of {_words(usage.max_samples)}")


def _value(given: str) -> int | None:
    if given == "default":
        return None
    if given == "none":
        return 0
    if not (given.isascii() and given.isdigit() and int(given) <= _MOST):
        raise CommandError("A quota is a whole number, `none` or `default`.")
    return int(given)


def _words(limit: int) -> str:
    return f"{limit:,}" if limit else "as many as it likes"
