"""Models over the API: what there is, which one answers, and going back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.events.kinds import Audit
from apps.events.models import Event
from apps.functions.models import Function
from apps.training.model_list import accuracy_of
from apps.training.models import TrainedModel
from apps.training.services import finish_work
from tests.api.conftest import KeyClient
from tests.training.conftest import PARCELS, REFUNDS


@pytest.fixture
def path(key_client: KeyClient, text_function: Function) -> str:
    """A function with three models or more, all it learned brought over the API."""
    address = f"/v1/functions/{text_function.public_id}"
    for texts in (
        [(text, "Refund") for text in REFUNDS[:4]] + [(text, "Shipping") for text in PARCELS[:4]],
        [(REFUNDS[4], "Refund")],
        [(PARCELS[4], "Shipping")],
    ):
        items = [{"data": text, "annotation": {"labelName": name}} for text, name in texts]
        assert key_client.post(f"{address}/samples/batch", {"items": items}).json()["addedCount"] == len(items)
        finish_work(function_id=text_function.pk)
    assert text_function.trained_models.count() >= 3
    return f"{address}/models"


def numbers(client: KeyClient, path: str) -> list[int]:
    return [model["number"] for model in client.get(path).json()]


def current(client: KeyClient, path: str) -> list[tuple[int, bool]]:
    return [(model["number"], model["isPinned"]) for model in client.get(path).json() if model["isCurrent"]]


def test_every_model_is_listed_with_what_pages_say_of_it(
    key_client: KeyClient, text_function: Function, path: str
) -> None:
    models = key_client.get(path).json()
    newest = TrainedModel.objects.latest("number")
    assert [model["number"] for model in models] == list(range(newest.number, 0, -1))
    assert current(key_client, path) == [(newest.number, False)]
    accuracy = accuracy_of(newest)
    assert accuracy is not None
    assert models[0]["accuracy"]["value"] == accuracy.value
    assert models[0]["annotationCount"] == newest.n_annotations == 10
    assert models[-1]["annotationCount"] == 8
    assert ["1 label added"] in [model["changes"] for model in models]
    assert "whyNot" not in models[0]
    assert key_client.get(f"{path}/{newest.public_id}").json() == models[0]
    page = key_client.get(path, {"count": 2})
    assert page["Link"].startswith(f"<{path}?")


def test_a_model_is_published_and_the_newest_again(key_client: KeyClient, text_function: Function, path: str) -> None:
    newest, first = (key_client.get(path).json()[place] for place in (0, -1))
    first = first["id"]
    response = key_client.post(f"{path}/{first.removeprefix('model_')}/publish")
    assert response.status_code == 200
    assert (response.json()["id"], response.json()["isCurrent"], response.json()["isPinned"]) == (first, True, True)
    assert current(key_client, path) == [(1, True)]
    assert Event.objects.filter(kind=Audit.MODEL_PINNED).count() == 1
    for _time in range(2):
        assert key_client.post(f"{path}/automatic").json()["id"] == newest["id"]
    assert current(key_client, path) == [(newest["number"], False)]


def test_going_back_goes_back_one_by_one_to_the_first(key_client: KeyClient, path: str) -> None:
    for number in numbers(key_client, path)[1:]:
        assert key_client.post(f"{path}/roll-back").json()["number"] == number
    assert current(key_client, path) == [(1, True)]
    response = key_client.post(f"{path}/roll-back")
    assert response.status_code == 409
    assert response.json()["message"]


def test_going_back_leaves_out_what_cannot_answer(key_client: KeyClient, path: str) -> None:
    _newest, second, third = numbers(key_client, path)[:3]
    TrainedModel.objects.filter(number=second).update(is_damaged=True)
    damaged = key_client.get(path).json()[1]
    assert damaged["whyNot"]
    assert key_client.post(f"{path}/{damaged['id']}/publish").status_code == 409
    assert key_client.post(f"{path}/roll-back").json()["number"] == third


def test_before_there_is_a_model_there_is_none_to_choose(key_client: KeyClient, text_function: Function) -> None:
    path = f"/v1/functions/{text_function.public_id}/models"
    assert key_client.get(path).json() == []
    assert key_client.post(f"{path}/roll-back").status_code == 409
    assert key_client.post(f"{path}/automatic").status_code == 409
    assert key_client.get(f"{path}/nothing").status_code == 404


def test_one_that_was_not_published_is_not_there(key_client: KeyClient, path: str) -> None:
    unpublished = TrainedModel.objects.get(number=2)
    TrainedModel.objects.filter(pk=unpublished.pk).update(published_at=None)
    assert key_client.get(f"{path}/{unpublished.public_id}").status_code == 404
    assert key_client.post(f"{path}/{unpublished.public_id}/publish").status_code == 404
    assert 2 not in numbers(key_client, path)


def test_only_who_may_choose_chooses(
    client_with: Callable[..., KeyClient], outsider_key_client: KeyClient, key_client: KeyClient, path: str
) -> None:
    before = current(key_client, path)
    one = f"{path}/{key_client.get(path).json()[-1]['id']}"
    for address in (f"{one}/publish", f"{path}/roll-back", f"{path}/automatic"):
        assert client_with("read", "write").post(address).status_code == 403
        assert outsider_key_client.post(address).status_code == 404
    assert current(key_client, path) == before


def test_many_models_take_no_more_queries_than_few(key_client: KeyClient, path: str) -> None:
    def n_queries(count: int) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert len(key_client.get(path, {"count": count}).json()) == count
        return len(queries)

    n_queries(1)
    assert n_queries(3) == n_queries(1)
