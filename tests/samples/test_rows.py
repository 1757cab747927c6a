"""Table rows: read by their fields, shown as they were written, taken in once each."""

import time

import pytest

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.events.models import Event
from apps.functions.models import Field, FieldType, Function, InputKind
from apps.functions.services import (
    NewField,
    delete_field,
    get_or_create_fields,
    rename_field,
    set_field_type,
    set_field_use,
)
from apps.samples.models import Origin
from apps.samples.rows import WRITTEN, cells_by_name, cells_of, is_unread, named_cells, read_row, typed
from apps.samples.services.intake import NewRow, NewText, Outcome, add_rows, add_texts
from apps.workspaces.models import Workspace


@pytest.fixture
def table_function(workspace: Workspace) -> Function:
    """A function of table rows with an age, a job, a start and a note, and two labels."""
    function = workspace.functions.create(name="Will they stay?", input_kind=InputKind.TABLE)
    for position, name in enumerate(["Stays", "Leaves"]):
        function.labels.create(name=name, position=position, colour=position)
    get_or_create_fields(
        function=function,
        fields=[
            NewField("Age", FieldType.NUMBER),
            NewField("Job", FieldType.CATEGORY),
            NewField("Since", FieldType.DATE, facts={"decimal": ".", "is_day_first": True}),
            NewField("Note", FieldType.TEXT),
        ],
    )
    return function


def ids(function: Function) -> dict[str, str]:
    return dict(function.fields.values_list("name", "public_id"))


def cells(function: Function, **values: object) -> dict[str, object]:
    by_name = ids(function)
    return {by_name[name]: value for name, value in values.items()}


def bring(function: Function, *rows: NewRow):
    return add_rows(function=function, items=rows, person=None, origin=Origin.IMPORT)


def test_cells_are_kept_as_values_and_as_they_were_written(table_function: Function) -> None:
    key = ids(table_function)
    row = cells(table_function, Age="1,234.50", Job="cook", Since="3/4/2024", Note="")
    read = read_row(row, typed(table_function.fields.all()))
    assert read.row == {
        key["Age"]: 1234.5,
        key["Job"]: "cook",
        key["Since"]: "2024-04-03",
        WRITTEN: {key["Age"]: "1,234.50", key["Since"]: "3/4/2024"},
    }
    assert read.text == "Age: 1,234.50 · Job: cook · Since: 3/4/2024"
    assert cells_of(read.row) == {key["Age"]: "1,234.50", key["Job"]: "cook", key["Since"]: "3/4/2024"}
    assert named_cells(read.row, table_function.fields.all())[0] == ("Age", "1,234.50", "")


def test_a_cell_that_does_not_fit_is_missing_with_a_note_and_not_lost(table_function: Function) -> None:
    result = bring(table_function, NewRow(cells(table_function, Age="abc", Job="cook")))
    assert (result.n_added, result.problems) == (1, [])
    assert result.notes == [(0, "Column “Age”: “abc” is no number.")]
    row = table_function.samples.get().row
    key = ids(table_function)["Age"]
    assert is_unread(row, key)
    assert cells_of(row)[key] == "abc"


def test_rows_are_taken_once_with_labels_and_ids(table_function: Function, owner: User) -> None:
    same = cells(table_function, Age="31", Job="cook")
    json = cells(table_function, Age=31, Job="cook", Since=None)
    result = bring(
        table_function,
        NewRow(same, "Stays"),
        NewRow(json, "Leaves"),
        NewRow(same, "Leaves", external_id="a-1"),
        NewRow(same, "Stays", external_id="a-2"),
        NewRow({}, "Stays"),
        NewRow(cells(table_function, Job="a\x00b")),
    )
    assert [item.outcome for item in result.items] == [
        Outcome.ADDED, Outcome.DUPLICATE, Outcome.ADDED, Outcome.ADDED, Outcome.REFUSED, Outcome.REFUSED,
    ]  # fmt: skip
    assert result.n_labelled == 3
    assert dict(result.problems)[4] == "The row is empty."
    labels = list(table_function.samples.order_by("id").values_list("external_id", "label__name"))
    assert labels == [("", "Stays"), ("a-1", "Leaves"), ("a-2", "Stays")]


def test_thousands_of_rows_a_second_come_in(table_function: Function) -> None:
    rows = [
        NewRow(
            cells(table_function, Age=str(n % 70), Job=f"job {n % 9}", Since="3/4/2024", Note=f"number {n}"), "Stays"
        )
        for n in range(2_000)
    ]
    started = time.process_time()
    assert bring(table_function, *rows).n_added == 2_000
    assert 2_000 / (time.process_time() - started) > 1_500


def test_a_function_of_texts_takes_no_rows(text_function: Function, table_function: Function) -> None:
    with pytest.raises(InvalidInput, match="takes texts, not table rows"):
        bring(text_function, NewRow({}))
    with pytest.raises(InvalidInput, match="takes table rows, not texts"):
        add_texts(function=table_function, items=[NewText("hello")], person=None, origin=Origin.API)
    with pytest.raises(InvalidInput):
        get_or_create_fields(function=text_function, fields=[NewField("Age", FieldType.NUMBER)])


def test_fields_are_made_once_whatever_their_case(table_function: Function, owner: User) -> None:
    before = table_function.data_revision
    wanted = [NewField(" age ", FieldType.TEXT), NewField("City", FieldType.CATEGORY), NewField("city", FieldType.TEXT)]
    made = get_or_create_fields(function=table_function, fields=wanted, actor=owner)
    assert made[" age "].type == FieldType.NUMBER
    assert made["City"] == made["city"]
    assert get_or_create_fields(function=table_function, fields=wanted, actor=owner) == made
    table_function.refresh_from_db()
    assert table_function.data_revision == before + 2 if before == 0 else before + 1
    assert Event.objects.filter(kind="field.created").count() == 2


def test_fields_change_under_audit_and_ask_for_training(table_function: Function, owner: User) -> None:
    age = table_function.fields.get(name="Age")
    rename_field(field=age, name="Years", actor=owner)
    with pytest.raises(Conflict):
        rename_field(field=age, name="job", actor=owner)
    assert set_field_type(field=age, type=FieldType.CATEGORY, facts={}, actor=owner)
    assert not set_field_type(field=age, type=FieldType.CATEGORY, facts={}, actor=owner)
    with pytest.raises(InvalidInput):
        set_field_type(field=age, type="colour", facts={})
    revision = Function.objects.get(pk=table_function.pk).data_revision
    set_field_use(field=age, is_used=False, actor=owner)
    set_field_use(field=age, is_used=False, actor=owner)
    assert Function.objects.get(pk=table_function.pk).data_revision == revision + 1
    delete_field(field=age, actor=owner)
    with pytest.raises(Conflict):
        rename_field(field=age, name="Gone")
    kinds = list(Event.objects.filter(kind__startswith="field.").order_by("id").values_list("kind", flat=True))
    assert kinds[1:] == ["field.renamed", "field.retyped", "field.use_changed", "field.deleted"]
    assert not Field.objects.filter(name="Years").exists()


def test_callers_name_columns_as_they_like_and_send_what_they_have(table_function: Function) -> None:
    key, fields = ids(table_function), typed(table_function.fields.all())
    data = {"AGE": 31, key["Job"]: "cook", " since ": None, "Shoe size": [1, 2]}
    assert cells_by_name(data, fields) == {key["Age"]: 31, key["Job"]: "cook", key["Since"]: None}
    with pytest.raises(InvalidInput, match="“age” must be"):
        cells_by_name({"age": [31]}, fields)
