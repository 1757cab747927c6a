"""A trained text function, a trained picture function, a key, and a client that speaks ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pytest_django import Settings

from apps.accounts.models import User
from apps.functions.models import Function, InputKind
from apps.invoke import services
from apps.invoke.asgi import InvokeApp
from apps.invoke.embedding_cache import embedding_cache
from apps.invoke.recorder import Recorder
from apps.invoke.services import Predictions
from apps.samples.models import Origin
from apps.samples.services.intake import NewImage, NewText, add_images, add_texts
from apps.training.services import finish_work
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.roles import Action
from apps.workspaces.services import create_key
from tests.clock import Clock
from tests.pictures import picture

REFUNDS = ["please refund my money", "i want a refund", "money back please", "refund the charge on my card"]
PARCELS = ["where is my parcel", "the parcel is late", "track my delivery", "parcel not delivered yet"]


@pytest.fixture(autouse=True)
def own_artifacts(settings: Settings, tmp_path: Path) -> None:
    """Keep models and files of one test from the next, whose keys are the same numbers."""
    settings.ARTIFACTS_DIR = tmp_path / "models"
    settings.MEDIA_ROOT = tmp_path / "media"
    embedding_cache.clear()


@pytest.fixture(autouse=True)
def predictions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Predictions]:
    """A service of the test's own, whose threads end with it: none writes into the next test's rows."""
    service = Predictions(Recorder(flush_seconds=0.02))
    monkeypatch.setattr(services, "predictions", service)
    yield service
    service.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(predictions: Predictions) -> InvokeApp:
    return InvokeApp(service=predictions)


@pytest.fixture
def key(workspace: Workspace, owner: User) -> tuple[ApiKey, str]:
    return create_key(workspace=workspace, owner=owner, name="Website", actions=[Action.INVOKE])


@pytest.fixture
def secret(key: tuple[ApiKey, str]) -> str:
    return key[1]


@pytest.fixture
def trained(text_function: Function) -> Function:
    """The text function with eight labelled samples and a published model."""
    items = [*(NewText(text, "Refund") for text in REFUNDS), *(NewText(text, "Shipping") for text in PARCELS)]
    add_texts(function=text_function, items=items, person=None, origin=Origin.IMPORT)
    finish_work(function_id=text_function.pk)
    return text_function


@pytest.fixture
def trained_pictures(workspace: Workspace) -> Function:
    """A picture function that tells red from blue."""
    function = workspace.functions.create(name="Which colour?", input_kind=InputKind.IMAGE)
    for position, name in enumerate(["Red", "Blue"]):
        function.labels.create(name=name, position=position, colour=position)
    shades = [("Red", "#f00"), ("Red", "#e11"), ("Red", "#d10"), ("Blue", "#00f"), ("Blue", "#11e"), ("Blue", "#01d")]
    items = [NewImage(picture(colour), label) for label, colour in shades]
    add_images(function=function, items=items, person=None, origin=Origin.IMPORT)
    finish_work(function_id=function.pk)
    return function


Run = Callable[[Callable[[httpx.AsyncClient], Coroutine[Any, Any, Any]]], Any]


@pytest.fixture
def run(app: InvokeApp) -> Run:
    """Run a coroutine with a client of the app."""

    def runner(work: Callable[[httpx.AsyncClient], Coroutine[Any, Any, Any]]) -> Any:
        async def with_client() -> Any:
            transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # httpx types ASGI loosely
            async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
                return await work(client)

        return asyncio.run(with_client())

    return runner


@pytest.fixture
def post(run: Run, secret: str) -> Callable[..., httpx.Response]:
    """Post one call with the key, unless other headers are given."""

    def send(path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {secret}", **options.pop("headers", {})}
        response: httpx.Response = run(lambda client: client.post(path, headers=headers, **options))
        return response

    return send


def path_of(function: Function) -> str:
    return f"/v1/functions/{function.public_id}/invoke"
