"""Samples of a queue as its page asks about them, each with the reason it is there and what it might be instead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from apps.functions.models import Function, Label
from apps.review.queues import QueueName
from apps.review.selectors.from_calls import FromCalls, Heard, Told
from apps.review.selectors.queues import Place, places, token_of
from apps.review.selectors.rows import Row, TagRow, rows_of
from apps.review.selectors.side_notes import NOBODY
from apps.samples.models import Annotation, Opinion
from apps.samples.services.saying import KnownLabels
from apps.training.models import Finding

N_AT_ONCE = 12
"""Samples sent at a time: the page asks for more while the last of them are being decided."""
WHOLE_CHARS = 4_000
GLIMPSE_CHARS = 240
N_NEARBY = 3
_FROM_CALLS = {QueueName.REPORTED, QueueName.CAPTURED}
_FROM_FINDINGS = {QueueName.WRONG_LABELS, QueueName.NEW_KINDS, QueueName.NEAR_DUPLICATES}


@dataclass(frozen=True)
class Voice:
    """What somebody said of a sample, and when."""

    who: str
    labels: tuple[Label, ...]
    at: datetime


@dataclass(frozen=True)
class Item:
    """One sample of a queue.

    `proposed` is what it would be instead: one label, or the tags that would be on it (`known` were asked about);
    empty where there is nothing better. `nearby` are the labelled samples most like it, `other` the one it nearly
    repeats, `voices` what the people who were asked said, `author` who gave the answer in force. `heard` is the call it
    came in with, `told` what callers say of what they were answered.
    """

    place: str
    row: Row | TagRow
    proposed: tuple[Label, ...] = ()
    nearby: tuple[Row | TagRow, ...] = ()
    other: Row | TagRow | None = None
    voices: tuple[Voice, ...] = ()
    author: Voice | None = None
    heard: Heard | None = None
    told: tuple[Told, ...] = ()

    @property
    def answered(self) -> tuple[Label, ...]:
        """What a caller was answered, where that is known, nothing else is said of the sample, and it may be seen."""
        return self.heard.answered if self.heard and not self.is_answered and not self.is_blind else ()

    @property
    def is_blind(self) -> bool:
        """Whether a person is to say what it is without having seen any answer: who sees one leans towards it.

        What callers report is known by what they say of the answer.
        """
        return bool(self.heard and self.heard.is_random and not self.is_answered and not self.told)

    @property
    def current(self) -> tuple[Label, ...]:
        """What is said of it: its label, or the tags on it."""
        if isinstance(self.row, TagRow):
            return self.row.tags or ()
        return (self.row.label,) if self.row.label else ()

    @property
    def is_answered(self) -> bool:
        return self.row.sample.annotation_id is not None

    @property
    def is_same_as_other(self) -> bool:
        """Whether both of a pair are said to be the same, or nothing is said of them."""
        return self.other is not None and _said_of(self.row) == _said_of(self.other)

    @property
    def is_one_bare(self) -> bool:
        """Whether something is said of one of a pair alone."""
        return self.other is not None and (self.other.sample.annotation_id is None) == self.is_answered


def queue_items(
    function: Function, labels: Sequence[Label], name: QueueName, *, after: str = "", n: int = N_AT_ONCE
) -> list[Item]:
    """Return the next items of a queue; `labels` are the function's in use. A fixed number of queries."""
    found = places(function, name, n, after=after)
    facts = _findings(found) if name in _FROM_FINDINGS else {}
    rows = _by_key(rows_of(function, labels, [place.sample_id for place in found], n_chars=WHOLE_CHARS))
    others = _others(function, labels, facts)
    keys = list(rows)
    voices = _voices(function, keys, labels) if name == QueueName.DISPUTED else {}
    calls = FromCalls(function, labels) if name in _FROM_CALLS and keys else None
    heard = calls.heard(keys) if calls else {}
    told = calls.told(keys) if calls and name == QueueName.REPORTED else {}
    authors = _authors(function, rows, labels) if name in {QueueName.TO_CHECK, QueueName.FLAGGED} else {}
    return [
        _item(
            Item(
                place=token_of(place, rows[place.sample_id].sample),
                row=rows[place.sample_id],
                voices=voices.get(place.sample_id, ()),
                author=authors.get(place.sample_id),
                heard=heard.get(place.sample_id),
                told=told.get(place.sample_id, ()),
            ),
            facts.get(place.source),
            others,
            name,
        )
        for place in found
        if place.sample_id in rows
    ]


def _item(item: Item, finding: Finding | None, others: Mapping[int, Row | TagRow], name: QueueName) -> Item:
    nearby = tuple(others[key] for key in _neighbours(finding) if key in others)
    return replace(
        item,
        proposed=_proposed_by_call(item) if name in _FROM_CALLS else _proposed(item.row, finding, name),
        nearby=nearby,
        other=others.get(finding.other_id) if finding and finding.other_id else None,
    )


def _proposed_by_call(item: Item) -> tuple[Label, ...]:
    """What a caller says would be right; of what nobody has said anything of, what was answered."""
    right = next((told.right for told in item.told if told.is_wrong and told.right), None)
    proposed = right if right is not None else () if any(told.is_wrong for told in item.told) else item.answered
    return () if proposed == item.current else proposed


def _proposed(row: Row | TagRow, finding: Finding | None, name: QueueName) -> tuple[Label, ...]:
    """What the reviewer gets by one key. Where people disagree the machine does not take sides."""
    if name in {QueueName.DISPUTED, QueueName.NEW_KINDS, QueueName.NEAR_DUPLICATES}:
        return ()
    if isinstance(row, TagRow):
        return _toggled(row, finding) if finding else (row.said or ()) if row.may_be_as_said else ()
    better = finding.label if finding and finding.label else row.predicted
    return (better,) if better and better != row.label else ()


def _toggled(row: TagRow, finding: Finding) -> tuple[Label, ...]:
    """The tags on a sample, but for the one that is doubted."""
    tags, doubted = row.tags or (), finding.label
    if doubted is None:
        return ()
    return tuple(tag for tag in tags if tag != doubted) if doubted in tags else (*tags, doubted)


def _findings(found: Sequence[Place]) -> dict[int, Finding]:
    return Finding.objects.select_related("label").in_bulk([place.source for place in found])


def _neighbours(finding: Finding | None) -> list[int]:
    keys = finding.facts.get("neighbours", []) if finding else []
    return [key for key in keys if isinstance(key, int)][:N_NEARBY]


def _others(function: Function, labels: Sequence[Label], facts: Mapping[int, Finding]) -> dict[int, Row | TagRow]:
    keys = {key for finding in facts.values() for key in _neighbours(finding)}
    whole = {finding.other_id for finding in facts.values() if finding.other_id}
    glimpses = rows_of(function, labels, sorted(keys - whole), n_chars=GLIMPSE_CHARS) if keys - whole else []
    pairs = rows_of(function, labels, sorted(whole), n_chars=WHOLE_CHARS) if whole else []
    return _by_key([*glimpses, *pairs])


def _by_key(rows: Sequence[Row | TagRow]) -> dict[int, Row | TagRow]:
    return {row.sample.pk: row for row in rows}


def _said_of(row: Row | TagRow) -> object:
    return row.tags if isinstance(row, TagRow) else row.label


def _voices(function: Function, keys: Sequence[int], labels: Sequence[Label]) -> dict[int, tuple[Voice, ...]]:
    said, voices = _Spoken(function, labels), defaultdict[int, list[Voice]](list)
    rows = Opinion.objects.filter(sample__in=keys).select_related("person", "annotation").order_by("annotation")
    for opinion in rows:
        voices[opinion.sample_id].append(said.voice(str(opinion.person), opinion.annotation))
    return {key: tuple(each) for key, each in voices.items()}


def _authors(function: Function, rows: Mapping[int, Row | TagRow], labels: Sequence[Label]) -> dict[int, Voice]:
    in_force = {row.sample.annotation_id: key for key, row in rows.items() if row.sample.annotation_id}
    found = Annotation.objects.filter(pk__in=in_force).select_related("person")
    said = _Spoken(function, labels)
    return {in_force[each.pk]: said.voice(str(each.person or NOBODY), each) for each in found}


class _Spoken:
    """Reads annotations in the labels of now."""

    def __init__(self, function: Function, labels: Sequence[Label]) -> None:
        self._known = KnownLabels(function.pk)
        self._labels = labels

    def voice(self, who: str, annotation: Annotation) -> Voice:
        said = self._known.of_history(annotation.label_id, annotation.tags)
        there = {said.label_id} if said.tags is None else {key for key, is_on in said.tags.items() if is_on}
        return Voice(who, tuple(label for label in self._labels if label.pk in there), annotation.created_at)
