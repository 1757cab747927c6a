"""Programs with keys: `key_client` may do everything in `workspace`, `outsider_key_client` all of it in another."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

if TYPE_CHECKING:
    from apps.accounts.models import User
    from apps.functions.models import Function
    from apps.workspaces.models import Workspace


class KeyClient:
    """Speaks JSON with a key. A body that is text or bytes is sent as it is, anything else as JSON."""

    def __init__(self, key_text: str) -> None:
        self.key_text = key_text
        self.http = Client(headers={"Authorization": f"Bearer {key_text}"})

    def get(self, path: str, query: dict[str, object] | None = None, **options: Any) -> Any:
        return self.http.get(path, query_params=query, **options)

    def post(self, path: str, body: object = None, **options: Any) -> Any:
        return self._send("post", path, body, **options)

    def put(self, path: str, body: object = None, **options: Any) -> Any:
        return self._send("put", path, body, **options)

    def delete(self, path: str, body: object = None, **options: Any) -> Any:
        return self._send("delete", path, body, **options)

    def send_files(self, path: str, fields: dict[str, Any], **options: Any) -> Any:
        """POST a form of several parts: files among its fields."""
        return self.http.post(path, fields, **options)

    def _send(self, method: str, path: str, body: object, **options: Any) -> Any:
        data = body if isinstance(body, str | bytes) else "" if body is None else json.dumps(body)
        return getattr(self.http, method)(path, data=data, content_type="application/json", **options)


def make_client(workspace: Workspace, owner: User, *scopes: str) -> KeyClient:
    from apps.workspaces.models import Membership
    from apps.workspaces.roles import Role
    from apps.workspaces.scopes import Scope, actions_of
    from apps.workspaces.services import create_key

    role = Role(Membership.objects.get(workspace=workspace, user=owner).role)
    actions = actions_of(scopes or [scope.value for scope in Scope], role=role)
    return KeyClient(create_key(workspace=workspace, owner=owner, name="Program", actions=actions)[1])


def on_wire(moment: datetime) -> str:
    """Return a moment as every reply writes it."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@pytest.fixture
def client_with(workspace: Workspace, owner: User) -> Callable[..., KeyClient]:
    """Make a client whose key has the scopes named, all where none is: `client_with("read", "write")`."""

    def make(*scopes: str) -> KeyClient:
        return make_client(workspace, owner, *scopes)

    return make


@pytest.fixture
def key_client(client_with: Callable[..., KeyClient]) -> KeyClient:
    return client_with()


@pytest.fixture
def outsider_key_client(outsider: User) -> KeyClient:
    return make_client(outsider.memberships.get().workspace, outsider)


@pytest.fixture
def image_function(workspace: Workspace) -> Function:
    function = workspace.functions.create(name="Which fruit?", input_kind="image")
    function.labels.create(name="Apple", position=0, colour=0)
    return function


@pytest.fixture
def table_function(workspace: Workspace) -> Function:
    function = workspace.functions.create(name="Will they pay?", input_kind="table")
    function.labels.create(name="Yes", position=0, colour=0)
    for position, (name, type_) in enumerate([("age", "number"), ("city", "text"), ("photo", "image")]):
        function.fields.create(name=name, type=type_, position=position)
    return function


@pytest.fixture
def tags_function(workspace: Workspace) -> Function:
    function = workspace.functions.create(name="What is it about?", input_kind="text", output_kind="tags")
    for position, name in enumerate(["Angry", "Price", "Delivery"]):
        function.labels.create(name=name, position=position, colour=position)
    return function
