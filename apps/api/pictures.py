"""Pictures on the wire: data URIs and web addresses coming in, addresses of limited life going out.

An address given out holds what it opens, signed, and for how long: whoever fetches it needs no key, as the browsers and
libraries that show pictures have none. It opens one picture and nothing else, and dies with its sample and with the key
it was given out for.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote

from django.conf import settings
from django.core import signing
from rest_framework.request import Request

from apps.api.paths import MOUNT
from apps.core import outbound
from apps.core.errors import InvalidInput, NotFound
from apps.workspaces.models import ApiKey
from apps.workspaces.services.authentication import is_in_force

MINUTES = 20
"""How long an address of a picture works."""
SEND_PICTURE = 'Send it as a data URI, like "data:image/jpeg;base64,…", or as an address that begins with https://.'
GONE = "This address of a picture is no longer valid. Read the sample again: its picture gets a new one."
_SALT = "hundredfold.api.picture"
_DATA_URI = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True)
class Signed:
    """What an address opens: the picture of a sample, or of one cell of its row; and for which key. By public ids."""

    sample_id: str
    field_id: str
    key_id: str


def is_address(data: object) -> bool:
    """Whether a picture has to be fetched from the web."""
    return isinstance(data, str) and _ADDRESS.match(data) is not None


def picture_bytes(data: object, *, seconds: float = outbound.SECONDS) -> bytes:
    """Return what a data URI holds, or what lies at a web address and comes in that time.

    Raises InvalidInput or TooLarge.
    """
    if not isinstance(data, str):
        raise InvalidInput(f"The picture is missing. {SEND_PICTURE}")
    if is_address(data):
        if seconds <= 0:
            raise InvalidInput("Fetching the pictures of this sample took too long. Send them as data URIs.")
        return outbound.fetch(data.strip(), max_bytes=settings.IMAGE_MAX_BYTES, seconds=seconds)
    match = _DATA_URI.match(data)
    if match is None:
        raise InvalidInput(f"This is not a picture. {SEND_PICTURE}")
    try:
        return base64.b64decode("".join(data[match.end() :].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("The data URI is not valid base64: some of it is missing or changed.") from error


def picture_address(request: Request, sample_id: str, field_id: str = "") -> str:
    """Return an absolute address of a picture, at the host and mount that were called."""
    key = cast("ApiKey", request.auth)
    token = signing.dumps([sample_id, field_id, key.public_id], salt=_SALT)
    mount = MOUNT if request.path.startswith(f"{MOUNT}/") else ""
    return str(request.build_absolute_uri(f"{mount}/v1/media/{quote(token, safe=':')}"))


def read_token(token: str) -> Signed:
    """Return what an address opens. Raises NotFound where it was not made here, is too old, or its key is no more."""
    try:
        signed = Signed(*signing.loads(token, salt=_SALT, max_age=MINUTES * 60))
    except signing.BadSignature as error:
        raise NotFound(GONE) from error
    if not is_in_force(signed.key_id):
        raise NotFound(GONE)
    return signed
