"""How fast calls are beside the bare pass: `python -m apps.invoke.bench [--pictures] [--towers N | --adapting]`.

Works alone, in a temporary data directory with the real backbones: trains a small function, serves it over a socket of
this machine and writes one line of JSON. Calls and bare passes take turns, so that other load on the machine weighs on
both alike. The callers are a process of their own.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from operator import truediv
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from apps.functions.models import Function
    from apps.invoke.services import Content
    from apps.training.services.serving import Served

WORDS = {
    "A": "please refund my money the lamp i bought is broken and i want it back charge card twice",
    "B": "where is my parcel it has not arrived track delivery courier late address door today",
}
N_WARM_UP = 20
IDLE_SECONDS = 75
N_ROUNDS = 7


@dataclass(frozen=True)
class Call:
    """Where and how to post one input."""

    host: str
    port: int
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Desk:
    """A trained function and a key that may call it."""

    function: Function
    secret: str
    served: Served


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", action="store_true")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument(
        "--towers", type=int, metavar="N", help="calls with a tower beside frozen ones, and of N at random"
    )
    parser.add_argument("--adapting", action="store_true", help="calls while a backbone is being adapted, and without")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        _set_up(folder)
        desk = _trained(has_pictures=options.pictures)
        inputs = made_up(range(options.calls), has_pictures=options.pictures)
        with _served() as port:
            figures = _figures(desk, port, inputs, options)
    sys.stdout.write(json.dumps({"load_before": rounded(load), **figures}) + "\n")


def _figures(desk: Desk, port: int, inputs: Sequence[str | bytes], options: argparse.Namespace) -> Mapping[str, object]:
    if options.towers:
        from apps.invoke.bench_towers import measure_towers

        return measure_towers(desk, port, inputs, n_functions=options.towers, n_callers=options.callers)
    calls = [call_to(desk.function, desk.secret, port, one) for one in inputs]
    if options.adapting:
        from apps.engine.types import Modality
        from apps.invoke.bench_adapting import measure_adapting

        return measure_adapting(calls, Modality(desk.function.input_kind))
    return {**_alone(desk.served, inputs, calls), **_together(desk.served, inputs, calls, options.callers)}


def _set_up(folder: str) -> None:
    os.environ["HUNDREDFOLD_DATA_DIR"] = folder
    os.environ["HUNDREDFOLD_REDIS_URL"] = "memory://"
    os.environ["HUNDREDFOLD_LOG_LEVEL"] = "ERROR"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _trained(*, has_pictures: bool) -> Desk:
    from apps.accounts.models import User
    from apps.functions.models import InputKind
    from apps.functions.services import create_function
    from apps.samples.models import Origin
    from apps.samples.services.intake import NewImage, NewText, add_images, add_texts
    from apps.training.services import finish_work, serving
    from apps.workspaces.roles import Action
    from apps.workspaces.services import create_key, create_workspace

    owner = User.objects.create_user(email="bench@example.com")
    workspace = create_workspace(name="Bench", owner=owner)
    kind = InputKind.IMAGE if has_pictures else InputKind.TEXT
    function = create_function(workspace=workspace, name="Bench", input_kind=kind, label_names=["A", "B"], actor=owner)
    if has_pictures:
        pictures = [NewImage(_picture(i), "AB"[i % 2]) for i in range(20)]
        add_images(function=function, items=pictures, person=owner, origin=Origin.IMPORT)
    else:
        texts = [NewText(_text(i), "AB"[i % 2]) for i in range(40)]
        add_texts(function=function, items=texts, person=owner, origin=Origin.IMPORT)
    finish_work(function_id=function.pk)
    _key, secret = create_key(workspace=workspace, owner=owner, name="Bench", actions=[Action.INVOKE])
    served = serving.load_live(function.pk)
    if served is None:
        raise SystemExit("The function of the benchmark could not be trained.")
    return Desk(function, secret, served)


def made_up(numbers: Iterable[int], *, has_pictures: bool) -> list[str | bytes]:
    """Return inputs, the same for the same numbers: texts, or the files of pictures."""
    return [_picture(i) if has_pictures else _text(i) for i in numbers]


def _text(i: int) -> str:
    rng = random.Random(i)  # noqa: S311  # data for a measurement
    return " ".join(rng.choices(WORDS["AB"[i % 2]].split(), k=rng.randint(8, 25)))


def _picture(i: int) -> bytes:
    from PIL import Image

    rng = random.Random(i)  # noqa: S311  # data for a measurement
    small = Image.frombytes("RGB", (16, 12), rng.randbytes(16 * 12 * 3))
    out = BytesIO()
    small.resize((640, 480), Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


def call_to(function: Function, secret: str, port: int, one: str | bytes) -> Call:
    """Return the call of a function with one text or picture file."""
    path = f"/v1/functions/{function.public_id}/invoke"
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    if isinstance(one, str):
        return Call("127.0.0.1", port, path, headers, json.dumps({"data": one}).encode())
    headers["Content-Type"] = "multipart/form-data; boundary=bench"
    head = b'--bench\r\nContent-Disposition: form-data; name="data"; filename="a.jpg"\r\n\r\n'
    return Call("127.0.0.1", port, path, headers, head + one + b"\r\n--bench--\r\n")


@contextmanager
def _served() -> Iterator[int]:
    import uvicorn

    from apps.invoke.asgi import InvokeApp

    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            InvokeApp(), lifespan="off", log_config=None, access_log=False, timeout_keep_alive=IDLE_SECONDS
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield int(listener.getsockname()[1])
        server.should_exit = True
        thread.join()


def _alone(served: Served, inputs: Sequence[str | bytes], calls: Sequence[Call]) -> dict[str, float]:
    """One caller: each call right after the bare pass of the same input. `read` is decoding, which a call adds."""
    from apps.invoke.services import read_content

    ready = [read_content(one, served.layout) for one in inputs]
    bare_ms, call_ms, read_ms = [], [], []
    with caller(call_in_turn, calls) as pipe:
        for i, one in enumerate(ready):
            read_ms.append(_milliseconds(partial(read_content, inputs[i], served.layout)))
            bare_ms.append(_milliseconds(partial(_classify, served, [one])))
            pipe.send(i)
            call_ms.append(pipe.recv())
        pipe.send(None)
    bare_ms, call_ms = bare_ms[N_WARM_UP:], call_ms[N_WARM_UP:]
    return {
        "n_calls": len(call_ms),
        "read_p50_ms": rounded(median(read_ms[N_WARM_UP:])),
        "bare_p50_ms": rounded(median(bare_ms)),
        "call_p50_ms": rounded(median(call_ms)),
        "call_p95_ms": rounded(quantiles(call_ms, n=20)[-1]),
        "call_p50_over_bare_p50": rounded(median(call_ms) / median(bare_ms)),
    }


def _together(served: Served, inputs: Sequence[str | bytes], calls: Sequence[Call], n_callers: int) -> dict[str, float]:
    """Many callers at once, against the forward pass over the same inputs in batches of that size."""
    from apps.invoke.services import read_content

    ready = [read_content(one, served.layout) for one in inputs]

    def batched() -> None:
        for start in range(0, len(ready), n_callers):
            _classify(served, ready[start : start + n_callers])

    bare_seconds, call_seconds = [], []
    with caller(call_together, calls, n_callers) as pipe:
        for _ in range(N_ROUNDS):
            bare_seconds.append(_milliseconds(batched) / 1000)
            pipe.send(True)
            call_seconds.append(pipe.recv())
        pipe.send(None)
    return {
        "n_callers": n_callers,
        "batched_per_second": rounded(len(ready) / median(bare_seconds)),
        "calls_per_second": rounded(len(ready) / median(call_seconds)),
        "share_of_batched": rounded(median(map(truediv, bare_seconds, call_seconds))),
    }


@contextmanager
def caller(work: Callable[..., None], *arguments: object) -> Iterator[Connection]:
    """Run the callers in a fresh process, which shares neither interpreter lock nor memory with the server."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=work, args=(there, *arguments))
    process.start()
    yield here
    process.join()


def in_turn(pipe: Connection, order: Iterable[int]) -> list[float]:
    """Have `call_in_turn` make calls by their numbers; return the milliseconds of each."""
    ms = []
    for i in order:
        pipe.send(i)
        ms.append(float(pipe.recv()))
    return ms


def call_in_turn(pipe: Connection, calls: Sequence[Call]) -> None:
    """Make the calls whose numbers come, and send back how long each took, in milliseconds."""
    connection = http.client.HTTPConnection(calls[0].host, calls[0].port)
    while (i := pipe.recv()) is not None:
        pipe.send(_milliseconds(partial(_post, connection, calls[i])))


def call_together(pipe: Connection, calls: Sequence[Call], n_callers: int) -> None:
    """Make all calls, so many at once, whenever asked to; send back how long all of them took, in seconds."""
    local = threading.local()

    def call(one: Call) -> None:
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection(one.host, one.port)
        _post(local.connection, one)

    with ThreadPoolExecutor(n_callers) as callers:
        list(callers.map(call, calls))  # opens the connections
        while pipe.recv():
            pipe.send(_milliseconds(lambda: list(callers.map(call, calls))) / 1000)


def _classify(served: Served, contents: Sequence[Content]) -> None:
    """The bare work: forward pass and head."""
    from apps.invoke.services import inputs_of

    served.pred_probs(inputs_of(served, contents))


def _post(connection: http.client.HTTPConnection, call: Call) -> None:
    connection.request("POST", call.path, body=call.body, headers=call.headers)
    response = connection.getresponse()
    body = response.read()
    if response.status != http.HTTPStatus.OK:
        raise SystemExit(f"{response.status}: {body.decode()}")


def _milliseconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def spread(ms: Sequence[float]) -> dict[str, float]:
    """Return the figures of some times."""
    return {"p50": rounded(median(ms)), "p95": rounded(quantiles(ms, n=20)[-1])}


def rounded(value: float) -> float:
    """Return a figure as it is written."""
    return round(value, 3)


if __name__ == "__main__":
    main()
