"""Public ids: right shape, their own alphabet, with or without the kind in front."""

import re

import pytest

from apps.core.ids import new_id, with_prefix
from apps.functions.models import Function


def test_an_id_is_its_kind_and_sixteen_lower_case_letters_and_digits() -> None:
    assert re.fullmatch(r"sample_[a-z0-9]{16}", new_id("sample"))


def test_ids_do_not_repeat() -> None:
    assert len({new_id("sample") for _ in range(2_000)}) == 2_000


def test_an_id_is_found_with_and_without_its_kind() -> None:
    assert with_prefix("label", "abc") == with_prefix("label", "label_abc") == "label_abc"


@pytest.mark.django_db
@pytest.mark.parametrize("odd", ["\x00", "function_\x00", "\ud800"])
def test_odd_characters_name_nothing(text_function: Function, odd: str) -> None:
    """PostgreSQL refuses to look such texts up."""
    assert not Function.objects.filter(public_id=odd).exists()
    assert not Function.objects.filter(public_id__in=[odd]).exists()
    assert Function.objects.get(public_id__in=[odd, text_function.public_id]) == text_function
