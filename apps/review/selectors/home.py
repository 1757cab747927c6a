"""What the function home shows, whatever its function gives: one label a sample, or tags."""

from __future__ import annotations

from collections.abc import Sequence

from apps.functions.models import Function, Label, OutputKind
from apps.review.filters import SampleFilter
from apps.review.selectors.counts import cells_of, total
from apps.review.selectors.figures import Figures, label_figures
from apps.review.selectors.rows import Row, TagRow, rows_of
from apps.review.selectors.samples import SamplesPage, label_samples_page, n_labelled_so
from apps.review.selectors.tag_figures import tag_figures
from apps.review.selectors.tag_samples import n_tagged_so, tag_samples_page
from apps.samples.models import Sample


def figures(function: Function, labels: Sequence[Label] | None = None) -> Figures:
    """Return the function's figures; hand in its labels in use if they are at hand."""
    in_use = list(function.labels.in_use()) if labels is None else labels
    return tag_figures(function, in_use) if _gives_tags(function) else label_figures(function, in_use)


def samples_page(function: Function, labels: Sequence[Label], chosen: SampleFilter) -> SamplesPage:
    """Return the page asked for, or the last one where there are fewer by now."""
    page = tag_samples_page if _gives_tags(function) else label_samples_page
    return page(function, labels, chosen)


def n_matching(function: Function, labels: Sequence[Label], chosen: SampleFilter) -> int:
    """Count the samples that pass, also those that no page lists (`SamplesPage.is_cut`)."""
    count = n_tagged_so if _gives_tags(function) else n_labelled_so
    return count(function, labels, chosen)


def row_of(sample: Sample, labels: Sequence[Label]) -> Row | TagRow:
    """Return one sample's row as its own page would show it."""
    return rows_of(sample.function, labels, [sample.pk])[0]


def n_unlabelled(function: Function) -> int:
    """Count the samples without a label."""
    return Sample.objects.filter(function=function, annotation=None).count()


def n_labelled(function: Function, labels: Sequence[Label]) -> int:
    """Count the samples with a label, or with an answer about tags."""
    if _gives_tags(function):
        return Sample.objects.filter(function=function, annotation__isnull=False).count()
    return total(cells_of(function, [label.pk for label in labels]))


def _gives_tags(function: Function) -> bool:
    return function.output_kind == OutputKind.TAGS
