"""Request by request, what the package does not do: other spellings and verbs, paging, filters, duplicates at once."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.clients.conftest import CLIENT_ID, CLIENT_SECRET, Server
from tests.clients.inputs import SORTS, text_of
from tests.live_up import wait_until

pytestmark = pytest.mark.xdist_group("clients")

BODY = {"message", "code", "requestId"}


def make(http: httpx.Client, input_kind: str = "Text", output: str = "Classification") -> str:
    made = http.post("/v1/functions", json={"name": "By hand", "input": input_kind, "output": output})
    assert made.status_code == 200, made.text
    return str(made.json()["id"])


@pytest.fixture
def function(http: httpx.Client) -> Iterator[str]:
    """The address of a fresh text function with the labels *Refund* and *Shipping*."""
    path = f"/v1/functions/{make(http)}"
    for sort in SORTS:
        assert http.post(f"{path}/labels", json={"name": sort}).status_code == 200
    yield path
    http.delete(path)


def links(answer: httpx.Response) -> str:
    """Where the next page is, as it stands in the header."""
    return answer.headers.get("Link", "").partition("<")[2].partition(">")[0]


def png(mode: str, colour: tuple[int, ...], size: tuple[int, int] = (40, 30)) -> bytes:
    file = BytesIO()
    Image.new(mode, size, colour).save(file, "PNG")
    return file.getvalue()


def test_a_token_is_had_at_the_root_and_through_the_mount_and_by_either_way_of_sending(server: Server) -> None:
    form = {"grant_type": "client_credentials"}
    pair = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    for base in (server.up.url, server.mounted):
        url = f"{base.rstrip('/')}/connect/token"
        answers = [
            httpx.post(url, data={**form, **pair}, trust_env=False),
            httpx.post(f"{url}/", data={**form, **pair}, trust_env=False),
            httpx.post(url, data=form, auth=(CLIENT_ID, CLIENT_SECRET), trust_env=False),
        ]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert all(answer.json()["token_type"] == "Bearer" for answer in answers)
        assert all(answer.json()["expires_in"] > 600 for answer in answers)  # else clients sign in for every call


def test_a_wrong_secret_and_no_token_are_refused(server: Server, function: str) -> None:
    url = server.up.url.rstrip("/")
    wrong = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": "guessed"}
    refused = [
        httpx.post(f"{url}/connect/token", data=wrong, trust_env=False),
        httpx.get(f"{url}{function}", trust_env=False),
        httpx.get(f"{url}{function}", headers={"Authorization": "Bearer hft_nothing"}, trust_env=False),
    ]
    assert [answer.status_code for answer in refused] == [401] * 3
    assert all(set(answer.json()) >= BODY for answer in refused)
    assert CLIENT_SECRET not in "".join(answer.text for answer in refused)


def test_every_address_is_there_with_a_last_slash_and_under_the_mount(
    http: httpx.Client, mounted: httpx.Client, function: str
) -> None:
    sample = http.post(f"{function}/samples/", json={"data": "one"}).json()["id"]
    state = function.replace("/v1/", "/v0.9/")
    paths = [
        *("/v1/functions", function, f"{function}/labels", f"{function}/samples", f"{function}/samples/{sample}"),
        *(state, f"{state}/metrics", f"{state}/samples", "/v0.9/projects"),
    ]
    for path in paths:
        plain = http.get(path)
        assert plain.status_code == 200, path
        for client, spelling in ((http, f"{path}/"), (mounted, path), (mounted, f"{path}//")):
            again = client.get(spelling)
            assert (again.status_code, again.history) == (200, []), spelling
            assert len(again.json()) == len(plain.json())


def test_names_of_keys_compare_without_case_and_null_is_not_given(http: httpx.Client, function: str) -> None:
    body = {"Data": "one", "ExternalID": "a-1", "Annotation": {"LabelName": "Refund"}, "SampleSets": None, "extra": [1]}
    made = http.post(f"{function}/samples", json=body)
    assert made.status_code == 200, made.text
    assert (made.json()["externalId"], made.json()["annotation"]["labelName"]) == ("a-1", "Refund")
    bare = http.post(f"{function}/samples", json={"data": "two", "externalId": None, "annotation": None})
    assert "annotation" not in bare.json()
    assert "null" not in http.get(f"{function}/samples").text


def test_ids_are_taken_with_and_without_their_kind_everywhere(http: httpx.Client, function: str) -> None:
    label = http.get(f"{function}/labels").json()[0]["id"]
    sample = http.post(f"{function}/samples", json={"data": "one"}).json()["id"]
    for function_path in (function, function.replace("function_", "")):
        for label_id in (label, label.removeprefix("label_")):
            assert http.get(f"{function_path}/labels/{label_id}").status_code == 200
            for sample_id in (sample, sample.removeprefix("sample_")):
                path = f"{function_path}/samples/{sample_id}"
                said = http.put(f"{path}/annotation", json={"labelId": label_id})
                assert (said.status_code, said.json()["labelId"]) == (200, label)
                assert http.get(path).json()["id"] == sample


def test_an_annotation_is_put_or_posted_and_taken_back(http: httpx.Client, function: str) -> None:
    path = f"{function}/samples/{http.post(f'{function}/samples', json={'data': 'one'}).json()['id']}"
    for method, name in ((http.put, "Refund"), (http.post, "Shipping")):
        said = method(f"{path}/annotation/", json={"labelName": name})
        assert (said.status_code, said.json()["labelName"]) == (200, name)
        assert http.get(path).json()["annotation"]["labelName"] == name
    unknown = http.put(f"{path}/annotation", json={"labelName": "Nobody's"})
    assert unknown.status_code == 400
    assert "A label with name 'Nobody's' was not found" in unknown.json()["message"]
    assert [http.delete(f"{path}/annotation").status_code for _again in range(2)] == [200, 200]
    assert "annotation" not in http.get(path).json()


def test_lists_go_on_where_the_link_says_at_the_root_and_under_the_mount(
    http: httpx.Client, mounted: httpx.Client, function: str
) -> None:
    texts = [f"text {number}" for number in range(25)]
    for text in texts:
        assert http.post(f"{function}/samples", json={"data": text}).status_code == 200
    for client in (http, mounted):
        found: list[str] = []
        where = f"{function}/samples?batchSize=10&sortBy=creation&sortOrder=descending"
        n_pages = 0
        while where:
            page = client.get(where)
            found += [sample["data"] for sample in page.json()]
            where, n_pages = links(page), n_pages + 1
            assert not where or where.startswith("/v1/functions/")
        assert (found, n_pages) == (texts[::-1], 3)
    assert links(http.get(f"{function}/samples?batchSize=25")) == ""
    ascending = http.get(f"{function}/samples", params={"sortOrder": "ascending", "count": 3, "startIndex": 1})
    assert [sample["data"] for sample in ascending.json()] == texts[1:4]


def test_samples_are_found_by_what_is_known_of_them(http: httpx.Client, function: str) -> None:
    label = http.get(f"{function}/labels").json()[0]
    bodies = [
        {"data": "a lost parcel", "externalId": "x-1"},
        {"data": "my money back", "annotation": {"labelId": label["id"]}},
        {"data": "a late parcel"},
    ]
    ids = [http.post(f"{function}/samples", json=body).json()["id"] for body in bodies]
    wanted: list[tuple[dict[str, Any], list[int]]] = [
        ({"externalId": "x-1"}, [0]),
        ({"annotated": "true"}, [1]),
        ({"annotated": "false"}, [2, 0]),
        ({"annotationLabelId": label["id"].removeprefix("label_")}, [1]),
        ({"searchText": "parcel"}, [2, 0]),
        ({"sampleIds": f"{ids[0]},{ids[2]}"}, [2, 0]),
        ({"sampleIds": ""}, []),
        ({"origin": "Api"}, [2, 1, 0]),
        ({"createdAfter": "2999-01-01T00:00:00Z"}, []),
    ]
    for query, numbers in wanted:
        found = http.get(f"{function}/samples", params=query)
        assert found.status_code == 200, found.text
        if query != {"sampleIds": ""}:
            assert [sample["id"] for sample in found.json()] == [ids[number] for number in numbers], query
    assert all("data" not in sample for sample in http.get(f"{function}/samples?includeData=false").json())


def test_one_sample_is_one_however_often_it_is_sent_at_once(server: Server, function: str) -> None:
    """Through connections of their own, as several programs would."""

    def send(_number: int) -> httpx.Response:
        with server.client() as client:
            return client.post(
                f"{function}/samples", json={"data": "the very same", "annotation": {"labelName": "Refund"}}
            )

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(send, range(24)))
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200, *[409] * 23]
    [winner] = [answer.json()["id"] for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer.status_code == 409:
            assert set(answer.json()) == BODY | {"id", "existingSampleId"}
            assert answer.json()["id"] == answer.json()["existingSampleId"] == winner


@pytest.mark.parametrize(("what", "body"), [("labels", {"name": "New"}), ("fields", {"name": "New", "type": "Text"})])
def test_one_label_or_field_is_one_however_often_it_is_sent_at_once(
    server: Server, http: httpx.Client, what: str, body: dict[str, str]
) -> None:
    path = f"/v1/functions/{make(http, 'Tabular')}"

    def send(_number: int) -> httpx.Response:
        with server.client() as client:
            return client.post(f"{path}/{what}", json=body)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(send, range(24)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 23]
    assert len({answer.json()["id"] for answer in answers}) == 1
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert set(refused.json()) == BODY | {"id"}
    assert "already exists" in refused.json()["message"]
    assert [each["id"] for each in http.get(f"{path}/{what}").json()] == [refused.json()["id"]]
    assert http.delete(path).status_code == 200


def test_samples_go_by_an_id_of_the_callers(http: httpx.Client, function: str) -> None:
    sample = http.post(f"{function}/samples", json={"data": "one", "externalId": "ticket 17/4"}).json()["id"]
    assert http.delete(f"{function}/samples", params={"externalId": "ticket 17/4"}).status_code == 200
    assert http.get(f"{function}/samples/{sample}").status_code == 404
    assert http.delete(f"{function}/samples", params={"externalId": "ticket 17/4"}).status_code == 404
    assert http.delete(f"{function}/samples").status_code == 400


def test_everything_is_answered_with_exactly_200(http: httpx.Client) -> None:
    path = f"/v1/functions/{make(http, 'Tabular')}"
    label = http.post(f"{path}/labels", json={"name": "A"})
    field = http.post(f"{path}/fields", json={"name": "B", "type": "Number"})
    sample = http.post(f"{path}/samples", json={"data": {"B": 4}})
    label_path, field_path, sample_path = (
        f"{path}/{what}/{answer.json()['id']}"
        for what, answer in (("labels", label), ("fields", field), ("samples", sample))
    )
    answers = [
        *(label, field, sample),
        http.put(path, json={"name": "C"}),
        http.put(label_path, json={"name": "D"}),
        http.put(field_path, json={"name": "E"}),
        http.put(f"{sample_path}/annotation", json={"labelName": "D"}),
        http.delete(f"{sample_path}/annotation"),
        *(http.delete(sample_path), http.delete(field_path), http.delete(label_path), http.delete(path)),
    ]
    assert [answer.status_code for answer in answers] == [200] * len(answers)


def test_a_value_that_is_no_number_is_refused_where_numbers_stand(http: httpx.Client) -> None:
    path = f"/v1/functions/{make(http, 'Tabular')}"
    http.post(f"{path}/fields", json={"name": "Age", "type": "Number"})
    assert http.post(f"{path}/samples", json={"data": {"Age": "forty"}}).status_code == 400
    kept = http.post(f"{path}/samples", json={"data": {"Age": 41, "Unknown": "x"}})
    assert list(kept.json()["data"].values()) == [41]
    http.delete(path)


def test_pictures_come_as_data_uris_and_as_files_with_transparency_white(server: Server, http: httpx.Client) -> None:
    path = f"/v1/functions/{make(http, 'Image')}"
    http.post(f"{path}/labels", json={"name": "Clear"})
    clear, half = png("RGBA", (0, 0, 0, 0)), png("LA", (0, 0), (30, 40))
    uri = f"data:image/png;base64,{base64.b64encode(clear).decode()}"
    by_uri = http.post(f"{path}/samples", json={"data": uri})
    by_file = http.post(
        f"{path}/samples",
        files={"picture": ("half.png", half, "image/png")},
        data={"externalId": "p-2", "annotation.labelName": "Clear"},
    )
    assert [by_uri.status_code, by_file.status_code] == [200, 200], by_file.text
    assert (by_file.json()["externalId"], by_file.json()["annotation"]["labelName"]) == ("p-2", "Clear")
    for answer in (by_uri, by_file):
        data = answer.json()["data"]
        content = (
            base64.b64decode(data.partition(",")[2])
            if data.startswith("data:")
            else httpx.get(data, timeout=5, trust_env=False).raise_for_status().content
        )
        picture = Image.open(BytesIO(content)).convert("RGB")
        assert picture.getpixel((1, 1)) == (255, 255, 255)
        assert picture.size in {(40, 30), (30, 40)}
    again = http.post(f"{path}/samples", json={"data": uri})
    assert (again.status_code, again.json()["existingSampleId"]) == (409, by_uri.json()["id"])
    assert http.post(f"{path}/samples", json={"data": "data:image/png;base64,AAAA"}).status_code == 400
    http.delete(path)


def test_tags_are_served_on_both_versions(http: httpx.Client) -> None:
    path = f"/v1/functions/{make(http, output='Tags')}"
    old = path.replace("/v1/", "/v0.9/")
    for name in ("A", "B"):
        http.post(f"{path}/labels", json={"name": name})
    said = [{"labelName": "B", "present": True}]
    sample = http.post(f"{old}/samples", json={"data": "one", "annotation": said}).json()
    assert [(tag["labelName"], tag["present"]) for tag in sample["annotation"]] == [("B", True), ("A", False)]
    later = http.post(f"{path}/labels", json={"name": "Later"}).json()["id"]
    for version in (path, old):
        read = http.get(f"{version}/samples/{sample['id']}").json()
        assert read["annotation"] == sample["annotation"]
        assert http.get(f"{version}/samples").json() == [read]
    assert later not in http.get(f"{old}/samples").text
    metrics = http.get(f"{old}/metrics").json()
    assert sorted(metrics["annotatedLabelCounts"].values()) == [0, 1, 1]
    assert sorted(metrics["positiveAnnotatedLabelCounts"].values()) == [0, 0, 1]
    assert http.delete(f"{old}/samples/{sample['id']}").status_code == 200
    http.delete(path)


def test_state_and_counts_tell_when_it_is_trained_and_calls_are_answered(http: httpx.Client, function: str) -> None:
    old = function.replace("/v1/", "/v0.9/")
    early = http.post(f"{function}/invoke", json={"data": "anything"})
    assert early.status_code in {200, 400}
    for sort in SORTS:
        for number in range(4):
            body = {"data": text_of(sort, number), "annotation": {"labelName": sort}}
            assert http.post(f"{function}/samples", json=body).status_code == 200
    http.post(f"{function}/samples", json={"data": "neither of them"})

    def is_trained() -> bool:
        metrics, state = http.get(f"{old}/metrics").json(), http.get(old).json()["state"]
        is_done = not metrics["isTraining"] and metrics["sampleCount"] == metrics["predictionCount"]
        return bool(is_done and state in {"Browsing", "Tuning"})

    assert wait_until(is_trained, seconds=60, what="it is trained")
    assert http.get(f"{old}/metrics").json()["predictionCount"] == 9
    asked = {"labelCount": 2, "includeMetadata": "true", "modelId": "", "capture": "false", "externalId": "c-1"}
    answer = http.post(f"{function}/invoke/", params=asked, json={"data": text_of("Refund", 50)})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["labelName"], answer.json()["externalId"]) == ("Refund", "c-1")
    assert [each["labelName"] for each in answer.json()["labelConfidences"]] == ["Refund", "Shipping"]


def test_samples_are_searched_once_the_state_says_so(http: httpx.Client) -> None:
    path = f"/v1/functions/{make(http, output='Search')}"
    texts = [text_of(sort, number) for sort in SORTS for number in range(3)]
    ids = [
        http.post(f"{path}/samples", json={"data": text, "externalId": f"t-{number}"}).json()["id"]
        for number, text in enumerate(texts)
    ]
    old = path.replace("/v1/", "/v0.9/")
    assert wait_until(lambda: http.get(old).json()["state"] == "Browsing", seconds=60, what="it can be searched")
    metrics = http.get(f"{old}/metrics").json()
    assert (metrics["isTraining"], metrics["sampleCount"], metrics["predictionCount"]) == (False, 6, 6)
    search = path.replace("/functions/", "/search-functions/")
    found = http.post(f"{search}/invoke", params={"sampleCount": 3}, json={"data": texts[1]})
    assert found.status_code == 200, found.text
    nearest = found.json()
    assert len(nearest) == 3
    assert (nearest[0]["sampleId"], nearest[0]["externalId"], nearest[0]["data"]) == (ids[1], "t-1", texts[1])
    distances = [each["distance"] for each in nearest]
    assert distances == sorted(distances)
    bare = http.post(f"{search}/invoke", params={"includeData": "false"}, json={"sampleId": ids[1]})
    assert all("data" not in each for each in bare.json())
    http.delete(path)


def test_whatever_goes_wrong_has_one_shape(http: httpx.Client, mounted: httpx.Client, function: str) -> None:
    for client in (http, mounted):
        answers = [
            client.get("/v1/functions/function_k3j9x2m4p8qazw1s"),
            client.get("/v1/nothing"),
            client.patch(function, json={}),
            client.post("/v1/functions", content=b"{", headers={"Content-Type": "application/json"}),
            client.post("/v1/functions", content=b"[" * 100_000, headers={"Content-Type": "application/json"}),
            client.post("/v1/functions", content=b"a", headers={"Content-Type": "text/plain"}),
            client.post(f"{function}/samples", json={"data": 5}),
            client.post(f"{function}/samples", content=json.dumps({"data": "\ud800"}).encode()),
        ]
        codes = [answer.status_code for answer in answers]
        assert codes[:-1] == [404, 404, 405, 400, 400, 415, 400], codes
        assert codes[-1] in {400, 415}
        for answer in answers:
            assert set(answer.json()) == BODY, answer.text
            assert answer.json()["requestId"] == answer.headers["X-Request-ID"]


def test_a_request_sent_again_under_its_words_is_answered_the_same_and_does_nothing(http: httpx.Client) -> None:
    headers = {"Idempotency-Key": "make-the-function-once"}
    body = {"name": "Once", "input": "Text", "output": "Classification"}
    first, again = (http.post("/v1/functions", json=body, headers=headers) for _number in range(2))
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    other = http.post("/v1/functions", json={**body, "name": "Twice"}, headers=headers)
    assert other.status_code in {409, 422}
    http.delete(f"/v1/functions/{first.json()['id']}")


def test_a_key_of_one_function_sees_no_other(server: Server, http: httpx.Client, function: str) -> None:
    function_id = function.rpartition("/")[2]
    server.make_key(f"only-{function_id[-8:]}", "--function", function_id)
    other = f"/v1/functions/{make(http)}"
    with server.client(f"only-{function_id[-8:]}") as only:
        assert [each["id"] for each in only.get("/v1/functions").json()] == [function_id]
        assert only.get(f"{function}/labels").status_code == 200
        assert [only.get(other).status_code, only.get(f"{other}/labels").status_code] == [404, 404]
        assert only.post("/v1/functions", json={"input": "Text", "output": "Tags"}).status_code == 403
    http.delete(other)


def test_a_project_is_the_workspace(http: httpx.Client, function: str) -> None:
    [project] = http.get("/v0.9/projects").json()
    assert http.get(function).json()["projectId"] == project["id"]
    assert http.post("/v0.9/projects", json={"name": "Another"}).json() == project
