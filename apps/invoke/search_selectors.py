"""What the search page shows: all samples, the newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import QuerySet
from django.db.models.functions import Left, Length

from apps.core.errors import NotFound
from apps.core.ids import with_prefix
from apps.functions.models import Function, InputKind
from apps.samples.models import Sample

ON_A_PAGE = 48
CHARS = 240


@dataclass(frozen=True)
class Shown:
    """One sample of the gallery, or of what was found with how alike it is, in words."""

    sample: Sample
    excerpt: str = ""
    is_cut: bool = False
    likeness: str = ""


@dataclass(frozen=True)
class Gallery:
    """One page of samples; the next one goes on behind the last of them."""

    shown: tuple[Shown, ...]
    next_after: str = ""


def gallery(function: Function, *, after: str = "") -> Gallery:
    """Return the samples that came before the one named, or the newest. One query, two with a name."""
    rows = Sample.objects.filter(function=function)
    if after:
        last = Sample.everywhere.filter(function=function, public_id=with_prefix("sample", after)).values_list("pk")
        place = last.first()
        if place is None:
            raise NotFound("The sample that this page went on from is gone. Reload the page.")
        rows = rows.filter(pk__lt=place[0])
    found = list(light(rows, function).order_by("-pk")[: ON_A_PAGE + 1])
    is_last = len(found) <= ON_A_PAGE
    page = found[:ON_A_PAGE]
    return Gallery(tuple(shown(page)), "" if is_last else page[-1].public_id)


def light(rows: QuerySet[Sample], function: Function) -> QuerySet[Sample]:
    """Return the rows without what no list shows: of texts the beginning alone is read."""
    if function.input_kind == InputKind.TEXT:
        return rows.defer("text", "row").annotate(beginning=Left("text", CHARS), n_chars=Length("text"))
    return rows.defer("text") if function.input_kind == InputKind.TABLE else rows


def shown(samples: Iterable[Sample], likeness: dict[int, str] | None = None) -> list[Shown]:
    """Return samples that `light` read, as the page shows them."""
    words = likeness or {}
    return [
        Shown(
            sample,
            getattr(sample, "beginning", ""),
            getattr(sample, "n_chars", 0) > CHARS,
            words.get(sample.pk, ""),
        )
        for sample in samples
    ]
