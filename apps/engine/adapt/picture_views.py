"""A picture as it might have been taken a moment later: turned, nearer, moved, brighter.

A tower that sees each sample in a few such versions learns what they have in common. None is mirrored: letters, hands
and plugs mean something else in a mirror (sign_digits 0.925 with mirror images, 0.950 with these).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

TURN_DEGREES, ZOOM, SHIFT = 10.0, (0.95, 1.2), 0.07
CONTRAST, BRIGHTNESS, TINT = (0.8, 1.25), (0.85, 1.15), (0.95, 1.05)


def changed(picture: npt.NDArray[np.uint8], random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return another version of a picture `(size, size, 3)`; what lies beyond its edges is its mirror image."""
    values = _moved(picture, random).astype(np.float32)
    mean = values.mean()
    values = (values - mean) * random.uniform(*CONTRAST) + mean * random.uniform(*BRIGHTNESS)
    values *= random.uniform(*TINT, size=3)
    version: npt.NDArray[np.uint8] = np.clip(values, 0, 255).astype(np.uint8)
    return version


def _moved(picture: npt.NDArray[np.uint8], random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Turn about the middle, zoom and shift."""
    size = len(picture)
    margin = size // 4  # a corner turned by 10 degrees, 7 % away, reaches no further
    angle, scale = np.deg2rad(random.uniform(-TURN_DEGREES, TURN_DEGREES)), 1 / random.uniform(*ZOOM)
    right, down = random.uniform(-SHIFT, SHIFT, size=2) * size
    cosine, sine = float(np.cos(angle) * scale), float(np.sin(angle) * scale)
    from_middle, middle = (size - 1) / 2, margin + (size - 1) / 2
    matrix = (
        *(cosine, -sine, middle + right - (cosine - sine) * from_middle),
        *(sine, cosine, middle + down - (sine + cosine) * from_middle),
    )
    wide = Image.fromarray(np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), mode="reflect"))
    moved = wide.transform((size, size), Image.Transform.AFFINE, matrix, resample=Image.Resampling.BILINEAR)
    return np.asarray(moved, dtype=np.uint8)
