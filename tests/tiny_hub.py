"""A hub on this machine, as huggingface_hub meets it: one repository, one commit, and a list of what was asked for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Hands out a folder as the repository `repository`; `asked` are the paths of its requests."""

    repository: str
    folder: Path
    commit: str = COMMIT
    announced: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def files(self) -> list[Path]:
        return sorted(path for path in self.folder.rglob("*") if path.is_file())

    def tree(self) -> list[dict[str, object]]:
        entries = []
        for sibling in self.info()["siblings"]:
            entry = {"type": "file", "path": sibling["rfilename"], "size": sibling["size"], "oid": sibling["blobId"]}
            if "lfs" in sibling:
                entry["lfs"] = {**sibling["lfs"], "oid": sibling["lfs"]["sha256"]}
            entries.append(entry)
        return entries

    def info(self) -> dict[str, Any]:
        siblings = []
        for path in self.files():
            name, content = path.relative_to(self.folder).as_posix(), path.read_bytes()
            entry: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": sha1(content)}
            if name.endswith((".safetensors", ".bin")):
                digest = self.announced.get(name, hashlib.sha256(content).hexdigest())
                entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 130}
            siblings.append(entry)
        return {"_id": "1", "id": self.repository, "modelId": self.repository, "sha": self.commit, "siblings": siblings}


def sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Answer at `hub.url` for the length of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(has_body=False)

        def do_GET(self) -> None:
            self._answer(has_body=True)

        def log_message(self, format: str, *args: object) -> None:
            return

        def _answer(self, *, has_body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append(path)
            status, body, headers = self._found(path)
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            if has_body:
                self.wfile.write(body)

        def _found(self, path: str) -> tuple[int, bytes, dict[str, str]]:
            if path.startswith(f"/api/models/{hub.repository}"):
                rest = path.removeprefix(f"/api/models/{hub.repository}")
                if rest == f"/tree/{hub.commit}":
                    return 200, json.dumps(hub.tree()).encode(), {"Content-Type": "application/json"}
                if rest in {"", f"/revision/{hub.commit}", "/revision/main"}:
                    return 200, json.dumps(hub.info()).encode(), {"Content-Type": "application/json"}
                return 404, b"{}", {"X-Error-Code": "RevisionNotFound"}
            beginning = f"/{hub.repository}/resolve/{hub.commit}/"
            file = hub.folder / path.removeprefix(beginning)
            if path.startswith(beginning) and file.is_file():
                content = file.read_bytes()
                return 200, content, {"ETag": f'"{sha1(content)}"', "X-Repo-Commit": hub.commit}
            return 404, b"{}", {"X-Error-Code": "RepoNotFound"}

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
