"""S09, S10, S14 and S16 over everything that takes keys: every address, every method, every key that must not get in.

New addresses are walked without anybody naming them: an `ApiView` by the URL map, what is answered before Django by
`CALLS`. A new kind of id in an address needs a row in `objects_of`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.apps import apps
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.api.description import calls
from apps.api.views.base import ApiView
from apps.core.errors import NotSignedIn
from apps.functions.models import Function, InputKind, OutputKind
from apps.invoke.asgi import InvokeApp
from apps.invoke.recorder import Recorder
from apps.invoke.services import Predictions
from apps.samples.models import Export, Feedback, Origin, Verdict
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import TrainedModel
from apps.workspaces.access import DECLARED
from apps.workspaces.models import ApiKey, Delivery, Webhook, Workspace
from apps.workspaces.roles import Action, Role, may
from apps.workspaces.services import create_key, exchange, remove_member, revoke_key
from tests.workspaces.conftest import membership_of

METHODS = ("get", "post", "put", "delete")
# What a careless view would act on before it asked who is there.
BODY = {
    "name": "Hijacked",
    "input": "Text",
    "output": "Classification",
    "type": "Text",
    "data": "hijacked",
    "labelName": "Refund",
    "verdict": "right",
    "format": "csv",
    "url": "https://example.com/hook",
    "kinds": ["ping"],
}
# What a GET may declare; whoever calls may read what became of what was called.
READS = {Action.VIEW, Action.EXPORT, Action.INVOKE, Action.SEE_AUDIT, Action.MANAGE_WEBHOOKS}
# What only looks, though asked with a body.
LOOKS_BY_POST = {("api:projects", "post")}
# Without an object in the address a key of one function is refused, but where there is something of it to be seen.
SHOWS_WHAT_THE_KEY_SEES = {("api:functions", "get")}
CALLS = sorted(
    {"v1/functions/<str:function_id>/invoke", "v0.9/functions/<str:function_id>/invoke"}
    | {str(entry.pattern) for entry in calls.urlpatterns}
)


@dataclass(frozen=True)
class Route:
    """One method of one address."""

    name: str
    method: str
    action: Action
    kwargs: tuple[str, ...]


def walk(resolver: URLResolver, namespace: str = "") -> Iterator[Route]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from walk(entry, f"{namespace}{entry.namespace}:" if entry.namespace else namespace)
        elif isinstance(entry, URLPattern) and getattr(entry.callback, DECLARED, None) == "key":
            view: type[ApiView] = entry.callback.cls  # type: ignore[attr-defined]  # DRF's `as_view` adds it
            for method in METHODS:
                if handler := getattr(view, method, None):
                    action: Any = getattr(handler, DECLARED, None)
                    yield Route(f"{namespace}{entry.name}", method, action, tuple(entry.pattern.converters))


ROUTES = list(walk(get_resolver()))
WITH_OBJECT = [route for route in ROUTES if route.kwargs]
Objects = dict[str, str]


def objects_of(workspace: Workspace, owner: User, *, output: OutputKind = OutputKind.LABEL) -> Objects:
    """Make one object of each kind, and return their ids by the names these have in addresses."""
    function = workspace.functions.create(name=f"Which {output}?", input_kind=InputKind.TEXT, output_kind=output)
    label = function.labels.create(name="Refund", position=0, colour=0)
    add_texts(function=function, items=[NewText("money back")], person=owner, origin=Origin.API)
    sample = function.samples.get()
    model = TrainedModel.objects.create(
        function=function,
        number=1,
        data_revision=1,
        recipe={},
        label_ids=[label.pk],
        sha256="0" * 64,
        last_annotation_id=1,
        n_annotations=1,
        n_right=1,
        log_loss=0.5,
        published_at=timezone.now(),
    )
    webhook = Webhook.objects.create(workspace=workspace, url="https://example.com/hook", kinds=["ping"])
    key, _text = create_key(workspace=workspace, owner=owner, name="Listed", actions=[Action.INVOKE])
    return {
        "workspace_id": workspace.public_id,
        "project_id": workspace.public_id,
        "function_id": function.public_id,
        "label_id": label.public_id,
        "field_id": function.fields.create(name="Age", type="number", position=0).public_id,
        "sample_id": sample.public_id,
        "model_id": model.public_id,
        "export_id": Export.objects.create(function=function, person=owner, format="csv").public_id,
        "feedback_id": Feedback.objects.create(function=function, sample=sample, verdict=Verdict.RIGHT).public_id,
        "webhook_id": webhook.public_id,
        "delivery_id": Delivery.objects.create(webhook=webhook, kind="ping", body="{}").public_id,
        "key_id": key.public_id,
    }


@pytest.fixture
def objects(workspace: Workspace, owner: User) -> Objects:
    return objects_of(workspace, owner)


@pytest.fixture
def all_scopes(workspace: Workspace, owner: User) -> tuple[ApiKey, str]:
    return create_key(workspace=workspace, owner=owner, name="All", actions=list(Action))


def answers(client: Client, route: Route, objects: Objects) -> Iterator[tuple[str, Any]]:
    missing = [name for name in route.kwargs if name not in objects]
    assert not missing, f"{route.name} takes {missing}: make such an object in `objects_of`"
    path = reverse(route.name, kwargs={name: objects[name] for name in route.kwargs})
    if route.method == "get":
        yield "get", client.get(path)
        return
    for what, body in (("empty", ""), ("object", json.dumps(BODY)), ("list", json.dumps([BODY]))):
        yield f"{route.method} {what}", client.generic(route.method.upper(), path, body, "application/json")


def wrong(
    text: str, objects: Objects, expected: set[int], routes: list[Route] | None = None
) -> list[tuple[str, str, int]]:
    """Return every answer to this bearer that is not one of those expected."""
    client = Client(headers={"authorization": f"Bearer {text}"} if text else {})
    return [
        (route.name, what, response.status_code)
        for route in (ROUTES if routes is None else routes)
        for what, response in answers(client, route, objects)
        if response.status_code not in expected
    ]


def all_rows() -> dict[str, list[dict[str, object]]]:
    """Return everything there is but when keys were used."""
    rows = {}
    for model in apps.get_models():
        values = list(model._default_manager.order_by("pk").values())
        rows[model._meta.label] = [{k: v for k, v in row.items() if k != "last_used_at"} for row in values]
    return rows


@pytest.fixture
def unchanged(objects: Objects, all_scopes: tuple[ApiKey, str], outsider: User) -> Iterator[list[Any]]:
    """Compare all rows before and after; a test appends to the list once it has made what it needs."""
    snapshots: list[Any] = []
    yield snapshots
    assert len(snapshots) == 1
    assert all_rows() == snapshots[0]


def test_s14_every_method_declares_what_it_does() -> None:
    assert len(ROUTES) > 30
    assert [(route.name, route.method) for route in ROUTES if not isinstance(route.action, Action)] == []


def test_what_reads_declares_looking_and_what_writes_more() -> None:
    for route in ROUTES:
        if route.method == "get":
            assert route.action in READS, route
        else:
            assert route.action is not Action.VIEW or (route.name, route.method) in LOOKS_BY_POST, route


def test_the_right_key_gets_through_everywhere(workspace: Workspace, owner: User, objects: Objects) -> None:
    """Without this, the refusals below could come from a mistake in the test."""
    _key, text = create_key(workspace=workspace, owner=owner, name="All", actions=list(Action))
    client = Client(headers={"authorization": f"Bearer {text}"})
    tags = objects_of(workspace, owner, output=OutputKind.TAGS)
    refused = []
    for route in ROUTES:
        outcomes = []
        for its in (objects, tags):
            with transaction.atomic():
                outcomes += [response.status_code for _what, response in answers(client, route, its)]
                transaction.set_rollback(True)
        if set(outcomes) & {401, 403} or set(outcomes) == {404} or max(outcomes) >= 500:
            refused.append((route.name, route.method, outcomes))
    assert refused == []


NO_KEYS = ["", "hf_aaaaaaaaaaaa_" + "A" * 43, "hft_aaaaaaaaaaaa_ffffffff_" + "A" * 43, "nonsense"]


@pytest.mark.parametrize("text", NO_KEYS)
def test_no_key_is_401(unchanged: list[Any], objects: Objects, text: str) -> None:
    unchanged.append(all_rows())
    assert wrong(text, objects, {401}) == []


def test_s07_a_key_in_the_address_and_a_session_are_no_key(
    unchanged: list[Any], objects: Objects, all_scopes: tuple[ApiKey, str], owner: User
) -> None:
    client = Client(query_string=f"key={all_scopes[1]}")
    client.force_login(owner, backend="allauth.account.auth_backends.AuthenticationBackend")
    unchanged.append(all_rows())
    refused = {response.status_code for route in ROUTES for _what, response in answers(client, route, objects)}
    assert refused == {401}


@pytest.mark.parametrize("way", ["removed", "deleted", "switched off", "expired", "revoked"])
def test_s16_a_dead_key_and_its_token_are_401(
    unchanged: list[Any], objects: Objects, workspace: Workspace, owner: User, way: str
) -> None:
    admin = User.objects.create_user(email="admin@example.com", name="Ada Admin")
    workspace.memberships.create(user=admin, role=Role.OWNER)
    key, text = create_key(workspace=workspace, owner=admin, name="Dying", actions=list(Action))
    token = exchange(client_id=key.client_id, secret=text).text
    assert wrong(token, objects, {200}, [route for route in ROUTES if route.name == "api:function"][:1]) == []
    if way == "removed":
        remove_member(membership=membership_of(admin, workspace), actor=owner)
    elif way == "deleted":
        membership_of(admin, workspace).delete()
    elif way == "switched off":
        User.objects.filter(pk=admin.pk).update(is_active=False)
    elif way == "expired":
        ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    else:
        revoke_key(key=key, actor=owner)
    unchanged.append(all_rows())
    assert wrong(text, objects, {401}) == []
    assert wrong(token, objects, {401}) == []
    with pytest.raises(NotSignedIn):
        exchange(client_id=key.client_id, secret=text)


@pytest.mark.parametrize("action", sorted({route.action for route in ROUTES}))
def test_s14_a_key_without_the_action_is_403(
    unchanged: list[Any], objects: Objects, workspace: Workspace, owner: User, action: Action
) -> None:
    others = [other for other in Action if other is not action]
    _key, text = create_key(workspace=workspace, owner=owner, name="Less", actions=others)
    unchanged.append(all_rows())
    assert wrong(text, objects, {403}, [route for route in ROUTES if route.action is action]) == []


@pytest.mark.parametrize("role", [role for role in Role if role != Role.OWNER])
def test_s14_a_key_does_no_more_than_its_owner_may_now(
    unchanged: list[Any], objects: Objects, workspace: Workspace, role: Role
) -> None:
    person = User.objects.create_user(email="demoted@example.com", name="Dora Demoted")
    membership = workspace.memberships.create(user=person, role=Role.OWNER)
    _key, text = create_key(workspace=workspace, owner=person, name="Was more", actions=list(Action))
    workspace.memberships.filter(pk=membership.pk).update(role=role)
    unchanged.append(all_rows())
    assert wrong(text, objects, {403}, [route for route in ROUTES if not may(role, route.action)]) == []


def test_s09_another_workspaces_key_finds_nothing(unchanged: list[Any], objects: Objects, outsider: User) -> None:
    elsewhere = outsider.memberships.get().workspace
    _key, text = create_key(workspace=elsewhere, owner=outsider, name="All", actions=list(Action))
    unchanged.append(all_rows())
    assert wrong(text, objects, {404}, WITH_OBJECT) == []


def test_s09_another_workspaces_object_and_a_missing_one_answer_alike(objects: Objects, outsider: User) -> None:
    elsewhere = outsider.memberships.get().workspace
    _key, text = create_key(workspace=elsewhere, owner=outsider, name="All", actions=list(Action))
    client = Client(headers={"authorization": f"Bearer {text}"})
    nothing = {name: f"{value.partition('_')[0]}_{'0' * 16}" for name, value in objects.items()}
    for route in WITH_OBJECT:
        for (_what, foreign), (_same, missing) in zip(
            answers(client, route, objects), answers(client, route, nothing), strict=True
        ):
            bodies = [{**response.json(), "requestId": ""} for response in (foreign, missing)]
            assert bodies[0] == bodies[1], route


def test_what_belongs_to_another_function_is_not_in_this_one(
    unchanged: list[Any], objects: Objects, workspace: Workspace, owner: User
) -> None:
    _key, text = create_key(workspace=workspace, owner=owner, name="All", actions=list(Action))
    other = workspace.functions.create(name="Another", input_kind=InputKind.TEXT)
    other.labels.create(name="Refund", position=0, colour=0)
    mixed = objects | {"function_id": other.public_id}
    below = [route for route in WITH_OBJECT if "function_id" in route.kwargs and len(route.kwargs) > 1]
    assert below
    unchanged.append(all_rows())
    assert wrong(text, mixed, {404}, below) == []


def test_a_key_of_another_function_finds_nothing_and_does_nothing_to_the_workspace(
    unchanged: list[Any], objects: Objects, workspace: Workspace, owner: User
) -> None:
    other = workspace.functions.create(name="Another", input_kind=InputKind.TEXT)
    key, text = create_key(workspace=workspace, owner=owner, name="One", actions=list(Action))
    ApiKey.objects.filter(pk=key.pk).update(only_function=other.public_id)
    unchanged.append(all_rows())
    assert wrong(text, objects, {404}, WITH_OBJECT) == []
    shows = [route for route in ROUTES if (route.name, route.method) in SHOWS_WHAT_THE_KEY_SEES]
    rest = [route for route in ROUTES if not route.kwargs and route not in shows]
    assert wrong(text, objects, {403}, rest) == []
    client = Client(headers={"authorization": f"Bearer {text}"})
    for route in shows:
        for _what, response in answers(client, route, objects):
            assert objects["function_id"] not in response.content.decode()
            assert response.status_code == 200


def test_ids_of_the_wrong_shape_are_just_not_there(objects: Objects, all_scopes: tuple[ApiKey, str]) -> None:
    for odd in ("1", "%00", "\x00", "'", "..", "function_", "é", "x" * 3000, "workspace__memberships"):
        assert wrong(all_scopes[1], dict.fromkeys(objects, odd), {404}, WITH_OBJECT) == []


# Calls are answered by threads of their own, which see what has been committed alone.


@pytest.fixture
def called(transactional_db: None, request: pytest.FixtureRequest) -> Function:
    workspace: Workspace = request.getfixturevalue("workspace")
    function = workspace.functions.create(name="Which desk?", input_kind=InputKind.TEXT)
    function.labels.create(name="Refund", position=0, colour=0)
    return function


LET_IN = {200, 400}  # the function has learned nothing yet


def status_of_call(path: str, text: str) -> int:
    service = Predictions(Recorder(flush_seconds=0.02))
    app = InvokeApp(service=service)
    assert app.handles(path), f"{path} is not answered here"

    async def ask() -> int:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # httpx types ASGI loosely
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            headers = {"Authorization": f"Bearer {text}"} if text else {}
            return (await client.post(path, json={"data": "money back"}, headers=headers)).status_code

    try:
        return asyncio.run(ask())
    finally:
        service.close()


@pytest.mark.parametrize("pattern", CALLS)
def test_calls_refuse_the_same_keys(called: Function, owner: User, outsider: User, pattern: str) -> None:
    path = "/" + pattern.replace("<str:function_id>", called.public_id)

    def made(workspace: Workspace, person: User, actions: list[Action]) -> tuple[ApiKey, str]:
        return create_key(workspace=workspace, owner=person, name="Key", actions=actions)

    right = made(called.workspace, owner, [Action.INVOKE])
    assert status_of_call(path, right[1]) in LET_IN
    assert status_of_call(path, exchange(client_id=right[0].client_id, secret=right[1]).text) in LET_IN
    assert status_of_call(path, "") == 401
    assert status_of_call(path, "nonsense") == 401
    lacking = made(called.workspace, owner, [action for action in Action if action is not Action.INVOKE])
    assert status_of_call(path, lacking[1]) == 403
    foreign = made(outsider.memberships.get().workspace, outsider, list(Action))
    assert status_of_call(path, foreign[1]) == 404
    narrow = made(called.workspace, owner, list(Action))
    ApiKey.objects.filter(pk=narrow[0].pk).update(only_function="function_0000000000000000")
    assert status_of_call(path, narrow[1]) == 404
    ApiKey.objects.filter(pk=narrow[0].pk).update(only_function=called.public_id)
    assert status_of_call(path, narrow[1]) in LET_IN
    leaving = User.objects.create_user(email="leaving@example.com", name="Lea Leaving")
    membership = called.workspace.memberships.create(user=leaving, role=Role.OWNER)
    theirs = made(called.workspace, leaving, [Action.INVOKE])
    token = exchange(client_id=theirs[0].client_id, secret=theirs[1]).text
    remove_member(membership=membership, actor=owner)
    assert [status_of_call(path, text) for text in (theirs[1], token)] == [401, 401]
    revoke_key(key=right[0], actor=owner)
    assert status_of_call(path, right[1]) == 401
    late = made(called.workspace, owner, [Action.INVOKE])
    ApiKey.objects.filter(pk=late[0].pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert status_of_call(path, late[1]) == 401


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_ask_who_is_there_first_and_do_nothing(
    unchanged: list[Any], objects: Objects, outsider: User, all_scopes: tuple[ApiKey, str], method: str
) -> None:
    elsewhere = outsider.memberships.get().workspace
    foreign = create_key(workspace=elsewhere, owner=outsider, name="All", actions=list(Action))[1]
    unchanged.append(all_rows())
    gets = {route.name for route in WITH_OBJECT if route.method == "get"}
    for route in {route.name: route for route in WITH_OBJECT}.values():
        path = reverse(route.name, kwargs={name: objects[name] for name in route.kwargs})
        is_read = method == "HEAD" and route.name in gets
        for text, status in (("", 401), ("nonsense", 401), (foreign, 404 if is_read else 405)):
            client = Client(headers={"authorization": f"Bearer {text}"} if text else {})
            response = client.generic(method, path, json.dumps(BODY), "application/json")
            assert response.status_code == status, (method, path, text[:8], response.content)
            assert method != "HEAD" or response.content == b""


def test_s12_what_a_body_names_of_another_function_is_refused(
    unchanged: list[Any], objects: Objects, workspace: Workspace, owner: User, outsider: User
) -> None:
    """A label beside it in the workspace is as foreign as one of another workspace."""
    beside = objects_of(workspace, owner, output=OutputKind.TAGS)
    elsewhere = objects_of(outsider.memberships.get().workspace, outsider)
    text = create_key(workspace=workspace, owner=owner, name="All", actions=list(Action))[1]
    client = Client(headers={"authorization": f"Bearer {text}"})
    function = f"/v1/functions/{objects['function_id']}"
    sample = f"{function}/samples/{objects['sample_id']}"
    unchanged.append(all_rows())
    for theirs in (beside, elsewhere):
        label = {"labelId": theirs["label_id"]}
        for method, path, body, status in (
            ("PUT", f"{sample}/annotation", label, 400),
            ("POST", f"{sample}/annotation", label, 400),
            ("POST", f"{function}/samples", {"data": "new", "annotation": label}, 400),
            ("POST", f"{sample}/feedback", {"verdict": "wrong", **label}, 400),
            ("POST", f"{function}/feedback", {"verdict": "right", "sampleId": theirs["sample_id"]}, 404),
            ("POST", f"{function}/models/{theirs['model_id']}/publish", {}, 404),
        ):
            response = client.generic(method, path, json.dumps(body), "application/json")
            assert response.status_code == status, (path, response.content)
        read = client.get(f"{function}/samples?annotationLabelId={theirs['label_id']}")
        assert read.status_code == 400 or read.json() == []
        assert client.get(f"{function}/samples?sampleIds={theirs['sample_id']}").json() == []
    other = {"url": "https://example.com/hook", "kinds": ["import.done"], "functionId": elsewhere["function_id"]}
    assert client.generic("POST", "/v1/webhooks", json.dumps(other), "application/json").status_code == 400
