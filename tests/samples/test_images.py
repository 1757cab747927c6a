"""Pictures are told apart by content, decoded under caps and written anew without anything hidden."""

import io
import random
import struct
import zlib
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from apps.core.errors import HundredfoldError, InvalidInput, TooLarge
from apps.samples.images import LONG_SIDE_PX, THUMBNAIL_PX, normalise, open_rgb
from tests.samples.conftest import picture


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "HEIF"])
def test_every_format_becomes_an_rgb_jpeg(kind: str) -> None:
    result = normalise(picture(3, kind=kind))
    stored = opened(result.jpeg)
    assert (stored.format, stored.mode, stored.size) == ("JPEG", "RGB", (40, 30))
    assert (result.width_px, result.height_px) == (40, 30)
    assert opened(result.thumbnail).format == "JPEG"


def test_large_pictures_are_stored_smaller_and_small_ones_as_they_are() -> None:
    large = normalise(picture(size=(3000, 2000)))
    assert (large.width_px, large.height_px) == (LONG_SIDE_PX, 683)
    assert max(opened(large.thumbnail).size) == THUMBNAIL_PX
    assert opened(normalise(picture(size=(7, 5))).thumbnail).size == (7, 5)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
def test_extreme_shapes_survive(size: tuple[int, int]) -> None:
    result = normalise(picture(size=size))
    assert result.width_px >= 1
    assert result.height_px >= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_s_orientation_is_applied(orientation: int) -> None:
    upright = Image.new("RGB", (40, 20), "white")
    upright.paste("red", (0, 0, 10, 10))  # top left
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turns[orientation]) if orientation in turns else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    stored.save(out, "JPEG", exif=exif, quality=95)
    seen = open_rgb(out.getvalue())
    assert seen.size == (40, 20)
    red, green, _blue = seen.getpixel((4, 4))  # type: ignore[misc]  # RGB has three
    assert red > 200
    assert green < 60


def test_place_and_other_notes_do_not_survive() -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret description"
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 14.0)}
    out = io.BytesIO()
    Image.new("RGB", (20, 20)).save(out, "JPEG", exif=exif, comment=b"a hidden comment", icc_profile=b"profile" * 20)
    hidden = out.getvalue() + b"<script>alert(1)</script>"
    assert b"a hidden comment" in hidden
    result = normalise(hidden)
    for content in (result.jpeg, result.thumbnail):
        assert not opened(content).getexif()
        for trace in (b"secret", b"hidden", b"Exif", b"profile", b"<script>", b"GPS"):
            assert trace not in content


def test_transparency_becomes_white() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(out, "PNG")
    assert open_rgb(out.getvalue()).getpixel((5, 5)) == (255, 255, 255)
    out = io.BytesIO()
    palette = Image.new("P", (10, 10), 0)
    palette.putpalette([200, 0, 0] * 256)
    palette.save(out, "GIF", transparency=0)
    assert open_rgb(out.getvalue()).getpixel((5, 5)) == (255, 255, 255)


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "green")]
    for kind in ("GIF", "WEBP"):
        out = io.BytesIO()
        frames[0].save(out, kind, save_all=True, append_images=frames[1:])
        red, _green, blue = open_rgb(out.getvalue()).getpixel((8, 8))  # type: ignore[misc]  # RGB has three
        assert red > 200 > blue


def test_sixteen_bits_a_pixel_keep_their_shades() -> None:
    shades = Image.new("I;16", (2, 1))
    shades.putpixel((0, 0), 0x4000)
    shades.putpixel((1, 0), 0xFFFF)
    out = io.BytesIO()
    shades.save(out, "PNG")
    assert [open_rgb(out.getvalue()).getpixel((x, 0)) for x in (0, 1)] == [(64, 64, 64), (255, 255, 255)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "SVG"),
        (b"\xef\xbb\xbf  <?xml version='1.0'?><svg/>", "SVG"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"%PDF-1.7", "PDF"),
        (b"II*\x00" + bytes(100), "TIFF"),
        (b"BM" + bytes(100), "BMP"),
        (b"PK\x03\x04" + bytes(100), "zip"),
        (b"%!PS-Adobe", "PostScript"),
        (b"\x00\x00\x00\x18ftypavif" + bytes(100), "AVIF"),
        (b"just some words", "not a picture"),
        (bytes(200), "not a picture"),
    ],
)
def test_anything_else_is_refused_by_content_with_a_sentence(content: bytes, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        normalise(content)
    assert said in refusal.value.message
    assert refusal.value.message.endswith(".")


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "PPM", "ICO", "TGA", "PCX", "EPS"])
def test_formats_pillow_could_read_are_refused_all_the_same(kind: str) -> None:
    with pytest.raises(InvalidInput):
        normalise(picture(kind=kind))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "HEIF"])
def test_a_file_cut_off_is_refused(kind: str) -> None:
    whole = picture(5, size=(300, 200), kind=kind)
    with pytest.raises(InvalidInput):
        normalise(whole[: len(whole) // 2])


def _png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(50_000, 50_000), (10_000, 10_000), (2_000_000_000, 1)])
def test_a_picture_that_claims_too_many_pixels_is_refused_before_decoding(size: tuple[int, int]) -> None:
    with pytest.raises(TooLarge, match="million pixels"):
        normalise(_png_claiming(*size))


def test_the_byte_cap_holds(settings: pytest.FixtureRequest) -> None:
    settings.IMAGE_MAX_BYTES = 500
    with pytest.raises(TooLarge, match="larger than"):
        normalise(picture(size=(200, 200)) + bytes(600))


WHOLE = {kind: picture(9, size=(64, 48), kind=kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "HEIF")}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(sorted(WHOLE)), seed=st.integers(0, 10**9), n=st.integers(1, 30), cut=st.booleans())
def test_damaged_bytes_are_decoded_or_refused_never_worse(kind: str, seed: int, n: int, cut: bool) -> None:
    chance = random.Random(seed)
    content = bytearray(WHOLE[kind])
    for _ in range(n):
        content[chance.randrange(len(content))] = chance.randrange(256)
    if cut:
        del content[chance.randrange(len(content)) :]
    with suppress(HundredfoldError):
        normalise(bytes(content))
