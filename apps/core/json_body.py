"""Reading the JSON that a page sends: whatever arrives is either understood or refused in words."""

import json

from django.http import HttpRequest

from apps.core.errors import InvalidInput
from apps.core.texts import storable


def read_json(request: HttpRequest) -> object:
    """Return what a request carries, with texts that every database can hold. Raises InvalidInput."""
    try:
        return _storable(json.loads(request.body.decode()))
    except (ValueError, RecursionError) as error:  # RecursionError: thousands of nested brackets
        raise InvalidInput("The request is not valid JSON.") from error


def read_json_object(request: HttpRequest) -> dict[str, object]:
    """Return the object that a request carries. Raises InvalidInput."""
    body = read_json(request)
    if not isinstance(body, dict):
        raise InvalidInput("The request must be a JSON object.")
    return body


def _storable(value: object) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(member) for name, member in value.items()}
    return value
