"""The parts of a filter that counts by label and verdict know nothing of: words, notes, people, languages, imports."""

from __future__ import annotations

from django.db.models import Q, Subquery

from apps.accounts.models import User
from apps.review.filters import Noted, SampleFilter
from apps.samples.models import Comment, Mark, MarkKind

_SEARCHED = ("text", "original_name", "external_id")
_MARKS = {Noted.FLAGGED: MarkKind.FLAG, Noted.UNSURE: MarkKind.UNSURE}


def particulars(chosen: SampleFilter, path: str = "") -> Q:
    """Return what is asked of samples at the end of `path` (`"sample__"`), beside label, verdict and prediction."""
    wanted = found(chosen, path) & _noted(chosen, path)
    if chosen.picked:
        wanted &= Q((f"{path}annotation__picked_by", chosen.picked.value))
    if chosen.person:
        # By key, looked up once: joined, the person would be looked up for every sample.
        person = User.objects.filter(public_id=chosen.person).values("pk")[:1]
        wanted &= Q((f"{path}annotation__person", Subquery(person)))
    if chosen.brought:
        wanted &= Q((f"{path}brought_by__public_id", chosen.brought))
    if chosen.language:
        wanted &= Q((f"{path}language", chosen.language))
    return wanted


def found(chosen: SampleFilter, path: str) -> Q:
    """What the filter searches for, in samples at the end of `path`."""
    if not chosen.search:
        return Q()
    anywhere = Q()
    for field in _SEARCHED:
        anywhere |= Q((f"{path}{field}__icontains", chosen.search))
    return anywhere


def _noted(chosen: SampleFilter, path: str) -> Q:
    if chosen.noted is None:
        return Q()
    if chosen.noted is Noted.DISPUTED:
        return Q((f"{path}is_disputed", True))
    # Of all functions: there are few, and the database makes one set of them.
    noted = Comment.objects.all() if chosen.noted is Noted.COMMENTED else Mark.objects.filter(kind=_MARKS[chosen.noted])
    return Q((f"{path}pk__in", noted.order_by().values("sample")))
