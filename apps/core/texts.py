"""Texts as every database can hold them."""

import re

_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """Put U+FFFD in place of NUL and of halves of a pair (a cut emoji), as browsers do where they read text."""
    return _NOT_STORABLE.sub("\ufffd", text)
