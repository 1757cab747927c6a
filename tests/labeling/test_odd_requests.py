"""Requests that no page of ours makes: each door answers them in words, and nothing changes."""

import json
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from apps.functions.models import Function
from apps.samples.models import Annotation, Comment, Mark, Sample

pytestmark = pytest.mark.django_db

# What a door takes, each with the ids of samples and labels in it made odd.
ODD = ["\\u0000", "a\\u0000b", "\\ud800", "\\udfff", "x" * 100_000]
SENT = {
    "answers": '[{"token": "TOKEN", "sampleId": "ODD", "labelId": "ODD", "proof": "ODD"}]',
    "holding": '{"held": ["ODD"], "released": ["ODD"]}',
    "mark": '{"sampleId": "ODD", "mark": "flag", "isOn": true}',
    "comment": '{"sampleId": "ODD", "text": "ODD", "token": "TOKEN"}',
    "undo": '{"token": "ODD"}',
    "label_selection": '{"samples": ["ODD"], "label": null, "kind": "selection", "token": "ODD"}',
    "suggest_label": '{"name": "ODD"}',
    "new_label": '{"name": "ODD"}',
}


@pytest.mark.parametrize("odd", ODD, ids=["NUL", "NUL inside", "half a pair", "the other half", "long"])
@pytest.mark.parametrize("door", SENT)
def test_odd_texts_are_answered_in_words(
    owner_client: Client, text_function: Function, samples: list[Sample], door: str, odd: str
) -> None:
    body = SENT[door].replace("ODD", odd).replace("TOKEN", str(uuid4()))
    response = owner_client.post(
        reverse(f"labeling:{door}", args=[text_function.public_id]), body, content_type="application/json"
    )
    assert response.status_code < 500
    assert "\x00" not in response.content.decode()
    assert not Annotation.objects.exists()
    assert not Mark.objects.exists()
    assert not Comment.objects.exists()


@pytest.mark.parametrize("door", [*SENT, "choose_key", "switch_keys"])
def test_json_nested_beyond_reading_is_refused(owner_client: Client, text_function: Function, door: str) -> None:
    where = [] if door.endswith(("_key", "_keys")) else [text_function.public_id]
    path = reverse(f"labeling:{door}", args=where)
    assert owner_client.post(path, "[" * 100_000, content_type="application/json").status_code == 400


def test_a_comment_cut_inside_an_emoji_is_kept(
    owner_client: Client, text_function: Function, samples: list[Sample]
) -> None:
    sent = json.dumps({"sampleId": samples[0].public_id, "text": "look \ud83e", "token": str(uuid4())})
    path = reverse("labeling:comment", args=[text_function.public_id])
    assert owner_client.post(path, sent, content_type="application/json").status_code == 201
    assert Comment.objects.get().text == "look \ufffd"
