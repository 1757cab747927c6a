"""A zip that holds one table, and beside it the pictures its cells name."""

from dataclasses import dataclass
from io import BytesIO
from zipfile import ZipFile

from apps.samples.reading.archives import BadMember, members, open_zip, read_member
from apps.samples.reading.kinds import NotReadable, suffix_of
from apps.samples.reading.workbooks import check_workbook

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".xlsx", ".jsonl", ".ndjson"})
_MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class ZippedTable:
    """The table of a zip, unpacked."""

    name: str
    content: BytesIO
    is_workbook: bool


def zipped_table(archive: ZipFile) -> ZippedTable:
    """Return the one table of a zip. Raises NotReadable or UnreadableZip, with a sentence for the person."""
    tables = [each for each in members(archive, use_folders=False) if suffix_of(each.name) in TABLE_SUFFIXES]
    if len(tables) != 1:
        raise NotReadable("Put one table into the zip (CSV, .xlsx or JSON lines), beside the pictures its cells name.")
    try:
        content = read_member(archive, tables[0], max_bytes=_MAX_BYTES)
    except BadMember as reason:
        raise NotReadable(f"The table in the zip cannot be read. {reason}") from reason
    is_workbook = content.startswith(b"PK")
    if is_workbook:
        with open_zip(BytesIO(content)) as book:
            check_workbook(book)
    return ZippedTable(tables[0].name, BytesIO(content), is_workbook)
