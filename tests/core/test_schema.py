"""A command that meets an empty database, or that of another version, says what to do instead of failing on a table."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError
from django.db.migrations.recorder import MigrationRecorder

from apps.core.schema import n_migrations_due, require_tables

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.django_db
def test_a_database_of_an_earlier_version_is_said() -> None:
    require_tables()
    MigrationRecorder.Migration.objects.filter(app="core").order_by("-pk")[:1].get().delete()
    assert n_migrations_due() == 1
    with pytest.raises(CommandError, match="of an earlier version: `up` brings it up to date"):
        require_tables()


@pytest.mark.parametrize(
    "command",
    [["sign_in_link", "somebody@example.com"], ["audit", "verify"], ["backbones", "use", "--default", "text"]],
)
def test_commands_say_that_there_is_nothing_yet(command: list[str], tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HUNDREDFOLD_")}
    environment = {**kept, "HUNDREDFOLD_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"CommandError: The database ({tmp_path}) is new")
    assert "Traceback" not in done.stderr
