"""Samples over the API: what goes in comes out the same, and nothing is stored twice."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from PIL import Image

from apps.accounts.models import User
from apps.functions.models import FieldType, Function, Label
from apps.samples.models import Annotation, Origin, PickedBy, Sample
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.row_fields import remove_field, retype_field
from tests.api.conftest import KeyClient
from tests.api.sample_calls import address_of, ids_of, post
from tests.pictures import data_uri, picture


@pytest.mark.parametrize(
    "text",
    ["plain", "  blanks around \n", "line\r\nends\rof all\nkinds", "e\u0301 is not \u00e9", "tab\tand \u200b", "🙂"],
)
def test_a_text_comes_back_byte_for_byte(key_client: KeyClient, text_function: Function, text: str) -> None:
    made = post(key_client, text_function, text)
    assert made["data"] == text
    assert key_client.get(address_of(text_function, made["id"])).json()["data"] == text
    assert key_client.get(address_of(text_function)).json()[0]["data"] == text


def test_the_same_sample_again_is_named_and_not_stored(key_client: KeyClient, text_function: Function) -> None:
    made = post(key_client, text_function, "money back", externalId="t-1")
    again = key_client.post(address_of(text_function), {"data": "money back"})
    assert again.status_code == 409
    assert again.json()["existingSampleId"] == again.json()["id"] == made["id"]
    assert again.json()["message"]
    assert Sample.objects.count() == 1


def test_what_is_known_keeps_its_annotation_and_is_given_the_one_it_lacks(
    key_client: KeyClient, text_function: Function
) -> None:
    bare = post(key_client, text_function, "money back")
    body: dict[str, object] = {"data": "money back", "annotation": {"labelName": "Refund"}}
    assert key_client.post(address_of(text_function), body).status_code == 409
    assert key_client.get(address_of(text_function, bare["id"])).json()["annotation"]["labelName"] == "Refund"
    body["annotation"] = {"labelName": "Shipping"}
    assert key_client.post(address_of(text_function), body).status_code == 409
    assert key_client.get(address_of(text_function, bare["id"])).json()["annotation"]["labelName"] == "Refund"


def test_a_label_counts_as_drawn_at_random_when_it_comes_with_its_sample(
    key_client: KeyClient, text_function: Function, refund: Label
) -> None:
    made = post(
        key_client, text_function, "money back", annotation={"labelId": refund.public_id.removeprefix("label_")}
    )
    assert made["annotation"] == {"labelId": refund.public_id, "labelName": "Refund"}
    assert Annotation.objects.get().picked_by == PickedBy.IMPORT
    key_client.put(address_of(text_function, made["id"], "annotation"), {"labelName": "Shipping"})
    assert Annotation.objects.latest("pk").picked_by == PickedBy.IMPORT  # a correction keeps why it was drawn
    bare = post(key_client, text_function, "where is it")
    key_client.put(address_of(text_function, bare["id"], "annotation"), {"labelName": "Shipping"})
    assert Annotation.objects.latest("pk").picked_by == PickedBy.PERSON


def test_a_captured_call_that_comes_with_its_label_does_not_count_as_drawn_at_random(
    key_client: KeyClient, text_function: Function
) -> None:
    add_texts(function=text_function, items=[NewText("odd")], person=None, origin=Origin.CAPTURE)
    response = key_client.post(address_of(text_function), {"data": "odd", "annotation": {"labelName": "Refund"}})
    assert response.status_code == 409
    assert Annotation.objects.get().picked_by == PickedBy.PERSON


def test_an_unknown_label_is_refused_and_nothing_is_made(key_client: KeyClient, text_function: Function) -> None:
    response = key_client.post(address_of(text_function), {"data": "x", "annotation": {"labelName": "Refunds"}})
    assert response.status_code == 400
    assert response.json()["message"] == "A label with name 'Refunds' was not found"
    assert not Sample.objects.exists()
    assert text_function.labels.count() == 2


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        17,
        {},
        {"data": None},
        {"data": ""},
        {"data": "  "},
        {"data": 17},
        {"data": ["x"]},
        {"data": {"a": 1}},
        {"data": "a\x00b"},
        {"data": "\ud83d cut"},
        {"data": "x" * 100_001},
        {"data": "x", "externalId": "i" * 201},
        {"data": "x", "externalId": {"a": 1}},
        {"data": "x", "externalId": "\ud83d"},
        {"data": "x", "annotation": "Refund"},
        {"data": "x", "annotation": 5},
        {"data": "x", "annotation": {}},
        {"data": "x", "annotation": {"labelName": ""}},
        {"data": "x", "annotation": {"labelName": "\ud83d"}},
        {"data": "x", "annotation": {"labelName": "\x00"}},
        {"data": "x", "annotation": {"labelName": 7}},
        {"data": "x", "annotation": {"labelId": "label_0000000000000000"}},
        {"data": "x", "annotation": {"labelName": "Refund", "present": False}},
        {"data": "x", "annotation": [{"labelName": "Refund"}, {"labelName": "Shipping"}]},
        {"data": "x", "annotation": [["Refund"]]},
    ],
)
def test_what_cannot_be_used_is_refused_in_words(key_client: KeyClient, text_function: Function, body: object) -> None:
    response = key_client.post(address_of(text_function), json.dumps(body))
    assert response.status_code == 400
    assert response.json()["message"]
    assert not Sample.objects.exists()


def test_null_means_not_given_and_names_compare_without_case(key_client: KeyClient, text_function: Function) -> None:
    body: dict[str, object] = {
        "DATA": "x",
        "ExternalId": "e-1",
        "Annotation": {"LabelName": "refund"},
        "sampleSets": [],
        "metadata": None,
    }
    made = key_client.post(address_of(text_function), body)
    assert made.status_code == 200
    assert made.json()["externalId"] == "e-1"
    assert made.json()["annotation"]["labelName"] == "Refund"
    bare = post(key_client, text_function, "y", externalId=None, annotation=None)
    assert not {"externalId", "annotation", "prediction"} & bare.keys()
    assert None not in bare.values()


def test_an_id_that_another_sample_has_is_refused(key_client: KeyClient, text_function: Function) -> None:
    post(key_client, text_function, "one", externalId="t-1")
    response = key_client.post(address_of(text_function), {"data": "two", "externalId": "t-1"})
    assert response.status_code == 400
    assert Sample.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_sample_sent_side_by_side_is_one(key_client: KeyClient, text_function: Function) -> None:
    def send(_number: int) -> tuple[int, str]:
        try:
            response = KeyClient(key_client.key_text).post(address_of(text_function), {"data": "all at once"})
            body = response.json()
            return response.status_code, body["id"] if response.status_code == 200 else body["existingSampleId"]
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(send, range(6)))
    assert sorted(status for status, _id in answers) == [200, 409, 409, 409, 409, 409]
    assert len({id_ for _status, id_ in answers}) == 1
    assert Sample.objects.count() == 1


def test_a_deleted_sample_can_be_added_anew_and_takes_the_annotation_it_comes_with(
    key_client: KeyClient, text_function: Function
) -> None:
    made = post(key_client, text_function, "money back", annotation={"labelName": "Refund"})
    assert key_client.delete(address_of(text_function, made["id"])).json() == {"id": made["id"]}
    assert key_client.get(address_of(text_function, made["id"])).status_code == 404
    assert key_client.delete(address_of(text_function, made["id"])).status_code == 404
    again = post(key_client, text_function, "money back", annotation={"labelName": "Shipping"})
    assert again["annotation"]["labelName"] == "Shipping"
    assert again["id"] == made["id"]


def test_a_sample_is_deleted_by_an_id_of_the_callers(key_client: KeyClient, text_function: Function) -> None:
    kept, gone = (post(key_client, text_function, text, externalId=text) for text in ("kept", "gone"))
    path = address_of(text_function)
    assert key_client.delete(path).status_code == 400
    assert key_client.delete(f"{path}?externalId=").status_code == 400
    assert key_client.delete(f"{path}?externalId=other").status_code == 404
    assert key_client.delete(f"{path}?externalId=gone").json() == {"id": gone["id"]}
    assert ids_of(key_client, text_function) == [kept["id"]]


def test_a_sample_is_found_in_its_own_function_only(
    key_client: KeyClient, outsider_key_client: KeyClient, text_function: Function, image_function: Function
) -> None:
    made = post(key_client, text_function, "mine")
    for client, function in ((key_client, image_function), (outsider_key_client, text_function)):
        for send in (client.get, client.delete):
            assert send(address_of(function, made["id"])).status_code == 404
        assert client.put(address_of(function, made["id"], "annotation"), {"labelName": "Refund"}).status_code == 404
    assert key_client.get(address_of(text_function, made["id"].removeprefix("sample_"))).status_code == 200


def test_a_key_that_reads_writes_nothing(client_with: Callable[..., KeyClient], text_function: Function) -> None:
    reader, writer = client_with("read"), client_with("read", "write")
    assert reader.post(address_of(text_function), {"data": "x"}).status_code == 403
    made = post(writer, text_function, "x")
    assert reader.get(address_of(text_function, made["id"])).status_code == 200
    assert writer.delete(address_of(text_function, made["id"])).status_code == 403  # deleting is for admins


# Rows


def test_a_row_comes_back_by_the_ids_of_its_fields_as_it_was_sent(
    key_client: KeyClient, table_function: Function, client: Client
) -> None:
    age, city, photo = table_function.fields.all()
    sent = {"Age": 31, city.public_id: " NA ", "photo": data_uri(picture(size=(300, 100))), "unknown": "x"}
    made = post(key_client, table_function, sent, annotation={"labelName": "Yes"})
    assert made["data"].keys() == {age.public_id, city.public_id, photo.public_id}
    assert made["data"][age.public_id] == 31
    assert made["data"][city.public_id] == " NA "
    response = client.get(made["data"][photo.public_id])
    assert Image.open(io.BytesIO(response.content)).size == (300, 100)
    assert key_client.post(address_of(table_function), {"data": sent}).status_code == 409


def test_fields_are_named_by_their_ids_without_the_kind_too(key_client: KeyClient, table_function: Function) -> None:
    age = table_function.fields.get(name="age")
    made = post(key_client, table_function, {age.public_id.removeprefix("field_"): 0.5})
    assert made["data"] == {age.public_id: 0.5}
    age.delete()
    assert key_client.get(address_of(table_function, made["id"])).json()["data"] == {}


def test_of_a_field_that_is_deleted_or_changed_nothing_is_kept_as_it_was_sent(
    key_client: KeyClient, table_function: Function, owner: User
) -> None:
    age, city, photo = table_function.fields.all()
    retype_field(field=photo, type=FieldType.TEXT, actor=owner)
    made = post(key_client, table_function, {"age": 1, "city": " Oslo ", "photo": " 31 "})
    retype_field(field=photo, type=FieldType.NUMBER, actor=owner)
    remove_field(field=city, actor=owner)
    assert key_client.get(address_of(table_function, made["id"])).json()["data"] == {
        age.public_id: 1,
        photo.public_id: 31,
    }
    row = Sample.objects.values_list("row", flat=True).get()
    assert "Oslo" not in str(row)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"unknown": "x"},
        {"age": "31"},
        {"age": True},
        {"age": 10**400},
        {"age": [1]},
        {"city": {"a": 1}},
        {"city": "a\x00"},
        {"city": "\ud83d"},
        {"photo": 5},
        {"photo": "picture.jpg"},
        {"photo": "http://127.0.0.1/x.png"},
        {"city": "NA", "age": None},
        "a text",
        [1],
    ],
)
def test_a_row_that_cannot_be_used_is_refused(key_client: KeyClient, table_function: Function, row: object) -> None:
    response = key_client.post(address_of(table_function), json.dumps({"data": row}))
    assert response.status_code == 400
    assert not Sample.objects.exists()


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "1" * 5000])
def test_numbers_beyond_all_bounds_are_refused(key_client: KeyClient, table_function: Function, number: str) -> None:
    response = key_client.post(address_of(table_function), f'{{"data": {{"age": {number}, "city": "Oslo"}}}}')
    assert response.status_code == 400


# Tags


def test_tags_keep_the_order_sent_and_those_not_mentioned_are_not_there(
    key_client: KeyClient, tags_function: Function
) -> None:
    said = [{"labelName": "Price", "present": True}, {"labelName": "Angry", "present": False}]
    path = f"/v0.9/functions/{tags_function.public_id}/samples"
    made = key_client.post(path, {"data": "too dear", "externalId": None, "annotation": said}).json()
    tags_function.labels.create(name="Later", position=3, colour=3)
    for version in ("v0.9", "v1"):
        read = key_client.get(f"/{version}/functions/{tags_function.public_id}/samples/{made['id']}").json()
        assert [(tag["labelName"], tag["present"]) for tag in read["annotation"]] == [
            ("Price", True),
            ("Angry", False),
            ("Delivery", False),
        ]
    assert key_client.get(f"{path}?batchSize=1000&sortBy=creation&sortOrder=descending").json()[0] == read


def test_a_tag_that_was_deleted_is_in_no_sample(key_client: KeyClient, tags_function: Function) -> None:
    made = post(key_client, tags_function, "too dear", annotation=[{"labelName": "Price", "present": True}])
    price = tags_function.labels.get(name="Price")
    key_client.delete(f"/v1/functions/{tags_function.public_id}/labels/{price.public_id}")
    read = key_client.get(address_of(tags_function, made["id"])).json()
    assert price.public_id not in [tag["labelId"] for tag in read["annotation"]]
