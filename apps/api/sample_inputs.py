"""Samples as clients write them, read one by one: JSON objects, or a form with a picture file in it.

Names compare without case, unknown ones are ignored, null means *not given*. Whatever else cannot be used is refused
with a sentence, so that of a list of samples one refused does not spoil the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from rest_framework.request import Request

from apps.api.pictures import picture_bytes
from apps.core import outbound
from apps.core.errors import HundredfoldError, InvalidInput
from apps.core.texts import storable
from apps.engine.types import ColumnType
from apps.functions.models import Function, InputKind
from apps.samples.rows import TypedField, cells_by_name, typed
from apps.samples.services.posting import Naming, PostedCell, PostedSample

SEND = {
    InputKind.TEXT: 'Send JSON like {"data": "your text"}.',
    InputKind.TABLE: 'Send JSON like {"data": {"age": 31, "city": "Oslo"}}.',
    InputKind.IMAGE: 'Send JSON like {"data": "data:image/jpeg;base64,…"}, or a form with the file as its part data.',
}
SEND_LABEL = 'Send the label\'s name, like {"labelName": "Refund"}, or its id as labelId.'
SEND_TAGS = 'Send a list like [{"labelName": "Refund", "present": true}].'
MOST_NAMED = 2_000
"""Labels in one annotation; a function has at most half as many."""


def read_sample(function: Function, request: Request) -> PostedSample:
    """Return the sample of a request. Raises HundredfoldError."""
    body = request.data
    if isinstance(body, QueryDict):
        return SampleReader(function).read(_of_form(body))
    if not isinstance(body, Mapping):
        raise InvalidInput(f"The JSON must be an object. {SEND[InputKind(function.input_kind)]}")
    return SampleReader(function).read(body)


def read_annotation(body: object) -> tuple[Naming, ...]:
    """Return the labels that an annotation names. Raises InvalidInput."""
    if isinstance(body, Mapping):
        return (_naming(body),)
    if not isinstance(body, list):
        raise InvalidInput(f"The annotation cannot be read. {SEND_LABEL}")
    if len(body) > MOST_NAMED:
        raise InvalidInput(f"An annotation names at most {MOST_NAMED:,} labels.")
    return tuple(_naming(each) for each in body)


class SampleReader:
    """Reads samples of one function."""

    def __init__(self, function: Function) -> None:
        self._kind = InputKind(function.input_kind)
        self._fields: Sequence[TypedField] = typed(function.fields.all()) if self._kind is InputKind.TABLE else ()

    def read(self, body: Mapping[Any, Any]) -> PostedSample:
        """Return one sample. Raises HundredfoldError."""
        members = _members(body)
        annotation = members.get("annotation")
        return PostedSample(
            content=self._content(members.get("data")),
            external_id=_external_id(members.get("externalid")),
            annotation=None if annotation is None else read_annotation(annotation),
        )

    def _content(self, data: object) -> str | bytes | Mapping[str, PostedCell]:
        advice = SEND[self._kind]
        if data is None:
            raise InvalidInput(f"The data is missing. {advice}")
        if self._kind is InputKind.IMAGE:
            return data if isinstance(data, bytes) else picture_bytes(data)
        if self._kind is InputKind.TABLE and isinstance(data, Mapping):
            return dict(self._cells(data))
        if self._kind is InputKind.TEXT and isinstance(data, str):
            return data
        raise InvalidInput(f"The data is of another kind than this function takes. {advice}")

    def _cells(self, data: Mapping[str, object]) -> Iterator[tuple[str, PostedCell]]:
        pictures = {field.key: field.name for field in self._fields if field.type is ColumnType.IMAGE}
        prefixed = {name if "_" in name else f"field_{name}": name for name in data}
        # Clients cut the kind off ids: what is no name of a field may be an id without it.
        known = {field.key for field in self._fields}
        ends_at = monotonic() + outbound.SECONDS
        by_name = {(full if full in known else name): data[name] for full, name in prefixed.items()}
        for key, cell in cells_by_name(by_name, self._fields).items():
            if key in pictures and isinstance(cell, str) and cell.strip():
                yield key, _cell_picture(pictures[key], cell, ends_at)
            elif key in pictures and cell is not None and not isinstance(cell, str):
                raise InvalidInput(f"The field “{pictures[key]}” takes a picture, as a data URI or an address.")
            else:
                yield key, cell


def _cell_picture(name: str, cell: str, ends_at: float) -> bytes:
    try:
        return picture_bytes(cell, seconds=ends_at - monotonic())
    except HundredfoldError as problem:
        raise type(problem)(f"The field “{name}”: {problem.message}") from problem


def _of_form(form: QueryDict) -> dict[str, object]:
    """A form as the JSON it stands for, the only file being the data."""
    members = _fields_of_form(form)
    if files := _files_of_form(form):
        if len(files) > 1:
            raise InvalidInput("The form holds several files. Name the picture's part data, or send many in a batch.")
        members["data"] = files[0]
    return members


def pictures_of_form(form: QueryDict) -> list[object]:
    """Return a sample for each file of a form; whatever else it says is said of all of them."""
    said = _fields_of_form(form)
    return [{**said, "data": file} for file in _files_of_form(form)]


def _fields_of_form(form: QueryDict) -> dict[str, object]:
    """What is no file: `annotation.labelName` is a member of `annotation`."""
    members: dict[str, object] = {}
    annotation: dict[str, object] = {}
    for name, value in form.items():
        if isinstance(value, UploadedFile):
            continue
        if name.lower().startswith("annotation."):
            annotation[name.partition(".")[2]] = value
        elif name.lower() == "annotation":
            members["annotation"] = _of_json(value)
        else:
            members[name] = value
    if annotation:
        members["annotation"] = annotation
    return members


def _files_of_form(form: QueryDict) -> list[bytes]:
    """The files named data, or all there are where none is."""
    parts = [(name.lower(), value) for name, values in form.lists() for value in values]
    files = [(name, value) for name, value in parts if isinstance(value, UploadedFile)]
    return [file.read() for name, file in files if name == "data"] or [file.read() for _name, file in files]


def _of_json(text: object) -> object:
    try:
        return json.loads(str(text)) if text else None
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"The annotation is not readable JSON. {SEND_LABEL}") from error


def _members(body: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name).lower(): value for name, value in body.items() if value is not None}


def _naming(value: object) -> Naming:
    if not isinstance(value, Mapping):
        raise InvalidInput(f"The annotation cannot be read. {SEND_TAGS}")
    members = _members(value)
    name, id_ = members.get("labelname", ""), members.get("labelid", "")
    present = members.get("present", True)
    if not isinstance(name, str) or not isinstance(id_, str) or not (name.strip() or id_.strip()):
        raise InvalidInput(f"The annotation names no label. {SEND_LABEL}")
    if not isinstance(present, bool):
        raise InvalidInput("In an annotation present is true or false.")
    return Naming(name, id_.strip(), present)


def _external_id(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str | int) or isinstance(value, bool) or storable(str(value)) != str(value):
        raise InvalidInput("externalId must be a text of at most 200 characters.")
    return str(value)
