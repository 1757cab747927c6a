"""A real `up` for one test, to be killed and maltreated."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_up import LiveUp, running_up


@pytest.fixture
def up(tmp_path: Path) -> Iterator[LiveUp]:
    with running_up(tmp_path / "data") as live:
        yield live
