"""`manage.py verify_audit_log [WORKSPACE …]`: say whether anyone changed what is on record."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from apps.core.schema import require_tables
from apps.events.models import ChainHead
from apps.events.services import verify_chain


class Command(BaseCommand):
    help = "Walk the audit log of every workspace (or of those named by id); exits with 1 if one was tampered with."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("workspaces", nargs="*", metavar="WORKSPACE")

    def handle(self, *_args: object, **options: object) -> None:
        require_tables()
        named = options["workspaces"]
        workspaces = (
            named if isinstance(named, list) and named else list(ChainHead.objects.values_list("pk", flat=True))
        )
        broken = []
        for workspace in workspaces:
            check = verify_chain(workspace)
            if check.is_whole:
                self.stdout.write(f"{workspace}: whole, {check.n_events} events")
            else:
                self.stdout.write(f"{workspace}: broken at event {check.broken_at}")
                broken.append(workspace)
        if broken:
            raise CommandError(f"The audit log of {', '.join(broken)} is not what was written.")
