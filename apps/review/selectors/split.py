"""Which samples of a label may be a kind of their own: what the page that splits it selects beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps.engine.survey.parts import two_parts
from apps.functions.models import Label
from apps.samples.label_selectors import samples_of
from apps.training.services.survey import read_survey

MOST_LOOKED_AT = 2_000
FEWEST = 10
FEWEST_OF_A_KIND = 3
CLEARLY_APART = 0.5
"""Below it the parts were too often not the labels that had been thrown together (`engine.survey.parts`)."""


@dataclass(frozen=True)
class Suggestion:
    """Public ids of the samples that may go, the newest first, of the `n_looked_at` that were compared."""

    sample_ids: list[str]
    n_looked_at: int
    is_clear: bool

    @property
    def words(self) -> str:
        n, n_all = len(self.sample_ids), self.n_looked_at
        if self.is_clear:
            said = f"{n:,} of {n_all:,} samples look like a kind of their own: alike, and unlike the others."
        else:
            said = f"{n:,} of {n_all:,} samples are rather alike, but not far from the others: look closely."
        return f"{said} They are selected; change that as you like."


def split_suggestion(label: Label) -> Suggestion | None:
    """Return the smaller of the two parts that a label's newest samples fall into, None where nothing can be said.

    That is so without a look over the samples, and where there are too few of the label or of one kind.
    """
    view = read_survey(label.function)
    if view is None:
        return None
    samples = list(samples_of(label).order_by("-pk").values_list("pk", "public_id")[:MOST_LOOKED_AT])
    rows, is_known = view.find(np.array([pk for pk, _public_id in samples], dtype=np.int64))
    public_ids = [public_id for (_pk, public_id), known in zip(samples, is_known, strict=True) if known]
    parts = two_parts(view.vectors[rows]) if len(rows) >= FEWEST else None
    if parts is None or parts.is_smaller.sum() < FEWEST_OF_A_KIND:
        return None
    chosen = [public_ids[row] for row in np.flatnonzero(parts.is_smaller)]
    return Suggestion(chosen, len(rows), parts.apartness >= CLEARLY_APART)
