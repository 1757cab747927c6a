"""What must be decided at once, decided by PostgreSQL: the same requests from many programs, and a whole life."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.conftest import CLIENT_ID, Server
from tests.clients.test_package_classification import test_a_function_lives_its_whole_life_through_the_package
from tests.clients.test_requests import (
    function,
    test_one_label_or_field_is_one_however_often_it_is_sent_at_once,
    test_one_sample_is_one_however_often_it_is_sent_at_once,
    test_whatever_goes_wrong_has_one_shape,
)
from tests.live_up import running_up
from tests.private_postgres import private_postgres

__all__ = [
    "function",
    "test_a_function_lives_its_whole_life_through_the_package",
    "test_one_label_or_field_is_one_however_often_it_is_sent_at_once",
    "test_one_sample_is_one_however_often_it_is_sent_at_once",
    "test_whatever_goes_wrong_has_one_shape",
]
pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("clients")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("clients-postgres")
    with (
        pytest.MonkeyPatch.context() as patch,
        private_postgres() as url,
        running_up(folder / "var", environment={"HUNDREDFOLD_DATABASE_URL": url}) as up,
    ):
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        server = Server(up)
        server.make_key(CLIENT_ID)
        yield server
