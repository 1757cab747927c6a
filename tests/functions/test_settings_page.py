import json

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.selectors import label_lines
from apps.samples.models import Origin, PickedBy
from apps.samples.services.annotations import tag_sample
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Role
from tests.conftest import client_of, make_user

HTMX = {"HX-Request": "true"}


@pytest.fixture
def reviewer_client(workspace: Workspace) -> Client:
    user: User = make_user("rea@example.com", "Rea Reviewer")
    workspace.memberships.create(user=user, role=Role.REVIEWER)
    return client_of(user)


def posts(function: Function, label: Label) -> dict[str, tuple[str, dict[str, str]]]:
    return {
        "rename_function": (
            reverse("functions:rename_function", args=[function.public_id]),
            {"name": "Changed"},
        ),
        "delete_function": (
            reverse("functions:delete_function", args=[function.public_id]),
            {"typed_name": function.name},
        ),
        "add_label": (reverse("functions:add_label", args=[function.public_id]), {"name": "Changed"}),
        "rename_label": (reverse("functions:rename_label", args=[label.public_id]), {"name": "Changed"}),
        "describe_label": (
            reverse("functions:describe_label", args=[label.public_id]),
            {"description": "Changed"},
        ),
        "recolour_label": (reverse("functions:recolour_label", args=[label.public_id]), {"colour": "7"}),
        "delete_label": (reverse("functions:delete_label", args=[label.public_id]), {}),
    }


POSTS = [
    "rename_function",
    "delete_function",
    "add_label",
    "rename_label",
    "describe_label",
    "recolour_label",
    "delete_label",
]


def state(function: Function) -> object:
    return list(Function.objects.values_list("pk", "name")), list(
        function.labels.values_list("pk", "name", "description", "colour", "deleted_at")
    )


def settings_url(function: Function) -> str:
    return reverse("functions:settings_page", args=[function.public_id])


@pytest.mark.parametrize("name", POSTS)
@pytest.mark.parametrize(("who", "status"), [("member_client", 403), ("outsider_client", 404), ("client", 302)])
def test_who_may_not_changes_nothing(
    name: str, who: str, status: int, text_function: Function, refund: Label, request: pytest.FixtureRequest
) -> None:
    before = state(text_function)
    url, data = posts(text_function, refund)[name]
    assert request.getfixturevalue(who).post(url, data).status_code == status
    assert state(text_function) == before


@pytest.mark.parametrize("name", POSTS)
def test_a_page_opened_by_address_changes_nothing(
    name: str, owner_client: Client, text_function: Function, refund: Label
) -> None:
    url, _data = posts(text_function, refund)[name]
    assert owner_client.get(url).status_code == 405


@pytest.mark.parametrize(
    ("who", "status"), [("owner_client", 200), ("member_client", 403), ("outsider_client", 404), ("client", 302)]
)
def test_the_page_is_for_those_who_edit_labels(
    who: str, status: int, text_function: Function, request: pytest.FixtureRequest
) -> None:
    assert request.getfixturevalue(who).get(settings_url(text_function)).status_code == status


def test_a_reviewer_edits_labels_but_neither_renames_nor_deletes_the_function(
    reviewer_client: Client, text_function: Function, refund: Label
) -> None:
    page = reviewer_client.get(settings_url(text_function)).content.decode()
    assert "Refund" in page
    assert "Delete this function" not in page
    urls = posts(text_function, refund)
    assert reviewer_client.post(*urls["delete_function"]).status_code == 403
    assert reviewer_client.post(*urls["rename_function"]).status_code == 403
    assert reviewer_client.post(*urls["add_label"]).status_code == 302


def test_an_owner_adds_renames_and_deletes_labels(owner_client: Client, text_function: Function, refund: Label) -> None:
    urls = posts(text_function, refund)
    owner_client.post(urls["add_label"][0], {"name": "Other"})
    owner_client.post(urls["rename_label"][0], {"name": "Money back"})
    owner_client.post(reverse("functions:delete_label", args=[text_function.labels.get(name="Shipping").public_id]))
    assert [label.name for label in text_function.labels.in_use()] == ["Money back", "Other"]
    page = owner_client.get(settings_url(text_function)).content.decode()
    assert "Money back" in page
    assert "Shipping" not in page.split('id="labels"')[1]


def test_an_owner_says_what_a_label_means(owner_client: Client, text_function: Function, refund: Label) -> None:
    url = reverse("functions:describe_label", args=[refund.public_id])
    response = owner_client.post(url, {"description": "wants <b>money</b> back"}, headers=HTMX)
    assert "wants &lt;b&gt;money&lt;/b&gt; back" in response.content.decode()
    assert owner_client.post(url, {"description": "x" * 1001}, headers=HTMX).status_code == 400
    owner_client.post(url, {"description": " "})
    refund.refresh_from_db()
    assert refund.description == ""


def test_htmx_gets_the_labels_alone_and_a_word_about_it(owner_client: Client, text_function: Function) -> None:
    url = reverse("functions:add_label", args=[text_function.public_id])
    response = owner_client.post(url, {"name": "Other"}, headers=HTMX)
    fragment = response.content.decode()
    assert response.status_code == 200
    assert fragment.strip().startswith('<section class="panel" id="labels"')
    assert "Other" in fragment
    assert "toast:show" in response["HX-Trigger"]
    assert "HX-Request" in response["Vary"]


@pytest.mark.parametrize("name", ["rename_label", "describe_label", "recolour_label", "delete_label"])
def test_each_change_of_a_label_comes_with_undo(
    name: str, owner_client: Client, text_function: Function, refund: Label
) -> None:
    url, data = posts(text_function, refund)[name]
    shown = json.loads(owner_client.post(url, data, headers=HTMX)["HX-Trigger"])["toast:show"]
    undone = owner_client.post(shown["undoUrl"], headers={"Accept": "application/json"})
    assert undone.status_code == 200, undone.content
    before = (refund.name, refund.description, refund.colour)
    refund.refresh_from_db()
    assert (refund.name, refund.description, refund.colour, refund.deleted_at) == (*before, None)


def test_a_colour_that_is_none_is_refused(owner_client: Client, refund: Label) -> None:
    url = reverse("functions:recolour_label", args=[refund.public_id])
    assert [owner_client.post(url, {"colour": odd}).status_code for odd in ("12", "-1", "red", "")] == [400] * 4


def test_an_empty_new_label_is_refused_beside_its_field(owner_client: Client, text_function: Function) -> None:
    url = reverse("functions:add_label", args=[text_function.public_id])
    response = owner_client.post(url, {"name": "  "}, headers=HTMX)
    assert response.status_code == 422
    assert "A label needs a name." in response.content.decode()


def test_a_name_that_is_taken_becomes_a_message_not_a_page(owner_client: Client, text_function: Function) -> None:
    url = reverse("functions:add_label", args=[text_function.public_id])
    response = owner_client.post(url, {"name": "refund"}, headers=HTMX)
    assert response.status_code == 409
    assert response.content.decode().strip().startswith('<div class="toast')


def test_an_empty_rename_is_refused(owner_client: Client, refund: Label) -> None:
    url = reverse("functions:rename_label", args=[refund.public_id])
    assert owner_client.post(url, {"name": " "}, headers=HTMX).status_code == 400


def test_an_owner_renames_the_function(owner_client: Client, text_function: Function) -> None:
    url = reverse("functions:rename_function", args=[text_function.public_id])
    assert owner_client.post(url, {"name": ""}).status_code == 422
    owner_client.post(url, {"name": "Whose desk?"})
    text_function.refresh_from_db()
    assert text_function.name == "Whose desk?"


def test_deleting_takes_typing_the_name(owner_client: Client, text_function: Function) -> None:
    url = reverse("functions:delete_function", args=[text_function.public_id])
    for typed in ("", "which desk?", "Which desk"):
        assert owner_client.post(url, {"typed_name": typed}).status_code == 422
    assert Function.objects.exists()
    assert owner_client.post(url, {"typed_name": " Which desk? "})["Location"] == "/"
    assert not Function.objects.exists()


def test_of_tags_only_those_that_are_there_are_counted(owner_client: Client, workspace: Workspace) -> None:
    function = workspace.functions.create(name="Moods", input_kind=InputKind.TEXT, output_kind=OutputKind.TAGS)
    angry, calm = (function.labels.create(name=name, position=n, colour=n) for n, name in enumerate(["Angry", "Calm"]))
    for n in range(3):
        sample = function.samples.create(text=f"text {n}", content_hash=str(n), origin=Origin.API)
        tag_sample(sample=sample, tags={angry: n > 0, calm: False}, person=None, picked_by=PickedBy.PERSON)
    assert [(line.label, line.n_samples) for line in label_lines(function)] == [(angry, 2), (calm, 0)]
    assert owner_client.get(settings_url(function)).status_code == 200
