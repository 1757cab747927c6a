"""Every example of the description is sent as it stands to the real thing, and what comes back has the shape told.

A new address needs nothing here, unless its ids are of a kind that `World` does not know.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from apps.api.description import page
from tests.api.test_schema import OPERATIONS, problems
from tests.live_up import wait_until
from tests.live_world import World, living, picture

pytestmark = pytest.mark.xdist_group("api-examples")

# What a function must be for an operation, where a text function with one label will not do.
OF_ROWS = re.compile(r"/fields")
OF_TAGS = re.compile(r"^(GET|POST|PUT|DELETE) /v0\.9/functions/\{function_id\}/samples")
OF_SEARCH = re.compile(r"/search")
AN_ID = re.compile(r"(function|label|sample|field|model)_[a-z0-9]{16}")
ID_OF_THEIRS = "ticket-1742"
A_RECEIVER = "https://example.com"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with living(tmp_path_factory.mktemp("examples") / "data") as world:
        yield world


def kind_of(name: str, media_type: str) -> str:
    if media_type == "multipart/form-data":
        return "found pictures" if OF_SEARCH.search(name) else "pictures"
    if OF_ROWS.search(name):
        return "rows"
    if OF_TAGS.search(name):
        return "tags"
    return "search" if OF_SEARCH.search(name) else "text"


def bodies(operation: dict[str, Any]) -> list[tuple[str, object]]:
    """The requests shown, or one without a body."""
    shown = [
        (media_type, example["value"])
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items()
        for example in content.get("examples", {}).values()
    ]
    return shown or [("", None)]


def send(world: World, name: str, media_type: str, value: object, ids: dict[str, str]) -> httpx.Response:
    method, path = name.split(" ", 1)
    path = re.sub(r"\{(\w+)\}", lambda found: ids[found[1]], path) + ids.get("query", "")
    value = in_this_world(value, world, ids)
    if media_type == "application/json":
        return world.http.request(method, path, json=value)
    if media_type == "multipart/form-data":
        assert isinstance(value, dict)
        n_files = len(value["data"]) if isinstance(value["data"], list) else 1
        files = [("data", picture((time.time_ns() % 255, number, 3))) for number in range(n_files)]
        said = {key: inner for key, inner in value.items() if key != "data"}
        return world.http.request(method, path, files=files, data=said)
    return world.http.request(method, path, data=value)


def in_this_world(value: Any, world: World, ids: dict[str, str]) -> Any:
    """Put the objects there are in place of those that an example names."""
    if isinstance(value, dict):
        return {key: in_this_world(inner, world, ids) for key, inner in value.items()}
    if isinstance(value, list):
        return [in_this_world(inner, world, ids) for inner in value]
    if isinstance(value, str):
        value = AN_ID.sub(lambda found: ids.get(f"{found[1]}_id", found[0]), value)
        value = ids.get("external_id", value) if value == ID_OF_THEIRS else value
        return value.replace(A_RECEIVER, world.receiver)
    return value


def test_the_whole_job_of_the_page_works_as_it_stands(world: World) -> None:
    program = page.beginning(world.up.url.rstrip("/"))["job"].replace(page.KEY_PLACEHOLDER, world.secret)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    label, confidence = done.stdout.split()
    assert (label in {"Refund", "Shipping"}, 0 <= float(confidence) <= 1) == (True, True)


# What uses its object up comes last and gets one of its own.
IN_ORDER = sorted(OPERATIONS, key=lambda name: (name.startswith("DELETE"), name))
# Addresses whose object comes from elsewhere than this contract: a link in a reply, a secret just shown.
BY_ANOTHER_TEST = {
    "GET /v1/media/{token}": "tests/api/test_sample_pictures.py follows the address of a picture",
}


@pytest.mark.parametrize("name", [name for name in IN_ORDER if name not in BY_ANOTHER_TEST])
def test_the_examples_work_as_they_stand(world: World, name: str) -> None:
    operation = OPERATIONS[name]
    schema = operation["responses"]["200"].get("content", {}).get("application/json", {}).get("schema")
    for media_type, value in bodies(operation):
        ids = objects_for(world, name, media_type)
        if name == "POST /connect/token":
            value = {**value, "client_id": world.client_id, "client_secret": world.secret}  # type: ignore[dict-item]
        answer = send(world, name, media_type, value, ids)
        assert answer.status_code == 200 or is_there_already(answer), (value, answer.text)
        if answer.status_code == 200 and schema:
            assert problems(schema, answer.json()) == []


def is_there_already(answer: httpx.Response) -> bool:
    """An example that makes something was run before, by another operation that shows the same."""
    return answer.status_code == 409 and "id" in answer.json()


def objects_for(world: World, name: str, media_type: str) -> dict[str, str]:
    """The ids an address needs; an operation that deletes gets an object that nothing else needs."""
    kind = kind_of(name, media_type)
    ids = dict(world.ids[kind])
    if "{webhook_id}" in name or "{delivery_id}" in name:
        ids |= webhook(world)
    if name == "POST /v1/functions/{function_id}/feedback":
        ids["external_id"] = uuid.uuid4().hex
        known = {"data": f"Said by {ids['external_id']}", "externalId": ids["external_id"]}
        world.post(f"/v1/functions/{ids['function_id']}/samples", known)
    if name.startswith(("DELETE", "PUT")) and name.endswith("{label_id}"):
        ids["label_id"] = world.post(f"/v1/functions/{ids['function_id']}/labels", {"name": uuid.uuid4().hex})["id"]
    return used_up(world, name, ids) if name.startswith("DELETE") else ids


def used_up(world: World, name: str, ids: dict[str, str]) -> dict[str, str]:
    """Objects for an operation that deletes them."""
    function, unique = ids["function_id"], uuid.uuid4().hex
    if name.endswith("/functions/{function_id}"):
        return {"function_id": world.make_function("Text", "Classification")}
    if name.endswith("{field_id}"):
        ids["field_id"] = world.post(f"/v1/functions/{function}/fields", {"name": unique, "type": "Text"})["id"]
    if name.endswith(("/samples", "{sample_id}", "/annotation")):
        version = "v0.9" if "v0.9" in name else "v1"
        made = world.post(f"/{version}/functions/{function}/samples", {"data": unique, "externalId": unique})
        ids |= {"sample_id": made["id"], "query": f"?externalId={unique}"}
    if name.endswith("{export_id}"):
        ids["export_id"] = world.post(f"/v1/functions/{function}/exports", {"format": "csv"})["id"]
    return ids


def webhook(world: World) -> dict[str, str]:
    """A webhook with a message in its log."""
    _media_type, example = bodies(OPERATIONS["POST /v1/webhooks"])[0]
    made = world.post("/v1/webhooks", in_this_world(example, world, {}))
    world.post(f"/v1/webhooks/{made['id']}/ping", {})
    log = wait_until(lambda: world.http.get(f"/v1/webhooks/{made['id']}/deliveries").json(), what="a delivery")
    return {"webhook_id": made["id"], "delivery_id": log[0]["id"]}
