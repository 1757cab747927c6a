"""Calls count: for what a key may send in a second, and for what a workspace may ask in a day."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from pytest_django import Settings

from apps.functions.models import Function
from apps.invoke.models import Invocation
from apps.invoke.services import Predictions
from apps.workspaces import throttles
from apps.workspaces.models import CallCount, Workspace
from apps.workspaces.services.quotas import Quota, set_quotas
from tests.invoke.conftest import path_of

pytestmark = pytest.mark.django_db(transaction=True)
Post = Callable[..., httpx.Response]
TEXT = {"data": "a refund please"}


@pytest.fixture(autouse=True)
def fresh_limits() -> Iterator[None]:
    throttles._throttle.cache_clear()
    yield
    throttles._throttle.cache_clear()


def batch_of(n: int) -> dict[str, list[dict[str, str]]]:
    return {"items": [{"data": f"refund {i}"} for i in range(n)]}


def test_a_key_that_calls_too_often_is_told_when_to_come_back(
    trained: Function, post: Post, settings: Settings, predictions: Predictions
) -> None:
    settings.KEY_RATE = 1
    assert [post(path_of(trained), json=TEXT).status_code for _ in range(2)] == [200, 200]
    refused = post(path_of(trained), json=TEXT)
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert int(refused.headers["retry-after"]) >= 1
    predictions.recorder.flush()
    assert sorted(Invocation.objects.values_list("error", flat=True)) == ["", "", "throttled"]


def test_an_address_that_calls_too_often_is_refused_before_its_key_is_looked_at(
    trained: Function, run: Callable[..., httpx.Response], settings: Settings
) -> None:
    settings.ADDRESS_RATE = 1
    statuses = [run(lambda client: client.post(path_of(trained), json=TEXT)).status_code for _ in range(3)]
    assert statuses == [401, 401, 429]


def test_each_input_of_a_large_call_counts(trained: Function, post: Post, settings: Settings) -> None:
    settings.KEY_RATE = 5
    path = f"{path_of(trained)}/batch"
    assert post(path, json=batch_of(9)).status_code == 200
    assert post(path, json=batch_of(9)).status_code == 429


def test_a_workspace_that_used_up_its_calls_is_told_who_can_raise_them(
    trained: Function, post: Post, workspace: Workspace, predictions: Predictions
) -> None:
    set_quotas(workspace=workspace, quotas={Quota.CALLS_PER_DAY: 3})
    assert post(f"{path_of(trained)}/batch", json=batch_of(2)).status_code == 200
    assert post(f"{path_of(trained)}/batch", json=batch_of(2)).status_code == 402
    assert post(path_of(trained), json=TEXT).status_code == 200
    refused = post(path_of(trained), json=TEXT)
    assert (refused.status_code, refused.json()["code"]) == (402, "quota_reached")
    predictions.recorder.flush()
    assert CallCount.objects.get(workspace=workspace).n_calls == 3
