"""Samples that are like one another, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.core.errors import InvalidInput
from apps.functions.models import Function, InputKind, Label
from apps.review.selectors.rows import Row, TagRow, rows_of
from apps.samples.models import Sample
from apps.samples.services.bulk import keys_of
from apps.training.services.survey import nearest, read_survey
from apps.training.services.surveying import NEARLY_SAME, NEARLY_SAME_ROWS

MOST_SHOWN = 60
VERY_ALIKE, VERY_ALIKE_ROWS = 0.7, 0.97
CHARS = 220


@dataclass(frozen=True)
class Near:
    """A sample, and how alike it is to the one in question, in words where that is worth saying."""

    row: Row | TagRow
    word: str


def near_samples(function: Function, labels: Sequence[Label], sample: Sample, n: int) -> list[Near] | None:
    """Return the samples most like one, the likest first; None where they have not been looked over with it yet."""
    view = read_survey(function)
    if view is None or not len(view.rows_of([sample.pk])):
        return None
    likeness = dict(nearest(function, sample.pk, n))
    rows = rows_of(function, labels, list(likeness), n_chars=CHARS)
    return [Near(row, _word(likeness[row.sample.pk], function)) for row in rows]


def _word(likeness: float, function: Function) -> str:
    """Cosines mean nothing to people, and of table rows something else than of texts."""
    is_table = function.input_kind == InputKind.TABLE
    if likeness >= (NEARLY_SAME_ROWS if is_table else NEARLY_SAME):
        return "nearly the same"
    return "very alike" if likeness >= (VERY_ALIKE_ROWS if is_table else VERY_ALIKE) else ""


def asked_rows(function: Function, labels: Sequence[Label], asked: str) -> list[Row | TagRow]:
    """Return the rows of samples by their public ids, written with commas between and without `sample_`."""
    ids = [f"sample_{part}" for part in asked.split(",") if part]
    if len(ids) > MOST_SHOWN:
        raise InvalidInput(f"At most {MOST_SHOWN} samples are shown at once.")
    return rows_of(function, labels, keys_of(function, ids), n_chars=CHARS)
