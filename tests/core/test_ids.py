"""Public ids: right shape, their own alphabet, with or without the kind in front."""

import re

from apps.core.ids import new_id, with_prefix


def test_an_id_is_its_kind_and_sixteen_lower_case_letters_and_digits() -> None:
    assert re.fullmatch(r"sample_[a-z0-9]{16}", new_id("sample"))


def test_ids_do_not_repeat() -> None:
    assert len({new_id("sample") for _ in range(2_000)}) == 2_000


def test_an_id_is_found_with_and_without_its_kind() -> None:
    assert with_prefix("label", "abc") == with_prefix("label", "label_abc") == "label_abc"
