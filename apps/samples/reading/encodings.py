"""Which characters a file's bytes mean."""

import codecs
from typing import IO

CHOICES = {
    "utf-8": "UTF-8",
    "cp1252": "Western European (Windows)",
    "cp1250": "Central European (Windows)",
    "cp1251": "Cyrillic (Windows)",
    "cp1253": "Greek (Windows)",
    "cp1254": "Turkish (Windows)",
    "shift_jis": "Japanese (Shift JIS)",
    "gb18030": "Chinese (GB 18030)",
    "big5": "Chinese (Big5)",
    "euc_kr": "Korean (EUC-KR)",
}
"""What a person may choose from. In each of them the byte 0x0A always ends a line, so files can be split unread."""

FALLBACK = "cp1252"
_BLOCK_BYTES = 1024 * 1024
# The longer marks first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def byte_order_mark(start: bytes) -> tuple[str, int]:
    """Return the encoding a mark at the start declares and the mark's length; ("", 0) without a mark."""
    return next(((name, len(mark)) for mark, name in _MARKS if start.startswith(mark)), ("", 0))


def sniff(file: IO[bytes]) -> tuple[str, int]:
    """Return the encoding of a whole file and where its text starts. Reads it once; leaves the position anywhere.

    UTF-8 is told by its own strict rules; anything else without a mark is taken for the commonest Windows encoding,
    and the preview lets a person choose another.
    """
    file.seek(0)
    start = file.read(1024)
    encoding, n_mark_bytes = byte_order_mark(start)
    encoding = encoding or _unmarked_utf16(start)
    if not encoding:
        encoding = "utf-8" if _is_utf8(file) else FALLBACK
    return encoding, n_mark_bytes


def _unmarked_utf16(start: bytes) -> str:
    """Text in Western letters has a zero in every second byte of UTF-16, and none at all elsewhere."""
    half = len(start) // 2
    if half < 4:
        return ""
    n_even, n_odd = start[0::2].count(0), start[1::2].count(0)
    if n_odd > 0.4 * half and n_even < 0.1 * half:
        return "utf-16-le"
    return "utf-16-be" if n_even > 0.4 * half and n_odd < 0.1 * half else ""


def _is_utf8(file: IO[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while block := file.read(_BLOCK_BYTES):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def rewrite_as_utf8(source: IO[bytes], target: IO[bytes], *, encoding: str, start: int) -> None:
    """Copy text into UTF-8 with `\\n` for a lone `\\r`; what cannot be decoded becomes U+FFFD."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    source.seek(start)
    held = ""
    while block := source.read(_BLOCK_BYTES):
        text = held + decoder.decode(block)
        held = "\r" if text.endswith("\r") else ""
        target.write(_newlines(text.removesuffix(held)).encode("utf-8", "replace"))
    target.write(_newlines(held + decoder.decode(b"", final=True)).encode("utf-8", "replace"))


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
