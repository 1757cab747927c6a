"""What people left beside samples: flags, *not sure*, comments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.samples.models import Comment, Mark, MarkKind

NOBODY = "Somebody who has left"


@dataclass(frozen=True)
class Remark:
    """A comment; `who` may have left since."""

    who: str
    text: str
    at: datetime


@dataclass(frozen=True)
class SideNotes:
    """Who flagged a sample, who was not sure of it, and what was written about it, oldest first."""

    flagged_by: tuple[str, ...] = ()
    doubted_by: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()


def side_notes_of(sample_ids: Sequence[int]) -> dict[int, SideNotes]:
    """Return the notes beside each sample that has any. Two queries."""
    flagged, doubted = defaultdict[int, list[str]](list), defaultdict[int, list[str]](list)
    remarks = defaultdict[int, list[Remark]](list)
    marks = Mark.objects.filter(sample__in=sample_ids).order_by("pk").values_list("sample", "kind", "person__name")
    for sample_id, kind, name in marks:
        (flagged if kind == MarkKind.FLAG else doubted)[sample_id].append(name)
    written = Comment.objects.filter(sample__in=sample_ids).order_by("pk")
    for sample_id, name, text, at in written.values_list("sample", "person__name", "text", "created_at"):
        remarks[sample_id].append(Remark(name or NOBODY, text, at))
    return {
        pk: SideNotes(tuple(flagged[pk]), tuple(doubted[pk]), tuple(remarks[pk]))
        for pk in {*flagged, *doubted, *remarks}
    }
