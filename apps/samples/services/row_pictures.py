"""Pictures that the cells of a table name: they come in one zip with the table, and are stored as the rows come in.

Web addresses are never fetched: what a row names is in the zip or it is nowhere.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from zipfile import ZipFile

from django.conf import settings
from django.core.files.storage import default_storage

from apps.core.errors import InvalidInput
from apps.functions.models import Function
from apps.samples.images import normalise
from apps.samples.media import content_hash, forget_picture, store_picture
from apps.samples.models import Origin
from apps.samples.reading.archives import BadMember, Member, members, open_zip, read_member
from apps.samples.rows import Picture, picture_keys
from apps.samples.services.intake import Batch, NewRow, prepare_rows

_WEB = ("http:", "https:", "ftp:", "//")


@contextmanager
def prepared_rows(*, function: Function, items: Sequence[NewRow], origin: Origin, pictures_key: str) -> Iterator[Batch]:
    """Read rows, and store the pictures they name; afterwards remove those that no sample came to refer to."""
    with default_storage.open(pictures_key) as file, open_zip(file) as archive:
        zipped = ZippedPictures(function, archive)
        batch = prepare_rows(function=function, items=items, origin=origin, find_picture=zipped.find)
    try:
        yield batch
    finally:
        hashes = [candidate.row.content_hash for candidate in batch.candidates]
        rows = function.samples.filter(content_hash__in=hashes).values_list("row", flat=True)
        kept = {key for row in rows for key in picture_keys(row)}
        for key in zipped.written - kept:
            forget_picture(key)


class ZippedPictures:
    """The pictures of a zip by what a table may call them: the whole path, or the file's own name where one has it."""

    def __init__(self, function: Function, archive: ZipFile) -> None:
        self._function = function
        self._archive = archive
        self._found: dict[str, Member | None] = {}
        self._stored: dict[int, Picture] = {}
        self.written: set[str] = set()
        for member in members(archive, use_folders=False):
            last = member.name.rpartition("/")[2]
            self._found[last] = None if last in self._found else member
        for member in members(archive, use_folders=False):
            self._found[member.name] = member

    def find(self, name: str) -> Picture:
        """Store the picture of that name and say where it is. Raises InvalidInput."""
        if name.casefold().startswith(_WEB):
            raise InvalidInput("Web addresses are not fetched: put the pictures into the zip.")
        path = name.replace("\\", "/").removeprefix("./")
        member = self._found.get(path, self._found.get(path.rpartition("/")[2]))
        if member is None:
            raise InvalidInput(f"There is no picture “{name[:60]}” in the zip, or several of that name.")
        if member.number not in self._stored:
            self._stored[member.number] = self._store(member)
        return self._stored[member.number]

    def _store(self, member: Member) -> Picture:
        try:
            content = read_member(self._archive, member, max_bytes=settings.IMAGE_MAX_BYTES)
        except BadMember as reason:
            raise InvalidInput(str(reason)) from reason
        picture = normalise(content)
        key = store_picture(function=self._function, jpeg=picture.jpeg, thumbnail=picture.thumbnail)
        self.written.add(key)
        return {"file": key, "width": picture.width_px, "height": picture.height_px, "hash": content_hash(content)}
