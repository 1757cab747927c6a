"""Inputs of calls, kept as unlabelled samples that wait for a person: nothing here ever labels anything.

They come in by the ordinary way, so that what is there already is not stored twice. What rests in the bin was thrown
away by somebody and stays there.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.engine.tables import Cell, parse_cell
from apps.engine.types import ColumnType
from apps.functions.models import Function, InputKind
from apps.samples import rows
from apps.samples.models import Capture, CaptureReason, Origin, Sample
from apps.samples.redaction import redacted
from apps.samples.services.annotations import lock_function
from apps.samples.services.bin import in_bin
from apps.samples.services.capture_policies import CaptureRules
from apps.samples.services.intake import Batch, ItemResult, Outcome, take_in
from apps.samples.services.intake.preparing import Candidate
from apps.samples.services.posting import PostedCell, PostedSample, prepared

_DATA_URI = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
Data = str | bytes | Mapping[str, object]
AT_ONCE = 20
"""Calls kept in one transaction: 20 texts hold the write lock for some 30 ms (100,000 samples, SQLite, two cores)."""
RANDOM_PART = 0.2
"""Of what may be kept in an hour, the part left for calls that chance alone chose: a burst of odd inputs must not take
the place of those by which it is known how right the answers are."""
WRITTEN_TYPES = {ColumnType.TEXT, ColumnType.CATEGORY}
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
        places = sorted({*chosen.refused, *(candidate.index for candidate in chosen.candidates)})
        items = {place: item for place, item in zip(places, result.items, strict=True) if item.sample is not None}
        _note(function, [(item, heard[place]) for place, item in items.items()])
        ids = [
            item.sample.public_id if (item := items.get(place)) and item.sample else "" for place in range(len(heard))
        ]
        return Kept(tuple(ids), n_over)


def _prepared(function: Function, heard: Sequence[Heard], rules: CaptureRules) -> AbstractContextManager[Batch]:
    fields = rows.typed(function.fields.all()) if function.input_kind == InputKind.TABLE else []
    items = [PostedSample(_content(each.data, fields, rules), external_id=each.external_id) for each in heard]
    return prepared(function, items, Origin.CAPTURE)


def _content(
    data: Data, fields: Sequence[rows.TypedField], rules: CaptureRules
) -> str | bytes | Mapping[str, PostedCell]:
    if isinstance(data, Mapping):
        return _cells(data, fields, rules)
    return redacted(data, rules.redactions) if isinstance(data, str) else data


def _cells(data: Mapping[str, object], fields: Sequence[rows.TypedField], rules: CaptureRules) -> dict[str, PostedCell]:
    """A row's cells as they are kept: what people wrote blotted, numbers as they were read, pictures as their bytes."""
    field_of = {each.key: each for each in fields}
    found: dict[str, PostedCell] = {}
    for key, cell in rows.cells_by_name(data, fields).items():
        kept = _cell(cell, field_of[key], rules)
        if kept is not None:
            found[key] = kept
    return found


def _cell(cell: Cell, field: rows.TypedField, rules: CaptureRules) -> PostedCell:
    if field.type is ColumnType.IMAGE:
        return _picture(cell)
    if not isinstance(cell, str | bool):
        return cell
    if field.type is ColumnType.NUMBER:  # a call may say it in words of figures, as a file may
        with suppress(ValueError):
            return parse_cell(cell, field.type, field.facts)
        return None
    return redacted(cell, rules.redactions) if isinstance(cell, str) and field.type in WRITTEN_TYPES else cell


def _picture(cell: Cell) -> bytes | None:
    """The bytes of a picture that was sent in a row; None of what is none, or was to be fetched from elsewhere."""
    match = _DATA_URI.match(cell) if isinstance(cell, str) else None
    if match is None:
        return None
    try:
        return base64.b64decode("".join(str(cell)[match.end() :].split()), validate=True)
    except (binascii.Error, ValueError):
        return None


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


def _note(function: Function, kept: Sequence[tuple[ItemResult, Heard]]) -> None:
    """Write down what was answered. One seen before counts as drawn at random from the first time that it is."""
    new = [(item.sample, heard) for item, heard in kept if item.outcome is Outcome.ADDED]
    Capture.objects.bulk_create(
        Capture(sample=sample, function=function, reason=heard.reason, **_answered(heard)) for sample, heard in new
    )
    for item, heard in kept:
        if heard.is_random and item.outcome is not Outcome.ADDED and item.sample and not item.sample.annotation_id:
            Capture.objects.filter(sample=item.sample, is_random=False).update(**_answered(heard))


def _answered(heard: Heard) -> dict[str, Any]:
    """The columns of `Capture` that say what was answered, and whether chance alone chose it."""
    return {
        "is_random": heard.is_random,
        "model": heard.model,
        "label_id": heard.label_id,
        "tags": None if heard.tags is None else list(heard.tags),
        "confidence": heard.confidence,
        "key_id": heard.key_id,
    }
