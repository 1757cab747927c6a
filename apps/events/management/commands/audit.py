"""`manage.py audit verify` and `manage.py audit export`: whether anyone changed what is on record, and a copy of it."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from apps.core.schema import require_tables
from apps.events.exporting import Format, check_copy, lines_of
from apps.events.models import ChainHead, Event
from apps.events.services import verify_chain


class Command(BaseCommand):
    help = "Check the audit log, or write it out."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        verify = actions.add_parser("verify", help="Exits with 1 if an audit log is not what was written.")
        verify.add_argument("--workspace", action="append", metavar="ID", help="This one; all without it.")
        verify.add_argument("--copy", metavar="FILE", help="An export of that workspace that must still stand in it.")
        export = actions.add_parser("export", help="Write a workspace's whole log, with its hashes.")
        export.add_argument("--workspace", required=True, metavar="ID")
        export.add_argument("--format", choices=[each.value for each in Format], default=Format.JSONL.value)
        export.add_argument("--output", metavar="FILE", help="Standard output without it.")

    def handle(self, *_args: object, **options: object) -> None:
        require_tables()
        if options["action"] == "export":
            self._export(str(options["workspace"]), Format(str(options["format"])), options["output"])
            return
        named = options["workspace"]
        workspaces = named if isinstance(named, list) else sorted(_all_workspaces())
        if options["copy"]:
            if len(workspaces) != 1:
                raise CommandError("Name the workspace that the copy is of: --workspace ID")
            self._compare(workspaces[0], Path(str(options["copy"])))
        self._verify(workspaces)

    def _verify(self, workspaces: list[str]) -> None:
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

    def _compare(self, workspace: str, copy: Path) -> None:
        try:
            with copy.open(encoding="utf-8") as lines:
                check = check_copy(lines, workspace=workspace)
        except (OSError, ValueError) as error:
            raise CommandError(f"{copy} cannot be read as an exported audit log: {error}") from error
        if check.broken_at is not None:
            raise CommandError(f"Event {check.broken_at} of {workspace} is gone or not as it is in {copy}.")
        self.stdout.write(f"{workspace}: holds all {check.n_events} events of the copy")

    def _export(self, workspace: str, format: Format, output: object) -> None:
        if not Event.objects.filter(workspace_id=workspace).exists():
            raise CommandError(f"There is no audit log of {workspace}.")
        if not output:
            for line in lines_of(workspace, format):
                self.stdout.write(line, ending="")
            return
        with Path(str(output)).open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines_of(workspace, format))


def _all_workspaces() -> set[str]:
    """Those whose head was taken away as well as those whose events were."""
    heads = set(ChainHead.objects.values_list("pk", flat=True))
    return heads | set(Event.objects.order_by().values_list("workspace_id", flat=True).distinct())
