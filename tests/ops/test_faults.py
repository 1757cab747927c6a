"""Processes killed in the midst of work: `up` brings them back, nothing acknowledged is missing, no work is stuck."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.live_client import LiveClient, rows, value
from tests.live_up import LiveUp, running_up, wait_until
from tests.live_world import make_key

pytestmark = pytest.mark.xdist_group("faults")

# A dead worker's lease runs out after ten seconds and the sweeper looks every five; the rest is for busy machines.
TAKEN_UP_SECONDS = 120.0
LABELS = ["Refund", "Shipping", "Broken"]
WORDS = ["money back please", "where is my parcel", "it fell apart"]


@pytest.fixture
def person(up: LiveUp) -> Iterator[LiveClient]:
    with LiveClient(up) as client:
        client.set_up()
        yield client


SCRIPT = """
from apps.functions.services import create_function
from apps.samples.models import Origin
from apps.samples.services.intake import NewText, add_texts
from apps.workspaces.models import Workspace

labels, words = {labels!r}, {words!r}
workspace = Workspace.objects.get()
function = create_function(
    workspace=workspace, name="Which desk?", input_kind="text", label_names=labels, actor=None
)
items = [NewText(f"{{words[i % 3]}} {{i}}", labels[i % 3] if i < {n_labelled} else "") for i in range({n})]
add_texts(function=function, items=items, person=None, origin=Origin.IMPORT)
print(function.public_id)
"""


def make_function(up: LiveUp, *, n: int, n_labelled: int = 0) -> str:
    """Make a function with texts of three kinds in turn, the first of them with their labels; return its public id."""
    script = SCRIPT.format(labels=LABELS, words=WORDS, n=n, n_labelled=n_labelled)
    done = up.manage("shell", "--no-imports", "-c", script)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


IMPORT_SCRIPT = """
import io
from apps.functions.models import Function
from apps.samples.models import Import
from apps.samples.services.imports import create_import, start_import

labels, words = {labels!r}, {words!r}
lines = [f"{{words[i % 3]}} {{i}},{{labels[i % 3] if i % 20 == 0 else ''}}" for i in range({n_rows})]
content = "\\n".join(["text,label", *lines]).encode()
job = create_import(
    function=Function.objects.get(), person=None, file=io.BytesIO(content), name="rows.csv", size_bytes=len(content)
)
start_import(import_job=Import.objects.get(pk=job.pk))
"""


def start_import(up: LiveUp, *, n_rows: int) -> None:
    """Start an import of that many rows, every twentieth with its label."""
    script = IMPORT_SCRIPT.format(labels=LABELS, words=WORDS, n_rows=n_rows)
    done = up.manage("shell", "--no-imports", "-c", script)
    assert done.returncode == 0, done.stderr


def has_settled(up: LiveUp) -> bool:
    """Everything labelled was learned, everything else has a live prediction, and nobody is at work."""
    is_trained = value(
        up,
        "SELECT f.data_revision <= w.done_revision FROM functions_function f "
        "JOIN training_functionwork w ON w.function_id = f.id AND w.kind = 'train'",
    )
    n_held = value(up, "SELECT COUNT(*) FROM training_functionwork WHERE lease_holder <> ''")
    kinds = "(CASE WHEN s.label_id IS NULL THEN 'live' ELSE 'out_of_fold' END)"
    n_without = value(
        up,
        "SELECT COUNT(*) FROM samples_sample s WHERE NOT EXISTS "
        f"(SELECT 1 FROM training_prediction p WHERE p.sample_id = s.id AND p.kind = {kinds})",
    )
    return bool(is_trained) and n_held == 0 and n_without == 0


def wait_until_settled(up: LiveUp) -> None:
    wait_until(lambda: has_settled(up), seconds=TAKEN_UP_SECONDS, what=f"predictions for all samples\n{up.log[-3000:]}")
    assert rows(up, "SELECT id FROM training_trainingrun WHERE state = 'running'") == []
    assert value(up, "SELECT COUNT(*) FROM training_trainedmodel WHERE is_live") == 1


def kill_worker_in_work(up: LiveUp, kind: str, *, n: int, n_labelled: int) -> None:
    """Bring samples, and kill the worker as soon as it holds work of that kind on them."""
    held = "SELECT COUNT(*) FROM training_functionwork WHERE kind = ? AND lease_holder <> ''"
    with ThreadPoolExecutor(1) as aside:
        made = aside.submit(make_function, up, n=n, n_labelled=n_labelled)
        is_amid = False
        while not is_amid:  # a short piece of work may end between the look and the kill
            wait_until(lambda: value(up, held, kind), what=f"the worker is at {kind}")
            up.kill("worker")
            is_amid = value(up, held, kind) == 1
        made.result()


def test_a_worker_killed_in_a_round_is_replaced_and_the_round_is_run_again(up: LiveUp, person: LiveClient) -> None:
    kill_worker_in_work(up, "train", n=900, n_labelled=600)
    wait_until_settled(up)
    assert value(up, "SELECT COUNT(*) FROM samples_annotation") == 600


def test_a_worker_killed_while_embedding_is_replaced_and_the_rest_is_embedded(up: LiveUp, person: LiveClient) -> None:
    kill_worker_in_work(up, "embed", n=5_000, n_labelled=30)
    wait_until_settled(up)


def test_a_worker_killed_in_an_import_is_replaced_and_every_row_goes_in_once(up: LiveUp, person: LiveClient) -> None:
    make_function(up, n=0)
    start_import(up, n_rows=8_000)
    n_read = "SELECT n_read FROM samples_import WHERE state = 'running'"
    wait_until(lambda: value(up, n_read), what="the first rows are in")
    up.kill("worker")
    assert 0 < value(up, n_read) < 8_000, "the worker had ended its work before it was killed"
    done = "SELECT n_read, n_added, n_labelled, n_failed FROM samples_import WHERE state = 'done'"
    wait_until(lambda: rows(up, done), seconds=TAKEN_UP_SECONDS, what=f"the import ends\n{up.log[-3000:]}")
    assert rows(up, done) == [(8_000, 8_000, 400, 0)]
    assert value(up, "SELECT COUNT(*) FROM samples_sample") == 8_000
    assert value(up, "SELECT COUNT(*) FROM samples_annotation") == 400


def test_answers_are_saved_while_redis_is_dead_and_predictions_follow(up: LiveUp, person: LiveClient) -> None:
    function_id = make_function(up, n=60)
    tokens = label_everything(person, function_id, meanwhile=lambda: up.kill("redis"))
    wait_until(lambda: up.get("/readyz")[0] == 200, what="Redis is back")
    wait_until_settled(up)
    assert saved_tokens(up) == sorted(tokens)


def test_answers_given_while_the_web_process_is_killed_are_each_there_once(up: LiveUp, person: LiveClient) -> None:
    function_id = make_function(up, n=60)
    tokens = label_everything(
        person, function_id, meanwhile=lambda: threading.Thread(target=up.kill, args=["web"]).start()
    )
    assert saved_tokens(up) == sorted(tokens)
    wait_until_settled(up)
    assert value(up, "SELECT COUNT(*) FROM samples_sample WHERE label_id IS NULL") == 0


def label_everything(person: LiveClient, function_id: str, *, meanwhile: Callable[[], object]) -> list[str]:
    """Label every sample as its words say, and let something happen in the middle of each twenty."""
    tokens: list[str] = []
    while items := (queue := person.queue(function_id))["items"]:
        label_ids = {label["name"]: label["id"] for label in queue["labels"]}
        for item in items:
            if len(tokens) % 20 == 10:
                meanwhile()
            kind = next(i for i, words in enumerate(WORDS) if item["text"].startswith(words))
            tokens.append(person.answer_until_saved(function_id, item, label_ids[LABELS[kind]]))
    return tokens


def saved_tokens(up: LiveUp) -> list[str]:
    return sorted(token for (token,) in rows(up, "SELECT client_token FROM samples_annotation"))


class SlowReceiver(ThreadingHTTPServer):
    """Notes the id and the body of each message, and answers only once it is let."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Slowly)
        self.may_answer = threading.Event()
        self.came: list[tuple[str, bytes]] = []


class _Slowly(BaseHTTPRequestHandler):
    server: SlowReceiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((self.headers["Hundredfold-Delivery"], body))
        self.server.may_answer.wait(60)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[SlowReceiver]:
    with SlowReceiver() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.may_answer.set()
        server.shutdown()
        thread.join()


def test_a_worker_killed_while_a_slow_receiver_has_a_message_sends_it_again_and_none_else_twice(
    tmp_path: Path, receiver: SlowReceiver
) -> None:
    with running_up(tmp_path / "data", environment={"HUNDREDFOLD_OUTBOUND_ALLOW": "127.0.0.1"}) as up:
        sent = send_pings(up, f"http://127.0.0.1:{receiver.server_port}/", n=3)
        wait_until(lambda: receiver.came, what="the first message")
        up.kill("worker")
        held = receiver.came[0][0]
        states = rows(up, "SELECT public_id, state, n_attempts, status FROM workspaces_delivery ORDER BY id")
        assert states == [(each, "waiting", 0, None) for each in sent], "nothing is said to have come that is not known"
        receiver.may_answer.set()
        done = "SELECT public_id, n_attempts, status FROM workspaces_delivery WHERE state = 'delivered' ORDER BY id"
        wait_until(lambda: len(rows(up, done)) == 3, seconds=TAKEN_UP_SECONDS, what=f"all got there\n{up.log[-3000:]}")
        assert rows(up, done) == [(each, 1, 200) for each in sent]
    ids = [each for each, _body in receiver.came]
    assert {each: ids.count(each) for each in sent} == {each: 1 + (each == held) for each in sent}
    assert len(set(receiver.came)) == 3, "sent again, a message is the same to the byte"


def send_pings(up: LiveUp, address: str, *, n: int) -> list[str]:
    """Make a webhook, send it so many messages that say nothing, and return their ids."""
    headers = {"Authorization": f"Bearer {make_key(up)['client_secret']}"}
    with httpx.Client(base_url=up.url, headers=headers, timeout=30, trust_env=False) as client:
        made = client.post("/v1/webhooks", json={"url": address, "kinds": ["model.trained"]})
        assert made.status_code == 200, made.text
        pings = [client.post(f"/v1/webhooks/{made.json()['id']}/ping") for _ in range(n)]
    assert {ping.status_code for ping in pings} == {200}, pings[0].text
    return [str(ping.json()["id"]) for ping in pings]
