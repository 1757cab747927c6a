"""What is remembered: what was read lately, and heads; each workspace's its own, all of it bounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from pytest_django import Settings

from apps.accounts.models import User
from apps.engine.backbones import Input
from apps.engine.backbones.weightless import TinyText
from apps.functions.models import Function
from apps.invoke.answering import Question, answer_batch
from apps.invoke.embedding_cache import ENTRY_BYTES, CacheKey, EmbeddingCache, embedding_cache
from apps.invoke.lookup import Lookup
from apps.samples.models import Origin
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import TrainedModel
from apps.training.services import encoders, finish_work, serving
from apps.training.services.serving import Served
from apps.training.services.untrained import load_untrained
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.roles import Action
from apps.workspaces.services import create_key
from tests.invoke.conftest import PARCELS, REFUNDS, path_of

pytestmark = pytest.mark.django_db(transaction=True)
Post = Callable[..., httpx.Response]
TEXT = "where is my parcel, please"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the backbone was given to read, beside the names of labels."""
    seen: list[str] = []
    lower = TinyText._lower

    def counting(self: TinyText, inputs: Sequence[Input]) -> Any:
        seen.extend(str(one) for one in inputs if str(one).casefold() not in {"refund", "shipping", ""})
        return lower(self, inputs)

    monkeypatch.setattr(TinyText, "_lower", counting)
    return seen


def function_in(workspace: Workspace) -> Function:
    """A function that guesses by the names of its labels."""
    function = workspace.functions.create(name="Another", input_kind="text")
    for position, name in enumerate(["Refund", "Shipping"]):
        function.labels.create(name=name, position=position, colour=position)
    return function


def trained_in(workspace: Workspace) -> Function:
    function = function_in(workspace)
    items = [*(NewText(text, "Refund") for text in REFUNDS), *(NewText(text, "Shipping") for text in PARCELS)]
    add_texts(function=function, items=items, person=None, origin=Origin.IMPORT)
    finish_work(function_id=function.pk)
    return function


class TestRepeatedInputs:
    def test_the_same_text_is_read_once_and_answered_the_same(
        self, text_function: Function, post: Post, read: list[str]
    ) -> None:
        first, second = (post(path_of(text_function), json={"data": TEXT}).json() for _ in range(2))
        assert first == second
        assert read == [TEXT]

    def test_two_functions_of_a_workspace_share_what_was_read(
        self, text_function: Function, post: Post, workspace: Workspace, read: list[str]
    ) -> None:
        other = function_in(workspace)
        for function in (text_function, other):
            assert post(path_of(function), json={"data": TEXT}).status_code == 200
        assert read == [TEXT]

    def test_another_workspace_reads_for_itself(
        self, text_function: Function, post: Post, outsider: User, read: list[str]
    ) -> None:
        theirs = function_in(Workspace.objects.get(memberships__user=outsider))
        _key, secret = create_key(workspace=theirs.workspace, owner=outsider, name="Their", actions=[Action.INVOKE])
        post(path_of(text_function), json={"data": TEXT})
        post(path_of(theirs), json={"data": TEXT}, headers={"Authorization": f"Bearer {secret}"})
        assert read == [TEXT, TEXT]

    def test_a_batch_of_known_and_new_texts_is_not_mixed_up(self, text_function: Function, read: list[str]) -> None:
        answerer = load_untrained(text_function)
        assert answerer is not None
        texts = [f"{text} {i}" for i, text in enumerate(REFUNDS + PARCELS)]
        alone = [answer_batch([Question(answerer, text)])[0].best.confidence for text in texts]
        answer_batch([Question(answerer, text, text) for text in texts[::2]])
        read.clear()
        together = answer_batch([Question(answerer, text, text) for text in texts])
        assert [answer.best.confidence for answer in together] == pytest.approx(alone, abs=1e-6)
        assert read == texts[1::2]

    def test_with_no_memory_for_it_nothing_is_kept(
        self, text_function: Function, post: Post, settings: Settings, read: list[str]
    ) -> None:
        settings.EMBEDDING_CACHE_BYTES = 0
        for _ in range(2):
            assert post(path_of(text_function), json={"data": TEXT}).status_code == 200
        assert read == [TEXT, TEXT]
        assert (len(embedding_cache), embedding_cache.n_bytes) == (0, 0)


def test_the_memory_of_what_was_read_is_bounded_and_the_oldest_goes_first() -> None:
    each = 8 * 2 + ENTRY_BYTES
    cache = EmbeddingCache(lambda: 3 * each)
    keys = [CacheKey(1, "minilm", "1", str(i)) for i in range(4)]
    for key in keys[:3]:
        cache.put(key, np.ones(8, dtype=np.float16))
    assert cache.get(keys[0]) is not None
    cache.put(keys[3], np.ones(8, dtype=np.float16))
    assert [cache.get(key) is not None for key in keys] == [True, False, True, True]
    assert cache.n_bytes == 3 * each
    cache.put(keys[3], np.zeros(8, dtype=np.float16))
    assert cache.n_bytes == 3 * each
    assert cache.get(CacheKey(2, "minilm", "1", "3")) is None


class TestHeads:
    def test_they_are_dropped_by_bytes_and_read_again_when_asked(
        self, trained: Function, key: tuple[ApiKey, str], workspace: Workspace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        functions = [trained, trained_in(workspace), trained_in(workspace)]
        of_each = serving.load_live(trained.pk)
        assert of_each is not None
        n_bytes = of_each.artifact.n_bytes
        assert n_bytes > 1000
        cache: encoders.BoundedCache[tuple[int, int], Any] = encoders.BoundedCache(
            max_entries=100, max_bytes=2 * n_bytes, n_bytes_of=lambda artifact: artifact.n_bytes
        )
        monkeypatch.setattr(serving, "_artifacts", cache)
        lookup, found = Lookup(), []
        for function in functions:
            answerer = lookup.find(key[1], function.public_id).result(10).answerer
            assert isinstance(answerer, Served)
            found.append(answerer)
        assert serving.held_bytes() <= 2 * n_bytes
        assert not found[0].is_at_hand, "whoever keeps a model keeps no head"
        assert answer_batch([Question(found[0], TEXT)])[0].best.label.name == "Shipping"
        assert found[0].is_at_hand

    def test_one_that_was_damaged_meanwhile_gives_way_to_the_one_before(
        self, trained: Function, post: Post, monkeypatch: pytest.MonkeyPatch, predictions: Any
    ) -> None:
        served = serving.load_live(trained.pk)
        assert served is not None
        folder = serving.artifact_folder(trained, served.model.public_id)
        (folder / "model.safetensors").write_bytes(b"not what was saved")
        monkeypatch.setattr(serving, "_artifacts", encoders.BoundedCache(max_entries=8))
        with pytest.raises(Exception, match="takes over"):
            predictions.submit(served, TEXT).result(10)
        post(path_of(trained), json={"data": TEXT})
        assert TrainedModel.objects.get(pk=served.model.pk).is_damaged
