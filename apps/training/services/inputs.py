"""From samples to what models read: stored vectors, texts and typed columns, side by side.

Rounds, live predictions and calls all build their `Inputs` here, so that a model is always asked in the way it was
taught.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO

import structlog
from django.db.models import QuerySet
from django.db.models.functions import Left
from PIL import Image, UnidentifiedImageError

from apps.core.errors import NotFound
from apps.engine.backbones import BackboneSpec, Input
from apps.engine.tables import columns_from_rows
from apps.engine.types import ColumnType, FloatArray, Inputs, Modality, cell_key
from apps.functions.models import Field, FieldType, Function, InputKind
from apps.samples.media import open_picture
from apps.samples.models import Sample
from apps.training.services.encoders import backbone_names, cell_spec, device, names_with, spec_of

logger = structlog.get_logger(__name__)

READ_CHARACTERS = 20_000
"""Of a text; no backbone reads more, and patterns of words and characters are clear long before."""
Row = Mapping[str, object]


@dataclass(frozen=True)
class Layout:
    """What a function's samples consist of.

    `specs` are the embeddings each sample has: of the whole of it, or of the cells of one column under the column's
    key. `fields` are the columns in use, empty but for tables.
    """

    input_kind: str
    specs: tuple[BackboneSpec, ...]
    fields: tuple[Field, ...] = ()

    @property
    def types(self) -> dict[str, ColumnType]:
        """The type of each column by its key."""
        return {field.public_id: ColumnType(field.type) for field in self.fields}


def layout_of(function: Function, *, is_ahead: bool = False) -> Layout:
    """Return what the function's samples consist of now. One query for tables, none for others.

    `is_ahead`: as they will be read when all were read with the backbone chosen.
    """
    return _layout(function, partial(backbone_names, function_id=None if is_ahead else function.pk))


def layout_with(function: Function, names: Mapping[str, str]) -> Layout:
    """Return what they consist of where a kind of them is read with another backbone, "" for the built-in ones."""

    def read_with(modality: Modality) -> tuple[str, ...]:
        name = names.get(modality.value)
        return backbone_names(modality, function_id=function.pk) if name is None else names_with(name, modality)

    return _layout(function, read_with)


def _layout(function: Function, names: Callable[[Modality], tuple[str, ...]]) -> Layout:
    if function.input_kind != InputKind.TABLE:
        of_samples = names(Modality(function.input_kind))
        return Layout(function.input_kind, tuple(spec_of(name) for name in of_samples))
    fields = tuple(function.fields.filter(is_used=True))
    return Layout(function.input_kind, tuple(_cell_specs(fields, names)), fields)


def _cell_specs(fields: Sequence[Field], names: Callable[[Modality], tuple[str, ...]]) -> list[BackboneSpec]:
    """Cells of free text and pictures are embedded like samples of their own."""
    modalities = {FieldType.TEXT.value: Modality.TEXT, FieldType.IMAGE.value: Modality.IMAGE}
    return [
        cell_spec(cell_key(names(modalities[field.type])[0], field.public_id))
        for field in fields
        if field.type in modalities
    ]


def read_contents(layout: Layout, samples: QuerySet[Sample]) -> dict[int, str | Row]:
    """Return what has to be read of samples beside their vectors, by key: texts or rows, "" for pictures."""
    if layout.input_kind == InputKind.TEXT:
        return dict(samples.annotate(beginning=Left("text", READ_CHARACTERS)).values_list("pk", "beginning"))
    if layout.input_kind == InputKind.TABLE:
        return {pk: row or {} for pk, row in samples.values_list("pk", "row")}
    return dict.fromkeys(samples.values_list("pk", flat=True), "")


def build_inputs(layout: Layout, contents: Sequence[str | Row], embeddings: Mapping[str, FloatArray]) -> Inputs:
    """Put together what a model reads; row `i` of every matrix is of `contents[i]`."""
    texts = [content for content in contents if isinstance(content, str)]
    rows = [content for content in contents if not isinstance(content, str)]
    return Inputs(
        len(contents),
        embeddings,
        texts if layout.input_kind == InputKind.TEXT else (),
        columns_from_rows(rows, layout.types) if layout.input_kind == InputKind.TABLE else (),
    )


def as_read(content: Input | Row, column: str) -> Input | None:
    """Return what a backbone reads of a content: the whole of it, or a row's cell in one column, None if missing."""
    if not isinstance(content, Mapping):
        return content
    value = content.get(column)
    if isinstance(value, Image.Image):  # of a call, which stores nothing
        return value
    if isinstance(value, Mapping):
        return stored_picture(str(value.get("file", "")))
    return None if value is None else str(value)


def stored_picture(file_key: str) -> Image.Image:
    """Return a stored picture. One that cannot be read any more counts as blank: it must not hold up the others."""
    return _decoded(file_key, _content_of(file_key))


def stored_pictures(file_keys: Sequence[str]) -> list[Image.Image]:
    """Return stored pictures, as `stored_picture` does.

    Beside a GPU all cores decode: one of them reads some two hundred pictures a second, a GPU thousands. Without one
    they have the backbone to compute. Files are read in this thread, whose connection a storage may need.
    """
    contents = [_content_of(file_key) for file_key in file_keys]
    if device() == "cpu" or len(file_keys) < 2:
        return list(map(_decoded, file_keys, contents))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_decoded, file_keys, contents))


def _content_of(file_key: str) -> bytes:
    """Return a file's content; of one that is gone, nothing, which is no picture."""
    try:
        with open_picture(file_key) as file:
            content: bytes = file.read()
    except (NotFound, OSError) as error:
        logger.error("picture_unreadable", file=file_key, reason=str(error))
        return b""
    return content


def _decoded(file_key: str, content: bytes) -> Image.Image:
    try:
        picture = Image.open(BytesIO(content))
        picture.load()
    except (UnidentifiedImageError, SyntaxError, OSError) as error:
        if content:
            logger.error("picture_unreadable", file=file_key, reason=str(error))
        return Image.new("RGB", (1, 1), "white")
    return picture
