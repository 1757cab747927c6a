import pytest

from apps.core.errors import InvalidInput
from apps.functions.names import LABEL_NAME_MAX, distinct, function_name, label_name, tidy


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("  Refund ", "Refund"),
        ("Not\ta  ticket\r\n at all", "Not a ticket at all"),
        ("Nul\x00l", "Nul l"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("\u00a0Return\u00a0", "Return"),
    ],
)
def test_what_looks_the_same_is_the_same_name(typed: str, read: str) -> None:
    assert tidy(typed) == read


@pytest.mark.parametrize("typed", ["", "   ", "\n\t", "\x00"])
def test_a_name_of_blanks_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput, match="needs a name"):
        label_name(typed)
    with pytest.raises(InvalidInput, match="needs a name"):
        function_name(typed)


def test_the_longest_label_is_accepted_and_one_more_character_refused() -> None:
    assert label_name("x" * LABEL_NAME_MAX)
    with pytest.raises(InvalidInput, match="too long"):
        label_name("x" * (LABEL_NAME_MAX + 1))


def test_upper_and_lower_case_alone_makes_no_second_label() -> None:
    assert distinct(["Refund", "STRASSE", "refund", "straße", "Other"]) == ["Refund", "STRASSE", "Other"]
