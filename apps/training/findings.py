"""What was found for a person to look at, as far as it still holds: inspections come later than what people do."""

from __future__ import annotations

from django.db.models import Count, F, Q, QuerySet

from apps.functions.models import Function
from apps.training.models import Finding, FindingKind

KEPT = "kept"
"""Among the facts of two that are nearly the same: somebody let both stand, and is not asked again."""

_STILL_SAID = Q(sample__annotation=F("annotation"), annotation__confirmation=None)
# Of two alike that were labelled differently, the other one; where tags are given it has no label of its own.
_OTHER_STILL_SAID = Q(other__label=F("label")) | Q(other__label=None, other__annotation__isnull=False)
_HOLDS = {
    # A label that was deleted or merged since is nothing to change to.
    FindingKind.WRONG_LABEL: _STILL_SAID & Q(label__deleted_at=None, label__merged_into=None),
    FindingKind.NEW_KIND: Q(sample__annotation=None),
    FindingKind.NEAR_DUPLICATE: Q(other__deleted_at=None)
    & ~Q(facts__has_key=KEPT)
    & (Q(annotation=None) | (_STILL_SAID & _OTHER_STILL_SAID)),
}


def findings(function: Function, kind: FindingKind) -> QuerySet[Finding]:
    """Return what was found of one kind and still holds, the worst first, with samples, annotation and label.

    Left out: whose sample is gone, whose annotation is no longer in force, and who was looked at and kept.
    """
    rows = _there(function).filter(_HOLDS[kind], kind=kind)
    return rows.select_related("sample", "other", "label", "annotation__label").order_by("-score", "pk")


def n_findings(function: Function) -> dict[FindingKind, int]:
    """Count those of each kind that still hold, kinds without any as 0. One query over at most a few thousand rows."""
    holds = Q()
    for kind, condition in _HOLDS.items():
        holds |= condition & Q(kind=kind)
    counted = _there(function).filter(holds).order_by().values_list("kind").annotate(n=Count("pk"))
    n_of = dict(counted)
    return {kind: n_of.get(kind, 0) for kind in FindingKind}


def _there(function: Function) -> QuerySet[Finding]:
    return Finding.objects.filter(function=function, sample__deleted_at=None)
