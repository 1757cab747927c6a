"""The secret key: from the environment, or made once and kept with mode 0600 in the data directory."""

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

MIN_LENGTH = 50
PLACEHOLDERS = ("change-me", "changeme", "replace-me", "django-insecure", "secret", "example")


def load_or_create_secret_key(configured: str, path: Path) -> str:
    """Return the key, or refuse to start on a short or well-known one."""
    if configured:
        return _checked(configured)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        path.chmod(0o600)
        return _checked(path.read_text(encoding="ascii").strip())
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        key = secrets.token_urlsafe(64)
        file.write(key)
    return key


def _checked(key: str) -> str:
    if len(key) < MIN_LENGTH or any(word in key.lower() for word in PLACEHOLDERS):
        raise ImproperlyConfigured(
            "HUNDREDFOLD_SECRET_KEY must be a random text of at least 50 characters. "
            "Leave it unset to have one made and kept in the data directory."
        )
    return key
