"""Lots drawn once and for all: whether a thing falls into a share, by a keyed hash of its public id.

The same thing always falls the same way, whoever asks and how often; without the key nobody can tell beforehand how.
"""

from django.utils.crypto import salted_hmac

_BYTES = 8


def falls_in(share: float, public_id: str, *, purpose: str) -> bool:
    """Whether this thing is among `share` of all (0 none, 1 all). Purposes draw independently of each other."""
    digest: bytes = salted_hmac(f"hundredfold.lots.{purpose}", public_id, algorithm="sha256").digest()
    return int.from_bytes(digest[:_BYTES], "big") < share * 256.0**_BYTES
