"""Where a function goes wrong: what is taken for what, how often, and the filter that opens exactly those samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from apps.functions.models import Function, Label, OutputKind
from apps.review.filters import SampleFilter, Verdict
from apps.review.selectors.counts import cells_of
from apps.review.selectors.tag_table import ABSENT, THERE, tag_table

MOST_SENTENCES = 12
MOST_IN_TABLE = 20
"""Labels beyond this make cells too small to read: the table then shows those with the most mistakes."""
N_SHADES = 5


@dataclass(frozen=True)
class Mistake:
    """`n` samples of one label that were taken for another."""

    label: Label
    taken_for: Label
    n: int

    @property
    def filter(self) -> SampleFilter:
        return SampleFilter(label=self.label, predicted=self.taken_for, verdict=Verdict.WRONG)


@dataclass(frozen=True)
class Square:
    """One cell of the table. `shade` is 0 for nothing, else 1 to `N_SHADES` by its share of the label's samples."""

    label: Label
    predicted: Label
    n: int
    of: int

    @property
    def is_right(self) -> bool:
        return self.label == self.predicted

    @property
    def shade(self) -> int:
        return min(N_SHADES, 1 + int(N_SHADES * self.n / self.of)) if self.n and self.of else 0

    @property
    def filter(self) -> SampleFilter:
        verdict = Verdict.RIGHT if self.is_right else Verdict.WRONG
        return SampleFilter(label=self.label, predicted=self.predicted, verdict=verdict)


@dataclass(frozen=True)
class Line:
    """One label's row of the table: what its `n` judged samples were taken for."""

    label: Label
    n: int
    squares: tuple[Square, ...]

    @property
    def filter(self) -> SampleFilter:
        return SampleFilter(label=self.label, verdict=Verdict.JUDGED)


@dataclass(frozen=True)
class TagMistake:
    """A tag: on how many samples it was missed, and to how many it was given though it is not on them."""

    label: Label
    n_missed: int
    n_there: int
    n_wrongly_given: int
    n_given: int

    @property
    def missed_filter(self) -> SampleFilter:
        return SampleFilter(label=self.label, unsaid=self.label)

    @property
    def wrongly_given_filter(self) -> SampleFilter:
        return SampleFilter(predicted=self.label, without=self.label)


@dataclass(frozen=True)
class Confusion:
    """`mistakes` come most frequent first, `n_more` rarer ones are left out; where tags are given, `tags` say it."""

    n_judged: int
    n_wrong: int
    mistakes: tuple[Mistake, ...] = ()
    n_more: int = 0
    columns: tuple[Label, ...] = ()
    lines: tuple[Line, ...] = ()
    n_labels: int = 0
    tags: tuple[TagMistake, ...] = ()

    @property
    def is_part(self) -> bool:
        """Whether the table leaves labels out."""
        return len(self.columns) < self.n_labels


def confusion(function: Function, labels: Sequence[Label]) -> Confusion:
    """Return what is taken for what; `labels` are the function's in use."""
    return _of_tags(function, labels) if function.output_kind == OutputKind.TAGS else _of_labels(function, labels)


def pairs(function: Function, labels: Sequence[Label]) -> Counter[tuple[int, int]]:
    """Return how many judged samples of each label were taken for each, by the labels' keys; those in use alone."""
    counts: Counter[tuple[int, int]] = Counter()
    for cell in cells_of(function, [label.pk for label in labels]):
        if cell.is_judged and cell.predicted is not None:
            counts[cell.label, cell.predicted] += cell.n
    return counts


def _of_labels(function: Function, labels: Sequence[Label]) -> Confusion:
    by_key = {label.pk: label for label in labels}
    counts = pairs(function, labels)
    wrong = {pair: n for pair, n in counts.items() if pair[0] != pair[1]}
    ordered = sorted(
        wrong.items(), key=lambda each: (-each[1], by_key[each[0][0]].position, by_key[each[0][1]].position)
    )
    mistakes = tuple(Mistake(by_key[label], by_key[predicted], n) for (label, predicted), n in ordered)
    shown = _shown(labels, wrong)
    return Confusion(
        n_judged=sum(counts.values()),
        n_wrong=sum(wrong.values()),
        mistakes=mistakes[:MOST_SENTENCES],
        n_more=max(0, len(mistakes) - MOST_SENTENCES),
        columns=shown,
        lines=tuple(_line(label, shown, counts) for label in shown),
        n_labels=len(labels),
    )


def _shown(labels: Sequence[Label], wrong: dict[tuple[int, int], int]) -> tuple[Label, ...]:
    """All labels, or of many those that take part in the most mistakes, in their own order."""
    if len(labels) <= MOST_IN_TABLE:
        return tuple(labels)
    involved: Counter[int] = Counter()
    for (label, predicted), n in wrong.items():
        involved[label] += n
        involved[predicted] += n
    most = {key for key, _n in involved.most_common(MOST_IN_TABLE)}
    return tuple(label for label in labels if label.pk in most)


def _line(label: Label, columns: Sequence[Label], counts: Counter[tuple[int, int]]) -> Line:
    n = sum(each for (of, _predicted), each in counts.items() if of == label.pk)
    return Line(label, n, tuple(Square(label, other, counts[label.pk, other.pk], n) for other in columns))


def _of_tags(function: Function, labels: Sequence[Label]) -> Confusion:
    table = tag_table(function, labels)
    tags = []
    for label in labels:
        there, absent = table.is_judged & table.has(label, THERE), table.is_judged & table.has(label, ABSENT)
        said = table.says(label)
        tags.append(
            TagMistake(
                label=label,
                n_missed=int((there & ~said).sum()),
                n_there=int(there.sum()),
                n_wrongly_given=int((absent & said).sum()),
                n_given=int((table.is_judged & said).sum()),
            )
        )
    ordered = sorted(tags, key=lambda tag: -(tag.n_missed + tag.n_wrongly_given))
    judged = table.is_judged
    return Confusion(n_judged=int(judged.sum()), n_wrong=int((judged & ~table.is_right).sum()), tags=tuple(ordered))
