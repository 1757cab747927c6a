"""A workspace in a running server, furnished by its own API with one object of each kind that addresses name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from tests.live_up import LiveUp, running_up, wait_until

TEXTS = {"Refund": "I want my money back, number {}", "Shipping": "Where is my parcel, number {}"}


@dataclass
class World:
    """A workspace in a running server, and one object of each kind that addresses name."""

    up: LiveUp
    http: httpx.Client
    client_id: str
    secret: str
    receiver: str
    ids: dict[str, dict[str, str]] = field(default_factory=dict)

    def post(self, path: str, body: object) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.status_code in {200, 409}, (path, answer.text)
        return answer.json()

    def make_function(self, input_: str, output: str) -> str:
        return str(self.post("/v1/functions", {"name": "Which desk?", "input": input_, "output": output})["id"])

    def send_picture(self, function: str, label: str, colour: tuple[int, int, int]) -> None:
        form = {"annotation.labelName": label}
        answer = self.http.post(f"/v1/functions/{function}/samples", files={"data": picture(colour)}, data=form)
        assert answer.status_code == 200, answer.text

    def bring(self, function: str, n: int = 6) -> str:
        """Make both labels and some labelled samples; return one of these."""
        for name in TEXTS:
            self.post(f"/v1/functions/{function}/labels", {"name": name})
        for number in range(n):
            for name, text in TEXTS.items():
                body = {"data": text.format(number), "annotation": {"labelName": name}}
                sample = self.post(f"/v1/functions/{function}/samples", body)["id"]
        return str(sample)


def picture(colour: tuple[int, int, int]) -> tuple[str, bytes]:
    """A small picture as the file of a form."""
    file = BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return "a.png", file.getvalue()


class _Receiver(BaseHTTPRequestHandler):
    """Takes every message of a webhook and says nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def listening() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def living(data_dir: Path) -> Iterator[World]:
    """Start the real thing, with a program's key to it, and furnish it."""
    settings = {
        "HUNDREDFOLD_KEY_RATE": "0",
        "HUNDREDFOLD_ADDRESS_RATE": "0",
        "HUNDREDFOLD_OUTBOUND_ALLOW": "127.0.0.1",
    }
    with running_up(data_dir, environment=settings) as up, listening() as receiver:
        key = make_key(up)
        headers = {"Authorization": f"Bearer {key['client_secret']}"}
        with httpx.Client(base_url=up.url, headers=headers, timeout=30, trust_env=False) as http:
            world = World(up, http, key["client_id"], key["client_secret"], receiver)
            furnish(world)
            yield world


def make_key(up: LiveUp) -> dict[str, str]:
    made = up.manage("create_key", "--workspace", "Examples")
    assert made.returncode == 0, made.stderr
    return dict(line.split(": ", 1) for line in made.stdout.splitlines())


def furnish(world: World) -> None:
    """Make a trained function of texts and one of pictures, one of rows, one of tags and one that searches."""
    texts = world.make_function("Text", "Classification")
    sample = world.bring(texts)
    labels = world.http.get(f"/v1/functions/{texts}/labels").json()
    models = f"/v1/functions/{texts}/models"
    wait_until(lambda: world.http.get(models).json(), what="a model")
    for name in TEXTS:
        world.post(f"/v1/functions/{texts}/samples", {"data": f"Another {name}", "annotation": {"labelName": name}})
    model = wait_until(lambda: len(found := world.http.get(models).json()) > 1 and found, what="two models")[0]["id"]
    export = world.post(f"/v1/functions/{texts}/exports", {"format": "csv"})["id"]
    wait_until(
        lambda: world.http.get(f"/v1/functions/{texts}/exports/{export}").json()["state"].lower() == "done",
        what="the export",
    )
    world.ids["text"] = {
        "function_id": texts,
        "label_id": labels[0]["id"],
        "sample_id": sample,
        "model_id": model,
        "export_id": export,
    }
    rows = world.make_function("Tabular", "Classification")
    world.ids["rows"] = {
        "function_id": rows,
        "field_id": world.post(f"/v1/functions/{rows}/fields", {"name": "Age", "type": "Number"})["id"],
    }
    pictures = world.make_function("Image", "Classification")
    for number, name in enumerate(TEXTS):
        world.post(f"/v1/functions/{pictures}/labels", {"name": name})
        for shade in range(3):
            world.send_picture(pictures, name, (200 * number, 20 * shade, 0))
    wait_until(lambda: world.http.get(f"/v1/functions/{pictures}/models").json(), what="a model of pictures")
    world.ids["pictures"] = {"function_id": pictures}
    world.ids["found pictures"] = {"function_id": world.make_function("Image", "Search")}
    tags = world.make_function("Text", "Tags")
    for name in TEXTS:
        world.post(f"/v1/functions/{tags}/labels", {"name": name})
    tagged = world.post(f"/v0.9/functions/{tags}/samples", {"data": "Where is it? I want my money back"})["id"]
    world.ids["tags"] = {"function_id": tags, "sample_id": tagged}
    search = world.make_function("Text", "Search")
    found = world.post(f"/v1/functions/{search}/samples", {"data": "Where is my parcel?"})["id"]
    world.ids["search"] = {"function_id": search, "sample_id": found}
