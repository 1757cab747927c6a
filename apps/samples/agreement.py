"""How far people agree who were asked the same: read from their opinions, in the labels there are now.

Samples with a known answer are left out: what people say of those is compared with the answer, not with each other.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from apps.engine.agreement import cohen_kappa, percent_agreement
from apps.functions.models import Function
from apps.samples.models import Opinion
from apps.samples.services.saying import KnownLabels
from apps.samples.services.settling import Meant, meant


@dataclass(frozen=True)
class PairAgreement:
    """Two people by key, what they agreed on of the samples both were asked about, and the keys of the others.

    `kappa` is None where it tells nothing: both gave one and the same label throughout.
    """

    first: int
    second: int
    n: int
    percent: float
    kappa: float | None
    disputed: Sequence[int]


def opinions_of(function: Function) -> Mapping[int, Mapping[int, Meant]]:
    """Return by sample, then by person, what they say: a label's key, or the keys of the tags that are there.

    Opinions whose label was deleted say nothing any more and are left out.
    """
    labels = KnownLabels(function.pk)
    rows = Opinion.objects.filter(sample__function=function, sample__deleted_at=None, sample__gold__isnull=True)
    found: dict[int, dict[int, Meant]] = defaultdict(dict)
    columns = ("sample_id", "person_id", "annotation__label_id", "annotation__tags")
    for sample_id, person_id, label_id, tags in rows.order_by("sample_id", "person_id").values_list(*columns):
        said_of = meant(labels.of_history(label_id, tags))
        if said_of is not None:
            found[sample_id][person_id] = said_of
    return found


def pairs(opinions: Mapping[int, Mapping[int, Meant]]) -> list[PairAgreement]:
    """Return every two people who were asked the same at least once, those who share most first."""
    shared: dict[tuple[int, int], list[tuple[int, Meant, Meant]]] = defaultdict(list)
    for sample_id, said in opinions.items():
        for first, second in combinations(sorted(said), 2):
            shared[first, second].append((sample_id, said[first], said[second]))
    found = [_pair(first, second, rows) for (first, second), rows in shared.items()]
    return sorted(found, key=lambda pair: (-pair.n, pair.first, pair.second))


def agreement_of(pairs: Sequence[PairAgreement], person_id: int) -> tuple[int, float | None]:
    """Return with how many answers of others a person's were compared, and the share that was the same."""
    mine = [pair for pair in pairs if person_id in (pair.first, pair.second)]
    n = sum(pair.n for pair in mine)
    return n, sum(pair.n * pair.percent for pair in mine) / n if n else None


def _pair(first: int, second: int, rows: Sequence[tuple[int, Meant, Meant]]) -> PairAgreement:
    numbers: dict[Meant, int] = {}
    a, b = (
        np.array([numbers.setdefault(row[place], len(numbers)) for row in rows], dtype=np.int64) for place in (1, 2)
    )
    kappa = cohen_kappa(a, b)
    disputed = [sample_id for sample_id, one, other in rows if one != other]
    return PairAgreement(
        first, second, len(rows), percent_agreement(a, b), None if math.isnan(kappa) else kappa, disputed
    )
