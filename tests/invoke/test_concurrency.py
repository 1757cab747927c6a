"""Many callers at once, over real sockets: they get what each would get alone."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from pytest_django import Settings

from apps.functions.models import Function
from apps.invoke.asgi import InvokeApp
from apps.invoke.models import Invocation
from apps.invoke.services import Predictions
from apps.training.services import serving
from apps.training.services.inputs import build_inputs
from tests.invoke.conftest import PARCELS, REFUNDS, path_of
from tests.pictures import picture

pytestmark = pytest.mark.django_db(transaction=True)
N_CALLERS = 64


@pytest.fixture
def url(app: InvokeApp) -> Iterator[str]:
    """The app behind a real server."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def test_64_callers_get_what_each_gets_alone(
    trained: Function, url: str, secret: str, predictions: Predictions
) -> None:
    texts = [f"{words} number {i}" for i, words in enumerate((REFUNDS + PARCELS) * (N_CALLERS // 8))]
    served = serving.load_live(trained.pk)
    assert served is not None

    async def call_all() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=N_CALLERS)
        headers = {"Authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(base_url=url, limits=limits, headers=headers, timeout=30) as client:
            return await asyncio.gather(*(client.post(path_of(trained), json={"data": text}) for text in texts))

    responses = asyncio.run(call_all())
    assert {response.status_code for response in responses} == {200}
    for text, response in zip(texts, responses, strict=True):
        alone = predictions.submit(served, text).result(10)
        assert response.json()["labelId"] == alone.best.label.public_id
        assert response.json()["confidence"] == pytest.approx(alone.best.confidence, abs=1e-6)
    predictions.recorder.flush()
    assert Invocation.objects.count() == N_CALLERS


def test_callers_of_different_functions_share_a_batch_unmixed(
    trained: Function, workspace_of_another: Function, predictions: Predictions
) -> None:
    mine, other = serving.load_live(trained.pk), serving.load_live(workspace_of_another.pk)
    assert mine is not None
    assert other is not None
    futures = [predictions.submit(served, "where is my parcel") for served in (mine, other) * 16]
    names = [future.result(10).best.label.name for future in futures]
    assert names == ["Shipping", "Parcel"] * 16


@pytest.fixture
def workspace_of_another(trained: Function) -> Function:
    """A second trained function on the same backbone, with labels of other names in another order."""
    from apps.samples.models import Origin
    from apps.samples.services.intake import NewText, add_texts
    from apps.training.services import finish_work

    function = trained.workspace.functions.create(name="Other", input_kind="text")
    for position, name in enumerate(["Parcel", "Money"]):
        function.labels.create(name=name, position=position, colour=position)
    items = [*(NewText(text, "Money") for text in REFUNDS), *(NewText(text, "Parcel") for text in PARCELS)]
    add_texts(function=function, items=items, person=None, origin=Origin.IMPORT)
    finish_work(function_id=function.pk)
    return function


def test_a_stored_picture_and_its_call_agree(trained_pictures: Function, url: str, secret: str) -> None:
    """What is sent again reads exactly as training read it."""
    import numpy as np

    from apps.training.models import Embedding
    from apps.training.services.vectors import STORED

    sample = trained_pictures.samples.first()
    assert sample is not None
    served = serving.load_live(trained_pictures.pk)
    assert served is not None
    stored = Embedding.objects.get(content_hash=sample.content_hash)
    vector = np.frombuffer(stored.vector, STORED).astype(np.float32)
    expected = served.pred_probs(build_inputs(served.layout, [""], {served.specs[0].name: vector[None, :]}))[0]
    response = httpx.post(
        url + path_of(trained_pictures) + "?labelCount=2",
        files={"data": ("a.png", picture("#f00"))},
        headers={"Authorization": f"Bearer {secret}"},
    )
    by_name = {entry["labelName"]: entry["confidence"] for entry in response.json()["labelConfidences"]}
    assert [by_name[label.name] for label in served.labels] == pytest.approx(expected.tolist(), abs=1e-6)


def test_an_oversize_body_is_answered_over_a_real_connection_and_the_next_call_works(
    trained: Function, url: str, secret: str, settings: Settings
) -> None:
    settings.INVOKE_MAX_BYTES = 200_000

    def stream() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 50_000

    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as client:
        assert client.post(path_of(trained), content=stream()).status_code == 413
        assert client.post(path_of(trained), content=b"x" * 5_000_000).status_code == 413
        assert client.post(path_of(trained), json={"data": REFUNDS[0]}).status_code == 200
