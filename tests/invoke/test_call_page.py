"""The call page: who sees what, a key shown once, and a box that answers as a call does."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import types
from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from apps.accounts.models import User
from apps.functions.models import FieldType, Function
from apps.functions.services import create_function
from apps.invoke.models import Invocation
from apps.invoke.services import Predictions
from apps.invoke.snippets import KEY_PLACEHOLDER, example_text, snippets
from apps.samples.models import Origin
from apps.samples.services.intake import NewRow, add_rows
from apps.training.services import finish_work
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.roles import Action, Role
from apps.workspaces.services import authenticate
from tests.conftest import client_of, make_user
from tests.pictures import picture

pytestmark = pytest.mark.django_db(transaction=True)


def page_of(function: Function, path: str = "") -> str:
    return f"/functions/{function.public_id}/call/{path}"


@pytest.fixture
def reviewer_client(workspace: Workspace) -> Client:
    user = make_user("rita@example.com", "Rita Reviewer")
    workspace.memberships.create(user=user, role=Role.REVIEWER)
    return client_of(user)


class TestAccess:
    def test_members_see_the_page_and_strangers_do_not(
        self, text_function: Function, member_client: Client, outsider_client: Client
    ) -> None:
        assert member_client.get(page_of(text_function)).status_code == 200
        assert outsider_client.get(page_of(text_function)).status_code == 404
        assert Client().get(page_of(text_function)).status_code == 302

    def test_keys_are_made_by_those_who_manage_them(
        self,
        text_function: Function,
        owner_client: Client,
        reviewer_client: Client,
        member_client: Client,
        outsider_client: Client,
    ) -> None:
        for client, status in [
            (reviewer_client, 403),
            (member_client, 403),
            (outsider_client, 404),
            (Client(), 302),
        ]:
            assert client.post(page_of(text_function, "keys/"), {"name": "x"}).status_code == status
        assert not ApiKey.objects.exists()
        assert owner_client.post(page_of(text_function, "keys/"), {"name": "x"}).status_code == 200
        assert ApiKey.objects.count() == 1

    def test_trying_needs_the_right_to_call(
        self, trained: Function, reviewer_client: Client, member_client: Client, outsider_client: Client
    ) -> None:
        data = {"text": "refund please"}
        assert member_client.post(page_of(trained, "try/"), data).status_code == 403
        assert outsider_client.post(page_of(trained, "try/"), data).status_code == 404
        assert Client().post(page_of(trained, "try/"), data).status_code == 302
        assert reviewer_client.post(page_of(trained, "try/"), data).status_code == 200
        assert b"data-try" in reviewer_client.get(page_of(trained)).content
        assert b"data-try" not in member_client.get(page_of(trained)).content

    def test_prefixes_are_shown_to_those_who_manage_keys_only(
        self, text_function: Function, key: tuple[ApiKey, str], owner_client: Client, reviewer_client: Client
    ) -> None:
        assert key[0].prefix in owner_client.get(page_of(text_function)).content.decode()
        assert key[0].prefix not in reviewer_client.get(page_of(text_function)).content.decode()


class TestKeys:
    def test_a_new_key_is_shown_once_and_works(self, text_function: Function, owner_client: Client) -> None:
        response = owner_client.post(page_of(text_function, "keys/"), {"name": "Website"})
        match = re.search(r'<pre id="new-key"[^>]*>(hf_[^<]+)</pre>', response.content.decode())
        assert match
        key = authenticate(match[1])
        assert (key.name, key.actions) == ("Website", [Action.INVOKE])
        assert response.headers["Cache-Control"] == "no-store"
        again = owner_client.get(page_of(text_function)).content.decode()
        assert match[1] not in again
        assert key.prefix in again

    def test_a_key_needs_a_name(self, text_function: Function, owner_client: Client) -> None:
        response = owner_client.post(page_of(text_function, "keys/"), {"name": "  "})
        assert response.status_code == 422
        assert "Say what will use the key." in response.content.decode()
        assert not ApiKey.objects.exists()

    def test_revoked_keys_and_keys_for_other_things_are_not_listed(
        self, text_function: Function, workspace: Workspace, owner: User, owner_client: Client
    ) -> None:
        from django.utils import timezone

        from apps.workspaces.services import create_key

        revoked, _ = create_key(workspace=workspace, owner=owner, name="Old", actions=[Action.INVOKE])
        ApiKey.objects.filter(pk=revoked.pk).update(revoked_at=timezone.now())
        reader, _ = create_key(workspace=workspace, owner=owner, name="Reader", actions=[Action.VIEW])
        page = owner_client.get(page_of(text_function)).content.decode()
        assert revoked.prefix not in page
        assert reader.prefix not in page


class TestTryIt:
    def test_a_text_is_answered_in_words_and_percent(self, trained: Function, owner_client: Client) -> None:
        page = owner_client.post(page_of(trained, "try/"), {"text": "i want a refund of my money"}).content.decode()
        words = " ".join(re.sub(r"<[^>]+>", " ", html.unescape(page)).split())
        assert re.match(r"Refund (sure|fairly sure|only guessing), (over )?\d+% Shipping", words)

    def test_it_is_recorded_as_a_call_without_a_key(
        self, trained: Function, owner_client: Client, predictions: Predictions
    ) -> None:
        owner_client.post(page_of(trained, "try/"), {"text": "refund"})
        predictions.recorder.flush()
        row = Invocation.objects.get()
        assert (row.function, row.key, row.label) == (trained, None, trained.labels.get(name="Refund"))

    def test_a_picture_is_answered(self, trained_pictures: Function, owner_client: Client) -> None:
        upload = SimpleUploadedFile("x.png", picture("#e00"), "image/png")
        page = owner_client.post(page_of(trained_pictures, "try/"), {"picture": upload}).content.decode()
        assert page.index("Red") < page.index("Blue")

    def test_what_cannot_be_read_is_said_in_place(
        self, trained: Function, trained_pictures: Function, owner_client: Client, settings: Settings
    ) -> None:
        answers = [
            owner_client.post(page_of(trained, "try/"), {"text": ""}),
            owner_client.post(page_of(trained, "try/"), {"text": "   "}),
            owner_client.post(page_of(trained_pictures, "try/")),
            owner_client.post(page_of(trained_pictures, "try/"), {"picture": BytesIO(b"not a picture")}),
        ]
        settings.INVOKE_MAX_BYTES = 10
        answers.append(owner_client.post(page_of(trained_pictures, "try/"), {"picture": BytesIO(picture("red"))}))
        for answer in answers:
            assert answer.status_code == 422
            assert '<p class="error">' in answer.content.decode()

    def test_an_untrained_function_says_what_is_missing(self, text_function: Function, owner_client: Client) -> None:
        page = owner_client.get(page_of(text_function)).content.decode()
        assert "Not trained yet" in page
        assert "Label 2 more Refund and 2 more Shipping" in page
        assert "data-try" in page, "it guesses from the labels' names"
        assert (
            "this is a guess"
            in owner_client.post(page_of(text_function, "try/"), {"text": "a refund"}).content.decode()
        )

    def test_where_nothing_has_anything_to_say_there_is_no_box(
        self, trained_pictures: Function, owner_client: Client
    ) -> None:
        trained_pictures.trained_models.update(is_live=False)
        assert "data-try" not in owner_client.get(page_of(trained_pictures)).content.decode()
        sent = {"picture": BytesIO(picture("red"))}
        assert owner_client.post(page_of(trained_pictures, "try/"), sent).status_code == 422

    def test_a_row_is_typed_field_by_field(self, workspace: Workspace, owner_client: Client) -> None:
        function = create_function(
            workspace=workspace, name="Rows", input_kind="table", label_names=["Yes", "No"], actor=None
        )
        age = function.fields.create(name="Age", type=FieldType.NUMBER, position=0)
        function.fields.create(name="City", type=FieldType.CATEGORY, position=1)
        items = [NewRow({age.public_id: float(i)}, label_name="Yes" if i % 2 else "No") for i in range(12)]
        add_rows(function=function, items=items, person=None, origin=Origin.IMPORT)
        finish_work(function_id=function.pk)
        page = owner_client.get(page_of(function)).content.decode()
        assert all(f'name="{field.public_id}"' in page for field in function.fields.all())
        assert "{&quot;data&quot;: {&quot;Age&quot;: 11.0, &quot;City&quot;: &quot;&quot;}}" in page
        answered = owner_client.post(page_of(function, "try/"), {age.public_id: "3"})
        assert "call-best" in answered.content.decode()
        assert owner_client.post(page_of(function, "try/")).status_code == 422


class TestSnippets:
    def test_the_page_shows_the_functions_own_address(
        self, text_function: Function, owner_client: Client, settings: Settings
    ) -> None:
        path = f"/v1/functions/{text_function.public_id}/invoke"
        assert f"http://testserver{path}" in owner_client.get(page_of(text_function)).content.decode()
        settings.BASE_URL = "https://ml.example.org"
        assert f"https://ml.example.org{path}" in owner_client.get(page_of(text_function)).content.decode()

    @pytest.mark.parametrize("text", ['it\'s "quoted" $HOME `x` \\ and €', "two\nlines", "</script><b>"])
    def test_an_example_survives_the_shell_and_python(self, text_function: Function, text: str) -> None:
        text_function.samples.create(text=text, content_hash="1", origin="browser")
        expected = {"data": example_text(text_function)}
        programs = {snippet.id: snippet.text for snippet in snippets(text_function, "http://example.test/")}
        shell = programs["curl"].replace("curl ", f"{sys.executable} -c 'import sys; print(sys.argv[-1])' ", 1)
        printed = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, check=True).stdout
        assert json.loads(printed) == expected
        sent: list[object] = []
        _run_python(programs["python"], sent)
        assert sent == [expected]

    def test_a_long_example_is_cut_at_a_word(self, text_function: Function) -> None:
        text_function.samples.create(text="word " * 100, content_hash="1", origin="browser")
        assert example_text(text_function).endswith("word …")
        assert len(example_text(text_function)) <= 82

    def test_every_program_holds_the_place_of_the_key(
        self, text_function: Function, trained_pictures: Function
    ) -> None:
        for function in (text_function, trained_pictures):
            for snippet in snippets(function, "http://example.test/"):
                assert snippet.text.count(KEY_PLACEHOLDER) == 1

    def test_the_python_program_for_pictures_compiles(self, trained_pictures: Function) -> None:
        programs = {snippet.id: snippet.text for snippet in snippets(trained_pictures, "http://example.test/")}
        compile(programs["python"], "snippet", "exec")


def _run_python(program: str, sent: list[object]) -> None:
    """Run the program with a `requests` that only notes what would be sent."""

    class Response:
        @staticmethod
        def json() -> dict[str, object]:
            return {"labelName": "Refund", "confidence": 0.9}

    def post(_url: str, *, headers: object, json: object, timeout: int) -> Response:
        sent.append(json)
        return Response()

    requests = types.ModuleType("requests")
    requests.post = post  # type: ignore[attr-defined]  # a stand-in
    before = sys.modules.get("requests")
    sys.modules["requests"] = requests
    try:
        exec(program, {"print": lambda *_words: None})
    finally:
        if before is None:
            del sys.modules["requests"]
        else:
            sys.modules["requests"] = before
