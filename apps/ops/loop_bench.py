"""The loop as a person meets it, timed: label saved -> fresh predictions and figures in the browser.

Starts a real `up` on data of its own, brings a data set in with a hundred labels, and then does over HTTP what the
pages do: an answer goes to the queue's address, the event stream says that predictions which know it are there, the
figures are fetched. Beside it the bare round of the engine on the same samples, in this process.
"""

from __future__ import annotations

import http.client
import json
import os
import queue
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import numpy as np
from django.conf import settings
from django.urls import reverse

from apps.core.errors import Unavailable
from apps.engine import automl, datasets
from apps.engine.bench_forecast import read_world
from apps.events.kinds import Live
from apps.ops.import_folder import load_items

MANAGE = str(Path(settings.ROOT_DIR) / "manage.py")
N_LABELS = 100
N_ENGINE_ROUNDS = 10
EVENT_SECONDS = 30.0
PERSON = {
    "name": "Bench",
    "email": "bench@example.com",
    "password": "a person who labels quickly",
    "workspace_name": "Bench",
}


@dataclass(frozen=True)
class LoopFigures:
    """Seconds from sending an answer until its effect is there, and the same as a multiple of a bare engine round.

    `saved`: the answer is acknowledged. `predicted`: the event came that says predictions know it. `shown`: the
    figures were fetched after that.
    """

    data: str
    n_labels: int
    n_annotations: int
    saved_p50: float
    saved_p95: float
    predicted_p50: float
    predicted_p95: float
    shown_p50: float
    shown_p95: float
    engine_round: float
    shown_p50_in_rounds: float
    shown_p95_in_rounds: float


def measure_loop(folder: Path, *, n_annotations: int) -> LoopFigures:
    """Run the whole of it. Raises `Unavailable` where `up` does not come up or an event does not come."""
    with tempfile.TemporaryDirectory(prefix="hundredfold-bench-") as data_dir, running_up(Path(data_dir)) as up:
        function_id = bring_in(folder, Path(data_dir))
        with labeling(signed_in(up), function_id, truth_of(folder)) as labeler:
            labeler.answer()  # only finds the revision
            times = [labeler.answer() for _ in range(n_annotations)]
    engine_round = bare_round_seconds(folder)
    shown = [one.shown for one in times]
    return LoopFigures(
        data=folder.name,
        n_labels=N_LABELS,
        n_annotations=len(times),
        saved_p50=at([one.saved for one in times], 50),
        saved_p95=at([one.saved for one in times], 95),
        predicted_p50=at([one.predicted for one in times], 50),
        predicted_p95=at([one.predicted for one in times], 95),
        shown_p50=at(shown, 50),
        shown_p95=at(shown, 95),
        engine_round=round(engine_round, 4),
        shown_p50_in_rounds=round(at(shown, 50) / engine_round, 1),
        shown_p95_in_rounds=round(at(shown, 95) / engine_round, 1),
    )


def bare_round_seconds(folder: Path) -> float:
    """Return the median time of an engine round on as many samples as were labelled at first."""
    world = read_world(folder)
    rows = datasets.draw_labelled([world.label_names[label] for label in world.train_labels], N_LABELS, seed=0)
    given = world.given(rows, np.ones(len(rows), dtype=np.bool_))
    blend = automl.train(given).blend
    seconds = []
    for _ in range(N_ENGINE_ROUNDS):
        started = time.perf_counter()
        automl.train(given, serving=blend)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds))


@dataclass(frozen=True)
class Answered:
    """Seconds from sending one answer until each of its effects; see `LoopFigures`."""

    saved: float
    predicted: float
    shown: float


class Labeler:
    """One person at the queue of a function, who knows what is right, and waits for the effect of each answer."""

    def __init__(self, person: Browser, function_id: str, truth: Mapping[str, str], events: Events) -> None:
        self._person, self._truth, self._events = person, truth, events
        self._figures_path = reverse("review:figures", args=[function_id])
        self._queue_path = reverse("labeling:queue", args=[function_id]) + "?n=1"
        self._answers_path = reverse("labeling:answers", args=[function_id])
        self._revision = 0

    def answer(self) -> Answered:
        """Answer the sample asked for next. The times of the first are not to be used: it only finds the revision."""
        page = json.loads(self._person.get(self._queue_path))
        labels = {label["name"]: label["id"] for label in page["labels"]}
        item = page["items"][0]
        answer = {
            "token": str(uuid.uuid4()),
            "sampleId": item["sampleId"],
            "labelId": labels[self._truth[item["text"]]],
            "proof": item["proof"],
        }
        started = time.perf_counter()
        self._person.post_json(self._answers_path, [answer])
        saved = time.perf_counter() - started
        self._revision = self._events.wait_for_predictions(self._revision + 1)
        predicted = time.perf_counter() - started
        self._person.get(self._figures_path)
        return Answered(saved, predicted, time.perf_counter() - started)


@contextmanager
def labeling(person: Browser, function_id: str, truth: Mapping[str, str]) -> Iterator[Labeler]:
    """Hold the event stream of the function's page open for the length of the block."""
    home = person.get(reverse("review:function_home", args=[function_id])).decode()
    found = re.search(r'data-live-url="([^"]+)"', home)
    if found is None:
        raise Unavailable("The function's page names no event stream.")
    with person.listening(found[1]) as events:
        yield Labeler(person, function_id, truth, events)


class Events:
    """The event stream of one tab."""

    def __init__(self) -> None:
        self._arrived: queue.Queue[tuple[str, dict[str, object]]] = queue.Queue()

    def read(self, response: http.client.HTTPResponse) -> None:
        """Take events in until the stream ends; runs in a thread of its own."""
        kind = ""
        with suppress(OSError, http.client.HTTPException):
            while line := response.readline():
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    kind = text.removeprefix("event: ")
                elif text.startswith("data: "):
                    self._arrived.put((kind, json.loads(text.removeprefix("data: "))))

    def wait_for_predictions(self, revision: int) -> int:
        """Wait until predictions are announced that know at least this revision; return the one they know."""
        deadline = time.monotonic() + EVENT_SECONDS
        while True:
            try:
                kind, event = self._arrived.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty as error:
                raise Unavailable(f"No predictions for revision {revision} in {EVENT_SECONDS:.0f} s.") from error
            data = event.get("data")
            known = data.get("revision") if isinstance(data, dict) else None
            if kind == Live.PREDICTIONS_CHANGED.value and isinstance(known, int) and known >= revision:
                return known


class Browser:
    """One person's session: a kept-alive connection, cookies, the cross-site token."""

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).netloc
        self._connection = http.client.HTTPConnection(self._host, timeout=EVENT_SECONDS)
        self._cookies: SimpleCookie = SimpleCookie()

    def get(self, address: str) -> bytes:
        return self._ask("GET", address)

    def post_form(self, address: str, fields: Mapping[str, str]) -> bytes:
        return self._ask("POST", address, urlencode(fields).encode(), "application/x-www-form-urlencoded")

    def post_json(self, address: str, body: object) -> bytes:
        return self._ask("POST", address, json.dumps(body).encode(), "application/json")

    @contextmanager
    def listening(self, address: str) -> Iterator[Events]:
        """Hold the event stream open for the length of the block."""
        connection = http.client.HTTPConnection(self._host, timeout=EVENT_SECONDS)
        connection.request("GET", address, headers=self._headers())
        events = Events()
        response = connection.getresponse()
        response.readline()  # the stream says at once that it is open
        thread = threading.Thread(target=events.read, args=(response,), daemon=True)
        thread.start()
        try:
            yield events
        finally:
            if connection.sock is not None:
                connection.sock.shutdown(socket.SHUT_RDWR)  # ends the read the thread is in
            thread.join(1)
            connection.close()

    def _ask(self, method: str, address: str, body: bytes | None = None, kind: str = "") -> bytes:
        parts = urlsplit(address)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = self._headers() | ({"Content-Type": kind} if kind else {})
        try:
            self._connection.request(method, path, body=body, headers=headers)
            response = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            # It was idle too long and the server hung up; browsers connect again, too.
            self._connection.close()
            self._connection.request(method, path, body=body, headers=headers)
            response = self._connection.getresponse()
        content = response.read()
        for line in response.headers.get_all("Set-Cookie", []):
            self._cookies.load(line)
        if response.status >= 400:
            raise Unavailable(f"{method} {path} answered {response.status}: {content[:200].decode(errors='replace')}")
        return content

    def _headers(self) -> dict[str, str]:
        token = self._cookies["csrftoken"].value if "csrftoken" in self._cookies else ""
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in self._cookies.items())
        return {"Cookie": cookies, "X-CSRFToken": token, "Accept": "text/html, application/json"}


@dataclass(frozen=True)
class Up:
    url: str
    sign_in_url: str


@contextmanager
def running_up(data_dir: Path, more: Mapping[str, str] | None = None) -> Iterator[Up]:
    """Run `up` on a free port for the length of the block, with more in its environment."""
    with (data_dir / "up.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # this installation's own command
            [sys.executable, MANAGE, "up", "--port", "0"],
            env=environment_for(data_dir) | dict(more or {}),
            stdout=subprocess.PIPE,
            stderr=log,
        )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline().decode().strip() for _ in range(2)]
        if not all(lines):
            raise Unavailable("`up` did not start:\n" + (data_dir / "up.log").read_text(errors="replace")[-2000:])
        yield Up(lines[0].removeprefix("ready: "), lines[1].removeprefix("sign in: "))
    finally:
        process.terminate()
        process.wait(15)


def signed_in(up: Up) -> Browser:
    """Return the session of the owner, who comes by the link that `up` printed."""
    person = Browser(up.url)
    person.get(up.sign_in_url)
    person.post_form(up.sign_in_url, PERSON)
    return person


def bring_in(folder: Path, data_dir: Path, *, name: str = "Loop") -> str:
    """Return the public id of a new function of a data set with `N_LABELS` labelled samples, trained."""
    command = [sys.executable, MANAGE, "import_folder", str(folder), "--name", name, "--labels", str(N_LABELS)]
    done = subprocess.run(  # noqa: S603  # this installation's own command
        command, env=environment_for(data_dir), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Unavailable(f"import_folder failed: {done.stderr[-2000:]}")
    return str(json.loads(done.stdout.splitlines()[-1])["function"])


def environment_for(data_dir: Path) -> dict[str, str]:
    """This process's environment, for data of its own and a broker of its own."""
    kept = {name: value for name, value in os.environ.items() if name != "HUNDREDFOLD_REDIS_URL"}
    return kept | {"HUNDREDFOLD_DATA_DIR": str(data_dir)}


def truth_of(folder: Path) -> dict[str, str]:
    """Return the right label of each text."""
    return {str(item.content): item.label_name for item in load_items(datasets.read(folder).train)}


def at(seconds: Sequence[float], percentile: float) -> float:
    """Return a percentile of times, to a tenth of a millisecond."""
    return round(float(np.percentile(seconds, percentile)), 4)
