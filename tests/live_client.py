"""A person with a browser's manners and no browser: signs in by the one-time link, labels, reads; for fault tests."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import httpx

from tests.live_up import LiveUp

PASSWORD = "correct horse battery staple"


class LiveClient:
    """One person's session with a running `up`."""

    def __init__(self, up: LiveUp) -> None:
        self.up = up
        self.http = httpx.Client(base_url=up.url, timeout=10, trust_env=False, follow_redirects=True)

    def __enter__(self) -> LiveClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def set_up(self) -> None:
        """Become the owner by the link that `up` printed."""
        page = self.http.get(self.up.sign_in_url)
        assert page.status_code == 200, page.text
        fields = {
            "name": "Olga Owner",
            "email": "olga@example.com",
            "password": PASSWORD,
            "workspace_name": "Support desk",
        }
        answer = self.post(self.up.sign_in_url, fields)
        assert answer.status_code == 200, answer.text
        assert "hundredfold_session" in self.http.cookies

    def sign_in(self, link: str) -> None:
        """Start a session by a one-time link."""
        page = self.http.get(link)
        assert page.status_code == 200, page.text
        answer = self.post(link)
        assert answer.status_code == 200, answer.text
        assert "hundredfold_session" in self.http.cookies

    def post(self, path: str, fields: dict[str, str] | None = None, *, body: object = None) -> httpx.Response:
        """Send a form, or JSON where there is a body."""
        headers = {"X-CSRFToken": self.http.cookies.get("csrftoken", ""), "Referer": self.up.url}
        if body is None:
            return self.http.post(path, data=fields or {}, headers=headers)
        headers |= {"Content-Type": "application/json", "Accept": "application/json"}
        return self.http.post(path, content=json.dumps(body), headers=headers)

    def queue(self, function_id: str, *, n: int = 20, exclude: Sequence[str] = ()) -> dict[str, Any]:
        answer = self.http.get(f"/functions/{function_id}/queue/", params={"n": n, "exclude": ",".join(exclude)})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def answer(self, function_id: str, item: dict[str, Any], label_id: str, token: uuid.UUID) -> bool:
        """Give one answer. True when the server acknowledged it; False when it did not answer."""
        row = {"token": str(token), "sampleId": item["sampleId"], "labelId": label_id, "proof": item["proof"]}
        try:
            reply = self.post(f"/functions/{function_id}/answers/", body=[row])
        except httpx.TransportError:
            return False
        return reply.status_code == 200 and str(token) in reply.json()["saved"]

    def answer_until_saved(self, function_id: str, item: dict[str, Any], label_id: str, *, seconds: float = 30) -> str:
        """Give one answer again and again under one token, as the page does, until it is acknowledged."""
        token, deadline = uuid.uuid4(), time.monotonic() + seconds
        while not self.answer(function_id, item, label_id, token):
            assert time.monotonic() < deadline, "the answer was never acknowledged"
        return token.hex


def rows(up: LiveUp, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Read the SQLite database of a running `up`, as a bystander."""
    connection = sqlite3.connect(f"file:{up.data_dir / 'db.sqlite3'}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


def value(up: LiveUp, query: str, *values: object) -> Any:
    """Return the first column of the first row, or None."""
    found = rows(up, query, *values)
    return found[0][0] if found else None
