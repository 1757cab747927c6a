"""The description of the API leaves nothing out and says nothing untrue about shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern
from drf_spectacular.drainage import GENERATOR_STATS
from jsonschema import Draft202012Validator

from apps.api import urls
from apps.api.description import calls, page
from apps.api.description.schema import document
from apps.events.kinds import Notify
from apps.workspaces.access import DECLARED

if TYPE_CHECKING:
    from tests.api.conftest import KeyClient

METHODS = ("get", "post", "put", "delete")
TAGS = {tag["name"] for tag in settings.SPECTACULAR_SETTINGS["TAGS"]}


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


OPERATIONS = dict(operations())


def declared() -> Iterator[str]:
    """Every method of every address that takes keys, and those that `apps.invoke.asgi` answers."""
    for entry in [*urls.urlpatterns, *calls.urlpatterns]:
        assert isinstance(entry, URLPattern)
        view = getattr(entry.callback, "cls", None)
        for method in METHODS if view else ():
            if hasattr(getattr(view, method, None), DECLARED) or hasattr(view, method):
                path = str(entry.pattern).replace("<str:", "{").replace(">", "}")
                yield f"{method.upper()} /{path}"


def test_every_method_of_every_address_is_described() -> None:
    assert set(declared()) == set(OPERATIONS)


def test_it_is_made_without_a_warning() -> None:
    document.cache_clear()
    document()
    assert GENERATOR_STATS._warn_cache == {}
    assert GENERATOR_STATS._error_cache == {}


def test_names_of_operations_are_told_apart() -> None:
    counts = Counter(operation["operationId"] for operation in OPERATIONS.values())
    assert [name for name, n in counts.items() if n > 1] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_says_what_it_does_and_under_which_topic(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert set(operation["tags"]) <= TAGS
    assert "200" in operation["responses"]
    assert [one["name"] for one in operation.get("parameters", []) if not one.get("description")] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_examples_that_fit_its_shapes(name: str) -> None:
    operation = OPERATIONS[name]
    contents = operation.get("requestBody", {}).get("content", {})
    replies = operation["responses"]["200"].get("content", {})
    if contents:
        assert any(content.get("examples") for content in contents.values()), "no example of a request"
    if "application/json" in replies:
        assert replies["application/json"].get("examples"), "no example of a reply"
    for media_type, content in [*contents.items(), *replies.items()]:
        if media_type == "multipart/form-data":
            continue  # its files stand for themselves
        for example in content.get("examples", {}).values():
            assert problems(content["schema"], example["value"]) == []


def test_each_kind_of_body_is_said_to_be_taken_where_it_is_and_nowhere_else() -> None:
    told = {name: set(operation.get("requestBody", {}).get("content", {})) for name, operation in OPERATIONS.items()}
    forms = {name for name, kinds in told.items() if "multipart/form-data" in kinds}
    pictures = ("/samples", "/samples/batch", "/search", "/invoke", "/invoke/batch")
    assert forms == {name for name in OPERATIONS if name.startswith("POST") and name.endswith(pictures)}
    assert [name for name, kinds in told.items() if kinds and "application/json" not in kinds] == []


@pytest.mark.django_db
def test_what_no_picture_belongs_to_takes_json_alone_and_says_so(key_client: KeyClient) -> None:
    urlencoded = key_client.http.post("/v1/functions", "input=Text", content_type="application/x-www-form-urlencoded")
    assert urlencoded.status_code == 415
    response = key_client.send_files("/v1/functions", {"input": "Text", "output": "Tags"})
    assert response.status_code == 415
    assert response.json()["message"] == "Send application/json, and say so in the header Content-Type."


def test_every_value_that_travels_is_explained() -> None:
    schemas = document()["components"]["schemas"]
    silent = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, inner in schema.get("properties", {}).items()
        if not (inner.get("description") or inner.get("allOf") or "$ref" in inner)
    ]
    assert silent == []


def problems(schema: dict[str, Any], value: object) -> list[str]:
    """What of a value does not fit a schema of the document, whose references lead into the document."""
    whole = {"components": document()["components"], **_with_null(schema)}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]


def _with_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "type": [schema["type"], "null"]} if schema.get("nullable") else schema


def test_each_topic_is_in_the_order_in_which_one_works() -> None:
    shown = {topic.title: [operation.id for operation in topic.operations] for topic in page.topics("")}
    assert shown["Functions"] == [
        "createFunction",
        "listFunctions",
        "getFunction",
        "updateFunction",
        "getMetrics",
        "deleteFunction",
    ]
    assert shown["Models"][:2] == ["listModels", "getModel"]
    assert shown["Search"] == ["searchSamples", "searchFunction"]
    assert [id_ for id_ in shown["Samples"] if id_.startswith("delete")] == shown["Samples"][-2:]


def test_the_document_tells_what_webhooks_are_told() -> None:
    assert list(document()["x-webhooks"]) == [kind.value for kind in Notify]


@pytest.mark.django_db
def test_the_document_and_its_page_are_there_for_anybody(client: Client) -> None:
    assert client.get("/api/schema/").json()["info"]["title"] == "Hundredfold"
    page = client.get("/api/docs/")
    text = page.content.decode()
    assert page.status_code == 200
    assert [name for name, operation in OPERATIONS.items() if f'id="{operation["operationId"]}"' not in text] == []


@pytest.mark.django_db
def test_the_page_asks_no_other_host_for_anything(client: Client) -> None:
    text = client.get("/api/docs/").content.decode()
    for attribute in ('src="', '<link rel="stylesheet" href="'):
        targets = [part.partition('"')[0] for part in text.split(attribute)[1:]]
        assert targets
        assert [target for target in targets if not target.startswith("/static/")] == []


@pytest.mark.parametrize(
    ("operation", "status", "is_told"),
    [
        ("POST /connect/token", "402", False),
        ("POST /connect/token", "422", False),
        ("POST /v1/functions", "402", True),
        ("POST /v1/functions", "404", True),
        ("POST /v1/functions/{function_id}/samples/batch", "402", True),
        ("POST /v1/functions/{function_id}/invoke", "402", True),
        ("POST /v1/functions/{function_id}/labels", "402", False),
        ("PUT /v1/functions/{function_id}", "402", False),
        ("PUT /v1/functions/{function_id}", "422", False),
        ("GET /v1/functions", "404", False),
        ("GET /v1/functions/{function_id}/exports/{export_id}/result", "409", True),
        ("GET /v1/functions/{function_id}/exports/{export_id}", "409", False),
        ("GET /v1/functions/{function_id}", "404", True),
    ],
)
def test_of_errors_only_those_are_told_that_can_happen(operation: str, status: str, is_told: bool) -> None:
    assert (status in OPERATIONS[operation]["responses"]) is is_told
