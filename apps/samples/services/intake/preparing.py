"""Items checked one by one, and pictures decoded and written, before any transaction begins."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db.models import Q

from apps.core.errors import HundredfoldError, InvalidInput
from apps.functions.models import Function, InputKind, OutputKind
from apps.samples.checks import checked_id, checked_label, checked_text, clean_name
from apps.samples.images import normalise
from apps.samples.media import content_hash, forget_picture, store_picture
from apps.samples.models import Origin, Sample
from apps.samples.reading.notes import RowNotes
from apps.samples.reading.tag_cells import RowTags
from apps.samples.rows import FindPicture, read_row, typed
from apps.samples.services.bin import in_bin
from apps.samples.services.intake.items import INPUT_WORDS, KnownPicture, NewImage, NewRow, NewText
from apps.samples.services.tag_intake import checked_tags

NOTE_CELLS = 3


@dataclass(frozen=True)
class Candidate:
    """An item that passed its checks, in the shape of the row it may become."""

    index: int
    row: Sample
    label_name: str
    tags: RowTags | None = None
    notes: RowNotes | None = None

    @property
    def label_names(self) -> tuple[str, ...]:
        return self.tags.names if self.tags else (self.label_name,) if self.label_name else ()


@dataclass(frozen=True)
class Batch:
    """Items checked, and pictures decoded and written, outside any transaction; `take_in` makes them samples."""

    function: Function
    candidates: tuple[Candidate, ...]
    refused: dict[int, str]
    notes: Mapping[int, str] = field(default_factory=dict)


def require_input(function: Function, kind: InputKind) -> None:
    """Refuse what the function does not take. Raises InvalidInput."""
    if function.input_kind != kind:
        takes = INPUT_WORDS[InputKind(function.input_kind)]
        raise InvalidInput(f"This function takes {takes}, not {INPUT_WORDS[kind]}.")


def prepare_texts(*, function: Function, items: Sequence[NewText], origin: Origin) -> Batch:
    """Check texts; those that cannot be stored are refused one by one."""
    require_input(function, InputKind.TEXT)
    candidates: list[Candidate] = []
    refused: dict[int, str] = {}
    for index, item in enumerate(items):
        try:
            text = checked_text(item.text)
            candidate = _candidate(function, index, item, content_hash(text), origin)
            candidate.row.text = text
            candidates.append(candidate)
        except InvalidInput as problem:
            refused[index] = problem.message
    return Batch(function, tuple(candidates), refused)


def prepare_rows(
    *, function: Function, items: Sequence[NewRow], origin: Origin, find_picture: FindPicture | None = None
) -> Batch:
    """Read table rows by their fields. Cells that do not fit are left out and noted."""
    require_input(function, InputKind.TABLE)
    fields = typed(function.fields.all())
    candidates: list[Candidate] = []
    refused: dict[int, str] = {}
    notes: dict[int, str] = {}
    for index, item in enumerate(items):
        try:
            id_ = item.external_id.strip()
            read = read_row(item.cells, fields, external_id=id_, find_picture=find_picture)
            candidate = _candidate(function, index, item, read.identity, origin)
            candidate.row.row, candidate.row.text = read.row, read.text
            candidates.append(candidate)
            if read.notes:
                n_more = len(read.notes) - NOTE_CELLS
                notes[index] = " ".join(read.notes[:NOTE_CELLS]) + (f" And {n_more} more." if n_more > 0 else "")
        except InvalidInput as problem:
            refused[index] = problem.message
    return Batch(function, tuple(candidates), refused, notes)


def prepare_known_pictures(*, function: Function, items: Sequence[KnownPicture], origin: Origin) -> Batch:
    """Find the pictures that rows of a table name, so that a list of file names and labels labels what is here."""
    require_input(function, InputKind.IMAGE)
    found = _known_pictures(function, [item.key for item in items])
    candidates: list[Candidate] = []
    refused: dict[int, str] = {}
    for index, item in enumerate(items):
        hashes = found.get(item.key, set())
        try:
            if len(hashes) != 1:
                many = "Several pictures have this name: use their ids." if hashes else "There is no such picture here."
                raise InvalidInput(many)
            candidates.append(_candidate(function, index, item, next(iter(hashes)), origin))
        except InvalidInput as problem:
            refused[index] = problem.message
    return Batch(function, tuple(candidates), refused)


def _known_pictures(function: Function, keys: Sequence[str]) -> dict[str, set[str]]:
    keys = [key for key in keys if "\x00" not in key]
    named = Q(public_id__in=keys) | Q(content_hash__in=keys) | Q(original_name__in=keys)
    found: dict[str, set[str]] = {}
    for names in function.samples.filter(named).values_list("content_hash", "public_id", "original_name"):
        for name in filter(None, names):
            found.setdefault(name, set()).add(names[0])
    return found


def _candidate(
    function: Function, index: int, item: NewText | NewImage | NewRow | KnownPicture, hash_: str, origin: Origin
) -> Candidate:
    row = Sample(
        function=function,
        content_hash=hash_,
        external_id=checked_id(item.external_id),
        original_name=clean_name(item.original_name),
        origin=origin,
    )
    if function.searches:
        return Candidate(index, row, "", notes=item.notes)
    label_name = checked_label(item.label_name)
    if function.output_kind != OutputKind.TAGS:
        return Candidate(index, row, label_name, notes=item.notes)
    tags = checked_tags(item.tags) if item.tags else RowTags((label_name,)) if label_name else None
    return Candidate(index, row, "", tags, item.notes)


@contextmanager
def prepared_images(*, function: Function, items: Sequence[NewImage], origin: Origin) -> Iterator[Batch]:
    """Check, decode and write pictures; afterwards remove the files that no sample came to refer to.

    Files are written before the rows: a process killed in between leaves a file nobody refers to, never a row without
    its file. Pictures already there are not decoded again.
    """
    require_input(function, InputKind.IMAGE)
    written: dict[str, Sample] = {}
    try:
        yield _checked_images(function, items, origin, written)
    finally:
        keys = {row.file_key for row in written.values()}
        kept = set(function.samples.filter(file_key__in=keys).values_list("file_key", flat=True)) if keys else set()
        for key in keys - kept:
            forget_picture(key)


def _checked_images(function: Function, items: Sequence[NewImage], origin: Origin, written: dict[str, Sample]) -> Batch:
    hashes = [content_hash(item.content) for item in items]
    known = set(function.samples.filter(content_hash__in=hashes).values_list("content_hash", flat=True))
    known.update(in_bin(function).filter(content_hash__in=hashes).values_list("content_hash", flat=True))
    candidates: list[Candidate] = []
    refused: dict[int, str] = {}
    for index, (item, hash_) in enumerate(zip(items, hashes, strict=True)):
        try:
            candidate = _candidate(function, index, item, hash_, origin)
            if hash_ not in known:
                _store_once(candidate.row, item.content, written)
            candidates.append(candidate)
        except HundredfoldError as problem:
            refused[index] = problem.message
    return Batch(function, tuple(candidates), refused)


def _store_once(row: Sample, content: bytes, written: dict[str, Sample]) -> None:
    """Write the files of a new picture; the same picture again in one batch shares them."""
    same = written.get(row.content_hash)
    if same is not None:
        row.file_key, row.width_px, row.height_px = same.file_key, same.width_px, same.height_px
        return
    picture = normalise(content)
    row.width_px, row.height_px = picture.width_px, picture.height_px
    row.file_key = store_picture(function=row.function, jpeg=picture.jpeg, thumbnail=picture.thumbnail)
    written[row.content_hash] = row
