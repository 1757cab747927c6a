"""The search page: all samples, what is like a text, a picture, a row or another sample, and how alike in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from apps.functions.models import FieldType, Function, InputKind
from apps.invoke import search_selectors, services
from apps.invoke.search_selectors import likeness_word
from apps.invoke.services import Predictions
from apps.samples.models import Origin
from apps.samples.services.intake import NewRow, NewText, add_rows, add_texts
from apps.training.services import finish_work
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Role
from tests.conftest import client_of, make_user
from tests.finders import TEXTS, Held, make_finder, make_picture_finder
from tests.pictures import picture

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def own_files(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ARTIFACTS_DIR = tmp_path / "models"
    settings.MEDIA_ROOT = tmp_path / "media"
    monkeypatch.setattr(services, "predictions", Predictions(Held()))


@pytest.fixture
def finder(workspace: Workspace) -> Function:
    function = make_finder(workspace, InputKind.TEXT)
    add_texts(function=function, items=[NewText(text) for text in TEXTS], person=None, origin=Origin.API)
    finish_work(function_id=function.pk)
    return function


@pytest.fixture
def pictures(workspace: Workspace) -> Function:
    return make_picture_finder(workspace)


def address(function: Function, query: str = "") -> str:
    return reverse("invoke:search_page", args=[function.public_id]) + query


def order_of(page: str, *texts: str) -> list[int]:
    """Where the texts stand on the page; -1 where one is not on it."""
    return [page.find(f"hx-disable>{text}</p>") for text in texts]


def test_all_samples_are_shown_the_newest_first(owner_client: Client, finder: Function) -> None:
    places = order_of(owner_client.get(address(finder)).content.decode(), *reversed(TEXTS))
    assert places == sorted(places)
    assert -1 not in places


def test_older_ones_come_a_page_at_a_time(
    owner_client: Client, finder: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_selectors, "ON_A_PAGE", 3)
    page = owner_client.get(address(finder)).content.decode()
    last = finder.samples.get(text=TEXTS[1]).public_id
    assert f"?after={last}" in page
    more = owner_client.get(address(finder, f"?after={last}"), headers=HTMX).content.decode()
    assert TEXTS[0] in more
    assert "<html" not in more
    assert "found-more" not in more


def test_a_page_after_a_sample_that_is_gone_is_not_found(owner_client: Client, finder: Function) -> None:
    assert owner_client.get(address(finder, "?after=sample_aaaaaaaaaaaaaaaa")).status_code == 404


def test_a_text_finds_what_is_like_it_with_words_for_how_alike(owner_client: Client, finder: Function) -> None:
    response = owner_client.get(address(finder), {"q": TEXTS[0]})
    page = response.content.decode()
    first, second, _third = order_of(page, TEXTS[0], TEXTS[1], TEXTS[2])
    assert 0 < first < second
    assert "The same" in page
    assert f">{TEXTS[0]}</textarea>" in page


def test_for_a_script_only_what_was_found_comes(owner_client: Client, finder: Function) -> None:
    response = owner_client.get(address(finder), {"q": TEXTS[0]}, headers=HTMX)
    assert "<html" not in response.content.decode()
    assert 'id="found"' in response.content.decode()
    assert "HX-Request" in response.headers["Vary"]
    back = owner_client.get(address(finder), {"q": TEXTS[0]}, headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert "<html" in back.content.decode()


def test_more_like_one_shows_it_and_the_others(owner_client: Client, finder: Function) -> None:
    sample = finder.samples.get(text=TEXTS[0])
    page = owner_client.get(address(finder, f"?like={sample.public_id}")).content.decode()
    assert "More like this</h2>" in page
    assert page.count(f"hx-disable>{TEXTS[0]}</p>") == 1
    assert TEXTS[1] in page


def test_a_sample_of_another_function_is_not_found(owner_client: Client, finder: Function, pictures: Function) -> None:
    other = pictures.samples.order_by("pk")[0].public_id
    assert owner_client.get(address(finder, f"?like={other}")).status_code == 404


def test_a_picture_finds_pictures(owner_client: Client, pictures: Function) -> None:
    url = reverse("invoke:search_by_picture", args=[pictures.public_id])
    response = owner_client.post(url, {"picture": SimpleUploadedFile("a.png", picture("red"))}, headers=HTMX)
    page = response.content.decode()
    assert "The 3 most like it" in page
    assert page.index("red.png") < page.index("blue.png")


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "This file is empty"), (b"no picture", "picture"), (None, "Choose a picture")]
)
def test_what_is_no_picture_is_said(
    owner_client: Client, pictures: Function, content: bytes | None, words: str
) -> None:
    url = reverse("invoke:search_by_picture", args=[pictures.public_id])
    data = {} if content is None else {"picture": SimpleUploadedFile("a.png", content)}
    response = owner_client.post(url, data, headers=HTMX)
    assert response.status_code == 422
    assert words in response.content.decode()


def test_rows_are_found_by_some_columns(owner_client: Client, workspace: Workspace) -> None:
    function = make_finder(workspace, InputKind.TABLE)
    age = function.fields.create(name="age", type=FieldType.NUMBER, position=0)
    items = [NewRow(cells={age.public_id: number}) for number in (20, 30, 81, 84)]
    add_rows(function=function, items=items, person=None, origin=Origin.API)
    finish_work(function_id=function.pk)
    page = owner_client.get(address(function), {age.public_id: "83"}).content.decode()
    assert page.index("<dd>84</dd>") < page.index("<dd>81</dd>") < page.index("<dd>20</dd>")


def test_without_samples_it_asks_for_some(owner_client: Client, workspace: Workspace) -> None:
    page = owner_client.get(address(make_finder(workspace, InputKind.TEXT))).content.decode()
    assert "Bring samples first" in page
    assert "Nothing has to be labelled" in page


def test_samples_that_were_not_read_yet_are_spoken_of(owner_client: Client, finder: Function) -> None:
    add_texts(function=finder, items=[NewText("one more")], person=None, origin=Origin.API)
    assert "1 of them still has to be read" in owner_client.get(address(finder)).content.decode()


def test_viewers_search_and_find_no_way_to_delete(finder: Function, workspace: Workspace) -> None:
    user = make_user("vera@example.com", "Vera Viewer")
    workspace.memberships.create(user=user, role=Role.VIEWER)
    response = client_of(user).get(address(finder), {"q": TEXTS[0]})
    assert response.status_code == 200
    assert "found-delete" not in response.content.decode().split('id="found"')[1].split("</section>")[0]


def test_strangers_find_nothing(outsider_client: Client, finder: Function) -> None:
    assert outsider_client.get(address(finder), {"q": TEXTS[0]}).status_code == 404


def test_text_of_samples_is_never_markup(owner_client: Client, finder: Function) -> None:
    add_texts(function=finder, items=[NewText("<script>x</script>")], person=None, origin=Origin.API)
    assert "<script>x" not in owner_client.get(address(finder)).content.decode()


@pytest.mark.parametrize(
    ("likeness", "word"),
    [(0.95, "nearly the same"), (0.6, "very alike"), (0.3, "alike"), (0.15, "a little alike"), (-0.2, "hardly alike")],
)
def test_likeness_is_said_in_words(likeness: float, word: str) -> None:
    assert likeness_word(likeness) == word


def test_the_call_page_says_how_to_search(owner_client: Client, finder: Function) -> None:
    page = owner_client.get(reverse("invoke:call_page", args=[finder.public_id])).content.decode()
    assert f"/v1/search-functions/{finder.public_id}/invoke" in page
    assert "sampleCount" in page
    for of_labels in ("labelCount", "Not trained yet", "labelName", "slider"):
        assert of_labels not in page


def test_it_takes_few_queries_however_many_are_shown(
    owner_client: Client, finder: Function, django_assert_max_num_queries: pytest.FixtureRequest
) -> None:
    items = [NewText(f"text number {n}") for n in range(60)]
    add_texts(function=finder, items=items, person=None, origin=Origin.API)
    finish_work(function_id=finder.pk)
    owner_client.get(address(finder), {"q": "money"})
    with django_assert_max_num_queries(12):  # type: ignore[operator]  # the fixture is a function
        owner_client.get(address(finder), {"q": "money"})
