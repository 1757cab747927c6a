"""Samples on their way in: checked, hashed, stored once.

A text or picture that is already there is not stored again; it only gives what the stored one lacks: a label, an id.
A label that a person or an earlier import gave is never overwritten from here. Parallel callers with the same content
all get the one sample.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import TypeVar

from django.db import transaction
from django.db.models import Q

from apps.accounts.models import User
from apps.core.errors import HundredfoldError, InvalidInput
from apps.core.jobs import JobName, enqueue_on_commit
from apps.engine.tables import Cell
from apps.events.kinds import Live
from apps.events.services import announce
from apps.functions.models import Act, Function, InputKind, Label, OutputKind
from apps.functions.services import get_or_create_labels
from apps.samples.checks import checked_id, checked_label, checked_text, clean_name
from apps.samples.images import normalise
from apps.samples.media import content_hash, forget_picture, store_picture
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.reading.notes import RowNotes
from apps.samples.reading.tag_cells import RowTags
from apps.samples.rows import FindPicture, read_row, typed
from apps.samples.services.annotations import annotate_many, lock_function
from apps.samples.services.bin import in_bin, purge_now, take_out_now
from apps.samples.services.bring_notes import bring_notes
from apps.samples.services.tag_intake import LABELS_MAX, checked_tags, tag_new_samples

T = TypeVar("T")

# 200 labelled texts hold the write lock for about 25 ms, 500 for 60 (two cores, SQLite): every writer waits for that.
TEXTS_PER_TRANSACTION = 200
ROWS_PER_TRANSACTION = 200
IMAGES_PER_TRANSACTION = 50
NOTE_CELLS = 3


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


class Outcome(StrEnum):
    ADDED = "added"
    RESTORED = "restored"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


@dataclass(frozen=True)
class ItemResult:
    """What became of one item: its sample, or why there is none; `note` says what of it could not be read."""

    outcome: Outcome
    sample: Sample | None = None
    reason: str = ""
    note: str = ""


@dataclass(frozen=True)
class IntakeResult:
    """What became of each item, in the order given; the counts derive from that."""

    items: tuple[ItemResult, ...] = ()
    n_labelled: int = 0

    @property
    def n_added(self) -> int:
        return self._count(Outcome.ADDED)

    @property
    def n_restored(self) -> int:
        """How many came back out of the bin, with what they had."""
        return self._count(Outcome.RESTORED)

    @property
    def n_duplicates(self) -> int:
        return self._count(Outcome.DUPLICATE)

    @property
    def problems(self) -> list[tuple[int, str]]:
        """Position and reason of each refused item."""
        return [(index, item.reason) for index, item in enumerate(self.items) if item.outcome is Outcome.REFUSED]

    @property
    def notes(self) -> list[tuple[int, str]]:
        """Position and note of each item that came in but for a part that could not be read."""
        return [(index, item.note) for index, item in enumerate(self.items) if item.note]

    @property
    def samples(self) -> list[Sample]:
        """The samples of all items that were not refused, new and known."""
        return [item.sample for item in self.items if item.sample is not None]

    def _count(self, outcome: Outcome) -> int:
        return sum(item.outcome is outcome for item in self.items)

    def __add__(self, other: "IntakeResult") -> "IntakeResult":
        return IntakeResult(self.items + other.items, self.n_labelled + other.n_labelled)


@dataclass(frozen=True)
class _Candidate:
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
    candidates: tuple[_Candidate, ...]
    refused: dict[int, str]
    notes: Mapping[int, str] = field(default_factory=dict)


def add_texts(
    *, function: Function, items: Iterable[NewText], person: User | None, origin: Origin, act: Act | None = None
) -> IntakeResult:
    """Take texts in as part of an act, in transactions of `TEXTS_PER_TRANSACTION`, or inside the caller's."""
    result = IntakeResult()
    for chunk in _chunks(items, TEXTS_PER_TRANSACTION):
        result += take_in(batch=prepare_texts(function=function, items=chunk, origin=origin), person=person, act=act)
    return result


def add_rows(*, function: Function, items: Iterable[NewRow], person: User | None, origin: Origin) -> IntakeResult:
    """Take table rows in, in transactions of `ROWS_PER_TRANSACTION`, or inside the caller's."""
    result = IntakeResult()
    for chunk in _chunks(items, ROWS_PER_TRANSACTION):
        result += take_in(batch=prepare_rows(function=function, items=chunk, origin=origin), person=person)
    return result


def add_images(*, function: Function, items: Iterable[NewImage], person: User | None, origin: Origin) -> IntakeResult:
    """Take pictures in, in transactions of `IMAGES_PER_TRANSACTION`. Not for use inside a caller's transaction."""
    result = IntakeResult()
    for chunk in _chunks(items, IMAGES_PER_TRANSACTION):
        with prepared_images(function=function, items=chunk, origin=origin) as batch:
            result += take_in(batch=batch, person=person)
    return result


def _chunks(items: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def require_input(function: Function, kind: InputKind) -> None:
    """Refuse what the function does not take. Raises InvalidInput."""
    if function.input_kind != kind:
        takes = INPUT_WORDS[InputKind(function.input_kind)]
        raise InvalidInput(f"This function takes {takes}, not {INPUT_WORDS[kind]}.")


def prepare_texts(*, function: Function, items: Sequence[NewText], origin: Origin) -> Batch:
    """Check texts; those that cannot be stored are refused one by one."""
    require_input(function, InputKind.TEXT)
    candidates: list[_Candidate] = []
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
    candidates: list[_Candidate] = []
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
    candidates: list[_Candidate] = []
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
) -> _Candidate:
    row = Sample(
        function=function,
        content_hash=hash_,
        external_id=checked_id(item.external_id),
        original_name=clean_name(item.original_name),
        origin=origin,
    )
    label_name = checked_label(item.label_name)
    if function.output_kind != OutputKind.TAGS:
        return _Candidate(index, row, label_name, notes=item.notes)
    tags = checked_tags(item.tags) if item.tags else RowTags((label_name,)) if label_name else None
    return _Candidate(index, row, "", tags, item.notes)


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
    known = set(_by_hash(function, hashes))
    known.update(in_bin(function).filter(content_hash__in=hashes).values_list("content_hash", flat=True))
    candidates: list[_Candidate] = []
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


@transaction.atomic
def take_in(
    *, batch: Batch, person: User | None, began_at: datetime | None = None, act: Act | None = None
) -> IntakeResult:
    """Store what is new and complete what is known. One transaction, or the caller's, under the function's lock.

    What rests in the bin comes out of it, with what it had. With an `act`, all of it is undone as one. Tags of a sample
    that came more than once add up, also with those that came since `began_at`.
    """
    function, refused = batch.function, dict(batch.refused)
    lock_function(function.pk)
    labels = _labels_of(function, batch.candidates, refused, person)
    restored = _restored(function, batch.candidates, refused, act)
    stored = _stored_samples(function, batch.candidates, refused, act)
    items = {index: ItemResult(Outcome.REFUSED, reason=why) for index, why in refused.items()}
    pairs: dict[int, int] = {}
    tagged: dict[int, RowTags] = {}
    noted: dict[int, list[RowNotes]] = {}
    for candidate in batch.candidates:
        if candidate.index in refused:
            continue
        sample = stored[candidate.row.content_hash]
        is_new = sample.public_id == candidate.row.public_id
        outcome = Outcome.ADDED if is_new else Outcome.RESTORED if sample.pk in restored else Outcome.DUPLICATE
        restored.discard(sample.pk)
        items[candidate.index] = ItemResult(outcome, sample, note=batch.notes.get(candidate.index, ""))
        if candidate.label_name and sample.label_id is None:
            pairs.setdefault(sample.pk, labels[candidate.label_name].pk)
        if candidate.tags:
            tagged[sample.pk] = tagged[sample.pk] | candidate.tags if sample.pk in tagged else candidate.tags
        if candidate.notes:
            noted.setdefault(sample.pk, []).append(candidate.notes)
    n_labelled = annotate_many(
        function=function, pairs=list(pairs.items()), person=person, picked_by=PickedBy.IMPORT, act=act
    )
    if tagged:
        n_labelled = tag_new_samples(
            function=function, tags_of=tagged, labels=labels, person=person, began_at=began_at, act=act
        )
    if noted:
        bring_notes(function=function, notes=noted, person=person)
    _tell(function, items.values())
    return IntakeResult(tuple(items[index] for index in sorted(items)), n_labelled)


def _labels_of(
    function: Function, candidates: Sequence[_Candidate], refused: dict[int, str], person: User | None
) -> Mapping[str, Label]:
    """The labels the candidates name, made where missing; those past the cap are refused with their rows."""
    known = set(function.labels.in_use().values_list("name", flat=True))
    names = dict.fromkeys(name for candidate in candidates for name in candidate.label_names)
    new = [name for name in names if name not in known]
    too_many = set(new[max(0, LABELS_MAX - len(known)) :])
    for candidate in candidates:
        if too_many.intersection(candidate.label_names):
            refused[candidate.index] = (
                f"A function has at most {LABELS_MAX:,} labels. Is the right column chosen as the label?"
            )
    wanted = [name for name in names if name not in too_many]
    return get_or_create_labels(function=function, names=wanted, actor=person) if wanted else {}


def _restored(
    function: Function, candidates: Sequence[_Candidate], refused: Mapping[int, str], act: Act | None
) -> set[int]:
    """Take out of the bin what comes again, and clear away what was to be purged. Returns the keys of those taken out.

    Not those whose row is refused.
    """
    hashes = {each.row.content_hash for each in candidates if each.index not in refused}
    gone = Sample.everywhere.filter(function=function, content_hash__in=hashes).exclude(deleted_at=None)
    keys = set(gone.values_list("pk", flat=True))
    if not keys:
        return set()
    back = set(take_out_now(function=function, sample_keys=list(keys), brought_by=act))
    if keys - back:
        purge_now(function_id=function.pk, sample_keys=keys - back)
    return back


def _stored_samples(
    function: Function, candidates: Sequence[_Candidate], refused: dict[int, str], act: Act | None
) -> dict[str, Sample]:
    """Insert the contents that are not there yet, in the order given; return every content's sample by hash."""
    stored = _by_hash(function, [candidate.row.content_hash for candidate in candidates])
    taken = _external_ids(function, candidates)
    new: dict[str, Sample] = {}
    for candidate in candidates:
        row = candidate.row
        if candidate.index in refused:
            continue
        if row.external_id and taken.setdefault(row.external_id, row.content_hash) != row.content_hash:
            refused[candidate.index] = "Its id already belongs to another sample with different content."
        elif row.content_hash not in stored and not (row.text or row.file_key):
            refused[candidate.index] = "This picture was deleted while it came in. Send it again."
        elif row.content_hash not in stored:
            row.brought_by = act
            new.setdefault(row.content_hash, row)
    Sample.objects.bulk_create(new.values())
    _complete(stored, candidates, refused)
    return stored | new


def _by_hash(function: Function, hashes: Sequence[str]) -> dict[str, Sample]:
    return {sample.content_hash: sample for sample in function.samples.filter(content_hash__in=hashes)}


def _external_ids(function: Function, candidates: Sequence[_Candidate]) -> dict[str, str]:
    """Which content each of the candidates' ids belongs to so far."""
    ids = [candidate.row.external_id for candidate in candidates if candidate.row.external_id]
    rows = function.samples.filter(external_id__in=ids).order_by("-id")
    return dict(rows.values_list("external_id", "content_hash"))


def _complete(stored: dict[str, Sample], candidates: Sequence[_Candidate], refused: dict[int, str]) -> None:
    """Give known samples the id or file name they lack."""
    changed: dict[int, Sample] = {}
    for candidate in candidates:
        sample = stored.get(candidate.row.content_hash)
        if sample is None or candidate.index in refused:
            continue
        for name in ("external_id", "original_name"):
            if getattr(candidate.row, name) and not getattr(sample, name):
                setattr(sample, name, getattr(candidate.row, name))
                changed[sample.pk] = sample
    if changed:
        Sample.objects.bulk_update(changed.values(), ["external_id", "original_name"])


def _tell(function: Function, items: Iterable[ItemResult]) -> None:
    n_added = sum(item.outcome in {Outcome.ADDED, Outcome.RESTORED} for item in items)
    if n_added:
        enqueue_on_commit(JobName.EMBED_FUNCTION, function.pk)
        announce(
            workspace=function.workspace.public_id,
            kind=Live.SAMPLES_CHANGED,
            subject=function.public_id,
            n_added=n_added,
        )
