"""Samples over the API: what goes in comes out the same, nothing is stored twice, and lists hold what was asked for."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core import signing
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from PIL import Image

from apps.accounts.models import User
from apps.functions.models import FieldType, Function, InputKind, Label, OutputKind
from apps.samples.models import Annotation, Capture, CaptureReason, Origin, PickedBy, Sample
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.row_fields import remove_field, retype_field
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.services import revoke_key
from tests.api.conftest import KeyClient


def address_of(function: Function, *more: str) -> str:
    return "/".join([f"/v1/functions/{function.public_id}/samples", *more])


def picture(colour: str = "red", size: tuple[int, int] = (40, 20), form: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, form)
    return file.getvalue()


def data_uri(content: bytes) -> str:
    return "data:image/jpg;base64," + base64.b64encode(content).decode()


@pytest.fixture
def image_function(workspace: Workspace) -> Function:
    function = workspace.functions.create(name="Which fruit?", input_kind=InputKind.IMAGE)
    function.labels.create(name="Apple", position=0, colour=0)
    return function


@pytest.fixture
def table_function(workspace: Workspace) -> Function:
    function = workspace.functions.create(name="Will they pay?", input_kind=InputKind.TABLE)
    function.labels.create(name="Yes", position=0, colour=0)
    for position, (name, type_) in enumerate(
        [("age", FieldType.NUMBER), ("city", FieldType.TEXT), ("photo", FieldType.IMAGE)]
    ):
        function.fields.create(name=name, type=type_, position=position)
    return function


@pytest.fixture
def tags_function(workspace: Workspace) -> Function:
    function = workspace.functions.create(name="What is it about?", input_kind="text", output_kind=OutputKind.TAGS)
    for position, name in enumerate(["Angry", "Price", "Delivery"]):
        function.labels.create(name=name, position=position, colour=position)
    return function


def model_of(function: Function, **facts: Any) -> TrainedModel:
    number = TrainedModel.objects.count() + 1
    needed = {
        "data_revision": 1,
        "recipe": {},
        "label_ids": [label.public_id for label in function.labels.in_use()],
        "sha256": "0" * 64,
        "last_annotation_id": 0,
        "n_annotations": 0,
        "n_right": 0,
        "log_loss": 0.5,
        "published_at": timezone.now(),
    }
    return TrainedModel.objects.create(function=function, number=number, **{**needed, **facts})


def say(sample: Sample, model: TrainedModel, label: Label | None, kind: PredictionKind, **facts: Any) -> None:
    Prediction.objects.create(
        sample=sample,
        function=sample.function,
        kind=kind,
        model=model,
        label=label,
        margin=0.5,
        confidence=0.8,
        **facts,
    )


def post(client: KeyClient, function: Function, data: object, **more: object) -> dict[str, Any]:
    response = client.post(address_of(function), {"data": data, **more})
    assert response.status_code == 200, response.json()
    body: dict[str, Any] = response.json()
    return body


def ids_of(client: KeyClient, function: Function, **query: object) -> list[str]:
    response = client.get(address_of(function), query)
    assert response.status_code == 200, response.json()
    return [sample["id"] for sample in response.json()]


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


# Pictures


def test_a_picture_comes_back_as_an_address_that_needs_no_key(
    key_client: KeyClient, image_function: Function, client: Client
) -> None:
    content = picture(size=(1600, 400))
    made = post(key_client, image_function, data_uri(content), annotation={"labelName": "Apple"})
    assert made["data"].startswith("http://testserver/v1/media/")
    response = client.get(made["data"], headers={"Accept": "image/png"})
    assert response.status_code == 200
    assert response["Content-Type"] == "image/jpeg"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    assert Image.open(io.BytesIO(response.content)).size == (1024, 256)
    assert key_client.post(address_of(image_function), {"data": data_uri(content)}).status_code == 409


def test_under_the_mount_pictures_have_addresses_under_the_mount(
    key_client: KeyClient, image_function: Function, client: Client
) -> None:
    post(key_client, image_function, data_uri(picture()))
    [sample] = key_client.get(f"/api.com{address_of(image_function)}").json()
    assert sample["data"].startswith("http://testserver/api.com/v1/media/")
    assert client.get(sample["data"]).status_code == 200


def test_an_address_of_a_picture_dies_by_itself_and_with_its_sample(
    key_client: KeyClient, image_function: Function, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = post(key_client, image_function, data_uri(picture()))
    for minutes, status in ((19, 200), (21, 404)):
        ago = signing.b62_encode(int(time.time()) - minutes * 60)
        monkeypatch.setattr(signing.TimestampSigner, "timestamp", lambda _signer, ago=ago: ago)
        earlier = key_client.get(address_of(image_function, made["id"])).json()["data"]
        assert client.get(earlier).status_code == status
    assert client.get(made["data"]).status_code == 200
    key_client.delete(address_of(image_function, made["id"]))
    assert client.get(made["data"]).status_code == 404


def test_an_address_of_a_picture_dies_with_the_key_it_was_given_out_for(
    client_with: Callable[..., KeyClient], image_function: Function, client: Client, owner: User
) -> None:
    addresses = [post(client_with(), image_function, data_uri(picture(colour)))["data"] for colour in ("red", "blue")]
    assert [client.get(address).status_code for address in addresses] == [200, 200]
    revoke_key(key=ApiKey.objects.earliest("pk"), actor=owner)
    assert [client.get(address).status_code for address in addresses] == [404, 200]
    owner.memberships.all().delete()
    assert [client.get(address).status_code for address in addresses] == [404, 404]


@pytest.mark.parametrize(
    "token",
    ["x", "x:y:z", "..%2F", signing.dumps(["sample_x", ""], salt="another")],
    ids=["short", "of three parts", "a path", "signed for something else"],
)
def test_an_address_that_was_not_made_here_opens_nothing(db: None, client: Client, token: str) -> None:
    response = client.get(f"/v1/media/{token}")
    assert response.status_code == 404
    assert set(response.json()) == {"message", "code", "requestId"}


@pytest.mark.parametrize("part", ["data", "picture"])
def test_a_picture_comes_as_a_form_too(key_client: KeyClient, image_function: Function, part: str) -> None:
    file = io.BytesIO(picture())
    file.name = "apple.png"
    fields = {part: file, "externalId": "e-1", "annotation.labelName": "Apple"}
    response = key_client.send_files(address_of(image_function), fields)
    assert response.status_code == 200, response.json()
    assert response.json()["externalId"] == "e-1"
    assert response.json()["annotation"]["labelName"] == "Apple"


@pytest.mark.parametrize(
    "data",
    [
        "not a picture",
        "data:image/png;base64,%%%",
        "data:image/png;base64,AAAA",
        17,
        None,
        {"a": 1},
        "file:///etc/passwd",
        "http://127.0.0.1/x.png",
        "http://169.254.169.254/latest",
        "http://[::1]/x",
    ],
)
def test_what_is_no_picture_is_refused(key_client: KeyClient, image_function: Function, data: object) -> None:
    response = key_client.post(address_of(image_function), {"data": data})
    assert response.status_code == 400
    assert not Sample.objects.exists()


def test_a_picture_on_the_web_is_fetched_through_the_guard(
    key_client: KeyClient, image_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def fetch(url: str, *, max_bytes: int, seconds: float = 10) -> bytes:
        asked.append((url, max_bytes))
        return picture("green")

    monkeypatch.setattr("apps.core.outbound.fetch", fetch)
    post(key_client, image_function, "https://example.org/apple.png")
    assert asked == [("https://example.org/apple.png", 20 * 1024 * 1024)]
    sent = [{"data": f"https://example.org/{number}.png"} for number in range(10)]
    body = send_batch(key_client, image_function, [*sent, {"data": "http://"}]).json()
    assert {url for url, _most in asked} == {"http://", "https://example.org/apple.png", *(one["data"] for one in sent)}
    assert [item["outcome"] for item in body["items"]] == ["duplicate"] * 11


def test_pictures_that_do_not_come_are_refused_and_the_others_kept(
    key_client: KeyClient, image_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def fetch(url: str, *, max_bytes: int, seconds: float = 10) -> bytes:
        if "slow" in url:
            goes_on.wait(60)
        return picture("green")

    monkeypatch.setattr("apps.core.outbound.fetch", fetch)
    monkeypatch.setattr("apps.api.sample_batches.FETCH_SECONDS", 0.5)
    sent = ["https://example.org/quick.png", "https://example.org/slow.png", data_uri(picture("blue"))]
    body = send_batch(key_client, image_function, [{"data": data} for data in sent]).json()
    goes_on.set()
    assert [item["outcome"] for item in body["items"]] == ["added", "refused", "added"]


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


# Lists


def test_lists_are_newest_first_and_lead_to_their_next_page(key_client: KeyClient, text_function: Function) -> None:
    made = [post(key_client, text_function, f"text {number}")["id"] for number in range(5)]
    assert ids_of(key_client, text_function) == made[::-1]
    assert ids_of(key_client, text_function, sortBy="creation", sortOrder="ascending") == made
    page = key_client.get(address_of(text_function), {"batchSize": 2, "sortOrder": "ascending", "includeData": "false"})
    assert [sample["id"] for sample in page.json()] == made[:2]
    assert "data" not in page.json()[0]
    target = page["Link"].partition("<")[2].partition(">")[0]
    assert [sample["id"] for sample in key_client.get(target).json()] == made[2:4]


def test_a_list_holds_what_was_asked_for(
    key_client: KeyClient, text_function: Function, refund: Label, shipping: Label
) -> None:
    right = post(key_client, text_function, "money back", annotation={"labelName": "Refund"}, externalId="r-1")["id"]
    wrong = post(key_client, text_function, "parcel", annotation={"labelName": "Shipping"})["id"]
    bare = post(key_client, text_function, "unlabelled")["id"]
    unsaid = post(key_client, text_function, "nothing said")["id"]
    samples = {sample.public_id: sample for sample in Sample.objects.all()}
    model = model_of(text_function, is_live=True, last_annotation_id=samples[right].annotation_id)
    say(samples[right], model, refund, PredictionKind.OUT_OF_FOLD)
    say(samples[wrong], model, refund, PredictionKind.OUT_OF_FOLD)
    say(samples[bare], model, shipping, PredictionKind.LIVE)
    say(samples[unsaid], model, shipping, PredictionKind.OUT_OF_FOLD)  # left over: it has no annotation any more
    text_function.refresh_from_db()

    def found(**query: object) -> set[str]:
        return set(ids_of(key_client, text_function, **query))

    assert found(externalId="r-1") == {right}
    assert found(annotated="true") == {right, wrong}
    assert found(annotated=False) == {bare, unsaid}
    assert found(predicted="true") == {right, wrong, bare}
    assert found(predicted="false") == {unsaid}
    assert found(annotationLabelId=refund.public_id) == {right}
    assert found(predictionLabelId=refund.public_id) == {right, wrong}
    assert found(predictionLabelId=shipping.public_id.removeprefix("label_")) == {bare}
    assert found(predictionAndAnnotationAgree="true") == {right}
    assert found(predictionAndAnnotationAgree="false") == {wrong}
    assert found(predictionAndAnnotationAgree="false", annotationLabelId=refund.public_id) == set()
    assert found(inTrainSet="true") == {right}
    assert found(inTrainSet="false") == {wrong, bare, unsaid}
    assert found(searchText="PARC") == {wrong}
    assert found(sampleIds=f"{right},{bare.removeprefix('sample_')}") == {right, bare}
    assert set(ids_of(key_client, text_function, **{"sampleIds[]": [right, wrong]})) == {right, wrong}
    assert found(sampleIds="") == set()
    assert found(sampleSetId="sampleset_1") == set()
    assert found(origin="api") == {right, wrong, bare, unsaid}
    assert found(origin="Browser") == set()


def test_a_list_of_captured_calls(key_client: KeyClient, text_function: Function) -> None:
    for text in ("odd", "random"):
        add_texts(function=text_function, items=[NewText(text)], person=None, origin=Origin.CAPTURE)
    odd, _random = text_function.samples.order_by("pk")
    Capture.objects.create(sample=odd, function=text_function, reason=CaptureReason.LOW_CONFIDENCE, confidence=0.4)
    [sample] = key_client.get(address_of(text_function), {"captureReason": "lowconfidence"}).json()
    assert (sample["id"], sample["captureReason"]) == (odd.public_id, "LowConfidence")
    assert len(ids_of(key_client, text_function, origin="InvokeCapture")) == 2


def test_a_list_between_two_moments(key_client: KeyClient, text_function: Function) -> None:
    early, late = (post(key_client, text_function, text)["id"] for text in ("early", "late"))
    Sample.objects.filter(public_id=early).update(created_at="2026-01-01T12:00:00Z")
    assert ids_of(key_client, text_function, createdBefore="2026-01-01T12:00:01Z") == [early]
    assert ids_of(key_client, text_function, createdBefore="2026-01-01T13:00:01+02:00") == []
    assert ids_of(key_client, text_function, createdAfter="2026-01-02") == [late]
    plain = key_client.get(f"{address_of(text_function)}?createdBefore=2026-01-01T15:00:00+02:00")
    assert [sample["id"] for sample in plain.json()] == [early]


@pytest.mark.parametrize(
    "query",
    [
        "annotated=maybe",
        "sortBy=size",
        "sortOrder=up",
        "origin=Moon",
        "captureReason=None",
        "createdAfter=yesterday",
        "createdAfter=2026-02-31T00:00:00Z",
        "createdAfter=0001-01-01T00:00:00%2B14:00",
        "createdBefore=9999-12-31T23:59:59-14:00",
        "createdBefore=99999999999999999999",
        "annotationLabelId=label_nothing",
        "predictionLabelId=%00",
        "startIndex=-1",
        "startIndex=99999999999",
        "count=many",
        "searchText=" + "x" * 201,
        "sampleIds=" + ",".join(f"s{number}" for number in range(10_000)),
    ],
)
def test_what_no_list_can_hold_is_refused(key_client: KeyClient, text_function: Function, query: str) -> None:
    response = key_client.get(f"{address_of(text_function)}?{query}")
    assert response.status_code == 400
    assert response.json()["message"]


@pytest.mark.parametrize("name", ["externalId", "searchText", "sampleIds", "sampleSetId"])
@pytest.mark.parametrize("value", ["%00", "%ED%A0%80", "%FF", "'; --", "%25_%5C"])
def test_odd_characters_find_nothing(key_client: KeyClient, text_function: Function, name: str, value: str) -> None:
    post(key_client, text_function, "plain")
    response = key_client.get(f"{address_of(text_function)}?{name}={value}")
    assert response.status_code == 200
    assert response.json() == []


def test_predictions_of_tags_are_those_judged_to_be_there(key_client: KeyClient, tags_function: Function) -> None:
    angry, price, delivery = tags_function.labels.all()
    made = post(key_client, tags_function, "too dear", annotation=[{"labelName": "Price", "present": True}])
    bare = post(key_client, tags_function, "hello")
    model = model_of(tags_function, is_live=True, figures={"thresholds": {angry.public_id: 0.9}})
    tags = {angry.public_id: 0.8, price.public_id: 0.6, delivery.public_id: 0.1}
    for id_, kind in ((made["id"], PredictionKind.OUT_OF_FOLD), (bare["id"], PredictionKind.LIVE)):
        say(Sample.objects.get(public_id=id_), model, price, kind, tags=tags)
    tags_function.refresh_from_db()
    for sample in key_client.get(address_of(tags_function)).json():
        assert sample["prediction"] == [{"labelId": price.public_id, "labelName": "Price", "confidence": 0.6}]
    assert ids_of(key_client, tags_function, predictionLabelId=price.public_id) == [bare["id"], made["id"]]
    assert ids_of(key_client, tags_function, predictionLabelId=angry.public_id) == []
    assert ids_of(key_client, tags_function, annotationLabelId=price.public_id) == [made["id"]]
    assert ids_of(key_client, tags_function, predictionAndAnnotationAgree="true") == [made["id"]]
    assert ids_of(key_client, tags_function, predictionAndAnnotationAgree="false") == []


def test_a_page_of_many_takes_no_more_queries_than_a_page_of_few(
    key_client: KeyClient, text_function: Function, owner: User
) -> None:
    items = [NewText(f"text {number}", label_name="Refund") for number in range(300)]
    add_texts(function=text_function, items=items, person=owner, origin=Origin.API)

    def n_queries(count: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(ids_of(key_client, text_function, count=count)) == count
        return len(queries)

    n_queries(1)  # the key's first use is noted
    assert n_queries(300) == n_queries(2) <= 9


# Batches


def send_batch(client: KeyClient, function: Function, samples: object) -> Any:
    return client.post(address_of(function, "batch"), json.dumps({"items": samples}))


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
