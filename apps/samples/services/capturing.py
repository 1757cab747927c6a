"""Inputs of calls, kept as unlabelled samples that wait for a person: nothing here ever labels anything.

They come in by the ordinary way, so that what is there already is not stored twice. What rests in the bin was thrown
away by somebody and stays there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from apps.engine.tables import Cell
from apps.engine.types import ColumnType
from apps.functions.models import FieldType, Function, InputKind
from apps.samples import rows
from apps.samples.models import Capture, CaptureReason, Origin, Sample
from apps.samples.redaction import redacted
from apps.samples.services.annotations import lock_function
from apps.samples.services.bin import in_bin
from apps.samples.services.capture_policies import CaptureRules
from apps.samples.services.intake import (
    Batch,
    NewImage,
    NewRow,
    NewText,
    Outcome,
    prepare_rows,
    prepare_texts,
    prepared_images,
    take_in,
)
from apps.samples.services.intake.preparing import Candidate

Data = str | bytes | Mapping[str, object]
AT_ONCE = 50
"""Calls kept in one transaction."""
RANDOM_PART = 0.2
"""Of what may be kept in an hour, the part left for calls that chance alone chose: a burst of odd inputs must not take
the place of those by which it is known how right the answers are."""
WRITTEN_TYPES = {FieldType.TEXT.value, FieldType.CATEGORY.value}
"""Columns whose cells people write; numbers and dates stay what they are, or could not be read any more."""


@dataclass(frozen=True)
class Heard:
    """The input of a call as it was sent, why it is to be kept, and what was answered.

    `model` is the public id of what answered, empty for a guess; `tags` the public ids of those said to be there.
    """

    data: Data
    reason: CaptureReason
    is_random: bool
    model: str
    label_id: int | None
    tags: tuple[str, ...] | None
    confidence: float
    key_id: int | None = None
    external_id: str = ""


@dataclass(frozen=True)
class Kept:
    """The public id of each call's sample in the order given, empty where there is none; `n_over` the limit."""

    sample_ids: tuple[str, ...]
    n_over: int = 0


def capture_inputs(*, function: Function, heard: Sequence[Heard], rules: CaptureRules) -> Kept:
    """Keep inputs of calls, as many as the limit allows. Those that are here already keep the sample they have.

    Works in transactions of `AT_ONCE`. Raises InvalidInput, NotFound (the function has been deleted), QuotaReached and
    RedactionFailed.
    """
    ids: list[str] = []
    n_over = 0
    for start in range(0, len(heard), AT_ONCE):
        kept = _capture(function, heard[start : start + AT_ONCE], rules)
        ids.extend(kept.sample_ids)
        n_over += kept.n_over
    return Kept(tuple(ids), n_over)


def _capture(function: Function, heard: Sequence[Heard], rules: CaptureRules) -> Kept:
    with _prepared(function, heard, rules) as batch, transaction.atomic():
        lock_function(function.pk)
        chosen, n_over = _with_room(batch, heard, rules)
        result = take_in(batch=chosen, person=None)
        ids = [""] * len(heard)
        places = sorted({*chosen.refused, *(candidate.index for candidate in chosen.candidates)})
        for place, item in zip(places, result.items, strict=True):
            if item.sample is None:
                continue
            ids[place] = item.sample.public_id
            _note(item.sample, heard[place], is_new=item.outcome is Outcome.ADDED)
        return Kept(tuple(ids), n_over)


def _prepared(function: Function, heard: Sequence[Heard], rules: CaptureRules) -> AbstractContextManager[Batch]:
    kind, origin = InputKind(function.input_kind), Origin.CAPTURE
    if kind is InputKind.IMAGE:
        images = [NewImage(_bytes(each.data), external_id=each.external_id) for each in heard]
        return prepared_images(function=function, items=images, origin=origin)
    if kind is InputKind.TABLE:
        return nullcontext(prepare_rows(function=function, items=_rows(function, heard, rules), origin=origin))
    texts = [NewText(redacted(_text(each.data), rules.redactions), external_id=each.external_id) for each in heard]
    return nullcontext(prepare_texts(function=function, items=texts, origin=origin))


def _bytes(data: Data) -> bytes:
    return data if isinstance(data, bytes) else b""  # refused as an empty file


def _text(data: Data) -> str:
    return data if isinstance(data, str) else ""


def _rows(function: Function, heard: Sequence[Heard], rules: CaptureRules) -> list[NewRow]:
    fields = rows.typed(function.fields.all())
    readable = [each for each in fields if each.type is not ColumnType.IMAGE]
    written = {each.key for each in fields if each.type.value in WRITTEN_TYPES}

    def clean(key: str, cell: Cell) -> Cell:
        return redacted(cell, rules.redactions) if isinstance(cell, str) and key in written else cell

    found: list[NewRow] = []
    for each in heard:
        # What a cell of a picture holds is the picture itself, or where it was: neither is text to be stored.
        cells = rows.cells_by_name(each.data, readable) if isinstance(each.data, Mapping) else {}
        found.append(NewRow({key: clean(key, cell) for key, cell in cells.items()}, external_id=each.external_id))
    return found


def _with_room(batch: Batch, heard: Sequence[Heard], rules: CaptureRules) -> tuple[Batch, int]:
    """Leave out what rests in the bin, and what is new beyond the limit. Returns how many those are, too."""
    hashes = [candidate.row.content_hash for candidate in batch.candidates]
    here = set(batch.function.samples.filter(content_hash__in=hashes).values_list("content_hash", flat=True))
    thrown_away = set(in_bin(batch.function).filter(content_hash__in=hashes).values_list("content_hash", flat=True))
    n_kept = kept_since(batch.function, hours=1)
    chosen: list[Candidate] = []
    n_over = 0
    for candidate in batch.candidates:
        hash_ = candidate.row.content_hash
        if hash_ in thrown_away:
            continue
        if hash_ not in here:
            if n_kept >= room(rules, is_random=heard[candidate.index].is_random):
                n_over += 1
                continue
            here.add(hash_)
            n_kept += 1
        chosen.append(candidate)
    _free_ids(batch.function, chosen)
    return replace(batch, candidates=tuple(chosen)), n_over


def room(rules: CaptureRules, *, is_random: bool) -> int:
    """Return how many calls may have been kept in the last hour for another one to be."""
    return rules.per_hour if is_random else rules.per_hour - int(RANDOM_PART * rules.per_hour)


def kept_since(function: Function, *, hours: float) -> int:
    """Return how many calls were kept in these last hours."""
    return Capture.objects.filter(function=function, created_at__gt=timezone.now() - timedelta(hours=hours)).count()


def _free_ids(function: Function, candidates: Sequence[Candidate]) -> None:
    """Callers use an id again for another content: the first keeps it, the others come without."""
    ids = {candidate.row.external_id for candidate in candidates} - {""}
    rows_ = function.samples.filter(external_id__in=ids).order_by("-id") if ids else Sample.objects.none()
    taken = dict(rows_.values_list("external_id", "content_hash"))
    for candidate in candidates:
        row = candidate.row
        if row.external_id and taken.setdefault(row.external_id, row.content_hash) != row.content_hash:
            row.external_id = ""


def _note(sample: Sample, heard: Heard, *, is_new: bool) -> None:
    """Write down what was answered. A call seen before counts as drawn at random from the first time that it is."""
    answered = {
        "model": heard.model,
        "label_id": heard.label_id,
        "tags": None if heard.tags is None else list(heard.tags),
        "confidence": heard.confidence,
        "key_id": heard.key_id,
    }
    if is_new:
        Capture.objects.create(
            sample=sample, function_id=sample.function_id, reason=heard.reason, is_random=heard.is_random, **answered
        )
    elif heard.is_random and sample.annotation_id is None:
        Capture.objects.filter(sample=sample, is_random=False).update(is_random=True, **answered)
