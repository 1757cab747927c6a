"""Pictures as they come in: told apart by content, decoded under caps, and written anew without anything hidden.

What is stored is never what was sent: an upright RGB JPEG of at most 1024 pixels a side, and a thumbnail. So no
script, no place where a photo was taken and no second file behind the picture survives, and every backbone reads one
format. The same function stands before intake and before a call of the model: both see the same pixels.
"""

import struct
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO

from django.conf import settings
from PIL import Image, UnidentifiedImageError
from pillow_heif import register_heif_opener

from apps.core.errors import InvalidInput, TooLarge

register_heif_opener(thumbnails=False)
# Our own cap refuses such pictures with a sentence; a line on stderr for each adds nothing.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "HEIF")
LONG_SIDE_PX = 1024
THUMBNAIL_PX = 256
JPEG_QUALITY = 92
THUMBNAIL_QUALITY = 80
# What decoders raise on damaged bytes, found by feeding them such; a bug of ours would raise something else.
DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)

_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# First bytes of what people try most often, so that the refusal can say what it is.
_OTHER_KINDS = (
    (b"%PDF", "a PDF"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"BM", "a BMP picture"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"PK\x03\x04", "a zip file"),
    (b"%!PS", "a PostScript file"),
    (b"8BPS", "a Photoshop file"),
    (b"\x1aE\xdf\xa3", "a video"),
)


@dataclass(frozen=True)
class NormalisedImage:
    """A picture ready to store: JPEG bytes, their size in pixels, and a small JPEG for lists."""

    jpeg: bytes
    width_px: int
    height_px: int
    thumbnail: bytes


def normalise(content: bytes) -> NormalisedImage:
    """Decode and write anew. Raises InvalidInput or TooLarge with a sentence for the person who sent it."""
    picture = open_rgb(content)
    small = picture.copy()
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
    return NormalisedImage(
        jpeg=_jpeg(picture, JPEG_QUALITY),
        width_px=picture.width,
        height_px=picture.height,
        thumbnail=_jpeg(small, THUMBNAIL_QUALITY),
    )


def as_stored(content: bytes) -> Image.Image:
    """Return the picture as it would be read back from the store, pixel for pixel, without storing it."""
    return open_rgb(_jpeg(open_rgb(content), JPEG_QUALITY))


def open_rgb(content: bytes) -> Image.Image:
    """Decode the first frame: upright, RGB, transparency on white, long side at most `LONG_SIDE_PX`, no metadata."""
    if not content:
        raise InvalidInput("The file is empty.")
    if len(content) > settings.IMAGE_MAX_BYTES:
        raise TooLarge(f"The picture is larger than {settings.IMAGE_MAX_BYTES // 1024**2} MB. Make it smaller first.")
    picture = _opened(content)
    _check_pixels(picture.width, picture.height)
    try:
        return _decoded(picture)
    except DECODE_ERRORS as error:
        raise InvalidInput("The picture is damaged or cut off: it could not be read to its end.") from error


def _opened(content: bytes) -> Image.Image:
    try:
        return Image.open(BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except UnidentifiedImageError as error:
        raise InvalidInput(f"This is {_kind_of(content)}. Pictures can be JPEG, PNG, WEBP, GIF or HEIC.") from error
    except DECODE_ERRORS as error:
        raise InvalidInput("The picture is damaged: its first bytes make no sense.") from error


def _kind_of(content: bytes) -> str:
    start = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        return "an SVG drawing, which can hold scripts"
    if start.startswith((b"<!doctype html", b"<html", b"<script", b"<?xml")):
        return "a web page or XML file"
    if content[4:8] == b"ftyp":
        return "a video or an AVIF picture"
    return next((name for magic, name in _OTHER_KINDS if content.startswith(magic)), "not a picture we can read")


def _check_pixels(width_px: int, height_px: int) -> None:
    """Before decoding: a few kilobytes can claim billions of pixels."""
    if width_px * height_px > settings.IMAGE_MAX_PIXELS:
        raise _too_many_pixels()


def _too_many_pixels() -> TooLarge:
    return TooLarge(f"The picture has more than {settings.IMAGE_MAX_PIXELS // 1_000_000} million pixels.")


def _decoded(picture: Image.Image) -> Image.Image:
    turn = _UPRIGHT.get(_orientation(picture))
    if picture.mode in {"RGB", "L", "CMYK", "YCbCr"}:
        # Asks JPEG for a smaller decoding while it is at least twice the final size: fast, and no visible loss.
        picture.draft(None, (2 * LONG_SIDE_PX, 2 * LONG_SIDE_PX))
    picture.load()
    plain = _rgb_or_rgba(picture)
    plain.thumbnail((LONG_SIDE_PX, LONG_SIDE_PX), Image.Resampling.LANCZOS, reducing_gap=2.0)
    upright = _on_white(plain)
    if turn is not None:
        upright = upright.transpose(turn)
    upright.info.clear()
    return upright


def _orientation(picture: Image.Image) -> int:
    """The camera's note on which way is up; a picture is not refused because that note is broken."""
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except DECODE_ERRORS:
        return 1
    return value if isinstance(value, int) else 1


def _rgb_or_rgba(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        # 16 bits a pixel: a plain conversion would clip nearly everything to white.
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    is_see_through = picture.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in picture.info
    mode = "RGBA" if is_see_through else "RGB"
    return picture if picture.mode == mode else picture.convert(mode)


def _on_white(picture: Image.Image) -> Image.Image:
    """After shrinking: layers of a full-size picture would cost a gigabyte."""
    if picture.mode == "RGB":
        return picture
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    out = BytesIO()
    # Full colour resolution: drawings and screenshots keep their edges. Not optimize=True: Pillow then guesses how
    # large the file can become, and fails on a picture that is mostly noise.
    picture.save(out, "JPEG", quality=quality, subsampling=0)
    return out.getvalue()
