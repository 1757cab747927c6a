"""Reads that feed the pages of functions and labels."""

from dataclasses import dataclass

from django.core.paginator import Page, Paginator
from django.db.models import Count, Prefetch, Q

from apps.functions.models import Function, KeywordRule, Label, OutputKind
from apps.functions.names import tidy
from apps.workspaces.models import Workspace

FUNCTIONS_PER_PAGE = 24
LABELS_ON_CARD = 6


@dataclass(frozen=True)
class FunctionCard:
    """One function as the home page shows it: what it chooses between, and how far its first hundred has come."""

    function: Function
    labels: list[Label]
    n_samples: int
    n_labelled: int

    @property
    def first_labels(self) -> list[Label]:
        return self.labels[:LABELS_ON_CARD]

    @property
    def n_more_labels(self) -> int:
        return max(0, len(self.labels) - LABELS_ON_CARD)


@dataclass(frozen=True)
class LabelLine:
    """One label as the settings page shows it."""

    label: Label
    n_samples: int


def function_cards(*, workspace: Workspace, page_number: str | int) -> tuple[Page[Function], list[FunctionCard]]:
    """Return one page of the workspace's functions, newest first. Four queries, whatever the number of functions."""
    in_use = Prefetch("labels", queryset=Label.objects.in_use())
    page = Paginator(workspace.functions.prefetch_related(in_use), FUNCTIONS_PER_PAGE).get_page(page_number)
    functions = list(page)
    counted = Function.objects.filter(pk__in=[function.pk for function in functions]).order_by()
    not_in_bin = Count("samples", filter=Q(samples__deleted_at=None))
    rows = counted.values_list("pk").annotate(n_samples=not_in_bin, n_labelled=Count("samples__annotation"))
    counts = {pk: (n_samples, n_labelled) for pk, n_samples, n_labelled in rows}
    return page, [FunctionCard(each, list(each.labels.all()), *counts.get(each.pk, (0, 0))) for each in functions]


def label_lines(function: Function) -> list[LabelLine]:
    """Return the labels in use with how many samples carry each."""
    labels = function.labels.in_use()
    carried = Count("tagged", filter=Q(tagged__is_present=True))
    count = carried if function.output_kind == OutputKind.TAGS else Count("samples")
    n_samples = dict(labels.order_by().annotate(n_samples=count).values_list("pk", "n_samples"))
    return [LabelLine(label, n_samples.get(label.pk, 0)) for label in labels]


def standing_labels(function_id: int) -> dict[str, Label]:
    """Return by public id the label in use that each label of a function is, or was merged into; not the deleted."""
    rows = Label.objects.filter(function_id=function_id, deleted_at=None).select_related("merged_into")
    roots = {label.public_id: label.merged_into or label for label in rows}
    return {public_id: root for public_id, root in roots.items() if root.deleted_at is None}


def labels_by_look(function: Function) -> dict[str, Label]:
    """Return what each label's name means, by how that looks (`names.tidy`), upper and lower case apart.

    The name of a label that was merged means the one it was merged into, unless another has been given it since.
    """
    merged = function.labels.filter(deleted_at=None, merged_into__deleted_at=None).exclude(merged_into=None)
    known = {tidy(label.name): label.merged_into for label in merged.select_related("merged_into") if label.merged_into}
    return known | {tidy(label.name): label for label in function.labels.in_use()}


def rules_of(function: Function) -> list[KeywordRule]:
    """Return the rules in force, oldest first, with their labels."""
    rows = KeywordRule.objects.filter(label__in=function.labels.in_use())
    return list(rows.select_related("label").order_by("id"))
