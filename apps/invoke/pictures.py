"""Pictures that calls bring: as bytes, as data URIs or as addresses on the web, alone or in the cells of a row."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping

from PIL import Image

from apps.core.errors import HundredfoldError, InvalidInput
from apps.functions.models import FieldType, InputKind
from apps.invoke.wire import SEND_PICTURE, Data
from apps.samples import rows
from apps.samples.images import as_stored
from apps.training.services.inputs import Layout

DATA_URI = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
Fetched = Mapping[str, bytes]


def addresses_of(data: Data, layout: Layout) -> list[str]:
    """Return where the pictures of an input have to be fetched from, each once."""
    if layout.input_kind == InputKind.IMAGE:
        found = [data] if isinstance(data, str) else []
    elif layout.input_kind == InputKind.TABLE and isinstance(data, Mapping):
        found = list(_cells(data, layout).values())
    else:
        found = []
    return list(dict.fromkeys(one for one in found if _ADDRESS.match(one)))


def content_of(data: str | bytes, fetched: Fetched) -> bytes:
    """Return the bytes of a picture. Raises InvalidInput for what names none."""
    if isinstance(data, bytes):
        return data
    if data in fetched:
        return fetched[data]
    match = DATA_URI.match(data)
    if match is None:
        raise InvalidInput(f"The data is not a data URI. {SEND_PICTURE}")
    try:
        return base64.b64decode("".join(data[match.end() :].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("The data URI is not valid base64: some of it is missing or changed.") from error


class RowPictures:
    """A row's pictures by a name that says what is in them; `values` is the row with these names in their place.

    One that cannot be read is refused: a caller can mend it, and would be answered by half a row else.
    """

    def __init__(self, data: Mapping[str, object], layout: Layout, fetched: Fetched) -> None:
        """Decode them, which is slow. Raises InvalidInput or TooLarge, naming the column."""
        self._pictures: dict[str, Image.Image] = {}
        self.values: dict[str, object] = {**rows.cells_by_name(data, rows.typed(layout.fields))}
        names = {field.public_id: field.name for field in layout.fields}
        for key, reference in _cells(data, layout).items():
            try:
                content = content_of(reference, fetched)
                name = hashlib.sha256(content).hexdigest()
                self._pictures[name] = as_stored(content)
            except HundredfoldError as error:
                raise type(error)(f"Column “{names[key]}”: {error.message}") from error
            self.values[key] = name

    def find(self, name: str) -> Image.Image:
        return self._pictures[name]


def with_fetched(data: Mapping[str, object], fetched: Fetched) -> Mapping[str, object]:
    """Return a row with the pictures that were fetched for it in place of their addresses."""
    return {
        name: _uri(fetched[cell]) if isinstance(cell, str) and cell in fetched else cell for name, cell in data.items()
    }


def has_pictures(layout: Layout) -> bool:
    """Whether rows may hold pictures."""
    return any(field.type == FieldType.IMAGE for field in layout.fields)


def _cells(data: Mapping[str, object], layout: Layout) -> dict[str, str]:
    """Return what names the pictures of a row, by the key of their field."""
    if not has_pictures(layout):
        return {}
    keys = {field.public_id for field in layout.fields if field.type == FieldType.IMAGE}
    cells = rows.cells_by_name(data, rows.typed(layout.fields))
    return {key: cell for key, cell in cells.items() if key in keys and isinstance(cell, str) and cell.strip()}


def _uri(content: bytes) -> str:
    return f"data:image/*;base64,{base64.b64encode(content).decode()}"
