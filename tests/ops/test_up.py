"""`manage.py up` as an operator meets it: a real process, its two lines, its children and its end."""

import json
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from apps.ops import data_lock
from tests.live_up import ROOT, LiveUp, clean_environment, is_running, running_up, wait_until

pytestmark = pytest.mark.xdist_group("up")


def run_up_to_its_end(data_dir: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    data_dir.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "up", *arguments],
        env=clean_environment(data_dir, **variables),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_says_it_is_ready_and_how_to_sign_in(up: LiveUp) -> None:
    assert up.url.startswith("http://127.0.0.1:")
    assert not up.url.endswith("/")
    assert up.sign_in_url.startswith(f"{up.url}/welcome/")
    assert up.get("/healthz") == (200, b"ok")
    status, body = up.get("/readyz")
    assert (status, json.loads(body)) == (200, {"ready": True, "problems": {}})
    assert up.pids.keys() == {"redis", "web", "worker"}
    assert all(is_running(pid) for pid in up.pids.values())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_everything_within_ten_seconds(up: LiveUp, number: signal.Signals) -> None:
    pids = up.pids
    started = time.monotonic()
    assert up.end(number) == 0
    assert time.monotonic() - started < 10
    assert not any(is_running(pid) for pid in pids.values())
    assert not (up.data_dir / "redis_url").exists()
    assert data_lock.holder_of(up.data_dir) is None


def test_an_interrupt_ends_it_even_if_started_with_interrupts_ignored(tmp_path: Path) -> None:
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    with running_up(tmp_path / "data", prefix=ignoring) as up:
        pids = up.pids
        assert up.end(signal.SIGINT) == 0
    assert not any(is_running(pid) for pid in pids.values())


def test_nothing_outlives_a_killed_up(up: LiveUp) -> None:
    pids = up.pids
    up.process.kill()
    up.process.wait()
    wait_until(lambda: not any(is_running(pid) for pid in pids.values()), what="the children end")
    with running_up(up.data_dir) as again:
        assert again.get("/readyz")[0] == 200


def test_an_open_stream_does_not_hold_the_end(up: LiveUp) -> None:
    host, port = up.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as stream:
        stream.sendall(b"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf a body")
        started = time.monotonic()
        assert up.end() == 0
        assert time.monotonic() - started < 10


def test_a_second_up_says_who_holds_the_data(up: LiveUp) -> None:
    second = run_up_to_its_end(up.data_dir, "--port", "0")
    assert second.returncode != 0
    assert second.stdout == ""
    assert f"process {up.process.pid}, at {up.url}" in second.stderr
    assert "Traceback" not in second.stderr
    assert up.get("/readyz")[0] == 200


def test_a_taken_port_is_said_plainly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run_up_to_its_end(tmp_path / "data", "--port", str(port))
    assert ended.returncode != 0
    assert f"Port {port} on 127.0.0.1 is taken" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("HUNDREDFOLD_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", "The database does not answer"),
        ("HUNDREDFOLD_REDIS_URL", "redis://:secret@127.0.0.1:1/0", "No Redis answers at redis://127.0.0.1:1/0."),
        ("HUNDREDFOLD_REDIS_URL", "memory://", "`up` needs a broker"),
    ],
)
def test_what_keeps_it_from_starting_is_said_plainly(tmp_path: Path, variable: str, value: str, words: str) -> None:
    ended = run_up_to_its_end(tmp_path / "data", "--port", "0", **{variable: value})
    assert ended.returncode != 0
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "secret" not in ended.stderr


def test_what_is_kept_is_for_nobody_else_on_the_machine(up: LiveUp) -> None:
    kept = [path for path in up.data_dir.iterdir() if path.is_file() and path.suffix != ".log"]
    assert {path.name for path in kept} >= {"db.sqlite3", "secret_key"}
    assert [path.name for path in kept if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_the_data_directory_option_counts_over_the_environment(tmp_path: Path) -> None:
    with running_up(tmp_path / "unused", "--data-dir", str(tmp_path / "chosen")) as up:
        assert up.get("/readyz")[0] == 200
        assert (tmp_path / "chosen" / "db.sqlite3").exists()
        assert not (tmp_path / "unused" / "db.sqlite3").exists()


def test_without_a_worker_it_is_ready_and_says_what_is_missing(tmp_path: Path) -> None:
    with running_up(tmp_path / "data", "--no-worker") as up:
        status, body = up.get("/readyz")
        assert status == 503
        assert json.loads(body)["problems"].keys() == {"worker"}
        assert up.pids.keys() == {"redis", "web"}


def test_a_restart_of_the_web_process_refuses_no_connection(up: LiveUp) -> None:
    statuses: list[int] = []
    must_end = threading.Event()

    def knock() -> None:
        while not must_end.is_set():
            try:
                statuses.append(up.get("/healthz")[0])
            except ConnectionRefusedError:
                statuses.append(0)
            except (ConnectionResetError, OSError):  # it was being answered by the process that died
                continue

    knocker = threading.Thread(target=knock)
    knocker.start()
    try:
        wait_until(lambda: len(statuses) > 3)
        killed = up.kill("web")
        wait_until(lambda: up.pids["web"] != killed, what="a new web process")
        n_before = len(statuses)
        wait_until(lambda: len(statuses) > n_before + 3, what="answers from the new process")
    finally:
        must_end.set()
        knocker.join()
    assert set(statuses) == {200}


@pytest.mark.parametrize("name", ["worker", "redis"])
def test_a_killed_child_comes_back(up: LiveUp, name: str) -> None:
    killed = up.kill(name)
    wait_until(lambda: up.pids[name] != killed, what=f"a new {name}")
    wait_until(lambda: up.get("/readyz")[0] == 200, what="ready again")


def test_a_long_data_path_does_not_break_the_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 20) / "data with spaces"
    with running_up(deep):
        address = (deep / "redis_url").read_text()
        folder = Path(address.removeprefix("unix://")).parent
        assert not folder.is_relative_to(deep)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


def test_the_usual_socket_folder_is_private(up: LiveUp) -> None:
    socket_path = up.data_dir / "run" / "redis.sock"
    assert stat.S_IMODE(socket_path.parent.stat().st_mode) == 0o700
    assert stat.S_ISSOCK(socket_path.stat().st_mode)


def test_probes_answer_whatever_host_they_ask_for_and_pages_do_not(up: LiveUp) -> None:
    parts = up.url.removeprefix("http://").split(":")

    def ask(path: str) -> bytes:
        with socket.create_connection((parts[0], int(parts[1])), timeout=10) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 10.1.2.3\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(100)

    assert b" 200 " in ask("/readyz")
    assert b" 400 " in ask("/sign-in/")


def test_other_commands_meet_the_same_data(up: LiveUp) -> None:
    answer = up.manage("sign_in_link", "nobody@example.com")
    assert answer.returncode != 0
    assert "Nobody here has the address nobody@example.com." in answer.stderr
