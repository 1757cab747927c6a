"""How unlike its samples a call is."""

from __future__ import annotations

import numpy as np
import pytest

from apps.functions.models import Function
from apps.invoke import novelty
from apps.invoke.answering import Question, answer_batch
from apps.invoke.novelty import FRESH_SECONDS, References, drawn_samples
from apps.samples.models import Origin, Sample
from apps.samples.services.intake import NewText, add_texts
from apps.training.services import finish_work, serving
from apps.training.services.serving import Served

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = ["refund", "money", "back", "please", "parcel", "late", "track", "delivery", "order", "card", "charge", "where"]


@pytest.fixture
def many(trained: Function) -> Function:
    """The trained function with 120 more samples, of the same words."""
    draw = np.random.default_rng(0)
    texts = {" ".join(draw.choice(WORDS, size=6).tolist()) for _ in range(120)}
    items = [NewText(text, "") for text in sorted(texts)]
    add_texts(function=trained, items=items, person=None, origin=Origin.API)
    finish_work(function_id=trained.pk)
    return trained


@pytest.fixture
def references(monkeypatch: pytest.MonkeyPatch) -> References:
    kept = References()
    monkeypatch.setattr(novelty, "of", kept.of)
    return kept


def served_of(function: Function) -> Served:
    served = serving.load_live(function.pk)
    assert served is not None
    return served


def novelties(function: Function, *texts: str) -> list[float | None]:
    served = served_of(function)
    return [answer.novelty for answer in answer_batch([Question(served, text) for text in texts])]


def test_the_first_call_waits_for_nothing_and_later_ones_are_compared(many: Function, references: References) -> None:
    assert novelties(many, "where is my refund") == [None]
    references.wait()
    usual, strange = novelties(many, "late parcel track card please refund", "zxq 8812 qqq vvv www yyy kkk")
    assert usual is not None
    assert strange is not None
    assert 0 < usual < strange < 1


def test_with_few_samples_nothing_is_said(trained: Function, references: References) -> None:
    novelties(trained, "refund")
    references.wait()
    assert novelties(trained, "refund") == [None]


def test_what_is_compared_with_is_read_again_after_a_while(many: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    references = References(clock=lambda: now[0])
    monkeypatch.setattr(novelty, "of", references.of)
    novelties(many, "refund")
    references.wait()
    before = novelties(many, "zxq zxq qqq vvv")[0]
    draw = np.random.default_rng(1)
    items = [NewText(" ".join(draw.choice(["zxq", "qqq", "vvv", "www"], size=5)), "") for _ in range(150)]
    add_texts(function=many, items=items, person=None, origin=Origin.API)
    finish_work(function_id=many.pk)
    now[0] = FRESH_SECONDS + 1
    novelties(many, "refund")
    references.wait()
    after = novelties(many, "zxq zxq qqq vvv")[0]
    assert before is not None
    assert after is not None
    assert after < before


def test_only_so_many_bytes_are_kept_and_at_least_one(many: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    references = References(max_bytes=1)
    monkeypatch.setattr(novelty, "of", references.of)
    novelties(many, "refund")
    references.wait()
    assert novelties(many, "refund") != [None]


def test_kept_calls_that_nobody_looked_at_are_not_compared_with(many: Function) -> None:
    kept = Sample.objects.filter(function=many, annotation=None).first()
    assert kept is not None
    Sample.objects.filter(pk=kept.pk).update(origin=Origin.CAPTURE)
    assert kept.pk not in drawn_samples(many)
    assert len(drawn_samples(many)) == Sample.objects.filter(function=many).count() - 1
    assert len(drawn_samples(many, labelled_too=False)) == len(drawn_samples(many)) - 8
