"""`bench desk` measures every page it says it does, on data of its own."""

import json
from pathlib import Path

import pytest
from django.core.management import call_command

from apps.functions.models import Function
from apps.ops import desk_bench

ASKED = {"next_sample", "annotate", "grid_page", "samples_page", "review_queue", "merge"}


@pytest.mark.slow
@pytest.mark.django_db
def test_the_desk_is_measured_beside_rounds_and_leaves_nothing_here(tmp_path: Path) -> None:
    file = tmp_path / "desk.json"
    call_command("bench", "desk", "--samples", "400", "--json", str(file))
    [row] = [json.loads(line) for line in file.read_text().splitlines()]
    assert row.keys() >= ASKED
    for figures in row.values():
        assert 0 < figures["p50"] <= figures["p95"]
    assert not Function.objects.exists()


def test_percentiles_are_in_milliseconds() -> None:
    assert desk_bench._percentiles([0.01] * 19 + [1.0])["p50"] == 10.0
