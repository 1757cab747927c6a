"""Samples that nothing labelled is like, and pairs that are nearly the same, found in the survey of all samples."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from apps.engine import novelty
from apps.functions.models import Function, OutputKind
from apps.samples.models import Confirmation, Sample
from apps.samples.services.saying import KnownLabels
from apps.training.models import Finding, FindingKind
from apps.training.services.survey_file import SurveyView

MOST_UNLABELLED = 20_000
MOST_PAIRS = 20_000
ROWS_AT_ONCE = 500


def new_kind_findings(function: Function, view: SurveyView | None, *, most: int) -> list[Finding]:
    """Return unlabelled samples far from everything labelled; of very many samples, an even draw is looked at."""
    if view is None or not len(view.keys):
        return []
    labelled = np.array(list(_annotated(function)), dtype=np.int64)
    is_labelled = np.zeros(len(view.keys), dtype=bool)
    is_labelled[view.rows_of(np.sort(labelled))] = True
    pool = np.flatnonzero(~is_labelled)
    if len(pool) > MOST_UNLABELLED:
        pool = np.sort(np.random.default_rng(0).choice(pool, MOST_UNLABELLED, replace=False))
    found = novelty.new_kinds(view.vectors, np.flatnonzero(is_labelled), pool)
    keys = view.keys[found.rows].tolist()
    rows = zip(keys, found.scores.tolist(), strict=True)
    standing = set(_unlabelled(keys[: 2 * most]))  # the survey knows of the bin, too
    made = (
        Finding(function=function, kind=FindingKind.NEW_KIND, sample_id=key, score=score)
        for key, score in rows
        if key in standing
    )
    return list(made)[:most]


def near_duplicate_findings(
    function: Function, view: SurveyView | None, doubts: Mapping[int, float], *, most: int
) -> list[Finding]:
    """Return pairs that are nearly the same; first those that were labelled differently, the most alike first.

    Of two labels the more doubtful one is asked about, and never one that was kept already. `doubts` are those by
    sample key.
    """
    if view is None or not len(view.pairs):
        return []
    pairs = view.keys[view.pairs[:MOST_PAIRS]].tolist()
    cosines = view.likeness[:MOST_PAIRS].tolist()
    said = _said_of(function, {key for pair in pairs for key in pair})
    found = []
    for (one, two), cosine in zip(pairs, cosines, strict=True):
        if one in said and two in said:
            finding = _pair(function, said, max(one, two), min(one, two), cosine, doubts)
            if finding is not None:
                found.append(finding)
    found.sort(key=lambda finding: (-finding.score, finding.sample_id, finding.other_id or 0))
    return found[:most]


@dataclass(frozen=True)
class _Said:
    """What is in force of one sample; `tags` by label key, as labels are now.

    `is_kept`: somebody looked at it again and kept it.
    """

    annotation_id: int | None
    label_id: int | None
    tags: Mapping[int, bool] | None
    is_kept: bool


def _pair(
    function: Function,
    said: Mapping[int, _Said],
    newer: int,
    older: int,
    cosine: float,
    doubts: Mapping[int, float],
) -> Finding | None:
    """Ask about the newer one, which would go; where they differ about the one more likely labelled wrongly."""
    difference = _difference(said[newer], said[older])
    sample, other = newer, older
    if difference is not None and (said[newer].is_kept, -doubts.get(newer, 0.0)) > (
        said[older].is_kept,
        -doubts.get(older, 0.0),
    ):
        sample, other = older, newer
    if said[sample].is_kept:
        return None
    differ = difference is not None
    return Finding(
        function=function,
        kind=FindingKind.NEAR_DUPLICATE,
        sample_id=sample,
        other_id=other,
        annotation_id=said[sample].annotation_id,
        label_id=difference or (said[other].label_id if differ else None),
        score=cosine + (1.0 if differ else 0.0),
        facts={"differ": differ},
    )


def _difference(one: _Said, two: _Said) -> int | None:
    """Return on which tag two samples differ, 0 for their label; None where both are as the other, or unlabelled."""
    if one.tags is not None and two.tags is not None:
        both = sorted(one.tags.keys() & two.tags.keys())
        return next((tag for tag in both if one.tags[tag] != two.tags[tag]), None)
    if one.label_id is None or two.label_id is None or one.label_id == two.label_id:
        return None
    return 0


def _said_of(function: Function, keys: Collection[int]) -> dict[int, _Said]:
    """What is said of those of the samples that are still there."""
    gives_tags, known = function.output_kind == OutputKind.TAGS, KnownLabels(function.pk)
    columns = ("pk", "annotation_id", "label_id", "annotation__tags" if gives_tags else "label_id")
    found: dict[int, _Said] = {}
    for chunk in _chunks(sorted(keys)):
        kept = set(Confirmation.objects.filter(annotation__sample__in=chunk).values_list("annotation_id", flat=True))
        for pk, annotation_id, label_id, tags in Sample.objects.filter(pk__in=chunk).values_list(*columns):
            found[pk] = _Said(
                annotation_id, label_id, known.by_key(tags) if gives_tags else None, annotation_id in kept
            )
    return found


def _annotated(function: Function) -> Iterator[int]:
    """Keys, a chunk at a time: nobody has to wait for the interpreter, nor for a query that is held open."""
    rows = Sample.objects.filter(function=function, annotation__isnull=False).order_by("pk")
    last = 0
    while chunk := list(rows.filter(pk__gt=last).values_list("pk", flat=True)[: 4 * ROWS_AT_ONCE]):
        yield from chunk
        last = chunk[-1]


def _unlabelled(keys: Sequence[int]) -> Iterator[int]:
    for chunk in _chunks(keys):
        yield from Sample.objects.filter(pk__in=chunk, annotation=None).values_list("pk", flat=True)


def _chunks(keys: Sequence[int]) -> Iterable[Sequence[int]]:
    return (keys[start : start + ROWS_AT_ONCE] for start in range(0, len(keys), ROWS_AT_ONCE))
