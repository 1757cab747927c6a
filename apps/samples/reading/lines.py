"""Lines of a file, decoded one by one, none longer than a cap."""

from collections.abc import Iterator
from typing import IO

LINE_MAX_BYTES = 4 * 1024 * 1024
_DRAIN_BYTES = 1024 * 1024


class BadLine(Exception):
    """A line that cannot be used; it has been read past."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Lines(Iterator[str]):
    """Lines with their ends, from a byte offset. Raises BadLine for one that is too long or wrongly encoded.

    `offset` is the position just past the line given last, `n_lines` how many were read.
    """

    def __init__(self, file: IO[bytes], *, offset: int, encoding: str) -> None:
        self._file = file
        self._encoding = encoding
        self.n_lines = 0
        self.offset = offset
        self.is_at_end = False
        file.seek(offset)

    def __next__(self) -> str:
        line = self._file.readline(LINE_MAX_BYTES)
        if not line:
            self.is_at_end = True
            raise StopIteration
        self.n_lines += 1
        self.offset += len(line)
        if len(line) == LINE_MAX_BYTES and not line.endswith(b"\n"):
            self._drain()
            raise BadLine(f"The line is longer than {LINE_MAX_BYTES // 1024**2} million characters.")
        try:
            return line.decode(self._encoding)
        except UnicodeDecodeError as error:
            raise BadLine("Some characters cannot be read in the chosen encoding.") from error

    def go_back(self, offset: int) -> None:
        self._file.seek(offset)
        self.offset = offset
        self.is_at_end = False

    def _drain(self) -> None:
        while part := self._file.readline(_DRAIN_BYTES):
            self.offset += len(part)
            if part.endswith(b"\n"):
                return
