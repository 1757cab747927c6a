"""What the page that splits a label selects beforehand: the smaller of two kinds, where there are two."""

from __future__ import annotations

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from apps.engine.survey.parts import two_parts
from apps.functions.models import Function, Label
from apps.review.selectors import split
from apps.samples.models import Sample
from apps.training.services import survey_function
from tests.training.conftest import bring, embed_all, label

pytestmark = pytest.mark.django_db

COLOURS = ("red", "blue", "green", "lime", "pink", "gold", "grey", "teal")
LATE = [f"parcel delivery of {word} things is late" for word in COLOURS[:5]]
MONEY = [f"please refund the money for order {word} {word}" for word in COLOURS]


@pytest.fixture
def mixed(text_function: Function) -> Label:
    """A label given to two sorts of texts, eight and five, among others that have none; looked over."""
    others = [f"{word} {word} weather in {word}" for word in ("oslo", "rome", "bern", "wien", "prag", "bonn", "kiel")]
    bring(text_function, MONEY + LATE + others)
    embed_all(text_function)
    label(text_function, list(text_function.samples.filter(text__in=MONEY + LATE)), "Refund")
    return text_function.labels.get(name="Refund")


def suggestion_for(client: Client, of: Label) -> dict[str, object]:
    found: dict[str, object] = client.get(reverse("review:split_suggestion", args=[of.public_id])).json()
    return found


def test_the_smaller_kind_is_suggested_and_the_sentence_says_why(mixed: Label, owner_client: Client) -> None:
    survey_function(function_id=mixed.function_id)
    found = suggestion_for(owner_client, mixed)
    chosen = Sample.objects.filter(public_id__in=found["samples"])
    assert sorted(chosen.values_list("text", flat=True)) == sorted(LATE)
    assert str(found["words"]).startswith("5 of 13 samples ")
    assert str(found["words"]).endswith("They are selected; change that as you like.")


def test_without_a_look_over_the_samples_nothing_is_suggested(mixed: Label, owner_client: Client) -> None:
    assert suggestion_for(owner_client, mixed) == {"samples": [], "words": ""}


def test_few_samples_are_no_two_kinds(mixed: Label, owner_client: Client) -> None:
    survey_function(function_id=mixed.function_id)
    Sample.objects.filter(text__in=[*MONEY[:5], LATE[0]]).update(label=None, annotation=None)
    assert suggestion_for(owner_client, mixed)["samples"] == []


def test_who_may_not_split_learns_nothing(mixed: Label, member_client: Client, outsider_client: Client) -> None:
    url = reverse("review:split_suggestion", args=[mixed.public_id])
    assert (member_client.get(url).status_code, outsider_client.get(url).status_code) == (403, 404)


def test_the_words_own_up_to_a_weak_suggestion() -> None:
    assert "a kind of their own" in split.Suggestion(["sample_1"] * 3, 12, is_clear=True).words
    assert "look closely" in split.Suggestion(["sample_1"] * 3, 12, is_clear=False).words


def test_two_clouds_are_parted_and_one_point_is_not() -> None:
    draw = np.random.default_rng(0)
    clouds = np.concatenate([draw.normal((3, 0, 0), 0.3, (9, 3)), draw.normal((0, 3, 0), 0.3, (4, 3))])
    unit = (clouds / np.linalg.norm(clouds, axis=1, keepdims=True)).astype(np.float32)
    parts = two_parts(unit)
    assert parts is not None
    assert parts.is_smaller.tolist() == [False] * 9 + [True] * 4
    assert parts.apartness > 0.8
    assert two_parts(np.repeat(unit[:1], 5, axis=0)) is None
