"""More callers than the model can serve: those let in are answered soon, the others are told to come back."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence

import httpx
import pytest

from apps.functions.models import Function
from apps.invoke import services
from apps.invoke.answering import Question
from apps.invoke.answers import Answer
from apps.invoke.asgi import InvokeApp
from apps.invoke.services import Predictions
from tests.invoke.conftest import Run, path_of

pytestmark = pytest.mark.django_db(transaction=True)
N_CALLERS = 200
MS_EACH = 10


def test_a_slow_model_keeps_nobody_waiting_for_long(
    trained: Function, run: Run, secret: str, predictions: Predictions, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_batch = services.answer_batch

    def slow(items: Sequence[Question]) -> list[Answer]:
        time.sleep(MS_EACH / 1000 * len(items))
        return answer_batch(items)

    monkeypatch.setattr(services, "answer_batch", slow)
    headers = {"Authorization": f"Bearer {secret}"}
    took: list[float] = []
    statuses: Counter[int] = Counter()

    async def call(client: httpx.AsyncClient, number: int) -> None:
        for i in range(4):
            started = time.monotonic()
            response = await client.post(path_of(trained), json={"data": f"refund {number} {i}"}, headers=headers)
            statuses[response.status_code] += 1
            if response.status_code == 200:
                took.append(time.monotonic() - started)
            else:
                assert int(response.headers["retry-after"]) >= 1
                await asyncio.sleep(0.05)

    async def all_call(client: httpx.AsyncClient) -> None:
        await client.post(path_of(trained), json={"data": "the first"}, headers=headers)
        await asyncio.gather(*(call(client, number) for number in range(N_CALLERS)))

    run(all_call)
    assert set(statuses) == {200, 503}
    assert statuses[200] >= 50
    # A hundred a second: the last of all would have waited for two seconds.
    assert sorted(took)[int(0.99 * len(took))] < 2.0


def test_single_calls_beside_a_large_one_wait_for_one_pass_of_it(
    trained: Function, run: Run, secret: str, app: InvokeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_batch = services.answer_batch

    def slow(items: Sequence[Question]) -> list[Answer]:
        time.sleep(0.005 * len(items))
        return answer_batch(items)

    monkeypatch.setattr(services, "answer_batch", slow)
    headers = {"Authorization": f"Bearer {secret}"}
    many = {"items": [{"data": f"my parcel {i}"} for i in range(300)]}  # a second and a half of work

    async def beside(client: httpx.AsyncClient) -> tuple[list[float], bool]:
        large = asyncio.create_task(client.post(f"{path_of(trained)}/batch", json=many, headers=headers))
        await asyncio.sleep(0.2)
        took = []
        for i in range(8):
            started = time.monotonic()
            response = await client.post(path_of(trained), json={"data": f"a refund {i}"}, headers=headers)
            assert response.status_code == 200
            took.append(time.monotonic() - started)
        was_at_work = not large.done()
        results = (await large).json()["items"]
        assert len(results) == 300
        assert all("labelName" in result for result in results)
        return took, was_at_work

    took, was_at_work = run(beside)
    assert was_at_work
    assert sorted(took)[len(took) // 2] < 0.4
