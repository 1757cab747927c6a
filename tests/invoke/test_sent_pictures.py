"""Pictures that calls bring by an address, and in the cells of rows."""

from __future__ import annotations

import base64
from collections.abc import Callable

import httpx
import pytest

from apps.core import outbound
from apps.core.errors import TooLarge
from apps.functions.models import FieldType, Function, InputKind
from apps.functions.services import add_rule
from apps.invoke import reading
from apps.invoke.models import Invocation
from apps.invoke.pictures import with_fetched
from apps.invoke.reading import read_input
from apps.invoke.services import Predictions, inputs_of
from apps.samples.rows import ReadRow
from apps.training.services.inputs import layout_of
from apps.training.services.untrained import load_untrained
from tests.invoke.conftest import path_of
from tests.pictures import picture

pytestmark = pytest.mark.django_db(transaction=True)
Post = Callable[..., httpx.Response]
ADDRESS = "https://pictures.example.com/red.png"


def uri(colour: str) -> str:
    return "data:image/jpg;base64," + base64.b64encode(picture(colour, kind="JPEG")).decode()


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked for; red is all there is."""
    asked: list[str] = []

    def fetch(url: str, *, max_bytes: int, seconds: float) -> bytes:
        asked.append(url)
        if not url.endswith("red.png"):
            raise TooLarge("The file at this address is larger than 20 MB.")
        return picture("#e00")

    monkeypatch.setattr(outbound, "fetch", fetch)
    return asked


@pytest.fixture
def table(text_function: Function) -> Function:
    """A function of rows with a picture, which guesses by a rule."""
    Function.objects.filter(pk=text_function.pk).update(input_kind=InputKind.TABLE)
    text_function.refresh_from_db()
    text_function.fields.create(name="Note", type=FieldType.CATEGORY, position=0)
    text_function.fields.create(name="Photo", type=FieldType.IMAGE, position=1)
    add_rule(label=text_function.labels.get(name="Refund"), words="late")
    return text_function


class TestAddresses:
    def test_a_picture_is_fetched_from_its_address(
        self, trained_pictures: Function, post: Post, fetched: list[str]
    ) -> None:
        assert post(path_of(trained_pictures), json={"data": ADDRESS}).json()["labelName"] == "Red"
        assert fetched == [ADDRESS]

    def test_what_the_other_side_does_wrong_is_said(
        self, trained_pictures: Function, post: Post, fetched: list[str], predictions: Predictions
    ) -> None:
        response = post(path_of(trained_pictures), json={"data": "https://pictures.example.com/huge.png"})
        assert (response.status_code, response.json()["code"]) == (413, "too_large")
        predictions.recorder.flush()
        row = Invocation.objects.get()
        assert (row.error, row.label, row.confidence) == ("too_large", None, None)

    def test_only_so_many_are_fetched_at_once(
        self, trained_pictures: Function, post: Post, fetched: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reading, "MAX_FETCHES", 0)
        assert post(path_of(trained_pictures), json={"data": ADDRESS}).status_code == 503
        assert fetched == []

    def test_an_address_is_a_text_like_any_other_to_a_function_of_texts(
        self, trained: Function, post: Post, fetched: list[str]
    ) -> None:
        assert post(path_of(trained), json={"data": ADDRESS}).status_code == 200
        assert fetched == []


class TestRows:
    def test_pictures_come_as_data_or_by_address(self, table: Function, post: Post, fetched: list[str]) -> None:
        photo = table.fields.get(name="Photo").public_id
        for row in ({"Note": "late", "Photo": uri("#00e")}, {"note": "late", photo: ADDRESS}):
            response = post(path_of(table), json={"data": row})
            assert response.status_code == 200, response.text
            assert response.json()["labelName"] == "Refund"
        assert fetched == [ADDRESS]

    def test_a_model_is_given_the_picture_itself(self, table: Function) -> None:
        answerer = load_untrained(table)
        assert answerer is not None
        layout = layout_of(table)
        red, blue = (read_input({"Photo": uri(colour)}, layout, {}) for colour in ("#e00", "#00e"))
        assert isinstance(red.content, ReadRow)
        assert red.key != blue.key
        assert inputs_of(answerer, [red.content, blue.content]).n_samples == 2

    def test_a_broken_picture_is_refused_by_the_name_of_its_column(self, table: Function, post: Post) -> None:
        for broken in ("not a picture", "data:image/png;base64,@@@@"):
            response = post(path_of(table), json={"data": {"Note": "late", "Photo": broken}})
            assert response.status_code == 400
            assert "“Photo”" in response.json()["message"]

    def test_a_cell_without_a_picture_is_missing(self, table: Function, post: Post) -> None:
        for nothing in (None, "", " "):
            response = post(path_of(table), json={"data": {"Note": "late", "Photo": nothing}})
            assert response.status_code == 200, response.text

    def test_what_was_fetched_takes_the_place_of_its_address(self) -> None:
        row = with_fetched({"a": ADDRESS, "b": 3}, {ADDRESS: b"abc"})
        assert row == {"a": "data:image/*;base64,YWJj", "b": 3}

    def test_numbers_that_are_none_do_no_harm(self, table: Function, post: Post) -> None:
        table.fields.create(name="Age", type=FieldType.NUMBER, position=2)
        for number in ("1e999", "-1e999", "1" + 400 * "0", "NaN"):
            body = f'{{"data": {{"Note": "late", "Age": {number}}}}}'.encode()
            response = post(path_of(table), content=body, headers={"Content-Type": "application/json"})
            assert response.status_code in {200, 400}, response.text


class TestTypes:
    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "image/png"])
    def test_a_body_of_another_type_is_refused_by_name(self, trained: Function, post: Post, kind: str) -> None:
        response = post(path_of(trained), content=b'{"data": "x"}', headers={"Content-Type": kind})
        assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")
        assert "application/json" in response.json()["message"]

    @pytest.mark.parametrize("kind", ["", "application/json; charset=utf-8", "application/vnd.x+json"])
    def test_json_is_read_whatever_it_is_called(self, trained: Function, post: Post, kind: str) -> None:
        response = post(path_of(trained), content=b'{"data": "x"}', headers={"Content-Type": kind})
        assert response.status_code == 200
