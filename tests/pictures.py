"""Small pictures of one colour."""

from __future__ import annotations

import base64
from io import BytesIO

from PIL import Image


def picture(colour: str = "red", *, size: tuple[int, int] = (40, 30), kind: str = "PNG") -> bytes:
    out = BytesIO()
    Image.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def data_uri(content: bytes) -> str:
    """Return a picture as the `nyckel` package sends it, whatever its kind."""
    return "data:image/jpg;base64," + base64.b64encode(content).decode()
