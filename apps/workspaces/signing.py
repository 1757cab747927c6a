"""How receivers know that a message is ours and of now: HMAC-SHA256 over the moment and the body.

The secret of a webhook is derived from the installation's own, so a copy of the database is of no use to a forger.
For a day after a change messages carry the signatures of both secrets, so that nothing is lost meanwhile.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from datetime import datetime, timedelta

from django.conf import settings

from apps.workspaces.models import Webhook

BOTH_FOR = timedelta(days=1)


def secret_of(webhook: Webhook, version: int | None = None) -> str:
    """Return the text that is shown once; its characters are the key of the signature."""
    words = f"hundredfold.webhook:{webhook.public_id}:{version or webhook.secret_version}"
    digest = hmac.digest(settings.SECRET_KEY.encode(), words.encode(), "sha256")
    return f"whsec_{urlsafe_b64encode(digest).decode().rstrip('=')}"


def signature_header(webhook: Webhook, body: bytes, *, at: datetime) -> str:
    """Return `t=<seconds>,v1=<hex>`, with a second `v1` while the secret before is still good."""
    seconds = int(at.timestamp())
    versions = [webhook.secret_version]
    if webhook.rotated_at is not None and at < webhook.rotated_at + BOTH_FOR:
        versions.append(webhook.secret_version - 1)
    signed = [signature(secret_of(webhook, version), seconds, body) for version in versions]
    return ",".join([f"t={seconds}", *(f"v1={each}" for each in signed)])


def signature(secret: str, seconds: int, body: bytes) -> str:
    return hmac.new(secret.encode(), b"%d." % seconds + body, "sha256").hexdigest()
