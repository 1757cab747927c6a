import pytest
from django.test import Client
from django.urls import reverse

from apps.functions.models import Function, InputKind, OutputKind
from apps.workspaces.models import Workspace

URL = "/functions/new/"
GOOD = {"input_kind": "text", "name": "Which desk?", "labels": "Refund\nShipping\n\nOther"}


def test_an_anonymous_visitor_is_sent_to_sign_in(client: Client, db: None) -> None:
    assert client.post(URL, GOOD)["Location"].startswith("/sign-in/")
    assert not Function.objects.exists()


def test_a_labeler_may_not_make_functions(member_client: Client) -> None:
    assert member_client.get(URL).status_code == 403
    assert member_client.post(URL, GOOD).status_code == 403
    assert not Function.objects.exists()


def test_an_owner_makes_one_and_goes_on_to_bring_samples(owner_client: Client, workspace: Workspace) -> None:
    assert owner_client.get(URL).status_code == 200
    response = owner_client.post(URL, GOOD)
    function = workspace.functions.get()
    assert response.status_code == 302
    assert response["Location"] == reverse("samples:bring_page", args=[function.public_id])
    assert (function.input_kind, function.output_kind) == (InputKind.TEXT, OutputKind.LABEL)
    assert [label.name for label in function.labels.all()] == ["Refund", "Shipping", "Other"]


def test_labels_of_a_table_may_come_with_it(owner_client: Client, workspace: Workspace) -> None:
    assert owner_client.post(URL, {**GOOD, "input_kind": "table", "labels": ""}).status_code == 302
    assert owner_client.post(URL, {**GOOD, "input_kind": "table", "labels": "One"}).status_code == 422
    assert (workspace.functions.get().input_kind, workspace.functions.get().labels.count()) == (InputKind.TABLE, 0)


def test_one_tag_is_enough_for_a_function_that_gives_tags(owner_client: Client, workspace: Workspace) -> None:
    owner_client.post(URL, GOOD | {"output_kind": "tags", "labels": "Urgent"})
    function = workspace.functions.get()
    assert function.output_kind == OutputKind.TAGS
    assert [label.name for label in function.labels.all()] == ["Urgent"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input_kind": ""}, "Choose what comes in."),
        ({"input_kind": "sound"}, "Choose text, pictures or table rows."),
        ({"name": "  "}, "This field is required."),
        ({"output_kind": "boxes"}, "Choose one label, tags or samples like it."),
        ({"labels": ""}, "Type at least two labels."),
        ({"output_kind": "tags", "labels": ""}, "Type at least one label."),
        ({"labels": "Refund\nREFUND"}, "Type at least two different labels."),
        ({"labels": "Refund\n" + "x" * 201}, "too long"),
    ],
)
def test_what_is_missing_is_said_and_what_was_typed_is_kept(
    owner_client: Client, change: dict[str, str], words: str
) -> None:
    response = owner_client.post(URL, GOOD | change)
    page = response.content.decode()
    assert response.status_code == 422
    assert words in page
    assert (GOOD | change)["name"].strip() in page
    assert not Function.objects.exists()
