from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import User
from apps.functions.models import Function, InputKind
from apps.functions.selectors import FUNCTIONS_PER_PAGE, function_cards
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.workspaces.models import Workspace
from tests.conftest import client_of, make_user

HOME = "/"


def test_an_anonymous_visitor_is_sent_to_sign_in(client: Client, db: None) -> None:
    response = client.get(HOME)
    assert response.status_code == 302
    assert response["Location"].startswith("/sign-in/")


def test_a_member_sees_functions_with_labels_and_counts(member_client: Client, text_function: Function) -> None:
    samples = [
        Sample.objects.create(function=text_function, text=text, content_hash=text, origin=Origin.BROWSER)
        for text in ("one", "two", "three")
    ]
    annotate_sample(sample=samples[0], label=text_function.labels.first(), person=None, picked_by=PickedBy.PERSON)
    page = member_client.get(HOME).content.decode()
    assert "Which desk?" in page
    assert "Refund" in page
    assert "1 of 3 samples labelled" in page
    assert reverse("review:function_home", args=[text_function.public_id]) in page


def test_an_outsider_sees_nothing_of_it(outsider_client: Client, text_function: Function) -> None:
    page = outsider_client.get(HOME).content.decode()
    assert "Which desk?" not in page
    assert text_function.public_id not in page


def test_an_empty_home_offers_a_new_function_and_the_demo(owner_client: Client) -> None:
    page = owner_client.get(HOME).content.decode()
    assert reverse("functions:new_function_page") in page
    assert reverse("ops:load_demo") in page


def test_who_may_not_make_functions_is_not_offered_it(member_client: Client, workspace: Workspace) -> None:
    page = member_client.get(HOME).content.decode()
    assert reverse("functions:new_function_page") not in page
    assert reverse("ops:load_demo") not in page
    assert "There is no function" in page


def test_someone_in_no_workspace_is_told_so(db: None) -> None:
    response = client_of(make_user("lone@example.com", "Lone"))
    page = response.get(HOME)
    assert page.status_code == 200
    assert "You are in no workspace" in page.content.decode()


def test_many_functions_come_in_pages(owner_client: Client, workspace: Workspace) -> None:
    for number in range(FUNCTIONS_PER_PAGE + 1):
        workspace.functions.create(name=f"Function {number:02}", input_kind=InputKind.TEXT)
    first, second = owner_client.get(HOME).content.decode(), owner_client.get(HOME, {"page": 2}).content.decode()
    assert f"Function {FUNCTIONS_PER_PAGE:02}" in first
    assert "Function 00" not in first
    assert "Function 00" in second
    assert owner_client.get(HOME, {"page": "nonsense"}).status_code == 200


def test_the_number_of_queries_does_not_grow_with_the_functions(workspace: Workspace, owner: User) -> None:
    def n_queries() -> int:
        with CaptureQueriesContext(connection) as queries:
            function_cards(workspace=workspace, page_number=1)
        return len(queries)

    workspace.functions.create(name="A", input_kind=InputKind.TEXT).labels.create(name="x", position=0, colour=0)
    one = n_queries()
    for number in range(9):
        workspace.functions.create(name=f"B{number}", input_kind=InputKind.TEXT)
    assert n_queries() == one


def test_names_are_escaped(owner_client: Client, workspace: Workspace) -> None:
    workspace.functions.create(name="<img src=x onerror=alert(1)>", input_kind=InputKind.TEXT)
    page = owner_client.get(HOME).content.decode()
    assert "<img src=x" not in page
