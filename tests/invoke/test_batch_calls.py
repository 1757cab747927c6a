"""Calls with many inputs: each answered by itself, in order, and nobody beside them waits for long."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pytest_django import Settings

from apps.core import outbound
from apps.functions.models import FieldType, Function, InputKind
from apps.functions.services import add_rule
from apps.invoke import batches, calling
from apps.invoke.models import Invocation
from apps.invoke.services import Predictions
from apps.training.models import TrainedModel
from tests.invoke.conftest import PARCELS, REFUNDS, path_of
from tests.pictures import picture

pytestmark = pytest.mark.django_db(transaction=True)
Post = Callable[..., httpx.Response]
TEXTS = [f"{text} number {i}" for i, text in enumerate((REFUNDS + PARCELS) * 10)]


def batch_path_of(function: Function) -> str:
    return f"{path_of(function)}/batch"


def results_of(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    body = response.json()
    assert set(body) == {"items"}
    results: list[dict[str, Any]] = body["items"]
    return results


def items(*texts: object) -> dict[str, list[dict[str, object]]]:
    return {"items": [{"data": text} for text in texts]}


class TestAnswers:
    def test_each_is_answered_as_it_would_be_alone_and_in_order(self, trained: Function, post: Post) -> None:
        results = results_of(post(batch_path_of(trained), json=items(*TEXTS)))
        assert len(results) == len(TEXTS)
        for i in (0, 7, 33, 79):
            alone = post(path_of(trained), json={"data": TEXTS[i]}).json()
            assert results[i]["labelName"] == alone["labelName"]
            assert results[i]["confidence"] == pytest.approx(alone["confidence"], abs=1e-6)
            assert set(results[i]) == set(alone)

    def test_a_bad_one_spoils_nothing(self, trained: Function, post: Post) -> None:
        body = {"items": [{"data": "a refund"}, {"data": 7}, "text", {"data": ""}, {"Data": "my parcel"}, None]}
        results = results_of(post(batch_path_of(trained), json=body))
        said = [result.get("labelName") or result["error"]["code"] for result in results]
        assert said == ["Refund", *3 * ["invalid_input"], "Shipping", "invalid_input"]
        assert all(set(result["error"]) == {"message", "code"} for result in results if "error" in result)

    def test_ids_and_options_count_for_each(self, trained: Function, post: Post) -> None:
        body = {"items": [{"data": "a refund", "externalId": "one"}, {"data": "my parcel"}]}
        first, second = results_of(post(f"{batch_path_of(trained)}?labelCount=1", json=body))
        assert first["externalId"] == "one"
        assert "externalId" not in second
        assert len(first["labelConfidences"]) == len(second["labelConfidences"]) == 1

    def test_none_at_all_are_answered_with_none(self, trained: Function, post: Post) -> None:
        assert results_of(post(batch_path_of(trained), json={"items": []})) == []

    def test_any_published_model_can_be_named(self, trained: Function, post: Post) -> None:
        model = TrainedModel.objects.get(function=trained, is_live=True).public_id
        (result,) = results_of(post(f"{batch_path_of(trained)}?modelId={model}", json=items("a refund")))
        assert result["modelId"] == model

    def test_pictures_come_as_files_of_a_form_or_as_data(self, trained_pictures: Function, post: Post) -> None:
        colours = ["#e00", "#00e", "#d01"]
        files = [("data", (f"{i}.png", picture(colour))) for i, colour in enumerate(colours)]
        results = results_of(post(batch_path_of(trained_pictures), files=files))
        assert [result["labelName"] for result in results] == ["Red", "Blue", "Red"]
        uris = ["data:image/png;base64," + base64.b64encode(picture(colour)).decode() for colour in colours]
        results = results_of(post(batch_path_of(trained_pictures), json=items(*uris, "data:image/png;base64,AAAA")))
        assert [result.get("labelName") for result in results] == ["Red", "Blue", "Red", None]

    def test_pictures_are_fetched_each_from_its_address(
        self, trained_pictures: Function, post: Post, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fetch(url: str, *, max_bytes: int, seconds: float) -> bytes:
            if "gone" in url:
                raise outbound.NoAnswer("There was no whole answer from this address.")
            return picture("#e00")

        monkeypatch.setattr(outbound, "fetch", fetch)
        urls = ["https://example.com/red.png", "https://example.com/gone.png"]
        red, gone = results_of(post(batch_path_of(trained_pictures), json=items(*urls)))
        assert red["labelName"] == "Red"
        assert "no whole answer" in gone["error"]["message"]

    def test_rows_are_answered_too(self, text_function: Function, post: Post) -> None:
        Function.objects.filter(pk=text_function.pk).update(input_kind=InputKind.TABLE)
        text_function.fields.create(name="Note", type=FieldType.CATEGORY, position=0)
        add_rule(label=text_function.labels.get(name="Refund"), words="late")
        rows = [{"Note": "late"}, {"Note": []}, {"Other": 1}]
        results = results_of(post(batch_path_of(text_function), json=items(*rows)))
        assert results[0]["labelName"] == "Refund"
        assert [result["error"]["code"] for result in results[1:]] == ["invalid_input"] * 2

    def test_a_fault_in_here_is_one_of_its_item_and_said_without_its_insides(
        self, trained: Function, post: Post, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        check = calling._check

        def fail(answer: Any, call: Any) -> None:
            if answer.best.label.name == "Refund":
                raise ZeroDivisionError("secret inside")
            check(answer, call)

        monkeypatch.setattr(calling, "_check", fail)
        bad, good = results_of(post(batch_path_of(trained), json=items("a refund", "my parcel")))
        assert bad["error"]["code"] == "internal_error"
        assert "secret" not in bad["error"]["message"]
        assert good["labelName"] == "Shipping"

    def test_each_leaves_a_row(self, trained: Function, post: Post, predictions: Predictions) -> None:
        results_of(post(batch_path_of(trained), json=items("a refund", "my parcel", 7)))
        predictions.recorder.flush()
        assert sorted(Invocation.objects.values_list("error", flat=True)) == ["", "", "invalid_input"]


class TestRefusals:
    @pytest.mark.parametrize(
        "content", [b"", b"{", b"[]", b"{}", b'{"items": 7}', b'{"items": {"data": "x"}}', b'{"data": "x"}']
    )
    def test_a_body_without_items(self, trained: Function, post: Post, content: bytes) -> None:
        response = post(batch_path_of(trained), content=content)
        assert (response.status_code, response.json()["code"]) == (400, "invalid_input")
        assert "items" in response.json()["message"]

    def test_more_than_a_thousand(self, trained: Function, post: Post) -> None:
        response = post(batch_path_of(trained), json=items(*["a"] * (batches.MAX_ITEMS + 1)))
        assert (response.status_code, response.json()["code"]) == (413, "too_large")
        assert "1,000" in response.json()["message"]

    def test_more_than_64_pictures(self, trained_pictures: Function, post: Post) -> None:
        assert post(batch_path_of(trained_pictures), json=items(*["a"] * 65)).status_code == 413

    def test_a_form_for_texts(self, trained: Function, post: Post) -> None:
        assert post(batch_path_of(trained), files={"data": ("a.txt", b"refund")}).status_code == 400

    def test_a_body_over_the_cap_is_refused_unread(self, trained: Function, post: Post, settings: Settings) -> None:
        settings.API_MAX_BYTES = 1000
        assert post(batch_path_of(trained), content=b"x" * 1001).status_code == 413

    def test_without_a_key_and_with_another_method(self, trained: Function, run: Any) -> None:
        assert run(lambda client: client.post(batch_path_of(trained), json=items("a"))).status_code == 401
        assert run(lambda client: client.get(batch_path_of(trained))).status_code == 405

    def test_older_clients_know_no_such_address(self, trained: Function, app: Any) -> None:
        assert not app.handles(batch_path_of(trained).replace("/v1/", "/v0.9/"))


def test_of_pictures_only_a_few_are_in_memory_at_once(
    trained_pictures: Function, post: Post, monkeypatch: pytest.MonkeyPatch, predictions: Predictions
) -> None:
    submitted: list[int] = []
    submit = predictions.submit_bulk

    def counting(questions: Any) -> Any:
        submitted.append(len(questions))
        return submit(questions)

    monkeypatch.setattr(predictions, "submit_bulk", counting)
    files = [("data", (f"{i}.png", picture("#e00"))) for i in range(20)]
    assert len(results_of(post(batch_path_of(trained_pictures), files=files))) == 20
    assert submitted == [8, 8, 4]
