"""Thousands of odd requests, made from the description of the API, against the real thing: none breaks anything."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live_world import World, living

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("api-fuzz")]

N_EXAMPLES = 25
"""Of each operation, beside those that the description's limits suggest by themselves."""
LEAST_CASES = 3_000
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with living(tmp_path_factory.mktemp("fuzz") / "data") as world:
        yield world


def configuration(world: World) -> str:
    """Let addresses name objects that are there: requests that only read "not found" try little."""
    ids = {name: value for kind in ("search", "tags", "rows", "text") for name, value in world.ids[kind].items()}
    lines = ["[parameters]", *(f'"path.{name}" = {json.dumps(value)}' for name, value in ids.items())]
    # What deletes the objects that all others need is tried with ids of nobody.
    deleting = ("function_id", "label_id", "field_id", "sample_id", "export_id")
    lines += ["[[operations]]", 'include-method = "DELETE"', "[operations.parameters]"]
    lines += [f'"path.{name}" = "{name.removesuffix("_id")}_0000000000000000"' for name in deleting]
    return "\n".join(lines) + "\n"


def test_no_request_breaks_anything_or_is_answered_otherwise_than_told(world: World, tmp_path: Path) -> None:
    config, report = tmp_path / "schemathesis.toml", tmp_path / "events.ndjson"
    config.write_text(configuration(world))
    # fmt: off
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run",
        f"{world.up.url}/api/schema/",
        "--header", f"Authorization: Bearer {world.secret}", "--checks", ",".join(CHECKS),
        "--phases", "examples,coverage,fuzzing", "--max-examples", str(N_EXAMPLES), "--seed", "100", "--no-shrink",
        "--continue-on-failure", "--request-timeout", "30", "--suppress-health-check", "all", "--warnings", "off",
        "--report", "ndjson", "--report-ndjson-path", str(report), "--no-color",
    ]
    # fmt: on
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stdout[-20_000:]
    sys.stdout.write(done.stdout[-2_000:])  # how many cases and checks: seen with `pytest -s`
    assert world.up.get("/readyz")[0] == 200
