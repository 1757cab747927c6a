"""What travels in a call: addresses, options, inputs and answers. No database, no model."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from urllib.parse import parse_qsl

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from apps.core.errors import HundredfoldError, InvalidInput
from apps.core.http import status_of

_PATH = re.compile(r"(?:/api\.com)?/v1/functions/(?P<function_id>[A-Za-z0-9_-]{1,80})/invoke/?")
_DATA_URI = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_MAX_FORM_FIELDS = 50

SEND_TEXT = 'Send JSON like {"data": "your text"}.'
SEND_ROW = 'Send JSON like {"data": {"age": 31, "city": "Oslo"}}.'
SEND_PICTURE = (
    'Send the picture itself: as the part data of a multipart form, or as JSON {"data": "data:image/jpeg;base64,…"}.'
)


class NoModel(InvalidInput):
    """The function is not trained yet. Clients look for the beginning of this sentence."""

    code = "no_model"

    def __init__(self, missing: Sequence[str] = ()) -> None:
        super().__init__(" ".join(["No model available to invoke function: it is not trained yet.", *missing]))


@dataclass(frozen=True)
class Options:
    """What the query string asks for. `capture` is accepted and does nothing: inputs are not kept."""

    n_labels: int = 0
    model_id: str = ""
    includes_metadata: bool = False
    external_id: str = ""


@dataclass(frozen=True)
class Payload:
    """The input of one call: a text, the bytes of a picture file, or a row's values by the names of their fields."""

    data: str | bytes | Mapping[str, object]
    external_id: str = ""


@dataclass(frozen=True)
class Reply:
    """A status and a JSON body, with the headers that belong to it."""

    status: int
    body: Mapping[str, object]
    headers: tuple[tuple[str, str], ...] = ()


def function_id_of(path: str) -> str | None:
    """Return the function's id (its kind in front or not) if this is the address of a call, else None."""
    match = _PATH.fullmatch(path)
    return match["function_id"] if match else None


def read_options(query_string: bytes) -> Options:
    """Read the query string; unknown names are ignored, empty values mean the default."""
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), max_num_fields=_MAX_FORM_FIELDS)
    except ValueError as error:
        raise InvalidInput("The address of the call has too many parameters.") from error
    values = {name.lower(): value for name, value in pairs}
    return Options(
        n_labels=_whole_number(values.get("labelcount", ""), "labelCount"),
        model_id=values.get("modelid", ""),
        includes_metadata=_flag(values.get("includemetadata", ""), "includeMetadata"),
        external_id=values.get("externalid", ""),
    )


def read_text(body: bytes, content_type: str) -> Payload:
    """Read a call of a text function."""
    if _is_multipart(content_type):
        fields, _files = _form(body, content_type)
        data: object = fields.get("data")
        external_id: object = fields.get("externalid")
    else:
        members = _members(body, SEND_TEXT)
        data, external_id = members.get("data"), members.get("externalid")
    if not isinstance(data, str):
        raise InvalidInput(f"The text is missing. {SEND_TEXT}")
    return Payload(data, _external_id(external_id))


def read_picture(body: bytes, content_type: str) -> Payload:
    """Read a call of a picture function: a multipart file named `data`, the only file, or a data URI."""
    if _is_multipart(content_type):
        fields, files = _form(body, content_type)
        external_id: object = fields.get("externalid")
        if files:
            return Payload(_chosen_file(files), _external_id(external_id))
        data: object = fields.get("data")
    else:
        members = _members(body, SEND_PICTURE)
        data, external_id = members.get("data"), members.get("externalid")
    if not isinstance(data, str):
        raise InvalidInput(f"The picture is missing. {SEND_PICTURE}")
    return Payload(_decoded(data), _external_id(external_id))


def read_row(body: bytes, content_type: str) -> Payload:
    """Read a call of a table function."""
    if _is_multipart(content_type):
        raise InvalidInput(f"Rows come as JSON. {SEND_ROW}")
    members = _members(body, SEND_ROW)
    data = members.get("data")
    if not isinstance(data, dict):
        raise InvalidInput(f"The row is missing. {SEND_ROW}")
    return Payload(data, _external_id(members.get("externalid")))


def refusal(error: HundredfoldError, request_id: str) -> Reply:
    """Return the reply to a call that a service refused."""
    status = status_of(error)
    headers: tuple[tuple[str, str], ...] = ()
    if status == HTTPStatus.UNAUTHORIZED:
        headers = (("www-authenticate", "Bearer"),)
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers = (("retry-after", "1"),)
    return error_reply(status, error.message, error.code, request_id, headers=headers)


def error_reply(
    status: int, message: str, code: str, request_id: str, *, headers: tuple[tuple[str, str], ...] = ()
) -> Reply:
    """Return the one shape that every error has."""
    return Reply(status, {"message": message, "code": code, "requestId": request_id}, headers)


def _whole_number(value: str, name: str) -> int:
    if not value:
        return 0
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise InvalidInput(f"{name} must be a whole number, like 3.")
    return int(value)


def _flag(value: str, name: str) -> bool:
    if value.lower() not in {"", "true", "false", "1", "0"}:
        raise InvalidInput(f"{name} must be true or false.")
    return value.lower() in {"true", "1"}


def _members(body: bytes, advice: str) -> dict[str, object]:
    """Read a JSON object; names compare without case, as existing clients mix them."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of nested brackets
        raise InvalidInput(f"This is not readable JSON. {advice}") from error
    if not isinstance(value, dict):
        raise InvalidInput(f"The JSON must be an object. {advice}")
    return {name.lower(): member for name, member in value.items()}


def _external_id(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 200 or not _is_encodable(value):
        raise InvalidInput("externalId must be a text of at most 200 characters.")
    return value


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _decoded(data: str) -> bytes:
    if _ADDRESS.match(data):
        raise InvalidInput(f"Web addresses are not fetched. {SEND_PICTURE}")
    match = _DATA_URI.match(data)
    if match is None:
        raise InvalidInput(f"The data is not a data URI. {SEND_PICTURE}")
    try:
        return base64.b64decode("".join(data[match.end() :].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("The data URI is not valid base64: some of it is missing or changed.") from error


def _is_multipart(content_type: str) -> bool:
    return content_type.lower().startswith("multipart/form-data")


def _chosen_file(files: Mapping[str, list[bytes]]) -> bytes:
    if len(files.get("data", [])) == 1:
        return files["data"][0]
    every = [content for contents in files.values() for content in contents]
    if len(every) != 1:
        raise InvalidInput("The form holds several files. Name the picture's part data.")
    return every[0]


class _KeepInMemory(FileUploadHandler):
    """Keeps a part's bytes; the body was capped while it was read, so nothing can grow."""

    def new_file(self, *args: object, **options: object) -> None:
        super().new_file(*args, **options)  # type: ignore[arg-type]  # passed through as they came
        self._chunks: list[bytes] = []

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._chunks.append(raw_data)

    def file_complete(self, file_size: int) -> SimpleUploadedFile:
        return SimpleUploadedFile("data", b"".join(self._chunks))


def _form(body: bytes, content_type: str) -> tuple[dict[str, str], dict[str, list[bytes]]]:
    """Read a multipart form into fields (last one wins, names without case) and files."""
    meta = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body))}
    try:
        fields, files = MultiPartParser(meta, BytesIO(body), [_KeepInMemory()], "utf-8").parse()
    except (MultiPartParserError, SuspiciousOperation) as error:
        raise InvalidInput(f"The multipart form cannot be read. {SEND_PICTURE}") from error
    contents = {
        name.lower(): [file.read() for file in group if isinstance(file, SimpleUploadedFile)]
        for name, group in files.lists()
    }
    return {str(name).lower(): str(fields[name]) for name in fields}, contents
