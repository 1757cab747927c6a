"""Reads for the page on which a label is split."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.db.models.functions import Left

from apps.functions.models import InputKind, Label, OutputKind
from apps.samples.models import Sample

SPLIT_PER_PAGE = 120
EXCERPT_CHARACTERS = 400


@dataclass(frozen=True)
class SplitSample:
    """A sample of the label, its text cut."""

    sample: Sample
    excerpt: str


@dataclass(frozen=True)
class SplitPage:
    """Some samples of a label, the newest first; `after` is where the next ones begin, empty where there are none."""

    rows: list[SplitSample]
    n_samples: int
    after: str


def samples_of(label: Label) -> QuerySet[Sample]:
    """The samples that have this label, or on which this tag is."""
    if label.function.output_kind == OutputKind.TAGS:
        return Sample.objects.filter(tags__label=label, tags__is_present=True)
    return Sample.objects.filter(label=label)


def split_page(label: Label, *, words: str = "", after: str = "") -> SplitPage:
    """Return a page of the samples that have this label and contain these words, behind the sample `after`."""
    rows = samples_of(label)
    if words:
        is_image = label.function.input_kind == InputKind.IMAGE
        rows = rows.filter(original_name__icontains=words) if is_image else rows.filter(text__icontains=words)
    n_samples = rows.count()
    last = Sample.objects.filter(public_id=after, function=label.function_id).values_list("pk", flat=True).first()
    if last is not None:
        rows = rows.filter(pk__lt=last)
    rows = rows.order_by("-pk").defer("text").annotate(excerpt=Left("text", EXCERPT_CHARACTERS))
    found = list(rows[: SPLIT_PER_PAGE + 1])
    shown = found[:SPLIT_PER_PAGE]
    return SplitPage(
        [SplitSample(sample, getattr(sample, "excerpt", "")) for sample in shown],
        n_samples,
        shown[-1].public_id if len(found) > SPLIT_PER_PAGE else "",
    )
