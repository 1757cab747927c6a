"""`manage.py store_files`: after a change to `HUNDREDFOLD_FILES`, what this machine has is there for the others too."""

from pathlib import Path

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import Storage, storages
from django.core.management.base import BaseCommand, CommandError

from apps.core.schema import require_tables
from apps.training.services import files


class Command(BaseCommand):
    help = "Copy the files of this data directory to where HUNDREDFOLD_FILES says. Safe to run again."

    def handle(self, *args: object, **options: object) -> None:
        if not files.are_apart():
            raise CommandError("Files already lie in the data directory. First say HUNDREDFOLD_FILES=database.")
        require_tables()
        n_pictures = store_folder(Path(settings.MEDIA_ROOT), storages["default"])
        n_models = store_folder(Path(settings.ARTIFACTS_DIR), storages["artifacts"])
        self.stdout.write(f"{n_pictures} pictures and uploads, {n_models} files of models were stored.")


def store_folder(folder: Path, storage: Storage) -> int:
    """Copy what the storage does not have yet; return how many files that were."""
    n_stored = 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.name.startswith(".") and not storage.exists(name):
            with path.open("rb") as file:
                storage.save(name, File(file))
            n_stored += 1
    return n_stored
