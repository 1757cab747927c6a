"""Reads for the page of the bin."""

from dataclasses import dataclass
from datetime import timedelta

from django.core.paginator import Page, Paginator
from django.db.models.functions import Left
from django.utils import timezone

from apps.functions.models import Function
from apps.samples.models import Sample
from apps.samples.services.bin import DAYS_IN_BIN, in_bin

BIN_PER_PAGE = 48
EXCERPT_CHARACTERS = 300


@dataclass(frozen=True)
class BinLine:
    """A deleted sample, its text cut; `n_days` are those it has left."""

    sample: Sample
    excerpt: str
    n_days: int


def bin_lines(function: Function, *, page_number: str | int) -> tuple[Page[Sample], list[BinLine]]:
    """Return one page of what is in a function's bin, deleted last first."""
    page = Paginator(in_bin(function).order_by("-deleted_at", "-pk").defer("text"), BIN_PER_PAGE).get_page(page_number)
    shown = Sample.everywhere.filter(pk__in=[sample.pk for sample in page])
    excerpts = dict(shown.values_list("pk", Left("text", EXCERPT_CHARACTERS)))
    return page, [_line(sample, excerpts[sample.pk]) for sample in page if sample.pk in excerpts]


def _line(sample: Sample, excerpt: str) -> BinLine:
    assert sample.deleted_at is not None
    left = sample.deleted_at + timedelta(days=DAYS_IN_BIN) - timezone.now()
    return BinLine(sample, excerpt, max(1, left.days + 1))
