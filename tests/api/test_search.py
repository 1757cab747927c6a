"""Searching over HTTP: what is nearest comes first, of a function of one's own, and nothing that is in the bin."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings

from apps.functions.models import FieldType, Function, InputKind
from apps.invoke import services
from apps.invoke.models import Invocation
from apps.invoke.recorder import Recorder
from apps.invoke.services import Predictions
from apps.samples.models import Origin
from apps.samples.services.bin import bin_samples
from apps.samples.services.intake import NewRow, NewText, add_rows, add_texts
from apps.training.services import finish_work
from apps.workspaces.models import Workspace
from apps.workspaces.services import quotas
from tests.api.conftest import KeyClient
from tests.finders import TEXTS, Held, make_finder, make_picture_finder
from tests.pictures import picture

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_files(settings: Settings, tmp_path: Path) -> None:
    settings.ARTIFACTS_DIR = tmp_path / "models"
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture(autouse=True)
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    held = Held()
    monkeypatch.setattr(services, "predictions", Predictions(held))
    return held


@pytest.fixture
def empty(workspace: Workspace) -> Function:
    return make_finder(workspace, InputKind.TEXT)


@pytest.fixture
def finder(empty: Function) -> Function:
    items = [NewText(text, external_id=f"t-{n}") for n, text in enumerate(TEXTS[:2])] + [NewText(t) for t in TEXTS[2:]]
    add_texts(function=empty, items=items, person=None, origin=Origin.API)
    finish_work(function_id=empty.pk)
    return empty


@pytest.fixture
def pictures(workspace: Workspace) -> Function:
    return make_picture_finder(workspace)


@pytest.fixture
def customers(workspace: Workspace) -> Function:
    function = make_finder(workspace, InputKind.TABLE)
    age = function.fields.create(name="age", type=FieldType.NUMBER, position=0)
    plan = function.fields.create(name="plan", type=FieldType.CATEGORY, position=1)
    values = [(20, "gold"), (30, "gold"), (40, "silver"), (80, "silver"), (85, "silver")]
    items = [NewRow(cells={age.public_id: number, plan.public_id: word}) for number, word in values]
    add_rows(function=function, items=items, person=None, origin=Origin.API)
    finish_work(function_id=function.pk)
    return function


def address(function: Function, query: str = "") -> str:
    return f"/v1/search-functions/{function.public_id}/invoke{query}"


def id_of(function: Function, text: str) -> str:
    return function.samples.get(text=text).public_id


def test_the_nearest_come_first_with_ids_and_data(key_client: KeyClient, finder: Function) -> None:
    reply = key_client.post(address(finder), {"data": TEXTS[0]})
    assert reply.status_code == 200
    found = reply.json()
    assert found[0] == {"sampleId": id_of(finder, TEXTS[0]), "distance": 0.0, "externalId": "t-0", "data": TEXTS[0]}
    assert found[1]["data"] == TEXTS[1]
    assert "externalId" not in found[-1]
    assert [one["distance"] for one in found] == sorted(one["distance"] for one in found)
    assert len(found) == 4


def test_an_id_is_taken_without_its_kind(key_client: KeyClient, finder: Function) -> None:
    bare = finder.public_id.partition("_")[2]
    assert len(key_client.post(f"/v1/search-functions/{bare}/invoke", {"data": "money"}).json()) == 4


@pytest.mark.parametrize("version", ["v1", "v0.9"])
def test_the_other_addresses_answer_an_object(key_client: KeyClient, finder: Function, version: str) -> None:
    reply = key_client.post(f"/{version}/functions/{finder.public_id}/search?sampleCount=1", {"data": TEXTS[2]})
    assert [one["data"] for one in reply.json()["searchSamples"]] == [TEXTS[2]]


def test_as_many_come_as_are_asked_for_and_without_data_if_so(key_client: KeyClient, finder: Function) -> None:
    found = key_client.post(address(finder, "?sampleCount=2&includeData=false"), {"data": TEXTS[0]}).json()
    assert [set(one) for one in found] == [{"sampleId", "distance", "externalId"}] * 2


def test_names_of_parameters_and_members_compare_without_case(key_client: KeyClient, finder: Function) -> None:
    assert len(key_client.post(address(finder, "?SAMPLECOUNT=1"), {"Data": TEXTS[0]}).json()) == 1


@pytest.mark.parametrize("count", ["0", "1001", "-1", "1.5", "many", "²"])
def test_a_count_out_of_bounds_is_refused(key_client: KeyClient, finder: Function, count: str) -> None:
    reply = key_client.post(address(finder, f"?sampleCount={count}"), {"data": "money"})
    assert reply.status_code == 400
    assert "1 to 1,000" in reply.json()["message"]


def test_more_like_a_sample_leaves_it_out(key_client: KeyClient, finder: Function) -> None:
    found = key_client.post(address(finder), {"sampleId": id_of(finder, TEXTS[0])}).json()
    assert found[0]["data"] == TEXTS[1]
    assert TEXTS[0] not in [one["data"] for one in found]


def test_more_like_one_that_was_not_read_yet(key_client: KeyClient, finder: Function) -> None:
    add_texts(function=finder, items=[NewText("a refund of money")], person=None, origin=Origin.API)
    found = key_client.post(address(finder, "?sampleCount=1"), {"sampleId": id_of(finder, "a refund of money")})
    assert "refund" in found.json()[0]["data"]


def test_an_unknown_sample_is_not_found(key_client: KeyClient, finder: Function, pictures: Function) -> None:
    for sample_id in ("sample_aaaaaaaaaaaaaaaa", pictures.samples.order_by("pk")[0].public_id):
        assert key_client.post(address(finder), {"sampleId": sample_id}).status_code == 404


def test_what_is_in_the_bin_is_not_found(key_client: KeyClient, finder: Function) -> None:
    bin_samples(function=finder, sample_ids=[id_of(finder, TEXTS[0])], person=None)
    found = key_client.post(address(finder), {"data": TEXTS[0]}).json()
    assert TEXTS[0] not in [one["data"] for one in found]
    assert len(found) == 3


def test_an_empty_function_answers_nothing(key_client: KeyClient, empty: Function) -> None:
    reply = key_client.post(address(empty), {"data": "money"})
    assert (reply.status_code, reply.json()) == (200, [])


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": ""}, {"data": 7}, {"data": {"a": 1}}, [], "null"])
def test_what_cannot_be_searched_for_is_refused_in_words(key_client: KeyClient, finder: Function, body: object) -> None:
    reply = key_client.post(address(finder), body)
    assert reply.status_code == 400
    assert reply.json()["message"].endswith(".")


def test_a_picture_is_found_by_a_file_and_by_a_data_uri(key_client: KeyClient, pictures: Function) -> None:
    file = SimpleUploadedFile("asked.png", picture("red"))
    by_file = key_client.send_files(address(pictures, "?sampleCount=1"), {"data": file}).json()
    uri = f"data:image/png;base64,{base64.b64encode(picture('red')).decode()}"
    by_uri = key_client.post(address(pictures, "?sampleCount=1"), {"data": uri}).json()
    red = pictures.samples.get(original_name="red.png").public_id
    assert [one["sampleId"] for one in (*by_file, *by_uri)] == [red, red]
    assert "/v1/media/" in by_file[0]["data"]
    assert key_client.get(by_file[0]["data"]).status_code == 200


def test_the_only_file_is_taken_whatever_its_name(key_client: KeyClient, pictures: Function) -> None:
    reply = key_client.send_files(address(pictures), {"picture": SimpleUploadedFile("asked.png", picture("blue"))})
    assert reply.status_code == 200


def test_a_text_finds_no_pictures_and_that_is_said(key_client: KeyClient, pictures: Function) -> None:
    reply = key_client.post(address(pictures), {"data": "something red"})
    assert reply.status_code == 400
    assert "compares pictures: send a picture" in reply.json()["message"]


def test_a_file_that_is_no_picture_is_refused(key_client: KeyClient, pictures: Function) -> None:
    reply = key_client.send_files(address(pictures), {"data": SimpleUploadedFile("a.png", b"no picture")})
    assert reply.status_code == 400


def test_rows_are_found_by_what_their_columns_say(key_client: KeyClient, customers: Function) -> None:
    found = key_client.post(address(customers, "?sampleCount=2"), {"data": {"age": 83, "plan": "silver"}}).json()
    age = customers.fields.get(name="age").public_id
    assert {one["data"][age] for one in found} == {80, 85}


def test_a_function_of_labels_is_not_searched(key_client: KeyClient, text_function: Function) -> None:
    reply = key_client.post(address(text_function), {"data": "money"})
    assert reply.status_code == 400
    assert "does not find samples" in reply.json()["message"]


def test_another_workspace_is_not_found(outsider_key_client: KeyClient, finder: Function) -> None:
    assert outsider_key_client.post(address(finder), {"data": "money"}).status_code == 404


def test_a_key_that_may_not_call_may_not_search(client_with: Callable[..., KeyClient], finder: Function) -> None:
    assert client_with("read").post(address(finder), {"data": "money"}).status_code == 403


def test_a_search_is_recorded(key_client: KeyClient, finder: Function, recorder: Recorder) -> None:
    key_client.post(address(finder), {"data": "money"})
    recorder.flush()
    call = Invocation.objects.get(function=finder)
    assert (call.label_id, call.confidence, call.key is not None) == (None, None, True)


def test_a_search_counts_as_a_call(
    key_client: KeyClient, finder: Function, workspace: Workspace, recorder: Recorder
) -> None:
    quotas.set_quotas(workspace=workspace, quotas={quotas.Quota.CALLS_PER_DAY: 2})
    for _ in range(2):
        assert key_client.post(address(finder), {"data": "parcel"}).status_code == 200
    refused = key_client.post(address(finder), {"sampleId": id_of(finder, TEXTS[0])})
    assert (refused.status_code, refused.json()["code"]) == (402, "quota_reached")


def test_it_takes_as_few_queries_however_many_are_found(
    key_client: KeyClient, finder: Function, django_assert_max_num_queries: pytest.FixtureRequest
) -> None:
    key_client.post(address(finder), {"data": "money"})
    with django_assert_max_num_queries(8):  # type: ignore[operator]  # the fixture is a function
        key_client.post(address(finder, "?sampleCount=400"), {"data": "money"})
