"""A web machine and two workers share PostgreSQL and Redis, and no disk; one of the workers dies in a round."""

from __future__ import annotations

import io
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from PIL import Image

from apps.ops import redis_server
from tests.live_client import LiveClient
from tests.live_up import ROOT, LiveUp, clean_environment, is_running, running_up, wait_until
from tests.private_postgres import free_port, private_postgres

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("faults")]

N_SAMPLES = 10_000


@dataclass
class Worker:
    """A worker process with a data directory of its own."""

    process: subprocess.Popen[bytes]
    data_dir: Path
    log_path: Path

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")


@dataclass
class Machines:
    """One web machine and two workers."""

    web: LiveUp
    workers: list[Worker]
    database: psycopg.Connection[tuple[Any, ...]]

    def value(self, query: str, *values: object) -> Any:
        row = self.database.execute(query, values).fetchone()  # type: ignore[arg-type]  # written in this file
        return row[0] if row else None

    def script(self, text: str, **values: object) -> str:
        """Run a script at the web machine; return what it printed."""
        done = self.web.manage("shell", "--no-imports", "-c", text.format(**values), seconds=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@contextmanager
def redis_over_tcp(folder: Path) -> Iterator[str]:
    port = free_port()
    command = [redis_server.find_executable(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir"]
    process = subprocess.Popen([*command, str(folder)], stdout=subprocess.DEVNULL)
    try:
        url = f"redis://127.0.0.1:{port}/0"
        assert redis_server.wait_for(url, seconds=10)
        yield url
    finally:
        process.kill()
        process.wait()


@contextmanager
def worker(data_dir: Path, shared: Mapping[str, str]) -> Iterator[Worker]:
    data_dir.mkdir()
    log_path = data_dir.with_suffix(".log")
    command = [sys.executable, str(ROOT / "manage.py"), "worker"]
    with log_path.open("ab") as log:
        environment = clean_environment(data_dir, **shared)
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield Worker(process, data_dir, log_path)
    finally:
        process.terminate()
        try:
            process.wait(15)
        finally:
            process.kill()


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    with ExitStack() as stack:
        shared = {
            "HUNDREDFOLD_DATABASE_URL": stack.enter_context(private_postgres()),
            "HUNDREDFOLD_REDIS_URL": stack.enter_context(redis_over_tcp(tmp_path)),
            "HUNDREDFOLD_SECRET_KEY": secrets.token_hex(40),
            "HUNDREDFOLD_FILES": "database",
            "OMP_NUM_THREADS": "1",
        }
        web = stack.enter_context(running_up(tmp_path / "web", "--no-worker", environment=shared))
        database = stack.enter_context(psycopg.connect(shared["HUNDREDFOLD_DATABASE_URL"], autocommit=True))
        workers = [stack.enter_context(worker(tmp_path / name, shared)) for name in ("one", "two")]
        wait_until(lambda: web.get("/readyz")[0] == 200, what="the web machine hears of workers")
        yield Machines(web, workers, database)


BRING = """
import io
from apps.accounts.models import User
from apps.functions.services import create_function
from apps.samples.services.imports import create_import, start_import
from apps.samples.models import Import
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Action
from apps.workspaces.services import create_key

workspace = Workspace.objects.get()
labels, words = ["Refund", "Shipping", "Broken"], ["money back please", "where is my parcel", "it fell apart"]
function = create_function(
    workspace=workspace, name="Which desk?", input_kind="text", label_names=labels, actor=None
)
lines = [f"{{words[i % 3]}} {{i}} {{i * 7919 % 1000}},{{labels[i % 3]}}" for i in range({n})]
content = "\\n".join(["text,label", *lines]).encode()
job = create_import(
    function=function, person=None, file=io.BytesIO(content), name="rows.csv", size_bytes=len(content)
)
start_import(import_job=Import.objects.get(pk=job.pk))
pictures = create_function(
    workspace=workspace, name="Which colour?", input_kind="image", label_names=["Red", "Blue"], actor=None
)
_key, secret = create_key(workspace=workspace, owner=User.objects.get(), name="Website", actions=[Action.INVOKE])
print(function.public_id, pictures.public_id, secret)
"""


def test_a_large_round_survives_a_worker_and_is_served_where_no_disk_is_shared(machines: Machines) -> None:
    web = machines.web
    with LiveClient(web) as person:
        person.set_up()
        function_id, pictures_id, secret = machines.script(BRING, n=N_SAMPLES).split()
        run_id = kill_a_worker_in_a_part(machines)
        drop_pictures(person, pictures_id)
        wait_until(
            lambda: machines.value("SELECT state FROM training_trainingrun WHERE id = %s", run_id) != "running",
            seconds=120,
            what=f"the round ends\n{machines.workers[0].log[-3000:]}",
        )
        assert machines.value("SELECT state FROM training_trainingrun WHERE id = %s", run_id) == "done"
        assert machines.workers[0].log.count('"event": "part_begun_again"') == 1, "it cost one attempt"
        wait_until(lambda: is_settled(machines), seconds=120, what=f"all is learned\n{machines.workers[0].log[-3000:]}")
        assert label_of(web, secret, function_id, "where is my parcel 5 5") == "Shipping"
        model_id = machines.value(
            "SELECT m.public_id FROM training_trainedmodel m JOIN functions_function f ON f.id = m.function_id "
            "WHERE m.is_live AND f.public_id = %s",
            function_id,
        )
        held = web.data_dir / "models" / function_id / model_id
        assert (held / "model.safetensors").is_file(), "the web machine has no copy of what it answers with"
        assert not (web.data_dir / "media").exists(), "a picture lies where nobody else can read it"
        check_pictures(machines, person)


def kill_a_worker_in_a_part(machines: Machines) -> int:
    """Kill the second worker while it holds a part of a round; return the run's key."""
    victim = machines.workers[1].process
    holds = "SELECT batch FROM training_roundpart WHERE state = 'waiting' AND n_attempts = 1 AND lease_holder LIKE %s"

    def batch_held() -> str | None:
        found: str | None = machines.value(holds, f"{victim.pid}-%")
        return found

    batch = None
    while batch is None:  # a part may end between the look and the halt
        wait_until(batch_held, seconds=90, what=f"a part is taken\n{machines.workers[1].log[-3000:]}")
        victim.send_signal(signal.SIGSTOP)
        batch = batch_held()
        if batch is None:
            victim.send_signal(signal.SIGCONT)
    os.kill(victim.pid, signal.SIGKILL)
    wait_until(lambda: not is_running(victim.pid), what="it is dead")
    return int(batch.removeprefix("round_"))


def is_settled(machines: Machines) -> bool:
    is_trained = machines.value(
        "SELECT bool_and(f.data_revision <= w.done_revision) FROM functions_function f "
        "JOIN training_functionwork w ON w.function_id = f.id AND w.kind = 'train'"
    )
    n_unread = machines.value("SELECT COUNT(*) FROM samples_sample WHERE NOT is_embedded")
    n_samples = machines.value("SELECT COUNT(*) FROM samples_sample")
    return bool(is_trained) and n_unread == 0 and n_samples == N_SAMPLES + 6


def picture(colour: tuple[int, int, int]) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(file, "PNG")
    return file.getvalue()


def drop_pictures(person: LiveClient, function_id: str) -> None:
    """Bring six pictures as the page does."""
    begun = person.post(f"/functions/{function_id}/bring/drop/", {"n_files": "6"}).json()["import"]
    colours = [(200 + i, 0, 0) if i % 2 else (0, 0, 200 + i) for i in range(6)]
    chunk = [("files", (f"{i}.png", picture(colour), "image/png")) for i, colour in enumerate(colours)]
    answer = person.http.post(
        f"/imports/{begun}/files/",
        data={"chunk": "0", "first_row": "1", "names": [f"{i}.png" for i in range(6)], "labels": [""] * 6},
        files=chunk,
        headers={"X-CSRFToken": person.http.cookies.get("csrftoken", ""), "Referer": person.up.url},
    )
    assert answer.status_code == 200, answer.text


def check_pictures(machines: Machines, person: LiveClient) -> None:
    """The workers have read what only the web machine took in, and the web machine shows it."""
    assert machines.value("SELECT COUNT(*) FROM training_embedding WHERE backbone = 'tiny-image'") == 6
    sample_id = machines.value("SELECT public_id FROM samples_sample WHERE file_key <> '' LIMIT 1")
    shown = person.http.get(f"/samples/{sample_id}/image/")
    assert shown.status_code == 200
    assert Image.open(io.BytesIO(shown.content)).size == (40, 30)


def label_of(up: LiveUp, secret: str, function_id: str, text: str) -> str:
    answer = httpx.post(
        f"{up.url}/v1/functions/{function_id}/invoke",
        json={"data": text},
        headers={"Authorization": f"Bearer {secret}"},
        timeout=10,
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["labelName"]
    return found
