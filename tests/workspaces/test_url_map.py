"""S05, S08, S09, S10 and S14 over the whole URL map: every address, every method, everyone who should not get through.

New addresses are walked without anybody naming them. A new kind of id in an address needs a row in `objects`, and an
address open to strangers a line in `PUBLIC` or `ABOUT_ONESELF`, written with open eyes.
"""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.apps import apps
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone
from PIL import Image

from apps.accounts.models import User
from apps.functions.models import ActKind, Function, InputKind
from apps.invoke.models import DriftAlarm, DriftKind, FilePrediction, FileState
from apps.review.models import Slice
from apps.samples.media import store_picture
from apps.samples.models import Import, ImportFormat, ImportState, Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.samples.services.intake import NewImage, add_images
from apps.training.models import TrainedModel
from apps.workspaces.access import DECLARED
from apps.workspaces.models import Webhook, Workspace
from apps.workspaces.roles import Action, Role, may
from apps.workspaces.services import create_key, invite_member
from tests.conftest import client_of
from tests.workspaces.conftest import Join, membership_of

PUBLIC = {
    "account_login",
    "account_logout",
    "api:docs",
    "api:media",
    "api:schema",
    "ops:healthz",
    "ops:metrics",
    "ops:readyz",
    "workspaces:accept_invitation",
    "workspaces:one_time_sign_in",
    "workspaces:set_up",
}
ABOUT_ONESELF = {
    "functions:home",
    "labeling:choose_key",
    "labeling:reset_keys",
    "labeling:switch_keys",
    "ops:worker_banner",
    "workspaces:change_password",
    "workspaces:new_workspace_page",
    "workspaces:profile_page",
}
# What every member may send, viewers too. Whatever else takes a POST declares more than `view`.
SENT_BY_VIEWERS = {"workspaces:leave_workspace", "workspaces:switch_workspace"}
METHODS = ("get", "post", "put", "patch", "delete")
# What a careless view would act on before it asked who is there.
BODY = {"name": "Hijacked", "role": "owner", "email": "eve@example.com", "scopes": "invoke", "text": "x", "days": ""}


@dataclass(frozen=True)
class Route:
    """One address of the map."""

    name: str
    access: Action | str | None
    kwargs: tuple[str, ...]

    @property
    def action(self) -> Action | None:
        return self.access if isinstance(self.access, Action) else None

    @property
    def has_object(self) -> bool:
        return bool(self.kwargs) and self.kwargs != ("token",)


def walk(resolver: URLResolver, namespace: str = "") -> Iterator[Route]:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from walk(entry, f"{namespace}{entry.namespace}:" if entry.namespace else namespace)
        elif isinstance(entry, URLPattern):
            access = getattr(entry.callback, DECLARED, None)
            yield Route(f"{namespace}{entry.name}", access, tuple(entry.pattern.converters))


# What takes keys or secrets and no cookies is walked by the tests of the API.
ROUTES = [route for route in walk(get_resolver()) if route.access not in {"key", "pair"}]
GUARDED = [route for route in ROUTES if route.has_object]


@pytest.fixture
def objects(workspace: Workspace, owner: User, member: User) -> dict[str, str]:
    """One object of each kind in the workspace, by the name its id has in addresses."""
    function = workspace.functions.create(name="Which fruit?", input_kind=InputKind.IMAGE)
    label = function.labels.create(name="Apple", position=0, colour=0)
    function.labels.create(name="Pear", position=1, colour=1)
    add_images(function=function, items=[NewImage(content=picture())], person=owner, origin=Origin.BROWSER)
    sample = function.samples.get()
    annotate_sample(sample=sample, label=label, person=owner, picked_by=PickedBy.PERSON)
    rule = label.rules.create(words="apple")
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
    )
    act = function.acts.create(person=owner, kind=ActKind.SELECTION, n_samples=1)
    field = function.fields.create(name="Photo", type="image", position=0)
    in_a_row = store_picture(function=function, jpeg=picture(), thumbnail=picture())
    Sample.objects.filter(pk=sample.pk).update(row={field.public_id: {"file": in_a_row}})
    job = Import.objects.create(function=function, person=owner, format=ImportFormat.CSV, state=ImportState.DONE)
    prediction = FilePrediction.objects.create(
        function=function, person=owner, format=ImportFormat.CSV, state=FileState.DONE
    )
    key, _text = create_key(workspace=workspace, owner=owner, name="Key", actions=[Action.INVOKE])
    invitation, _token = invite_member(workspace=workspace, email="n@example.com", role=Role.VIEWER, actor=owner)
    webhook = Webhook.objects.create(workspace=workspace, url="https://example.com/", kinds=["import.done"])
    return {
        "workspace_id": workspace.public_id,
        "function_id": function.public_id,
        "label_id": label.public_id,
        "sample_id": sample.public_id,
        "import_id": job.public_id,
        "prediction_id": prediction.public_id,
        "model_id": model.public_id,
        "rule_id": rule.public_id,
        "field_id": field.public_id,
        "act_id": act.public_id,
        "proposal_id": function.proposals.create(name="Plum", person=owner).public_id,
        "member_id": membership_of(member, workspace).public_id,
        "key_id": key.public_id,
        "invitation_id": invitation.public_id,
        "webhook_id": webhook.public_id,
        "delivery_id": webhook.deliveries.create(kind="ping", body="{}").public_id,
        "queue": "unsure",
        "alarm_id": DriftAlarm.objects.create(
            function=function, kind=DriftKind.INPUT, began_at=timezone.now()
        ).public_id,
        "slice_id": Slice.objects.create(function=function, name="Red ones", query="verdict=wrong").public_id,
        "token": "0" * 43,
    }


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, "PNG")
    return file.getvalue()


def address(route: Route, objects: dict[str, str]) -> str:
    missing = [name for name in route.kwargs if name not in objects]
    assert not missing, f"{route.name} takes {missing}: make such an object in the fixture `objects`"
    return reverse(route.name, kwargs={name: objects[name] for name in route.kwargs})


def answers(client: Client, path: str, methods: tuple[str, ...] = METHODS) -> Iterator[tuple[str, HttpResponse]]:
    """Try each method, those with a body as a form and as JSON."""
    for method in methods:
        if method == "get":
            yield method, client.get(path)
            continue
        yield method, getattr(client, method)(path, BODY) if method == "post" else getattr(client, method)(path)
        yield f"{method} json", client.generic(method.upper(), path, json.dumps(BODY), "application/json")


def all_rows() -> dict[str, list[dict[str, object]]]:
    """Return everything there is but sessions, which asking changes."""
    models = [model for model in apps.get_models() if model._meta.label != "sessions.Session"]
    return {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in models}


def wrong_answers(
    client: Client, objects: dict[str, str], routes: list[Route], expected: set[int]
) -> list[tuple[str, str, int]]:
    return [
        (route.name, method, response.status_code)
        for route in routes
        for method, response in answers(client, address(route, objects))
        if response.status_code not in expected | {405}
    ]


def test_s14_every_view_declares_its_access_and_only_these_are_open() -> None:
    assert len(ROUTES) > 30
    assert [route.name for route in ROUTES if route.access is None] == []
    assert {route.name for route in ROUTES if route.access == "public"} == PUBLIC
    assert {route.name for route in ROUTES if route.access == "signed_in"} == ABOUT_ONESELF
    assert all(isinstance(route.access, Action) for route in GUARDED)


def test_s14_what_changes_something_declares_more_than_looking(objects: dict[str, str], owner_client: Client) -> None:
    looking = [route for route in ROUTES if route.action == Action.VIEW]
    takes_a_post = set()
    for route in looking:
        with transaction.atomic():
            if owner_client.post(address(route, objects), {}).status_code != 405:
                takes_a_post.add(route.name)
            transaction.set_rollback(True)
    assert takes_a_post == SENT_BY_VIEWERS


def test_the_owner_gets_through_everywhere(objects: dict[str, str], owner_client: Client) -> None:
    """Without this, the 404s below could come from a mistake in the test."""
    refused = []
    for route in GUARDED:
        for method in ("get", "post"):
            with transaction.atomic():
                response = getattr(owner_client, method)(address(route, objects), {})
                transaction.set_rollback(True)
            if response.status_code in {403, 404} or response.status_code >= 500:
                refused.append((route.name, method, response.status_code))
    assert refused == []


def test_s05_nobody_is_sent_to_the_sign_in_page(objects: dict[str, str]) -> None:
    before = all_rows()
    client = Client()
    wrong = []
    for route in ROUTES:
        if route.name in PUBLIC:
            continue
        for method, response in answers(client, address(route, objects)):
            to_sign_in = response.status_code == 302 and response.headers["Location"].startswith("/sign-in/?next=")
            if not to_sign_in and response.status_code not in {401, 405}:
                wrong.append((route.name, method, response.status_code))
    assert wrong == []
    assert all_rows() == before


def test_s05_links_of_nobody_are_not_there(objects: dict[str, str]) -> None:
    routes = [route for route in ROUTES if route.kwargs == ("token",)]
    assert len(routes) == 4
    assert wrong_answers(Client(), objects, routes, {404}) == []


def test_s09_a_stranger_finds_nothing_and_changes_nothing(objects: dict[str, str], outsider_client: Client) -> None:
    before = all_rows()
    assert wrong_answers(outsider_client, objects, GUARDED, {404}) == []
    assert all_rows() == before


def test_s10_a_former_member_finds_nothing_and_changes_nothing(objects: dict[str, str], former_client: Client) -> None:
    before = all_rows()
    assert wrong_answers(former_client, objects, GUARDED, {404}) == []
    assert all_rows() == before


def test_s09_another_workspaces_object_and_a_missing_one_answer_alike(
    objects: dict[str, str], outsider_client: Client
) -> None:
    nothing = {name: f"{value.partition('_')[0]}_{'0' * 16}" for name, value in objects.items()}
    for route in GUARDED:
        foreign = outsider_client.get(address(route, objects))
        missing = outsider_client.get(address(route, nothing))
        assert foreign.status_code == missing.status_code, route.name
        if not foreign.streaming:
            assert shape(foreign) == shape(missing), route.name


def shape(response: HttpResponse) -> str:
    """Return the page without what differs on every request."""
    text = response.content.decode()
    for changing in (response.headers.get("X-Request-ID", ""), response.wsgi_request.META.get("CSRF_COOKIE", "")):
        text = text.replace(changing, "") if changing else text
    return re.sub(r'(X-CSRFToken": "|csrfmiddlewaretoken" value=")[^"]+', "", text)


@pytest.mark.parametrize("role", [role for role in Role if role != Role.OWNER])
def test_s14_too_low_a_role_is_refused_and_changes_nothing(objects: dict[str, str], join: Join, role: Role) -> None:
    too_high = [route for route in GUARDED if route.action and not may(role, route.action)]
    assert too_high or role == Role.ADMIN
    client = client_of(join(role, "somebody"))
    before = all_rows()
    assert wrong_answers(client, objects, too_high, {403}) == []
    assert all_rows() == before


@pytest.mark.parametrize("role", [role for role in Role if role != Role.OWNER])
def test_s14_what_has_no_object_is_refused_to_too_low_a_role_as_well(
    objects: dict[str, str], join: Join, role: Role
) -> None:
    too_high = [route for route in ROUTES if not route.kwargs and route.action and not may(role, route.action)]
    client = client_of(join(role, "somebody"))
    before = all_rows()
    assert wrong_answers(client, objects, too_high, {403}) == []
    assert all_rows() == before


def test_s08_no_post_is_taken_without_the_token(objects: dict[str, str], owner: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(owner, backend="allauth.account.auth_backends.AuthenticationBackend")
    before = all_rows()
    wrong = [
        (route.name, method, response.status_code)
        for route in ROUTES
        for method, response in answers(client, address(route, objects), METHODS[1:])
        if response.status_code not in {403, 405}
    ]
    assert wrong == []
    assert all_rows() == before


def test_s08_a_key_in_the_header_or_the_address_opens_no_page(
    objects: dict[str, str], workspace: Workspace, owner: User
) -> None:
    _key, text = create_key(workspace=workspace, owner=owner, name="All", actions=list(Action))
    for route in GUARDED:
        path = address(route, objects)
        for response in (
            Client().get(path, headers={"authorization": f"Bearer {text}"}),
            Client().get(path, {"key": text}),
        ):
            assert response.status_code in {302, 401, 405}, route.name


def test_ids_of_the_wrong_shape_are_just_not_there(objects: dict[str, str], owner_client: Client) -> None:
    for odd in ("1", "%00", "'", "..", "function_", "é", "x" * 3000, "workspace__memberships"):
        bad = dict.fromkeys(objects, odd)
        for route in GUARDED:
            response = owner_client.get(address(route, bad))
            assert response.status_code in {404, 405}, (route.name, odd)


def test_models_with_ids_in_addresses_say_whose_they_are() -> None:
    """`access.fetch` needs both; a model without them would be reached some other way."""
    for model in apps.get_models():
        if any(field.name == "public_id" for field in model._meta.get_fields()) and model is not User:
            assert isinstance(getattr(model, "WORKSPACE_PATH", None), str), model
            assert getattr(model, "ID_KIND", ""), model
    assert {Function.ID_KIND, Sample.ID_KIND} == {"function", "sample"}
