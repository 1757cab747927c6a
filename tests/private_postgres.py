"""A PostgreSQL for tests: a cluster of its own on a free port of this machine alone, thrown away afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


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


@contextmanager
def private_postgres() -> Iterator[str]:
    """Make a cluster, start it, yield its address, and throw both away. Where PostgreSQL is not installed: skip."""
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
