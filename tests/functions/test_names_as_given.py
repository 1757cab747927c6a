"""Programs look for labels and columns under the very names they sent; two names that look the same are still one."""

import pytest

from apps.core.errors import InvalidInput, NotFound
from apps.events.kinds import Audit
from apps.events.models import Event
from apps.functions import services
from apps.functions.models import FieldType, Function, InputKind, Label
from apps.functions.names import field_name, label_description, label_name
from apps.functions.services import NameTaken, NewField, labels
from apps.functions.services.labels import METADATA_MAX
from apps.workspaces.models import Workspace

COMPOSED, DECOMPOSED = "Caf\u00e9", "Cafe\u0301"


@pytest.fixture
def table(workspace: Workspace) -> Function:
    return workspace.functions.create(name="Churn?", input_kind=InputKind.TABLE)


@pytest.mark.parametrize("name", ["two  blanks", DECOMPOSED, "a\u00a0b", "x" * 200])
def test_a_name_is_kept_as_it_came(name: str) -> None:
    assert label_name(f" {name} ") == field_name(f"\u2003{name}\n") == name


def test_what_cannot_be_shown_in_a_name_becomes_a_blank() -> None:
    assert label_name("a\tb\x00c") == "a b c"


def test_a_description_keeps_its_lines() -> None:
    assert label_description("  one\ntwo\x07three  ") == "one\ntwo three"


@pytest.mark.parametrize(("first", "again"), [(COMPOSED, DECOMPOSED), ("a  b", "a b"), ("a b", " a\u00a0b ")])
def test_names_that_look_the_same_are_one_label_everywhere(text_function: Function, first: str, again: str) -> None:
    label, is_new = services.make_label(function=text_function, name=first)
    assert is_new
    assert label.name == first
    assert services.make_label(function=text_function, name=again) == (label, False)
    assert services.get_or_create_labels(function=text_function, names=[again]) == {again: label}
    with pytest.raises(NameTaken) as refused:
        services.add_label(function=text_function, name=again)
    assert refused.value.existing_id == label.public_id
    assert text_function.labels.count() == 3


def test_an_import_makes_one_label_of_names_that_look_the_same(text_function: Function) -> None:
    made = services.get_or_create_labels(function=text_function, names=[DECOMPOSED, COMPOSED, "Refund"])
    assert made[DECOMPOSED] == made[COMPOSED]
    assert made[COMPOSED].name == DECOMPOSED
    assert text_function.labels.count() == 3


def test_programs_may_tell_upper_from_lower_case(text_function: Function) -> None:
    label, is_new = services.make_label(function=text_function, name="refund")
    assert is_new
    assert label.position == 2


def test_names_that_look_the_same_are_one_column(table: Function) -> None:
    field, is_new = services.make_field(function=table, name="Age  (years)", type=FieldType.NUMBER)
    assert is_new
    assert (field.name, field.type, field.is_confirmed) == ("Age  (years)", "number", True)
    again = services.make_field(function=table, name="AGE (years)", type=FieldType.TEXT)
    assert again == (field, False)
    wanted = [NewField(name="age (years)", type=FieldType.TEXT)]
    assert services.get_or_create_fields(function=table, fields=wanted) == {"age (years)": field}


def test_only_table_functions_have_columns(text_function: Function) -> None:
    with pytest.raises(InvalidInput, match="table rows"):
        services.make_field(function=text_function, name="Age", type=FieldType.NUMBER)


def test_nothing_is_made_in_a_function_that_has_just_been_deleted(table: Function, text_function: Function) -> None:
    Function.objects.all().delete()
    with pytest.raises(NotFound):
        services.make_label(function=text_function, name="Late")
    with pytest.raises(NotFound):
        services.make_field(function=table, name="Late", type=FieldType.TEXT)


def test_labels_do_not_become_ever_more(text_function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "LABELS_MAX", 2)
    with pytest.raises(InvalidInput, match="at most 2"):
        services.make_label(function=text_function, name="One too many")
    assert services.make_label(function=text_function, name="Refund")[1] is False


def test_a_label_is_made_with_what_belongs_to_it(text_function: Function) -> None:
    label, _is_new = services.make_label(
        function=text_function, name="Other", description="Neither\nof them", metadata={"code": "7"}
    )
    label.refresh_from_db()
    assert (label.description, label.metadata) == ("Neither\nof them", {"code": "7"})


def test_an_edit_changes_what_it_names_and_leaves_the_rest(refund: Label) -> None:
    services.edit_label(label=refund, description="Money back", metadata={"code": "1"})
    services.edit_label(label=refund, name="Refunds")
    refund.refresh_from_db()
    assert (refund.name, refund.description, refund.metadata) == ("Refunds", "Money back", {"code": "1"})
    services.edit_label(label=refund, description="", metadata={})
    refund.refresh_from_db()
    assert (refund.name, refund.description, refund.metadata) == ("Refunds", "", {})
    kinds = set(Event.objects.values_list("kind", flat=True))
    assert {Audit.LABEL_RENAMED, Audit.LABEL_DESCRIBED, Audit.LABEL_METADATA_CHANGED} <= kinds


def test_metadata_alone_teaches_a_model_nothing(refund: Label) -> None:
    services.edit_label(label=refund, metadata={"code": "1"})
    assert Function.objects.get().data_revision == 0


def test_an_edit_cannot_take_anothers_name(refund: Label, shipping: Label) -> None:
    with pytest.raises(NameTaken, match="already exists") as refused:
        services.edit_label(label=refund, name=" Shipping ", description="lost")
    assert refused.value.existing_id == shipping.public_id
    refund.refresh_from_db()
    assert (refund.name, refund.description) == ("Refund", "")


@pytest.mark.parametrize("metadata", [{"a": "\x00"}, {"\ud800": "a"}, {"a": "x" * METADATA_MAX}])
def test_metadata_that_cannot_be_kept_is_refused(refund: Label, metadata: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="metadata"):
        services.edit_label(label=refund, metadata=metadata)
