"""Which samples a function's keyword rules are found in, and how often people agreed.

Samples never change, so each is looked at once per rule and process: a page costs counting, whatever was found before.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from django.core.paginator import Page, Paginator
from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Left

from apps.engine.rules import Matcher
from apps.functions.models import Function, KeywordRule, Label, OutputKind
from apps.functions.selectors import rules_of
from apps.samples.models import Sample, SampleTag

TEXTS_AT_ONCE = 5_000
PER_PAGE = 50
EXCERPT_CHARS = 600
MAX_KEYS_KEPT = 4_000_000
Keys = npt.NDArray[np.int64]
Pattern = str


class Which(StrEnum):
    """Samples that a rule was found in: all of them, or those people have labelled."""

    HITS = "hits"
    LABELLED = "labelled"
    AGREED = "agreed"
    DISAGREED = "disagreed"


@dataclass(frozen=True)
class RuleLine:
    """A rule, in how many samples it was found, how many of them people have labelled, and how many as it says."""

    rule: KeywordRule
    n_hits: int
    n_labelled: int
    n_agreed: int

    @property
    def n_disagreed(self) -> int:
        return self.n_labelled - self.n_agreed

    def n_of(self, which: Which) -> int:
        return {
            Which.HITS: self.n_hits,
            Which.LABELLED: self.n_labelled,
            Which.AGREED: self.n_agreed,
            Which.DISAGREED: self.n_disagreed,
        }[which]


@dataclass(frozen=True)
class HitRow:
    """A sample that a rule was found in; `label` is what people said, None where they have not."""

    sample: Sample
    excerpt: str
    label: Label | None
    is_agreed: bool | None

    @property
    def is_cut(self) -> bool:
        return len(self.excerpt) == EXCERPT_CHARS


@dataclass(frozen=True)
class RuleSamples:
    """One page of the samples behind one of a rule's numbers."""

    line: RuleLine
    which: Which
    page: Page[int]
    rows: tuple[HitRow, ...]


def rule_lines(function: Function) -> list[RuleLine]:
    """Return the function's rules, oldest first, with their figures."""
    rules = rules_of(function)
    if not rules:
        return []
    found = _cache.find(function, [rule.words for rule in rules])
    there = _verdicts(function, rules)
    return [_line(rule, _Hits.of(rule, keys, there)) for rule, keys in zip(rules, found, strict=True)]


def rule_samples(rule: KeywordRule, *, which: Which, page_number: str | int) -> RuleSamples:
    """Return the samples behind a number of a rule, newest first."""
    function = rule.label.function
    keys = _cache.find(function, [rule.words], is_whole=False)[0]
    hits = _Hits.of(rule, keys, _verdicts(function, [rule]))
    page = Paginator(hits.keys_of(which)[::-1].tolist(), PER_PAGE).get_page(page_number)
    return RuleSamples(_line(rule, hits), which, page, _rows(list(page), hits))


def words_of(text: str, row: Mapping[str, object] | None) -> str:
    """Return the words of a sample that rules look in: of a table row, what its cells say, not how they are called."""
    if row is None:
        return text
    return " · ".join(value for value in row.values() if isinstance(value, str))


@dataclass(frozen=True)
class _Verdicts:
    """Keys of all samples there are, sorted; by rule's label, those people have asked about and said yes to."""

    samples: Keys
    asked: Mapping[int, Keys]
    agreed: Mapping[int, Keys]


@dataclass(frozen=True)
class _Hits:
    hits: Keys
    labelled: Keys
    agreed: Keys

    @classmethod
    def of(cls, rule: KeywordRule, keys: Keys, there: _Verdicts) -> _Hits:
        hits = np.intersect1d(keys, there.samples, assume_unique=True)
        labelled = np.intersect1d(hits, there.asked[rule.label_id], assume_unique=True)
        return cls(hits, labelled, np.intersect1d(labelled, there.agreed[rule.label_id], assume_unique=True))

    def keys_of(self, which: Which) -> Keys:
        disagreed = np.setdiff1d(self.labelled, self.agreed, assume_unique=True)
        return {
            Which.HITS: self.hits,
            Which.LABELLED: self.labelled,
            Which.AGREED: self.agreed,
            Which.DISAGREED: disagreed,
        }[which]


def _line(rule: KeywordRule, hits: _Hits) -> RuleLine:
    return RuleLine(rule, len(hits.hits), len(hits.labelled), len(hits.agreed))


def _verdicts(function: Function, rules: Sequence[KeywordRule]) -> _Verdicts:
    labels = {rule.label_id for rule in rules}
    samples = Sample.objects.filter(function=function)
    everything = _keys(samples)
    if function.output_kind == OutputKind.TAGS:
        tags = SampleTag.objects.filter(label__in=labels, sample__annotation__isnull=False)
        pairs = np.array(list(tags.values_list("label_id", "sample_id", "is_present")), dtype=np.int64).reshape(-1, 3)
        asked = {label: np.unique(pairs[pairs[:, 0] == label, 1]) for label in labels}
        agreed = {label: np.unique(pairs[(pairs[:, 0] == label) & (pairs[:, 2] == 1), 1]) for label in labels}
        return _Verdicts(everything, asked, agreed)
    annotated = _keys(samples.filter(annotation__isnull=False))
    agreed = {label: _keys(samples.filter(annotation__isnull=False, label=label)) for label in labels}
    return _Verdicts(everything, dict.fromkeys(labels, annotated), agreed)


def _keys(samples: QuerySet[Sample]) -> Keys:
    return np.sort(np.fromiter(samples.order_by().values_list("pk", flat=True), dtype=np.int64))


def _rows(keys: list[int], hits: _Hits) -> tuple[HitRow, ...]:
    samples = Sample.objects.filter(pk__in=keys).select_related("label").defer("text")
    by_key = {sample.pk: sample for sample in samples.annotate(excerpt=Left("text", EXCERPT_CHARS))}
    labelled, agreed = set(hits.labelled.tolist()), set(hits.agreed.tolist())
    return tuple(
        HitRow(sample, getattr(sample, "excerpt", ""), sample.label, key in agreed if key in labelled else None)
        for key in keys
        if (sample := by_key.get(key))
    )


@dataclass(frozen=True)
class _Found:
    """What was found up to the sample `last_key`, by the words of each rule."""

    last_key: int
    keys: Mapping[Pattern, Keys]

    @property
    def size(self) -> int:
        return sum(len(keys) for keys in self.keys.values())


class _Cache:
    """What was found in the functions looked at last. Nothing of one function is ever looked up for another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[int, _Found] = OrderedDict()

    def find(self, function: Function, words: Sequence[Pattern], *, is_whole: bool = True) -> list[Keys]:
        """Return for each rule's words the sorted keys of the samples they are in; deleted samples may be among them.

        `is_whole` says that these are all rules of the function: what was found by others is forgotten.
        """
        with self._lock:
            before = self._found.get(function.pk, _Found(0, {}))
        newest = Sample.objects.filter(function=function).aggregate(newest=Max("pk"))["newest"] or 0
        wanted = list(dict.fromkeys(words))
        kept = {word: keys for word, keys in before.keys.items() if word in wanted or not is_whole}
        found = _search(function, [word for word in wanted if word not in kept], after=0, last=newest)
        for word, keys in _search(function, list(kept), after=before.last_key, last=newest).items():
            found[word] = np.concatenate([kept[word], keys])
        self._keep(function.pk, _Found(newest, found))
        return [found[word] for word in words]

    def _keep(self, function_id: int, found: _Found) -> None:
        with self._lock:
            self._found[function_id] = found
            self._found.move_to_end(function_id)
            while self._found and sum(entry.size for entry in self._found.values()) > MAX_KEYS_KEPT:
                self._found.popitem(last=False)


_cache = _Cache()


def _search(function: Function, words: Sequence[Pattern], *, after: int, last: int) -> dict[Pattern, Keys]:
    if not words:
        return {}
    matcher = Matcher(words)
    found: list[list[Keys]] = [[] for _word in words]
    for keys, texts in _texts(function, after=after, last=last):
        hits = matcher.hits(texts)
        for column, chunks in enumerate(found):
            chunks.append(keys[hits[:, column]])
    nothing = np.zeros(0, dtype=np.int64)
    return {word: np.concatenate([nothing, *chunks]) for word, chunks in zip(words, found, strict=True)}


def _texts(function: Function, *, after: int, last: int) -> Iterator[tuple[Keys, list[str]]]:
    while after < last:
        rows = Sample.objects.filter(Q(pk__gt=after, pk__lte=last), function=function).order_by("pk")
        chunk = list(rows.values_list("pk", "text", "row")[:TEXTS_AT_ONCE])
        if not chunk:
            return
        yield np.array([pk for pk, _text, _row in chunk]), [words_of(text, row) for _pk, text, row in chunk]
        after = chunk[-1][0]
