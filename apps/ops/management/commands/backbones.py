"""`manage.py backbones list | pull NAME[@REVISION] | use NAME`: other backbones than the built-in ones."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import HundredfoldError
from apps.core.schema import require_tables
from apps.engine.backbones.hub_files import MAX_BYTES
from apps.engine.backbones.registry import Manifest, Registry
from apps.engine.errors import EngineError
from apps.engine.types import Modality
from apps.ops.backbones import consequences, described, folder_of, is_folder
from apps.training.services import chosen
from apps.training.services.rereading import use_backbone

GIGABYTE = 1_000_000_000
USE = (
    "Read texts or pictures with a pulled backbone, in the whole installation. The workers read every sample anew, and "
    "each function goes on as before meanwhile. Then the two are compared on the function's own labels, on samples "
    "held out: where the new one does worse, beyond chance, that function stays with what it had, and `list` says so "
    "with figures; --anyway changes over all the same. With fewer than 20 labels nothing can be told: it changes over."
)


class Command(BaseCommand):
    help = "List the backbones there are, pull one from a hub or a folder, or choose the one that reads from now on."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parts = parser.add_subparsers(dest="what", required=True)
        parts.add_parser("list", help="what is in use, what is here, and what may be pulled")
        pull = parts.add_parser("pull", help="bring one to this machine: safetensors only, and no code ever")
        pull.add_argument("asked", metavar="NAME[@REVISION]", help="a preset, OWNER/MODEL as a hub has it, or ./FOLDER")
        pull.add_argument("--name", default="", help="what it is called here (needed for a folder)")
        pull.add_argument("--max-gb", type=float, default=MAX_BYTES / GIGABYTE, help="the most that is fetched")
        use = parts.add_parser("use", help="read texts or pictures with one that was pulled", description=USE)
        use.add_argument("--anyway", action="store_true", help="also where it does worse on a function's own labels")
        which = use.add_mutually_exclusive_group(required=True)
        which.add_argument("name", nargs="?", metavar="NAME")
        which.add_argument("--default", choices=["text", "image"], help="read these with the built-in ones again")

    def handle(self, *args: Any, what: str, **options: Any) -> None:
        try:
            if what == "list":
                self._say(*described())
            elif what == "pull":
                self._pull(options["asked"], options["name"], options["max_gb"])
            else:
                self._use(options["name"], options["default"], is_anyway=options["anyway"])
        except (HundredfoldError, EngineError) as error:
            raise CommandError(str(error)) from error

    def _pull(self, asked: str, name: str, max_gb: float) -> None:
        from apps.engine.backbones import hub  # imports torch
        from apps.engine.backbones.hub_sources import HubSource

        if is_folder(asked):
            wanted = hub.wanted_from_folder(folder_of(asked), name=name)
        else:
            wanted = hub.wanted_from_hub(asked, name=name, make=HubSource)
        manifest = hub.pull(wanted, into=chosen.folder(), say=self._say, max_bytes=int(max_gb * GIGABYTE))
        revision = f", revision {manifest.revision}" if manifest.revision else ""
        self._say(
            f"{manifest.name} is here{revision}: {len(manifest.files)} files, {manifest.n_bytes / 1e6:,.1f} MB, every "
            f"checksum recorded. Read with it: `manage.py backbones use {manifest.name}`."
        )

    def _use(self, name: str | None, default: str | None, *, is_anyway: bool) -> None:
        if settings.BACKBONES == "tiny":
            raise CommandError("HUNDREDFOLD_BACKBONES=tiny reads with weightless ones for tests, whatever is chosen.")
        require_tables()
        manifest = self._opened(name) if name else None
        modality = manifest.kind.modality if manifest else Modality(default or "")
        change = use_backbone(modality=modality, manifest=manifest, is_anyway=is_anyway)
        self._say(*consequences(change, modality, manifest, is_anyway=is_anyway))

    def _opened(self, name: str) -> Manifest:
        """Open it first: what cannot be read must not be chosen."""
        from apps.engine.backbones import hub
        from apps.training.services.encoders import device, timings_file

        registry = Registry(chosen.folder())
        if not registry.find(name):
            here = ", ".join(registry.names()) or "none"
            raise CommandError(f"There is no {name} on this machine that can be read. Here: {here}. Pull it first.")
        manifest = registry.manifest(name)
        hub.open_pulled(name, pulled=chosen.folder(), device=device(), cache=timings_file())
        return manifest

    def _say(self, *lines: str) -> None:
        for line in lines:
            self.stdout.write(line)
