"""Tokens: what a program gets at `/connect/token` for its client id and secret, and shows for an hour instead of them.

`hft_<prefix of the key>_<end, as a number in hexadecimal>_<signature>`. Nothing is stored: the signature is over what
is kept of the secret that was shown, so a token dies with that secret, its key, or the membership of the key's owner.
"""

import hashlib
import hmac
import math
import re
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from django.conf import settings

from apps.core.errors import NotSignedIn
from apps.workspaces.models import ApiKey
from apps.workspaces.services.key_texts import hashes_in_force, slow_hashes_in_force

LIFETIME_S = 3600
"""Clients renew ten minutes before the end."""
_TOKEN = re.compile(r"hft_([a-z0-9]{12})_([0-9a-f]{8,10})_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Token:
    """A token for the bearer's header, and whose it is."""

    text: str
    key: ApiKey
    lifetime_s: int = LIFETIME_S


def new_token(key: ApiKey, *, proof: str) -> Token:
    """Make a token for a secret of the key, given what is kept of that secret."""
    return Token(_signed(key.prefix, int(time.time()) + LIFETIME_S, proof), key)


def prefix_in(bearer: str) -> str:
    """Return the prefix of the key that a token says it is of, "" for any other text. Raises NotSignedIn at its end."""
    match = _TOKEN.fullmatch(bearer)
    if match and int(match[2], 16) <= time.time():
        raise NotSignedIn("This token has ended. Get a new one at /connect/token.")
    return match[1] if match else ""


def end_of_token(bearer: str) -> float:
    """Return when a token ends, in seconds of `time.time`; infinity for any other text."""
    match = _TOKEN.fullmatch(bearer)
    return int(match[2], 16) if match else math.inf


def is_token_of(key: ApiKey, bearer: str) -> bool:
    """Whether the text is a token, made for a secret of this key that still works."""
    match = _TOKEN.fullmatch(bearer)
    if match is None:
        return False
    proofs = hashes_in_force(key) + slow_hashes_in_force(key)
    return any(hmac.compare_digest(bearer, _signed(key.prefix, int(match[2], 16), proof)) for proof in proofs)


def _signed(prefix: str, ends_at: int, proof: str) -> str:
    head = f"hft_{prefix}_{ends_at:08x}_"
    text = f"hundredfold.token:{head}:{proof}"
    digest = hmac.new(settings.SECRET_KEY.encode(), text.encode(), hashlib.sha256).digest()
    return head + urlsafe_b64encode(digest).decode().rstrip("=")
