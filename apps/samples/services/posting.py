"""Samples that programs bring one by one, or a list at a time, each perhaps with what is right for it.

They come in by the ordinary way (`intake`); unlike there no label is ever made, since a name misspelt in a program
would be one. What is known already keeps its annotation; it is given the one it lacks. What comes back out of the bin
takes the annotation it comes with: who deletes a sample and brings it anew means it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import HundredfoldError, InvalidInput
from apps.core.ids import with_prefix
from apps.core.texts import storable
from apps.engine.tables import Cell
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.names import sound, tidy
from apps.functions.selectors import standing_labels
from apps.samples.images import normalise
from apps.samples.media import content_hash, forget_picture, store_picture
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.rows import Picture, picture_keys, typed
from apps.samples.sent_rows import check_numbers, keep_sent
from apps.samples.services.annotations import (
    annotate_many,
    annotate_sample,
    lock_function,
    samples_per_transaction,
    tag_many,
    tag_sample,
)
from apps.samples.services.intake import (
    IMAGES_PER_TRANSACTION,
    TEXTS_PER_TRANSACTION,
    Batch,
    IntakeResult,
    ItemResult,
    NewImage,
    NewRow,
    NewText,
    Outcome,
    prepare_rows,
    prepare_texts,
    prepared_images,
    take_in,
)

PostedCell: TypeAlias = Cell | bytes
"""A cell as it came; of a field of pictures, the bytes of the file."""
ONE_LABEL = 'This function gives one label: send one, like {"labelName": "Refund"}.'
NO_LABELS = "This function finds samples and has no labels: send none."


@dataclass(frozen=True)
class Naming:
    """A label by its name or its id, and of a tag whether it is there."""

    name: str = ""
    id: str = ""
    is_present: bool = True


@dataclass(frozen=True)
class PostedSample:
    """A text, the bytes of a picture file, or a row's cells by the public id of their field; and what is right for it.

    `annotation` is None where nothing was said; an empty one of a function that gives tags says that there are none.
    """

    content: str | bytes | Mapping[str, PostedCell] = field(repr=False)
    external_id: str = ""
    annotation: tuple[Naming, ...] | None = None


class NamedLabels:
    """The labels in use of a function by what programs call them. One that was merged is the one it was merged into."""

    def __init__(self, function: Function) -> None:
        self._gives = OutputKind(function.output_kind)
        self._by_id = standing_labels(function.pk)
        self.in_use = sorted(set(self._by_id.values()), key=lambda label: (label.position, label.pk))
        self._by_name = {tidy(label.name): label for label in self.in_use}
        self._by_sound: dict[str, list[Label]] = {}
        for label in self.in_use:
            self._by_sound.setdefault(sound(label.name), []).append(label)

    def find(self, naming: Naming) -> Label:
        """Return the label meant: of that very name, else the only one that differs in upper and lower case alone."""
        if naming.id:
            by_id = self._by_id.get(with_prefix("label", naming.id))
            if by_id is None:
                raise InvalidInput(f"A label with id '{storable(naming.id)[:80]}' was not found.")
            return by_id
        name = tidy(naming.name)
        alike = self._by_sound.get(sound(name), [])
        found = self._by_name.get(name) or (alike[0] if len(alike) == 1 else None)
        if found is None:
            raise InvalidInput(f"A label with name '{storable(naming.name)[:200]}' was not found")
        return found

    def one(self, annotation: Sequence[Naming]) -> Label:
        """Return the label of an annotation. Raises InvalidInput unless the function gives one and one was named."""
        self._require_labels()
        if self._gives is not OutputKind.LABEL or len(annotation) != 1 or not annotation[0].is_present:
            raise InvalidInput(ONE_LABEL)
        return self.find(annotation[0])

    def tags(self, annotation: Sequence[Naming]) -> dict[Label, bool]:
        """Return of every label in use whether it is there: those named in the order given, then the others, absent."""
        self._require_labels()
        said: dict[Label, bool] = {}
        for naming in annotation:
            label = self.find(naming)
            said[label] = said.get(label, False) or naming.is_present  # two names may be one label by now
        return said | {label: False for label in self.in_use if label not in said}

    def check(self, annotation: Sequence[Naming]) -> None:
        """Raises InvalidInput where an annotation does not fit the function."""
        if self._gives is OutputKind.TAGS:
            self.tags(annotation)
        else:
            self.one(annotation)

    def _require_labels(self) -> None:
        if self._gives is OutputKind.SEARCH:
            raise InvalidInput(NO_LABELS)


def post_samples(
    *, function: Function, items: Sequence[PostedSample], person: User, origin: Origin = Origin.API
) -> list[ItemResult]:
    """Take samples in with what is right for them; an item that cannot be used is refused alone. In the order given.

    Works in transactions of a few hundred, so that what came before stays where something fails. Raises
    HundredfoldError where nothing at all could be taken in, or where there is one item.
    """
    size = _size_of_chunks(function)
    results: list[ItemResult] = []
    for start in range(0, len(items), size):
        chunk = items[start : start + size]
        try:
            results += _post_chunk(function, chunk, person, origin).items
        except HundredfoldError as problem:
            if not results:
                raise
            results += [ItemResult(Outcome.REFUSED, reason=problem.message) for _item in chunk]
    return results


def _size_of_chunks(function: Function) -> int:
    """How many samples are written at once, so that nobody else has to wait for long."""
    most = IMAGES_PER_TRANSACTION if function.input_kind == InputKind.IMAGE else TEXTS_PER_TRANSACTION
    if function.output_kind != OutputKind.TAGS:
        return most
    return samples_per_transaction(function.labels.in_use().count(), most)


def annotate_as_posted(*, sample: Sample, annotation: Sequence[Naming] | None, person: User) -> None:
    """Say what is right for a sample, None for nothing any more. What changes nothing adds nothing to the history."""
    gives = OutputKind(sample.function.output_kind)
    if annotation is None:
        if sample.annotation_id is not None:
            annotate_sample(sample=sample, label=None, person=person, picked_by=PickedBy.PERSON)
        return
    labels = NamedLabels(sample.function)
    if gives is OutputKind.TAGS:
        tags = labels.tags(annotation)
        before = sample.tags.order_by("pk").values_list("label", "is_present")
        if sample.annotation_id is None or [(label.pk, is_on) for label, is_on in tags.items()] != list(before):
            tag_sample(sample=sample, tags=tags, person=person, picked_by=PickedBy.PERSON)
        return
    label = labels.one(annotation)
    if sample.label_id != label.pk:
        annotate_sample(sample=sample, label=label, person=person, picked_by=PickedBy.PERSON)


def _post_chunk(function: Function, items: Sequence[PostedSample], person: User, origin: Origin) -> IntakeResult:
    with prepared(function, items, origin) as batch, transaction.atomic():
        lock_function(function.pk)
        labels = NamedLabels(function) if any(item.annotation is not None for item in items) else None
        batch = _without_unknown_labels(batch, items, labels)
        result = take_in(batch=batch, person=person)
        if labels is not None:
            _annotate(function, items, result, labels, person)
    return result


def _without_unknown_labels(batch: Batch, items: Sequence[PostedSample], labels: NamedLabels | None) -> Batch:
    refused = dict(batch.refused)
    for index, item in enumerate(items):
        if labels is None or item.annotation is None or index in refused:
            continue
        try:
            labels.check(item.annotation)
        except InvalidInput as problem:
            refused[index] = problem.message
    return replace(batch, refused=refused)


def _annotate(
    function: Function, items: Sequence[PostedSample], result: IntakeResult, labels: NamedLabels, person: User
) -> None:
    said: dict[PickedBy, dict[int, tuple[Naming, ...]]] = {}
    for item, became in zip(items, result.items, strict=True):
        if item.annotation is not None and became.sample is not None and _takes_annotation(became):
            said.setdefault(_reason(became.sample), {}).setdefault(became.sample.pk, item.annotation)
    for picked_by, of_reason in said.items():
        if function.output_kind == OutputKind.TAGS:
            tags_of = {
                pk: {label.pk: is_on for label, is_on in labels.tags(each).items()} for pk, each in of_reason.items()
            }
            tag_many(function=function, tags_of=tags_of, person=person, picked_by=picked_by)
        else:
            pairs = [(pk, labels.one(each).pk) for pk, each in of_reason.items()]
            annotate_many(function=function, pairs=pairs, person=person, picked_by=picked_by)


def _reason(sample: Sample) -> PickedBy:
    """What came with its label counts as drawn at random, as imports do: nobody here chose it. Captured calls were
    kept because they are odd, and somebody chose which of them to label.
    """
    return PickedBy.PERSON if sample.origin == Origin.CAPTURE else PickedBy.IMPORT


def _takes_annotation(became: ItemResult) -> bool:
    return became.outcome is not Outcome.DUPLICATE or (became.sample is not None and not became.sample.annotation_id)


def prepared(function: Function, items: Sequence[PostedSample], origin: Origin) -> AbstractContextManager[Batch]:
    """Check what came and store its pictures; afterwards those are removed that no sample came to refer to."""
    kind = InputKind(function.input_kind)
    if kind is InputKind.IMAGE:
        images = [
            NewImage(item.content if isinstance(item.content, bytes) else b"", external_id=item.external_id)
            for item in items
        ]
        return prepared_images(function=function, items=images, origin=origin)
    if kind is InputKind.TABLE:
        return _prepared_rows(function, items, origin)
    texts = [
        NewText(item.content if isinstance(item.content, str) else "", external_id=item.external_id) for item in items
    ]
    return nullcontext(prepare_texts(function=function, items=texts, origin=origin))


@contextmanager
def _prepared_rows(function: Function, items: Sequence[PostedSample], origin: Origin) -> Iterator[Batch]:
    """Read rows and store their pictures; afterwards remove those that no sample came to refer to."""
    fields = typed(function.fields.all())
    pictures = _Pictures(function)
    cells: list[dict[str, Cell]] = []
    refused: dict[int, str] = {}
    for index, item in enumerate(items):
        try:
            sent = item.content if isinstance(item.content, Mapping) else {}
            check_numbers(sent, fields)
            cells.append({key: pictures.named(cell) for key, cell in sent.items()})
        except HundredfoldError as problem:
            cells.append({})
            refused[index] = problem.message
    rows = [NewRow(each, external_id=item.external_id) for each, item in zip(cells, items, strict=True)]
    batch = prepare_rows(function=function, items=rows, origin=origin, find_picture=pictures.find)
    for candidate in batch.candidates:
        keep_sent(candidate.row.row or {}, cells[candidate.index], fields)
    try:
        yield replace(batch, refused={**batch.refused, **refused})
    finally:
        hashes = [candidate.row.content_hash for candidate in batch.candidates] if pictures.written else []
        kept = function.samples.filter(content_hash__in=hashes).values_list("row", flat=True)
        for key in pictures.written - {key for row in kept for key in picture_keys(row)}:
            forget_picture(key)


class _Pictures:
    """The pictures of rows: named by what is in them, so that the same one is the same cell, and stored once each."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._stored: dict[str, Picture] = {}
        self.written: set[str] = set()

    def named(self, cell: PostedCell) -> Cell:
        """Store a picture and return its name; any other cell is returned as it is."""
        if not isinstance(cell, bytes):
            return cell
        hash_ = content_hash(cell)
        name = f"{hash_[:16]}.jpg"
        if name not in self._stored:
            picture = normalise(cell)
            key = store_picture(function=self._function, jpeg=picture.jpeg, thumbnail=picture.thumbnail)
            self.written.add(key)
            sizes = {"width": picture.width_px, "height": picture.height_px}
            self._stored[name] = {"file": key, **sizes, "hash": hash_}
        return name

    def find(self, name: str) -> Picture:
        if name not in self._stored:
            raise InvalidInput("This is not a picture.")
        return self._stored[name]
