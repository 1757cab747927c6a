"""One real server for all of these tests, and what a program that was written for another service knows of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from nyckel import Credentials

from tests.live_up import LiveUp, running_up

CLIENT_ID, CLIENT_SECRET = "k2xw9c7dq1", "s3cr3t-that-the-program-has-had-for-years"


@dataclass(frozen=True)
class Server:
    """A running `up` with one key, whose client id and secret are those the program had elsewhere."""

    up: LiveUp

    @property
    def mounted(self) -> str:
        """The address to give to programs that look for the end of the base at `.com`."""
        return f"{self.up.url.rstrip('/')}/api.com"

    def make_key(self, client_id: str, *options: str) -> None:
        made = self.up.manage(
            *("create_key", "--workspace", "Support desk", "--client-id", client_id),
            *("--client-secret", CLIENT_SECRET, "--owner", "olga@example.com", *options),
        )
        assert made.returncode == 0, made.stderr

    def client(self, client_id: str = CLIENT_ID, *, base: str = "") -> httpx.Client:
        """A client that has signed in, at the root unless told otherwise, and follows no redirect."""
        base = base or self.up.url
        pair = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": CLIENT_SECRET}
        token = httpx.post(f"{base.rstrip('/')}/connect/token", data=pair, trust_env=False).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=base, headers=headers, timeout=60, trust_env=False)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("clients")
    with pytest.MonkeyPatch.context() as patch, running_up(folder / "var") as up:
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        server = Server(up)
        server.make_key(CLIENT_ID)
        yield server


@pytest.fixture
def credentials(server: Server) -> Credentials:
    return Credentials(CLIENT_ID, CLIENT_SECRET, server_url=server.mounted)


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def mounted(server: Server) -> Iterator[httpx.Client]:
    with server.client(base=server.mounted) as client:
        yield client
