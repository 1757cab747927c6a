"""What travels in a call: addresses, options, inputs and refusals. No database, no model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl

from apps.core.errors import HundredfoldError, InvalidInput
from apps.core.http import status_of
from apps.invoke.multipart import chosen_file, read_form

_PATH = re.compile(
    r"(?:/api\.com)?/(?:v1/functions/(?P<function_id>[A-Za-z0-9_-]{1,80})/invoke(?P<batch>/batch)?"
    r"|v0\.9/functions/(?P<old_function_id>[A-Za-z0-9_-]{1,80})/invoke)/*"
)
_MAX_FORM_FIELDS = 50

SEND_TEXT = 'Send JSON like {"data": "your text"}.'
SEND_ROW = 'Send JSON like {"data": {"age": 31, "city": "Oslo"}}.'
SEND_PICTURE = (
    'Send the picture itself: as the part data of a multipart form, or as JSON {"data": "data:image/jpeg;base64,…"}; '
    "or the address of one, beginning with https://."
)
Data = str | bytes | Mapping[str, object]


class NoModel(InvalidInput):
    """The function is not trained yet. Clients look for the beginning of this sentence."""

    code = "no_model"

    def __init__(self, missing: Sequence[str] = ()) -> None:
        super().__init__(" ".join(["No model available to invoke function: it is not trained yet.", *missing]))


class WrongType(HundredfoldError):
    """The body is neither JSON nor a form, or the header says that it is not."""

    code = "unsupported_media_type"


class Fault(HundredfoldError):
    """Something went wrong in here; the log says what."""

    code = "internal_error"


@dataclass(frozen=True)
class Route:
    """Which function is called, with one input or many, and in which words: `is_old` are those of version 0.9."""

    function_id: str
    is_old: bool = False
    is_batch: bool = False


@dataclass(frozen=True)
class Options:
    """What the query string asks for; `wants_capture` is false where the input must not be kept."""

    n_labels: int = 0
    model_id: str = ""
    includes_metadata: bool = False
    external_id: str = ""
    wants_capture: bool = True


@dataclass(frozen=True)
class Payload:
    """The input of one call: a text, a picture's bytes or where it is to be found, or a row's values by field."""

    data: Data
    external_id: str = ""


@dataclass(frozen=True)
class Reply:
    """A status and a JSON body, with the headers that belong to it."""

    status: int
    body: Mapping[str, object] | Sequence[object]
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def content(self) -> bytes:
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


def route_of(path: str) -> Route | None:
    """Return what is called if this is the address of a call, else None."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    if old := match["old_function_id"]:
        return Route(old, is_old=True)
    return Route(match["function_id"], is_batch=bool(match["batch"]))


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
        external_id=read_external_id(values.get("externalid", "")),
        wants_capture=_flag(values.get("capture", ""), "capture", default=True),
    )


def read_text(body: bytes, content_type: str) -> Payload:
    """Read a call of a text function."""
    if is_form(content_type):
        fields, _files = read_form(body, content_type, SEND_TEXT)
        return Payload(text_of(fields.get("data")), read_external_id(fields.get("externalid")))
    members = read_object(body, SEND_TEXT)
    return Payload(text_of(members.get("data")), read_external_id(members.get("externalid")))


def read_picture(body: bytes, content_type: str) -> Payload:
    """Read a call of a picture function: a multipart file named `data`, the only file, or a reference to one."""
    if not is_form(content_type):
        members = read_object(body, SEND_PICTURE)
        return Payload(reference_of(members.get("data")), read_external_id(members.get("externalid")))
    fields, files = read_form(body, content_type, SEND_PICTURE)
    data = chosen_file(files) if files else reference_of(fields.get("data"))
    return Payload(data, read_external_id(fields.get("externalid")))


def read_row(body: bytes, content_type: str) -> Payload:
    """Read a call of a table function."""
    if is_form(content_type):
        raise InvalidInput(f"Rows come as JSON. {SEND_ROW}")
    members = read_object(body, SEND_ROW)
    return Payload(row_of(members.get("data")), read_external_id(members.get("externalid")))


def text_of(data: object) -> str:
    if not isinstance(data, str):
        raise InvalidInput(f"The text is missing. {SEND_TEXT}")
    return data


def reference_of(data: object) -> str:
    """Return what names a picture: a data URI or an address."""
    if not isinstance(data, str):
        raise InvalidInput(f"The picture is missing. {SEND_PICTURE}")
    return data


def row_of(data: object) -> Mapping[str, object]:
    if not isinstance(data, dict):
        raise InvalidInput(f"The row is missing. {SEND_ROW}")
    return data


def refusal(error: HundredfoldError, request_id: str) -> Reply:
    """Return the reply to a call that a service refused."""
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE if isinstance(error, WrongType) else status_of(error)
    headers: tuple[tuple[str, str], ...] = ()
    if status == HTTPStatus.UNAUTHORIZED:
        headers = (("www-authenticate", "Bearer"),)
    elif wait := getattr(error, "retry_after_s", 1 if status == HTTPStatus.SERVICE_UNAVAILABLE else 0):
        headers = (("retry-after", str(wait)),)
    return error_reply(status, error.message, error.code, request_id, headers=headers)


def error_reply(
    status: int, message: str, code: str, request_id: str, *, headers: tuple[tuple[str, str], ...] = ()
) -> Reply:
    """Return the one shape that every error has."""
    return Reply(status, {"message": message, "code": code, "requestId": request_id}, headers)


def is_form(content_type: str) -> bool:
    """Whether a body is a multipart form rather than JSON. Raises WrongType where it is neither.

    A body of which nothing is said is taken for JSON, as it mostly is.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return True
    if kind in {"", "application/json", "text/json"} or kind.endswith("+json"):
        return False
    raise WrongType("Send JSON, with the header Content-Type: application/json; or pictures as multipart/form-data.")


def read_object(body: bytes, advice: str) -> dict[str, object]:
    """Read a JSON object; names compare without case, as existing clients mix them."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of nested brackets
        raise InvalidInput(f"This is not readable JSON. {advice}") from error
    return as_object(value, f"The JSON must be an object. {advice}")


def as_object(value: object, refusal: str) -> dict[str, object]:
    """Return the members of an object by lower-case name. Raises InvalidInput."""
    if not isinstance(value, dict):
        raise InvalidInput(refusal)
    return {str(name).lower(): member for name, member in value.items()}


def read_external_id(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 200 or "\x00" in value or not _is_encodable(value):
        raise InvalidInput("externalId must be a text of at most 200 characters.")
    return value


def _whole_number(value: str, name: str) -> int:
    if not value:
        return 0
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise InvalidInput(f"{name} must be a whole number, like 3.")
    return int(value)


def _flag(value: str, name: str, *, default: bool = False) -> bool:
    if value.lower() not in {"", "true", "false", "1", "0"}:
        raise InvalidInput(f"{name} must be true or false.")
    return value.lower() in {"true", "1"} if value else default


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
