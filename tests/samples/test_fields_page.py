"""The columns page: types corrected where rows are stored already, nothing lost, and it learns anew."""

import io

import pytest
from django.test import Client

from apps.functions.models import FieldType, Function, InputKind
from apps.samples.rows import cells_of
from apps.samples.services import row_fields
from apps.samples.services.imports import create_import, start_import
from apps.samples.services.row_fields import name_field, remove_field, retype_field, use_field
from apps.workspaces.models import Workspace
from tests.samples.conftest import run_to_end

CSV = "age,since,note\n" + "".join(f'{20 + n},0{1 + n % 9}/04/2023,"a note on {n}, in some words"\n' for n in range(30))


@pytest.fixture
def function(workspace: Workspace) -> Function:
    function = workspace.functions.create(name="Who leaves?", input_kind=InputKind.TABLE)
    content = (CSV + "unknown age,14/04/2023,x\n").encode()
    job = create_import(function=function, person=None, file=io.BytesIO(content), name="a.csv", size_bytes=len(content))
    run_to_end(start_import(import_job=job))
    function.refresh_from_db()
    return function


def field_of(function: Function, name: str):
    return function.fields.select_related("function").get(name=name)


def values(function: Function, name: str) -> list[object]:
    key = function.fields.get(name=name).public_id
    return [row.get(key) for row in function.samples.order_by("pk").values_list("row", flat=True)]


def test_a_column_given_another_type_is_read_again_from_what_was_written(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_fields, "ROWS_PER_TRANSACTION", 7)
    age = field_of(function, "age")
    before = list(function.samples.order_by("pk").values_list("row", flat=True)), values(function, "age")
    assert values(function, "age")[-1] is None
    assert retype_field(field=age, type=FieldType.CATEGORY, actor=None) == 0
    assert values(function, "age")[-1] == "unknown age"
    assert values(function, "age")[0] == "20"
    assert retype_field(field=age, type=FieldType.NUMBER, actor=None) == 1
    assert (list(function.samples.order_by("pk").values_list("row", flat=True)), values(function, "age")) == before
    assert retype_field(field=age, type=FieldType.DATE, actor=None) == 31
    assert retype_field(field=age, type=FieldType.NUMBER, actor=None) == 1


def test_learning_follows_and_texts_are_read_first(function: Function) -> None:
    function.samples.update(is_embedded=True)
    revision = Function.objects.get(pk=function.pk).data_revision
    retype_field(field=field_of(function, "age"), type=FieldType.CATEGORY, actor=None)
    assert not function.samples.filter(is_embedded=False).exists()
    assert Function.objects.get(pk=function.pk).data_revision == revision + 1
    note = field_of(function, "note")
    use_field(field=note, is_used=False, actor=None)
    use_field(field=note, is_used=False, actor=None)
    assert not function.samples.filter(is_embedded=False).exists()
    use_field(field=note, is_used=True, actor=None)
    assert not function.samples.filter(is_embedded=True).exists()


def test_rows_are_found_by_a_new_name_and_never_by_a_deleted_column(function: Function) -> None:
    name_field(field=field_of(function, "age"), name="years", actor=None)
    assert function.samples.order_by("pk").first().text.startswith("years: 20 · since")
    key = field_of(function, "note").public_id
    remove_field(field=field_of(function, "note"), actor=None)
    assert not function.samples.filter(text__icontains="note").exists()
    assert all(key not in cells_of(row) for row in function.samples.values_list("row", flat=True))
    assert list(function.fields.values_list("name", flat=True)) == ["years", "since"]


def test_the_page_shows_values_and_what_could_not_be_read(owner_client: Client, function: Function) -> None:
    page = owner_client.get(f"/functions/{function.public_id}/fields/").content.decode()
    assert "unknown age" in page
    assert "14/04/2023" in page
    assert ">Columns</a>" in page


def test_an_owner_corrects_a_column_and_reads_what_became_of_it(owner_client: Client, function: Function) -> None:
    age = field_of(function, "age")
    data = {"name": "Years", "type": "date", "is_used": ""}
    page = owner_client.post(f"/fields/{age.public_id}/", data, follow=True).content.decode()
    assert "31 values do not read as a date" in page
    age.refresh_from_db()
    assert (age.name, age.type, age.is_used, age.is_confirmed) == ("Years", "date", False, True)
    owner_client.post(f"/fields/{age.public_id}/delete/")
    assert not function.fields.filter(pk=age.pk).exists()


def test_a_reviewer_corrects_but_does_not_delete(reviewer_client: Client, function: Function) -> None:
    age = field_of(function, "age")
    assert reviewer_client.post(f"/fields/{age.public_id}/", {"name": "age", "type": "date"}).status_code == 302
    assert reviewer_client.post(f"/fields/{age.public_id}/delete/").status_code == 403


@pytest.mark.parametrize(("who", "status"), [("member_client", 403), ("outsider_client", 404), ("client", 302)])
def test_who_may_not_changes_nothing(request: pytest.FixtureRequest, function: Function, who: str, status: int) -> None:
    client, age = request.getfixturevalue(who), field_of(function, "age")
    assert client.get(f"/functions/{function.public_id}/fields/").status_code == status
    assert client.post(f"/fields/{age.public_id}/", {"name": "x", "type": "date"}).status_code == status
    assert client.post(f"/fields/{age.public_id}/delete/").status_code == status
    assert field_of(function, "age").type == FieldType.NUMBER
