"""A receiver of webhooks on this machine: keeps what it was sent, and answers as the test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WebhookReceiver:
    """What came, oldest first; `status` is what the next ones are answered, `may_answer` lets it be slow."""

    url: str = ""
    status: int = 200
    received: list[Received] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    came: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, n: int, *, kind: str = "", seconds: float = 30) -> list[Received]:
        """Return what came of that kind once there are so many of them."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.of(kind)) >= n, seconds), [
                one.headers.get("hundredfold-event") for one in self.received
            ]
            return self.of(kind)

    def of(self, kind: str) -> list[Received]:
        return [one for one in self.received if kind in ("", one.headers.get("hundredfold-event"))]


@contextmanager
def receiving_webhooks() -> Iterator[WebhookReceiver]:
    receiver = WebhookReceiver()
    receiver.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with receiver.came:
                receiver.received.append(Received(self.path, headers, body))
                receiver.came.notify_all()
            receiver.may_answer.wait(20)
            self.send_response(receiver.status)
            self.send_header("Content-Length", "13")
            self.end_headers()
            self.wfile.write(b"inner secrets")

        def log_message(self, *_args: object) -> None:
            """Say nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.may_answer.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
