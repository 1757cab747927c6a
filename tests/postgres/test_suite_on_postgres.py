"""What runs on SQLite runs on PostgreSQL: the same tests again, in a process of their own, on a private cluster."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.private_postgres import private_postgres

ROOT = Path(__file__).resolve().parents[2]
# Services, concurrency and flows. What never meets the database, or drives a browser, learns nothing here.
SUITES = [
    *("core", "accounts", "events", "workspaces", "functions", "samples"),
    *("training", "labeling", "review", "invoke", "api", "flows"),
]
EXPRESSION = "not browser and not slow and not postgres"


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    with private_postgres() as url:
        yield url


@pytest.mark.postgres
def test_services_concurrency_and_flows_run_on_postgresql(database_url: str, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "HUNDREDFOLD_"))}
    suites = [f"tests/{name}" for name in SUITES if (ROOT / "tests" / name).is_dir()]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", EXPRESSION, *suites]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**kept, "HUNDREDFOLD_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-12_000:] + done.stderr[-4_000:]
    assert " passed" in done.stdout


@pytest.mark.postgres
def test_the_suite_really_meets_postgresql(database_url: str) -> None:
    """A run that quietly used SQLite would prove nothing."""
    script = (
        "import django; django.setup(); from django.db import connection; "
        "connection.ensure_connection(); print(connection.vendor)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings", "HUNDREDFOLD_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "postgresql", done.stderr
