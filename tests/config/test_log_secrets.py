"""S07 and S57: no line that is logged lets anyone in."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from django.test import Client

from apps.accounts.models import LinkPurpose
from apps.accounts.services import create_link

KEY = "hf_abcdefghij12_" + "S" * 43


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Return what the process's own formatter makes of records, as they come."""
    formatter = next(
        handler.formatter
        for handler in logging.getLogger().handlers
        if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)
    )
    written: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(formatter.format(record))

    collector = Collector()
    logging.getLogger().addHandler(collector)
    yield written
    logging.getLogger().removeHandler(collector)


@pytest.mark.django_db
def test_a_mistake_on_the_set_up_page_does_not_log_the_link_that_still_works(lines: list[str]) -> None:
    token = create_link(purpose=LinkPurpose.SET_UP)
    assert Client().post(f"/welcome/{token}/", {"name": ""}).status_code == 422
    assert Client(enforce_csrf_checks=True).post(f"/welcome/{token}/", {"name": ""}).status_code == 403
    assert Client().get(f"/welcome/{token}/").status_code == 200
    assert len(lines) >= 2
    assert not any(token in line for line in lines)
    assert any("/welcome/…/" in json.loads(line)["event"] for line in lines)


def test_keys_are_cut_after_their_prefix_wherever_they_turn_up(lines: list[str]) -> None:
    logging.getLogger("somewhere").warning("refused %s", KEY)
    structlog.get_logger("somewhere").warning("refused", bearer=f"Bearer {KEY}")
    try:
        raise ValueError(KEY)
    except ValueError:
        logging.getLogger("somewhere").exception("failed")
    assert len(lines) == 3
    assert not any("SSS" in line for line in lines)
    assert all("hf_abcdefghij12_…" in str(json.loads(line)) for line in lines)
