"""Many samples in one request: each has its own outcome, and one that cannot be used spoils no other."""

from __future__ import annotations

import io
import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.functions.models import Function
from apps.samples.models import Origin
from apps.samples.services.intake import NewText, add_texts
from tests.api.conftest import KeyClient
from tests.api.sample_calls import address_of, post, send_batch
from tests.pictures import data_uri, picture


def test_a_batch_says_what_became_of_each(key_client: KeyClient, text_function: Function) -> None:
    known = post(key_client, text_function, "known")["id"]
    gone = post(key_client, text_function, "gone")["id"]
    key_client.delete(address_of(text_function, gone))
    sent = [
        {"data": "new", "externalId": "n-1", "annotation": {"labelName": "Refund"}},
        {"data": "known"},
        {"data": ""},
        "no object",
        {"data": "new"},
        {"data": "labelled badly", "annotation": {"labelName": "Nothing"}},
        {"data": "gone"},
        {"data": "\ud83d"},
    ]
    body = send_batch(key_client, text_function, sent).json()
    outcomes = [item["outcome"] for item in body["items"]]
    assert outcomes == ["added", "duplicate", "refused", "refused", "duplicate", "refused", "restored", "refused"]
    assert body["items"][1] == {"outcome": "duplicate", "id": known, "existingSampleId": known}
    assert body["items"][4]["existingSampleId"] == body["items"][0]["id"]
    assert body["items"][5]["message"] == "A label with name 'Nothing' was not found"
    assert (body["addedCount"], body["duplicateCount"], body["refusedCount"]) == (2, 2, 4)
    added = key_client.get(address_of(text_function, body["items"][0]["id"])).json()
    assert (added["externalId"], added["annotation"]["labelName"]) == ("n-1", "Refund")


def test_a_batch_of_a_thousand_texts_loses_none(key_client: KeyClient, text_function: Function) -> None:
    sent = [{"data": f"text {number}", "annotation": {"labelName": "Refund"}} for number in range(1_000)]
    body = send_batch(key_client, text_function, sent).json()
    assert body["addedCount"] == 1_000
    texts = dict(text_function.samples.values_list("public_id", "text"))
    assert [texts[item["id"]] for item in body["items"]] == [item["data"] for item in sent]
    assert text_function.samples.filter(label__name="Refund").count() == 1_000
    assert send_batch(key_client, text_function, [*sent, {"data": "one more"}]).status_code == 400


def test_a_batch_of_pictures_rows_and_tags(
    key_client: KeyClient, image_function: Function, table_function: Function, tags_function: Function
) -> None:
    pictures = send_batch(
        key_client,
        image_function,
        [{"data": data_uri(picture("red"))}, {"data": "x"}, {"data": data_uri(picture("blue"))}],
    ).json()
    assert [item["outcome"] for item in pictures["items"]] == ["added", "refused", "added"]
    assert send_batch(key_client, image_function, [{"data": "x"}] * 65).status_code == 400
    rows = send_batch(
        key_client, table_function, [{"data": {"age": "31"}}, {"data": {"age": 31}, "annotation": {"labelName": "yes"}}]
    ).json()
    assert [item["outcome"] for item in rows["items"]] == ["refused", "added"]
    said = [{"labelName": "Delivery"}, {"labelName": "Angry", "present": False}]
    tags = send_batch(key_client, tags_function, [{"data": "late", "annotation": said}]).json()
    read = key_client.get(address_of(tags_function, tags["items"][0]["id"])).json()
    assert [(tag["labelName"], tag["present"]) for tag in read["annotation"]] == [
        ("Delivery", True),
        ("Angry", False),
        ("Price", False),
    ]


def test_a_batch_of_pictures_comes_as_a_form_with_one_label_for_all(
    key_client: KeyClient, image_function: Function
) -> None:
    files = [io.BytesIO(picture(colour)) for colour in ("red", "blue")] + [io.BytesIO(b"no picture")]
    for number, file in enumerate(files):
        file.name = f"{number}.png"
    form = {"data": files, "annotation.labelName": "Apple"}
    body = key_client.send_files(address_of(image_function, "batch"), form).json()
    assert [item["outcome"] for item in body["items"]] == ["added", "added", "refused"]
    assert image_function.samples.filter(label__name="Apple").count() == 2


def test_a_form_with_several_files_is_no_single_sample(key_client: KeyClient, image_function: Function) -> None:
    files = [io.BytesIO(picture(colour)) for colour in ("red", "blue")]
    response = key_client.send_files(address_of(image_function), {"data": files})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_input")
    assert not image_function.samples.exists()


def test_a_form_without_files_is_no_batch(key_client: KeyClient, image_function: Function) -> None:
    response = key_client.send_files(address_of(image_function, "batch"), {"externalId": "x"})
    assert (response.status_code, "items" in response.json()["message"]) == (400, True)


@pytest.mark.parametrize("body", [None, [], "x", {}, {"items": None}, {"items": {}}, {"items": []}])
def test_what_is_no_batch_is_refused(key_client: KeyClient, text_function: Function, body: object) -> None:
    assert key_client.post(address_of(text_function, "batch"), json.dumps(body)).status_code == 400


def test_adding_one_takes_as_many_queries_however_many_there_are(
    key_client: KeyClient, text_function: Function, owner: User
) -> None:
    def n_queries(text: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            post(key_client, text_function, text, annotation={"labelName": "Refund"})
        return len(queries)

    n_queries("the key's first use is noted")
    few = n_queries("one")
    items = [NewText(f"text {number}", label_name="Shipping") for number in range(500)]
    add_texts(function=text_function, items=items, person=owner, origin=Origin.API)
    assert n_queries("another") == few <= 26
