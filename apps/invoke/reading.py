"""From the body of a call to what models read, off the event loop wherever it takes more than a moment."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings

from apps.core import outbound
from apps.core.errors import HundredfoldError, Unavailable
from apps.engine.errors import ArtifactCorrupt
from apps.functions.models import InputKind
from apps.invoke import wire
from apps.invoke.batches import Item, read_batch
from apps.invoke.pictures import Fetched, RowPictures, addresses_of, content_of, has_pictures, with_fetched
from apps.invoke.services import Answerer, Content, read_content
from apps.samples import rows
from apps.samples.rows import ReadRow
from apps.samples.sent_rows import check_numbers
from apps.training.services.inputs import Layout
from apps.training.services.serving import Served

SMALL_BODY_BYTES = 64 * 1024
"""Texts up to this size are read on the event loop; a thread would cost more than it saves."""
N_DECODING_THREADS = 2
N_FETCHING_THREADS = 8
MAX_FETCHES = 64
"""Pictures being fetched, or waiting to be. Beyond it callers are told to come back."""
FETCH_SECONDS = 10.0
READERS = {
    InputKind.TEXT.value: wire.read_text,
    InputKind.IMAGE.value: wire.read_picture,
    InputKind.TABLE.value: wire.read_row,
}


@dataclass(frozen=True)
class Input:
    """One input as models read it, and as it was sent, pictures that had to be fetched in it. `key` says what it is, as
    no other input does."""

    content: Content
    sent: wire.Data
    key: str


class Reading:
    """The threads of a process that decode what came, and fetch pictures that calls name by their address.

    Whoever fetches waits for machines elsewhere, so fetching has threads of its own: it keeps nobody from decoding. So
    has what large calls bring: it keeps nobody who brings little.
    """

    def __init__(self) -> None:
        self._decoding = ThreadPoolExecutor(N_DECODING_THREADS, thread_name_prefix="invoke-decode")
        self._bulk = ThreadPoolExecutor(1, thread_name_prefix="invoke-bulk")
        self._fetching = ThreadPoolExecutor(N_FETCHING_THREADS, thread_name_prefix="invoke-fetch")
        self._n_fetches = 0

    async def have_at_hand(self, answerer: Answerer) -> None:
        """Read the head of a model before it is asked, beside the model's thread, in which others would wait for it."""
        if isinstance(answerer, Served) and not answerer.is_at_hand:
            with suppress(ArtifactCorrupt, OSError):  # whoever asks the model is told
                await asyncio.get_running_loop().run_in_executor(self._decoding, lambda: answerer.artifact)

    async def payload(self, body: bytes, content_type: str, layout: Layout) -> wire.Payload:
        """Read a body. Raises InvalidInput or WrongType."""
        reader = READERS[layout.input_kind]
        if len(body) <= SMALL_BODY_BYTES:
            return reader(body, content_type)
        return await asyncio.get_running_loop().run_in_executor(self._decoding, reader, body, content_type)

    async def input(self, data: wire.Data, layout: Layout) -> Input:
        """Read an input as intake does for training. Raises InvalidInput, TooLarge or Unavailable."""
        addresses = addresses_of(data, layout)
        fetched = await self._fetch(addresses) if addresses else {}
        if is_quick(data, layout):
            return read_input(data, layout, fetched)
        return await asyncio.get_running_loop().run_in_executor(self._decoding, read_input, data, layout, fetched)

    async def batch(self, body: bytes, content_type: str, layout: Layout) -> list[Item]:
        """Read the body of a call of many inputs. Raises InvalidInput, TooLarge or WrongType."""
        return await asyncio.get_running_loop().run_in_executor(self._bulk, read_batch, body, content_type, layout)

    async def inputs(self, datas: Sequence[wire.Data], layout: Layout) -> list[Input | HundredfoldError]:
        """Read some inputs of a large call; what is wrong with one is in its place."""
        fetched: dict[str, bytes | HundredfoldError] = {}
        for address in dict.fromkeys(address for data in datas for address in _addresses(data, layout)):
            try:
                fetched |= await self._fetch([address])
            except HundredfoldError as error:
                fetched[address] = error
        return await asyncio.get_running_loop().run_in_executor(self._bulk, _read_all, datas, layout, fetched)

    async def _fetch(self, addresses: Sequence[str]) -> Fetched:
        if self._n_fetches + len(addresses) > MAX_FETCHES:
            raise Unavailable("Too many pictures are being fetched. Send the picture itself, or try again in a second.")
        self._n_fetches += len(addresses)
        loop = asyncio.get_running_loop()
        try:
            jobs = [loop.run_in_executor(self._fetching, _fetch, address) for address in addresses]
            return dict(zip(addresses, await asyncio.gather(*jobs), strict=True))
        finally:
            self._n_fetches -= len(addresses)


def is_quick(data: wire.Data, layout: Layout) -> bool:
    """Whether an input is read in less time than a thread would cost."""
    if layout.input_kind == InputKind.IMAGE:
        return False
    if layout.input_kind == InputKind.TABLE:
        return not has_pictures(layout) and isinstance(data, Mapping) and len(data) <= 200
    return len(data) <= SMALL_BODY_BYTES


def read_input(data: wire.Data, layout: Layout, fetched: Fetched) -> Input:
    """Read one input, its pictures decoded; those it names by address must have been fetched."""
    if layout.input_kind == InputKind.IMAGE and isinstance(data, str | bytes):
        content = content_of(data, fetched)
        return Input(read_content(content, layout), content, hashlib.sha256(content).hexdigest())
    if isinstance(data, Mapping) and has_pictures(layout):
        pictures = RowPictures(data, layout, fetched)
        return _read(pictures.values, with_fetched(data, fetched), layout, pictures)
    return _read(data, data, layout)


def _read(data: wire.Data, sent: wire.Data, layout: Layout, pictures: RowPictures | None = None) -> Input:
    if isinstance(data, Mapping) and layout.input_kind == InputKind.TABLE:
        fields = rows.typed(layout.fields)
        check_numbers(rows.cells_by_name(data, fields), fields)  # a program can mend what it sends
    content = read_content(data, layout, find_picture=pictures.find if pictures else None)
    if isinstance(content, ReadRow):
        return Input(content, sent, content.identity)
    return Input(content, sent, hashlib.sha256(str(content).encode()).hexdigest())


def _read_all(
    datas: Sequence[wire.Data], layout: Layout, fetched: Mapping[str, bytes | HundredfoldError]
) -> list[Input | HundredfoldError]:
    return [_read_or_error(data, layout, fetched) for data in datas]


def _read_or_error(
    data: wire.Data, layout: Layout, fetched: Mapping[str, bytes | HundredfoldError]
) -> Input | HundredfoldError:
    there: dict[str, bytes] = {}
    try:
        for address in addresses_of(data, layout):
            found = fetched[address]
            if isinstance(found, HundredfoldError):
                return found
            there[address] = found
        return read_input(data, layout, there)
    except HundredfoldError as error:
        return error


def _addresses(data: wire.Data, layout: Layout) -> list[str]:
    """Return where its pictures are to be fetched from; of a row that cannot be read, nowhere."""
    try:
        return addresses_of(data, layout)
    except HundredfoldError:
        return []


def _fetch(address: str) -> bytes:
    return outbound.fetch(address, max_bytes=settings.IMAGE_MAX_BYTES, seconds=FETCH_SECONDS)
