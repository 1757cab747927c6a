"""What the search page shows: all samples, the newest first, or those most like something, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.db.models.functions import Left, Length

from apps.core.errors import NotFound
from apps.core.ids import with_prefix
from apps.functions.models import Function, InputKind
from apps.invoke.searching import Found
from apps.samples.models import Sample

ON_A_PAGE = 48
CHARS = 240
LIKENESS = ((0.9, "nearly the same"), (0.5, "very alike"), (0.25, "alike"), (0.1, "a little alike"))
"""By how far a sample is on the way from any to the same. Of 1,000 texts each of clinc20, snips7 and medical_abstracts,
and of 400 pictures each of trashnet and cells, the nearest one is "very alike" in the middle (0.5 to 0.85), two of one
label are "alike" (0.1 to 0.5), of two labels neither."""


@dataclass(frozen=True)
class Shown:
    """One sample of the gallery, or of what was found with how alike it is, in words."""

    sample: Sample
    likeness: str = ""

    @property
    def excerpt(self) -> str:
        return str(getattr(self.sample, "beginning", ""))

    @property
    def is_cut(self) -> bool:
        return int(getattr(self.sample, "n_chars", 0)) > CHARS


@dataclass(frozen=True)
class Gallery:
    """One page of samples; the next one goes on behind the last of them."""

    shown: tuple[Shown, ...]
    next_after: str = ""


def gallery(function: Function, *, after: str = "") -> Gallery:
    """Return the samples that came before the one named, or the newest. One query, two with a name."""
    rows = light(function)
    if after:
        last = Sample.everywhere.filter(function=function, public_id=with_prefix("sample", after))
        place = last.values_list("pk", flat=True).first()
        if place is None:
            raise NotFound("The sample that this page went on from is gone. Reload the page.")
        rows = rows.filter(pk__lt=place)
    found = list(rows.order_by("-pk")[: ON_A_PAGE + 1])
    page = found[:ON_A_PAGE]
    return Gallery(tuple(map(Shown, page)), page[-1].public_id if len(found) > ON_A_PAGE else "")


def light(function: Function) -> QuerySet[Sample]:
    """Return a function's samples without what no list shows: of texts the beginning alone is read."""
    rows = Sample.objects.filter(function=function)
    if function.input_kind == InputKind.TEXT:
        return rows.defer("text", "row").annotate(beginning=Left("text", CHARS), n_chars=Length("text"))
    return rows.defer("text") if function.input_kind == InputKind.TABLE else rows


def in_words(found: Iterable[Found]) -> list[Shown]:
    """Return what was found, with how alike it is."""
    return [Shown(each.sample, "the same" if each.distance == 0 else likeness_word(each.likeness)) for each in found]


def likeness_word(likeness: float) -> str:
    """Say how alike two samples are as a person would."""
    return next((word for least, word in LIKENESS if likeness >= least), "hardly alike")


def n_unread(function: Function) -> int:
    """How many samples cannot be found yet. Reads nothing but the small index of what waits."""
    return Sample.objects.filter(function=function, is_embedded=False).count()
