"""Who calls: the key in the header, and nothing else. Cookies do not count here, so no forged form can call."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.accounts.models import User
from apps.core.errors import NotSignedIn
from apps.workspaces.models import ApiKey
from apps.workspaces.services import authenticate

SEND_A_KEY = "Send your key in the header: Authorization: Bearer hf_…"


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer` with the text of a key, or with a token of `/connect/token`."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey]:
        """Return the key and its owner. Raises NotSignedIn."""
        key = authenticate(bearer_of(request.headers.get("Authorization", "")))
        return key.owner, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def bearer_of(header: str) -> str:
    """Return what the header bears. Raises NotSignedIn."""
    scheme, _space, text = header.partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise NotSignedIn(SEND_A_KEY)
    return text.strip()
