"""What pages send as JSON is understood or refused, whatever it is."""

import pytest
from django.test import RequestFactory

from apps.core.errors import InvalidInput
from apps.core.json_body import read_json, read_json_object


def read(body: bytes | str) -> object:
    return read_json(RequestFactory().post("/", body, content_type="application/json"))


def test_what_is_sent_is_read_as_it_is() -> None:
    assert read('{"a": [1, null, true, "ä \U0001f937"]}') == {"a": [1, None, True, "ä \U0001f937"]}


def test_what_no_database_holds_is_replaced_in_texts_and_names() -> None:
    sent = r'{"a\u0000": ["\ud800", {"b": "x\udfffy"}], "whole": "\ud83e\udd37"}'
    assert read(sent) == {"a\ufffd": ["\ufffd", {"b": "x\ufffdy"}], "whole": "\U0001f937"}


@pytest.mark.parametrize(
    "body",
    ["", "{", "[" * 100_000, '{"a":' * 100_000, "[" * 900 + "]" * 899, "9" * 5_000, b"\xff\xfe", "{}".encode("utf-16")],
    ids=["nothing", "cut", "deep", "deep objects", "deep and cut", "a long number", "bytes", "utf-16"],
)
def test_what_cannot_be_read_is_refused_in_words(body: bytes | str) -> None:
    with pytest.raises(InvalidInput, match="not valid JSON"):
        read(body)


@pytest.mark.parametrize("body", ["[]", "null", "1", '"a"'])
def test_where_an_object_is_asked_for_nothing_else_is_one(body: str) -> None:
    with pytest.raises(InvalidInput, match="must be a JSON object"):
        read_json_object(RequestFactory().post("/", body, content_type="application/json"))
