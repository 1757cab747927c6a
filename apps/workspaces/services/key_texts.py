"""The texts that programs prove themselves with, and what is kept of them.

A generated key is `hf_<12 characters>_<43 characters>`: the middle finds the row, an HMAC of the whole proves it. 256
random bits need no slow hash; the HMAC's secret keeps a stolen database from being of use. A secret that an operator
chose may be a weak one, so of it only a slow hash is kept, which takes a fifth of a second to check.
"""

import hmac
import re
import secrets
import string

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.utils import timezone

from apps.core.errors import InvalidInput
from apps.core.texts import storable
from apps.workspaces.models import ApiKey

PREFIX_LENGTH = 12
KEY_TEXT = re.compile(r"hf_([a-z0-9]{12})_[A-Za-z0-9_-]{43}")
MIN_CHOSEN, MAX_CHOSEN = 8, 200
_ALPHABET = string.ascii_lowercase + string.digits


def new_prefix() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(PREFIX_LENGTH))


def new_text(prefix: str) -> str:
    """Return a fresh key of that prefix; the prefix stays when the key is rotated."""
    return f"hf_{prefix}_{secrets.token_urlsafe(32)}"


def hash_of(text: str) -> str:
    """Return what is kept of a generated key."""
    return hmac.new(settings.SECRET_KEY.encode(), b"hundredfold.api-key:" + text.encode(), "sha256").hexdigest()


def slow_hash_of(secret: str) -> str:
    """Return what is kept of a chosen secret. Raises InvalidInput for one that is too easy or cannot travel."""
    if not MIN_CHOSEN <= len(secret) <= MAX_CHOSEN:
        raise InvalidInput(f"Choose a secret of {MIN_CHOSEN} to {MAX_CHOSEN} characters, or leave it out to get one.")
    if any(character.isspace() for character in secret) or not secret.isprintable() or storable(secret) != secret:
        raise InvalidInput("Choose a secret without spaces and control characters: not every client can send them.")
    if secret.startswith(("hf_", "hft_")):
        raise InvalidInput("Choose a secret that does not begin as the generated ones do (hf_, hft_).")
    return make_password(secret)


def hashes_in_force(key: ApiKey) -> list[str]:
    """Return what is kept of the secrets that work for generated texts: today's, and yesterday's while they overlap."""
    return [kept for kept in (key.secret_hash, key.old_secret_hash if overlaps(key) else "") if kept]


def slow_hashes_in_force(key: ApiKey) -> list[str]:
    """Return the same for chosen secrets."""
    return [kept for kept in (key.chosen_hash, key.old_chosen_hash if overlaps(key) else "") if kept]


def overlaps(key: ApiKey) -> bool:
    """Whether the secret before the newest still works."""
    return key.old_until is not None and key.old_until > timezone.now()


def proof_of_text(text: str, kept: list[str]) -> str:
    """Return the one of `kept` that the text proves, or "". It takes as long for a key that does not exist."""
    ours = hash_of(text)
    found = ""
    for each in kept or ["0" * 64]:
        if hmac.compare_digest(ours, each):
            found = each
    return found
