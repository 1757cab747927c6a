"""What runs on SQLite runs on PostgreSQL: the same tests again, in a process of their own, on a private cluster."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Services, concurrency and flows. What never meets the database, or drives a browser, learns nothing here.
SUITES = [
    *("core", "accounts", "events", "workspaces", "functions", "samples"),
    *("training", "labeling", "review", "invoke", "flows"),
]
EXPRESSION = "not browser and not slow and not postgres"


@dataclass(frozen=True)
class Account:
    """Whose processes the server's are: PostgreSQL refuses to run as root."""

    name: str
    uid: int | None = None
    gid: int | None = None

    def run(self, *command: str) -> None:
        """Run to its end, or fail with what it wrote."""
        done = subprocess.run(
            command,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"


def choose_account() -> Account:
    if os.geteuid() != 0:
        return Account(pwd.getpwuid(os.geteuid()).pw_name)
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def find_program(name: str) -> str | None:
    """Debian keeps the server's programs off the PATH, a folder per version."""
    beside = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return shutil.which(name) or (str(beside[0]) if beside else None)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    """Make a cluster, start it on a free port of this machine alone, and throw both away."""
    initdb, pg_ctl = find_program("initdb"), find_program("pg_ctl")
    if not initdb or not pg_ctl:
        reason = "PostgreSQL's initdb and pg_ctl are not installed here"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    account = choose_account()
    folder = Path(tempfile.mkdtemp(prefix="hundredfold-postgres-"))
    try:
        if account.uid is not None:
            os.chown(folder, account.uid, account.gid or -1)
        data, port = str(folder / "data"), free_port()
        account.run(initdb, "-D", data, "-U", "hundredfold", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
        # Nothing of it outlives the tests, so it need not survive a power cut.
        options = (
            f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} "
            "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        )
        account.run(pg_ctl, "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://hundredfold@127.0.0.1:{port}/postgres"
        finally:
            account.run(pg_ctl, "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
