"""Rows that calls bring are checked as samples are: a program can mend what it sends."""

from __future__ import annotations

import pytest

from apps.core.errors import InvalidInput
from apps.functions.models import Field, FieldType, Function, InputKind
from apps.invoke.reading import read_input
from apps.invoke.services import read_content
from apps.samples.rows import ReadRow
from apps.training.services.inputs import Layout, layout_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def age(text_function: Function) -> Field:
    Function.objects.filter(pk=text_function.pk).update(input_kind=InputKind.TABLE)
    text_function.refresh_from_db()
    text_function.fields.create(name="City", type=FieldType.CATEGORY, position=1)
    return text_function.fields.create(name="Age", type=FieldType.NUMBER, position=0)


@pytest.fixture
def layout(age: Field) -> Layout:
    return layout_of(age.function)


@pytest.mark.parametrize("cell", ["31", "abc", "", True])
def test_what_is_no_number_is_refused_where_a_number_belongs(layout: Layout, cell: object) -> None:
    with pytest.raises(InvalidInput, match="“Age” takes a number"):
        read_input({"age": cell, "city": "Oslo"}, layout, {})


@pytest.mark.parametrize("cell", [31, 0.5, None])
def test_numbers_and_nothing_are_read(layout: Layout, age: Field, cell: object) -> None:
    read = read_input({"Age": cell, "city": "Oslo", "unknown": "x"}, layout, {})
    assert isinstance(read.content, ReadRow)
    assert read.content.row.get(age.public_id) == cell


def test_people_type_numbers_as_text(layout: Layout, age: Field) -> None:
    read = read_content({age.public_id: "31"}, layout)
    assert isinstance(read, ReadRow)
    assert read.row[age.public_id] == 31.0
