"""One owner of a data directory at a time, and it can be asked after."""

import os
from pathlib import Path

import pytest

from apps.ops import data_lock


def test_nobody_holds_a_new_directory(tmp_path: Path) -> None:
    assert data_lock.holder_of(tmp_path) is None


def test_the_holder_is_known_while_it_holds(tmp_path: Path) -> None:
    with data_lock.own(tmp_path) as lock:
        lock.tell(address="http://127.0.0.1:1", children={"web": 7})
        holder = data_lock.holder_of(tmp_path)
        assert holder is not None
        assert (holder.pid, holder.address, holder.children) == (os.getpid(), "http://127.0.0.1:1", {"web": 7})
    assert data_lock.holder_of(tmp_path) is None


def test_a_second_owner_is_refused_and_told_who_it_is(tmp_path: Path) -> None:
    with data_lock.own(tmp_path) as lock:
        lock.tell(address="http://127.0.0.1:1")
        with (
            pytest.raises(data_lock.DataHeld, match=rf"process {os.getpid()}, at http://127\.0\.0\.1:1"),
            data_lock.own(tmp_path),
        ):
            pass
    with data_lock.own(tmp_path):
        pass


def test_what_a_dead_holder_left_behind_means_nothing(tmp_path: Path) -> None:
    (tmp_path / data_lock.LOCK_NAME).touch()
    (tmp_path / data_lock.STATE_NAME).write_text('{"pid": 1, "address": "http://127.0.0.1:1", "children": {}}')
    assert data_lock.holder_of(tmp_path) is None
