"""What may come in, as it came: texts, pictures, table rows, and rows that name pictures which are here already."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.engine.tables import Cell
from apps.functions.models import InputKind
from apps.samples.reading.notes import RowNotes
from apps.samples.reading.tag_cells import RowTags

INPUT_WORDS = {InputKind.TEXT: "texts", InputKind.IMAGE: "pictures", InputKind.TABLE: "table rows"}


@dataclass(frozen=True)
class NewText:
    """A text as it came; an empty `label_name` brings no label. Of a function that gives tags, a label is one."""

    text: str
    label_name: str = ""
    external_id: str = ""
    original_name: str = ""
    tags: RowTags | None = None
    notes: RowNotes | None = None


@dataclass(frozen=True)
class NewImage:
    """The bytes of a picture file as they came."""

    content: bytes = field(repr=False)
    label_name: str = ""
    external_id: str = ""
    original_name: str = ""
    tags: RowTags | None = None
    notes: RowNotes | None = None


@dataclass(frozen=True)
class NewRow:
    """A table row as it came: cells by the public id of their field."""

    cells: Mapping[str, Cell]
    label_name: str = ""
    external_id: str = ""
    original_name: str = ""
    tags: RowTags | None = None
    notes: RowNotes | None = None


@dataclass(frozen=True)
class KnownPicture:
    """A picture that is here already, named by its sample id, content hash or file name; brings a label or an id."""

    key: str
    label_name: str = ""
    external_id: str = ""
    original_name: str = ""
    tags: RowTags | None = None
    notes: RowNotes | None = None
