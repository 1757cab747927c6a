"""The whole loop in one process: samples come in, a few are labelled, a model answers calls, a correction counts."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from pytest_django import Settings

from apps.accounts.models import User
from apps.functions.models import Function, InputKind
from apps.functions.services import add_label, create_function
from apps.invoke.asgi import InvokeApp
from apps.invoke.recorder import Recorder
from apps.invoke.services import Predictions
from apps.labeling.services import next_samples
from apps.review.selectors import figures
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.samples.services.intake import NewImage, NewText, add_images, add_texts
from apps.training.models import Prediction, PredictionKind
from apps.training.services import finish_work
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Action
from apps.workspaces.services import create_key

pytestmark = pytest.mark.django_db(transaction=True)

REFUNDS = [f"please refund {what}" for what in ("my order", "the lamp", "both chairs", "the double charge", "me")]
PARCELS = [f"the parcel with {what} is late" for what in ("my order", "the lamp", "both chairs", "the cup", "a book")]
THANKS = [f"thank you for {what}" for what in ("your help", "the lamp", "everything", "the quick answer")]


@pytest.fixture(autouse=True)
def own_files(settings: Settings, tmp_path: Path) -> None:
    settings.ARTIFACTS_DIR, settings.MEDIA_ROOT = tmp_path / "models", tmp_path / "media"


class Caller:
    """Somebody else's program, with a key."""

    def __init__(self, service: Predictions, workspace: Workspace, owner: User) -> None:
        self.service = service
        self.secret = create_key(workspace=workspace, owner=owner, name="Website", actions=[Action.INVOKE])[1]

    def ask(self, function: Function, data: str) -> tuple[int, dict[str, object]]:
        return asyncio.run(self._ask(function, data))

    async def _ask(self, function: Function, data: str) -> tuple[int, dict[str, object]]:
        app = InvokeApp(service=self.service)  # as if a second later: what was looked up before is forgotten
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            answer = await client.post(
                f"/v1/functions/{function.public_id}/invoke",
                json={"data": data},
                headers={"Authorization": f"Bearer {self.secret}"},
            )
        return answer.status_code, json.loads(answer.content)


@pytest.fixture
def caller(workspace: Workspace, owner: User) -> Iterator[Caller]:
    service = Predictions(Recorder(flush_seconds=0.02))
    yield Caller(service, workspace, owner)
    service.close()


def label_from_the_queue(function: Function, person: User, truth: dict[str, str], n: int) -> list[Sample]:
    """Label as a person does: take what the queue gives, say what it is."""
    labels = {label.name: label for label in function.labels.in_use()}
    done = []
    for _ in range(n):
        item = next_samples(function=function, person=person, n=1)[0]
        name = truth[item.sample.text or item.sample.original_name]
        annotate_sample(sample=item.sample, label=labels[name], person=person, picked_by=item.picked_by)
        finish_work(function_id=function.pk)
        done.append(item.sample)
    return done


def test_texts_are_brought_labelled_learned_called_and_corrected(
    workspace: Workspace, owner: User, member: User, caller: Caller
) -> None:
    function = create_function(
        workspace=workspace, name="Which desk?", input_kind="text", label_names=["Refund", "Parcel"], actor=owner
    )
    truth = {**dict.fromkeys(REFUNDS, "Refund"), **dict.fromkeys(PARCELS, "Parcel")}
    items = [NewText(text) for text in truth]
    add_texts(function=function, items=items, person=owner, origin=Origin.BROWSER)
    finish_work(function_id=function.pk)
    status, answer = caller.ask(function, "please refund the cup")
    assert (status, answer["labelName"], answer["isTrained"]) == (200, "Refund", False), "from the labels' names"

    label_from_the_queue(function, member, truth, 9)
    status, answer = caller.ask(function, "please refund the cup")
    assert (status, answer["labelName"]) == (200, "Refund")
    assert caller.ask(function, "the parcel with the chair is late")[1]["labelName"] == "Parcel"
    shown = figures(function)
    assert (shown.n_labelled, shown.n_judged) == (9, 9)
    assert shown.n_right >= 8
    assert Prediction.objects.filter(kind=PredictionKind.LIVE).count() == 1

    add_label(function=function, name="Thanks", actor=owner)
    thanks = [NewText(text, "Thanks") for text in THANKS]
    add_texts(function=function, items=thanks, person=owner, origin=Origin.BROWSER)
    finish_work(function_id=function.pk)
    assert caller.ask(function, "thank you for the cup")[1]["labelName"] == "Thanks"


def test_a_correction_is_answered_at_once(workspace: Workspace, owner: User, caller: Caller) -> None:
    """What serves is fitted again on every annotation: the caller must not keep an error just corrected."""
    function = create_function(
        workspace=workspace, name="Spam?", input_kind="text", label_names=["Spam", "Fine"], actor=owner
    )
    wrong = "win a lamp"
    items = [
        *(NewText(text, "Fine") for text in (*PARCELS, wrong)),
        *(NewText(f"win {what} now", "Spam") for what in ("cash", "a prize", "a phone")),
    ]
    samples = add_texts(function=function, items=items, person=None, origin=Origin.IMPORT).samples
    finish_work(function_id=function.pk)
    spam = function.labels.get(name="Spam")
    before = caller.ask(function, wrong)[1]
    corrected = next(sample for sample in samples if sample.text == wrong)
    annotate_sample(sample=corrected, label=spam, person=owner, picked_by=PickedBy.PERSON)
    finish_work(function_id=function.pk)
    after = caller.ask(function, wrong)[1]
    assert (before["labelName"], after["labelName"]) == ("Fine", "Spam")


def picture(red: int, blue: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (48, 32), (red, 20, blue)).save(out, "PNG")
    return out.getvalue()


def test_pictures_are_brought_labelled_learned_and_called(
    workspace: Workspace, owner: User, member: User, caller: Caller
) -> None:
    function = create_function(
        workspace=workspace, name="Which colour?", input_kind=InputKind.IMAGE, label_names=["Red", "Blue"], actor=owner
    )
    reds = {f"red-{i}.png": picture(200 + 10 * i, 15 * i) for i in range(5)}
    blues = {f"blue-{i}.png": picture(15 * i, 200 + 10 * i) for i in range(5)}
    truth = {**dict.fromkeys(reds, "Red"), **dict.fromkeys(blues, "Blue")}
    items = [NewImage(content, original_name=name) for name, content in {**reds, **blues}.items()]
    add_images(function=function, items=items, person=owner, origin=Origin.BROWSER)
    finish_work(function_id=function.pk)
    label_from_the_queue(function, member, truth, 9)
    data = "data:image/png;base64," + base64.b64encode(picture(222, 3)).decode()
    status, answer = caller.ask(function, data)
    assert (status, answer["labelName"]) == (200, "Red")
    assert figures(function).n_right >= 8
