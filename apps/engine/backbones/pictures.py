"""Any picture a user may bring, as the RGB pixels a backbone takes."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from PIL import Image

from apps.engine.backbones import Input


def to_rgb(picture: Input, *, size_px: int) -> npt.NDArray[np.uint8]:
    """Return the picture as `(size_px, size_px, 3)`, squeezed to a square, on white where it is see-through.

    Squeezed, not cropped: what a label depends on may lie at the edge. Measured on two sets at 100 labels, both
    do equally well (accuracy 0.757 squeezed, 0.758 cropped).

    Raises `TypeError` for what is not a picture.
    """
    if isinstance(picture, str):
        raise TypeError("This backbone encodes pictures, not text.")
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    if 0 in image.size:
        image = Image.new("RGB", (1, 1), "white")
    image = _without_transparency(_to_eight_bits(image))
    # The first, coarse reduction of a large picture is cheap; 3 keeps the result that of a full resampling.
    resized = image.resize((size_px, size_px), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(resized, dtype=np.uint8)


def fill_rgb(batch: npt.NDArray[np.uint8], pictures: Sequence[Input], *, n_threads: int = 1) -> None:
    """Write pictures into a batch `(n_pictures, size_px, size_px, 3)`. Raises as `to_rgb`."""

    def fill(at: int) -> None:
        batch[at] = to_rgb(pictures[at], size_px=batch.shape[1])

    if min(n_threads, len(pictures)) <= 1:
        for at in range(len(pictures)):
            fill(at)
    else:
        with ThreadPoolExecutor(min(n_threads, len(pictures))) as pool:  # Pillow computes beside the interpreter
            list(pool.map(fill, range(len(pictures))))  # list() raises what a picture raised


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Spread the values of a 16- or 32-bit picture over 8 bits; Pillow itself would cut all above 255 to white."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
    low, high = values.min(), values.max()
    if high > low:
        values = (values - low) * (255.0 / (high - low))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _without_transparency(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    ground = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(ground, layer).convert("RGB")
