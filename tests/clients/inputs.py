"""Inputs of two sorts that even the smallest model tells apart, and how a program hands them over."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from nyckel import ImageEncoder
from PIL import Image

SORTS = ("Refund", "Shipping")
_OPENINGS = ("please", "hello", "hi there", "dear team", "urgent", "sorry", "once more", "thanks")
_SAID = {
    "Refund": ["i want my money back", "refund the charge on my card", "give me a refund now"],
    "Shipping": ["where is my parcel", "track my delivery", "the parcel has not arrived"],
}
_COLOURS = {"Refund": (200, 30, 30), "Shipping": (30, 60, 200)}


def text_of(sort: str, number: int) -> str:
    said = _SAID[sort]
    return f"{_OPENINGS[number % len(_OPENINGS)]} {said[number % len(said)]} ({number})"


def picture_of(sort: str, number: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    """A picture of one colour; the number shows in a corner, so that no two are the same."""
    red, green, blue = _COLOURS[sort]
    picture = Image.new("RGB", size, (red, green + number % 7 * 5, blue))
    picture.paste((number * 16 % 256, number // 16 * 16 % 256, 128), (0, 0, 16, 16))
    return picture


def data_uri_of(sort: str, number: int) -> str:
    uri: str = ImageEncoder().to_base64(picture_of(sort, number))
    return uri


def row_of(sort: str, number: int) -> dict[str, Any]:
    amount = (900.0 if sort == "Refund" else 5.0) + number
    return {"Message": text_of(sort, number), "Amount": amount, "Photo": data_uri_of(sort, number)}


INPUTS: dict[str, Callable[[str, int], Any]] = {"Text": text_of, "Image": data_uri_of, "Tabular": row_of}


def wait_until_trained(function: Any, seconds: float = 60.0) -> None:
    """As programs do that poll each second, but not for ever."""
    deadline = time.monotonic() + seconds
    while not function.has_trained_model():
        assert time.monotonic() < deadline, "it was never trained"
        time.sleep(0.1)


class Used:
    """A function of the package, and which of its public names have been used."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.names = {"create"}

    def __getattr__(self, name: str) -> Any:
        self.names.add(name)
        return getattr(self.function, name)

    @property
    def unused(self) -> set[str]:
        return {name for name in dir(type(self.function)) if not name.startswith("_")} - self.names
