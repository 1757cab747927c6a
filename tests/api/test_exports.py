"""Exports over the API: asked for, waited for, fetched, deleted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.accounts.models import User
from apps.functions.models import Function
from apps.samples import exports
from apps.samples.models import Export, Origin
from apps.samples.services.export_runs import write_export
from apps.samples.services.intake import NewText, add_texts
from tests.api.conftest import KeyClient

pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")


@pytest.fixture
def path(text_function: Function, owner: User) -> str:
    items = [NewText(f"text {number}", label_name="Refund") for number in range(5)]
    add_texts(function=text_function, items=items, person=owner, origin=Origin.API)
    return f"/v1/functions/{text_function.public_id}/exports"


def finish(export_id: str) -> None:
    export = Export.objects.get(public_id=export_id)
    assert write_export(export_id=export.pk, n_parts=export.n_parts, budget_seconds=60) is None


@pytest.mark.parametrize("format_name", ["csv", "jsonl"])
def test_a_file_is_asked_for_waited_for_and_fetched(
    key_client: KeyClient, text_function: Function, path: str, format_name: str
) -> None:
    made = key_client.post(path, {"format": format_name})
    assert made.status_code == 200
    one = f"{path}/{made.json()['id']}"
    assert made.json() == key_client.get(one).json()
    assert made.json()["state"] == "queued"
    assert "finishedAt" not in made.json()
    early = key_client.get(f"{one}/result")
    assert early.status_code == 409
    assert early.json()["message"]
    finish(made.json()["id"])
    done = key_client.get(one).json()
    assert (done["state"], done["rowCount"], done["expectedRowCount"]) == ("done", 5, 5)
    result = key_client.get(f"{one}/result", headers={"Accept": "text/csv"})
    chunks = exports.csv_chunks if format_name == "csv" else exports.json_chunks
    assert b"".join(result).decode() == "".join(chunks(text_function))
    assert result["Content-Disposition"] == f'attachment; filename="which-desk.{format_name}"'
    assert key_client.get(path).json() == [done]
    assert key_client.delete(one).json() == {"id": done["id"]}
    assert key_client.get(one).status_code == 404


@pytest.mark.parametrize(
    "body", [None, [], {}, {"format": "xlsx"}, {"format": None}, {"format": ["csv"]}, {"format": "\ud83d"}]
)
def test_an_unknown_format_is_refused(key_client: KeyClient, path: str, body: object) -> None:
    assert key_client.post(path, body).status_code == 400
    assert not Export.objects.exists()


def test_strangers_find_no_export(
    key_client: KeyClient, outsider_key_client: KeyClient, client_with: Callable[..., KeyClient], path: str
) -> None:
    one = f"{path}/{key_client.post(path, {'format': 'csv'}).json()['id']}"
    for address in (path, one, f"{one}/result"):
        assert outsider_key_client.get(address).status_code == 404
        assert client_with("write").get(address).status_code == 403
    assert outsider_key_client.post(path, {"format": "csv"}).status_code == 404
    assert outsider_key_client.delete(one).status_code == 404
    assert Export.objects.count() == 1
