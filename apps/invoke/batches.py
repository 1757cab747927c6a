"""What travels in a call of many inputs: `{"items": [{"data": …}, …]}`, or pictures as the files of a form."""

from __future__ import annotations

from collections.abc import Callable

from apps.core.errors import HundredfoldError, InvalidInput, TooLarge
from apps.functions.models import FieldType, InputKind
from apps.invoke import wire
from apps.invoke.multipart import read_form
from apps.training.services.inputs import Layout

MAX_ITEMS = 1000
MAX_PICTURES = 64
SEND_ITEMS = 'Send JSON like {"items": [{"data": "your text"}, {"data": "another"}]}.'
SEND_FILES = "Send pictures as parts data of a multipart form, or as JSON items with data URIs or addresses."
_READ: dict[str, Callable[[object], wire.Data]] = {
    InputKind.TEXT.value: wire.text_of,
    InputKind.IMAGE.value: wire.reference_of,
    InputKind.TABLE.value: wire.row_of,
}
Item = wire.Payload | HundredfoldError


def read_batch(body: bytes, content_type: str, layout: Layout) -> list[Item]:
    """Return the inputs in order, an error in the place of each that cannot be read.

    Raises InvalidInput or WrongType for a body that holds none, TooLarge for too many.
    """
    if wire.is_form(content_type):
        items = _files(body, content_type, layout)
    else:
        members = wire.read_object(body, SEND_ITEMS)
        listed = members.get("items")
        if not isinstance(listed, list):
            raise InvalidInput(f"The items are missing. {SEND_ITEMS}")
        items = [_item(one, layout.input_kind) for one in listed[: MAX_ITEMS + 1]]
    most = max_items(layout)
    if len(items) > most:
        raise TooLarge(f"A call takes at most {most:,} items. Send them in several calls.")
    return items


def max_items(layout: Layout) -> int:
    """How many inputs one call may bring: fewer where each may be a picture."""
    has_pictures = any(field.type == FieldType.IMAGE for field in layout.fields)
    return MAX_PICTURES if has_pictures or layout.input_kind == InputKind.IMAGE else MAX_ITEMS


def _files(body: bytes, content_type: str, layout: Layout) -> list[Item]:
    if layout.input_kind != InputKind.IMAGE:
        raise InvalidInput(f"Forms are for pictures. {SEND_ITEMS}")
    _fields, files = read_form(body, content_type, SEND_FILES)
    named = files.get("data") or [content for contents in files.values() for content in contents]
    return [wire.Payload(content) for content in named]


def _item(item: object, input_kind: str) -> Item:
    try:
        members = wire.as_object(item, f"An item is an object with its data. {SEND_ITEMS}")
        return wire.Payload(_READ[input_kind](members.get("data")), wire.read_external_id(members.get("externalid")))
    except HundredfoldError as error:
        return error
