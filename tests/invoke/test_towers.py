"""Calls of functions that own the top of a backbone: one pass below for all, each function's own top, damage borne."""

from __future__ import annotations

import errno
import gc
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest

from apps.accounts.models import User
from apps.core.errors import Unavailable
from apps.engine.backbones import Input
from apps.engine.backbones.weightless import TinyText, TinyTower
from apps.engine.errors import BackboneUnavailable
from apps.functions.models import Function
from apps.functions.services import create_function
from apps.invoke.answering import TAKING_OVER, Question, answer_batch
from apps.invoke.bench_towers import Learned, learn, put_into_service
from apps.invoke.lookup import Lookup
from apps.invoke.services import Answer, Answerer, Content, answer_many, backbones_read_by
from apps.samples.models import Origin
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import Adaptation, TrainedModel
from apps.training.services import encoders, finish_work, serving, towers
from apps.training.services.inputs import build_inputs
from apps.training.services.serving import Served
from apps.training.services.untrained import load_untrained
from apps.training.services.vectors import read_vectors, write_vectors
from apps.workspaces.models import Workspace
from tests.invoke.conftest import PARCELS, REFUNDS, path_of
from tests.live_up import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
Post = Callable[..., httpx.Response]
ASKED = "please send my money back, the parcel is late"


@pytest.fixture
def learned(trained: Function) -> Learned:
    return learn(trained)


@pytest.fixture
def adapted(trained: Function, learned: Learned) -> Function:
    """The trained function, answering by a tower of its own; the model before it is still there."""
    put_into_service(trained, learned)
    return trained


@pytest.fixture
def other(workspace: Workspace, owner: User) -> Function:
    """A second function, of the same texts the other way round, with a tower of its own."""
    function = create_function(
        workspace=workspace, name="Other", input_kind="text", label_names=["Shipping", "Refund"], actor=owner
    )
    items = [*(NewText(text, "Shipping") for text in REFUNDS), *(NewText(text, "Refund") for text in PARCELS)]
    add_texts(function=function, items=items, person=None, origin=Origin.IMPORT)
    finish_work(function_id=function.pk)
    put_into_service(function, learn(function))
    return function


def live(function: Function) -> Served:
    served = serving.load_live(function.pk)
    assert served is not None
    return served


def forget_towers(monkeypatch: pytest.MonkeyPatch, *, max_bytes: int | None = None) -> encoders.BoundedCache:  # type: ignore[type-arg]  # the cache's own types are private
    cache: encoders.BoundedCache[tuple[int, str, int], towers.Tower] = encoders.BoundedCache(
        max_entries=10_000, max_bytes=max_bytes, n_bytes_of=lambda tower: tower.n_bytes
    )
    monkeypatch.setattr(towers, "_towers", cache)
    return cache


def damage(model: TrainedModel) -> None:
    assert model.adaptation is not None
    (towers.folder_of(model.adaptation) / towers.FILE).write_bytes(b"not what was saved")


def bytes_of_towers() -> int:
    """Return what all loaded towers of this process take, whoever holds them."""
    gc.collect()
    return sum(one.n_bytes for one in gc.get_objects() if type(one) is TinyTower)


def said(answer: Answer) -> dict[str, float]:
    return {guess.label.public_id: guess.confidence for guess in answer.guesses}


def test_one_pass_of_the_layers_below_serves_every_function_of_a_batch(
    adapted: Function, other: Function, workspace: Workspace, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = create_function(
        workspace=workspace, name="New", input_kind="text", label_names=["refund", "parcel"], actor=owner
    )
    untrained = load_untrained(function)  # reads the frozen top
    assert untrained is not None
    items: list[tuple[Answerer, Content]] = [
        (live(adapted), "a refund please"),
        (live(other), ASKED),
        (untrained, ASKED),
        (live(adapted), ASKED),
    ]
    alone = [said(answer_many(answerer, [content])[0]) for answerer, content in items]

    passes: list[int] = []
    lower = TinyText._lower

    def counted(self: TinyText, inputs: Sequence[Input]) -> np.ndarray:
        passes.append(len(inputs))
        return lower(self, inputs)

    monkeypatch.setattr(TinyText, "_lower", counted)
    together = [said(answer) for answer in answer_batch([Question(*item) for item in items])]

    assert passes == [4]
    for ours, theirs in zip(together, alone, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)
    assert together[1] != pytest.approx(together[3], abs=1e-3)  # the same text, each in its own function's eyes


def test_a_call_says_what_is_said_of_the_same_text_when_stored(adapted: Function) -> None:
    served = live(adapted)
    (spec,) = served.specs
    assert spec.name == "adapted-tiny-text"
    vectors = towers.embed_wanted([towers.Wanted(spec, np.arange(1), served.tower(spec))], [ASKED])[0]
    write_vectors(workspace_id=adapted.workspace_id, spec=spec, vectors={"hash": vectors[0]})
    stored = read_vectors(workspace_id=adapted.workspace_id, spec=spec, hashes=["hash"])["hash"]
    page = served.pred_probs(build_inputs(served.layout, [ASKED], {spec.name: stored[None]}))[0]

    call = said(answer_many(served, [ASKED])[0])
    assert [call[label.public_id] for label in served.labels] == page.tolist()


def test_a_frozen_backbone_is_read_only_where_the_blend_reads_it(adapted: Function) -> None:
    served = live(adapted)
    assert [spec.name for spec in served.specs] == ["adapted-tiny-text"]
    assert backbones_read_by(served.model) == ["tiny-text"]


def test_where_a_tower_is_damaged_the_model_before_it_answers(
    adapted: Function, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = live(adapted).model
    damage(model)
    forget_towers(monkeypatch)

    answer = post(path_of(adapted), json={"data": ASKED})

    assert answer.status_code == 200, answer.text
    assert live(adapted).model.adaptation is None
    assert TrainedModel.objects.get(pk=model.pk).is_damaged
    assert not Adaptation.objects.exists()


def test_a_tower_lost_after_the_model_was_looked_up_is_said_and_mended(
    adapted: Function, monkeypatch: pytest.MonkeyPatch, run: Callable[..., httpx.Response], secret: str
) -> None:
    first = live(adapted).model

    async def twice(client: httpx.AsyncClient) -> tuple[httpx.Response, httpx.Response]:
        headers = {"Authorization": f"Bearer {secret}"}
        before = await client.post(path_of(adapted), json={"data": ASKED}, headers=headers)
        damage(first)
        forget_towers(monkeypatch)
        return before, await client.post(path_of(adapted), json={"data": f"{ASKED} again"}, headers=headers)

    before, lost = run(twice)
    assert before.status_code == 200
    assert lost.status_code == 503
    assert lost.json()["message"] == TAKING_OVER
    wait_until(lambda: TrainedModel.objects.get(pk=first.pk).is_damaged, what="the damaged model is retired")
    assert live(adapted).model.adaptation is None


def test_without_the_backbone_below_callers_are_asked_to_come_back(
    adapted: Function, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise BackboneUnavailable(f"{name} is not installed")

    forget_towers(monkeypatch)
    monkeypatch.setattr(towers, "backbone", missing)
    answer = post(path_of(adapted), json={"data": ASKED})

    assert answer.status_code == 503
    assert "cannot be loaded" in answer.json()["message"]
    assert not TrainedModel.objects.filter(is_damaged=True).exists()


def test_a_server_out_of_open_files_asks_callers_to_come_back_and_takes_nothing_for_damaged(
    adapted: Function, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: Path) -> bytes:
        raise OSError(errno.EMFILE, "Too many open files")

    forget_towers(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", fail)
        answer = post(path_of(adapted), json={"data": ASKED})
    assert answer.status_code == 503
    assert "cannot be loaded" in answer.json()["message"]
    assert not TrainedModel.objects.filter(is_damaged=True).exists()
    assert post(path_of(adapted), json={"data": ASKED}).status_code == 200
    assert live(adapted).model.adaptation is not None


def test_a_model_whose_backbone_went_after_it_was_looked_up_is_not_there_for_now(
    adapted: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = live(adapted)
    monkeypatch.setattr(towers, "is_current", lambda _adaptation: False)
    with pytest.raises(Unavailable, match="cannot be loaded"):
        answer_many(served, [ASKED])


def test_the_towers_of_five_hundred_functions_stay_within_the_bound(
    adapted: Function, learned: Learned, key: tuple[object, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    like = live(adapted).model
    functions = [adapted]
    for i in range(499):
        function = Function.objects.create(workspace=adapted.workspace, name=f"Function {i}", input_kind="text")
        for position, name in enumerate(("Refund", "Shipping")):
            function.labels.create(name=name, position=position, colour=position)
        put_into_service(function, learned, like=like)
        functions.append(function)
    max_bytes = 8 * 1024 * 1024
    cache = forget_towers(monkeypatch, max_bytes=max_bytes)
    monkeypatch.setattr(serving, "_artifacts", encoders.BoundedCache(max_entries=8))
    lookup, before = Lookup(), bytes_of_towers()

    answers = []
    for function in functions:
        admitted = lookup.find(key[1], function.public_id).result(10)
        assert isinstance(admitted.answerer, Served)
        answers += answer_many(admitted.answerer, [ASKED])

    assert len({answer.function.pk for answer in answers}) == 500
    assert 0 < cache.n_bytes <= max_bytes
    assert bytes_of_towers() - before <= max_bytes  # nobody else holds them: the lookup keeps what it found for long
