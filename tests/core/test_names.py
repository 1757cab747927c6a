"""Names of labels break between their words in narrow places."""

import pytest

from apps.core.templatetags.names import breakable


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Refund", "Refund"),
        ("SearchScreeningEvent", "Search<wbr>Screening<wbr>Event"),
        ("card_payment_fee", "card_<wbr>payment_<wbr>fee"),
        ("HTTP errors", "HTTP errors"),
        ("alt.atheism", "alt.<wbr>atheism"),
        ("trailing_", "trailing_"),
        ("", ""),
        ("<b>aB", "&lt;b&gt;a<wbr>B"),
    ],
)
def test_a_name_breaks_where_its_words_meet_and_is_escaped(name: str, written: str) -> None:
    assert breakable(name) == written
