"""The loop and calls while the top of a backbone is being adapted, beside the same without.

One `up` with its worker as shipped. There is always an adaptation under way, of one made-up team mate's function after
the other; for every other answer its process is held up by a signal, so that the two sides take turns within seconds
and other load on the machine weighs on both alike.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from django.urls import reverse

from apps.core.errors import Unavailable
from apps.ops import data_lock
from apps.ops.loop_bench import Answered, Browser, Labeler, at, bring_in, labeling, running_up, signed_in, truth_of

MODULE = b"apps.engine.adapt.process"
START_SECONDS = 90.0
POLL_SECONDS = 0.05
N_CALLS = 5
SETTLED_SECONDS = 0.3
"""After an answer there are samples to predict anew; the next is sent when that is over on a small function."""


@dataclass
class Side:
    """What was measured with an adaptation under way, or without."""

    answers: list[Answered] = field(default_factory=list)
    calls_ms: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Return seconds of answers and milliseconds of calls."""
        found: dict[str, float] = {}
        for name in ("saved", "predicted", "shown"):
            seconds = [getattr(one, name) for one in self.answers]
            found |= {f"{name}_p50": at(seconds, 50), f"{name}_p95": at(seconds, 95)}
        return found | {"invoke_ms_p50": at(self.calls_ms, 50), "invoke_ms_p95": at(self.calls_ms, 95)}


class Adaptations:
    """Those the worker of an `up` runs: each in a process of its own, which can be held up and let go on.

    `begin` brings the worker something to adapt.
    """

    def __init__(self, data_dir: Path, begin: Callable[[], object]) -> None:
        self._data_dir, self._begin = data_dir, begin
        self.n_begun = 0

    def running(self) -> list[int]:
        """Return the processes that are at it now, held up or not."""
        worker = data_lock.read_state(self._data_dir).children["worker"]
        return [pid for pid in _children(worker) if MODULE in _read(pid, "cmdline")]

    def ensure(self) -> None:
        """Return when there is one, held up or not; begins one where there is none. Raises `Unavailable`."""
        if self.running():
            return
        self._begin()
        self.n_begun += 1
        deadline = time.monotonic() + START_SECONDS
        while not self.running():
            if time.monotonic() > deadline:
                raise Unavailable(f"The worker began no adaptation in {START_SECONDS:.0f} s.")
            time.sleep(POLL_SECONDS)

    def send(self, number: signal.Signals) -> list[int]:
        """Hold all of them up, or let them go on; return which."""
        sent = self.running()
        for pid in sent:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        return sent


def measure_loop_adapting(folder: Path, *, n_annotations: int) -> dict[str, object]:
    """Return the figures of both sides, `n_annotations` each, and their ratios. Raises `Unavailable`."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="hundredfold-bench-") as name, running_up(Path(name)) as up:
        data_dir = Path(name)
        function_id = bring_in(folder, data_dir)
        person = signed_in(up)
        caller = Caller(up.url, function_id, _key(person))
        adaptations = Adaptations(data_dir, lambda: bring_in(folder, data_dir, name=f"Other {time.time_ns()}"))
        truth = truth_of(folder)
        with labeling(person, function_id, truth) as labeler:
            labeler.answer()  # only finds the revision
            without, adapting = _take_turns(labeler, caller, adaptations, list(truth), n_annotations)
    figures = [without.figures(), adapting.figures()]
    return {
        "data": folder.name,
        "n_annotations": n_annotations,
        "n_calls": len(adapting.calls_ms),
        "n_adaptations": adaptations.n_begun,
        "load_before": round(load, 2),
        "without": figures[0],
        "adapting": figures[1],
        "ratios": {key: round(figures[1][key] / figures[0][key], 2) for key in figures[0]},
    }


def _take_turns(
    labeler: Labeler, caller: Caller, adaptations: Adaptations, texts: Sequence[str], n_annotations: int
) -> tuple[Side, Side]:
    """Measure an answer and a few calls without, then the same with, and again; what was neither does not count."""
    without, adapting = Side(), Side()
    while min(len(without.answers), len(adapting.answers)) < n_annotations:
        adaptations.ensure()
        for side, number in ((without, signal.SIGSTOP), (adapting, signal.SIGCONT)):
            at_first = adaptations.send(number)
            answered = labeler.answer()
            calls = [caller.milliseconds(texts[i % len(texts)]) for i in range(N_CALLS)]
            # One that began or ended meanwhile would count for the wrong side.
            if at_first and adaptations.running() == at_first:
                side.answers.append(answered)
                side.calls_ms.extend(calls)
            time.sleep(SETTLED_SECONDS)
    adaptations.send(signal.SIGCONT)
    return without, adapting


class Caller:
    """A program that calls the function."""

    def __init__(self, url: str, function_id: str, secret: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        self._path = f"/v1/functions/{function_id}/invoke"
        self._headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}

    def milliseconds(self, text: str) -> float:
        """Call once and return how long the answer took."""
        started = time.perf_counter()
        self._connection.request("POST", self._path, body=json.dumps({"data": text}), headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != http.HTTPStatus.OK:
            raise Unavailable(f"A call answered {response.status}: {body.decode(errors='replace')}")
        return 1000 * (time.perf_counter() - started)


def _key(person: Browser) -> str:
    """Return a new key, made on the page of keys of the first workspace."""
    found = re.search(r"/workspaces/(workspace_\w+)/", person.get("/").decode())
    if found is None:
        raise Unavailable("The page names no workspace.")
    path = reverse("workspaces:make_key", args=[found[1]])
    page = person.post_form(path, {"name": "Bench", "scopes": "invoke"}).decode()
    secret = re.search(r"\bhf_[a-z0-9]{12}_[\w-]{43}", page)
    if secret is None:
        raise Unavailable("The page shows no key.")
    return secret[0]


def _children(pid: int) -> list[int]:
    """Return the processes a process started from any of its threads. Nothing but Linux says so this way."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, task.read_text().split())
    return sorted(found)


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""
