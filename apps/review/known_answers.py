"""Choosing samples whose answer counts as known: drawn from what is labelled, or selected in a list."""

from collections import defaultdict
from collections.abc import Sequence
from random import SystemRandom

from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.functions.models import Function, Label, OutputKind
from apps.samples.models import ReviewState, Sample, SampleTag
from apps.samples.services.bulk import keys_of
from apps.samples.services.gold import make_gold

MOST_AT_ONCE = 100
"""Each is a transaction of its own, of some 10 ms."""


def draw_known(*, function: Function, n: int, person: User) -> int:
    """Let up to `n` labelled samples' answers count as known, drawn at random: first of those a reviewer has looked at.

    Returns how many there were.
    """
    labelled = _not_known_yet(function)
    looked_at = labelled.filter(Q(annotation__confirmation__isnull=False) | Q(review=ReviewState.ACCEPTED))
    chosen = _draw(looked_at, n)
    chosen += _draw(labelled.exclude(pk__in=chosen), n - len(chosen))
    return _make_known(function, chosen, person)


def use_as_known(*, function: Function, sample_ids: Sequence[str], person: User) -> int:
    """Let the answers of these samples (by public id) count as known; those without one are passed over.

    Returns how many are known that were not before. Raises InvalidInput for none, or too many.
    """
    if not sample_ids:
        raise InvalidInput("No sample is selected. Select some first.")
    if len(sample_ids) > MOST_AT_ONCE:
        raise InvalidInput(f"Take at most {MOST_AT_ONCE} samples at a time. Select fewer.")
    chosen = _not_known_yet(function).filter(pk__in=keys_of(function, sample_ids))
    return _make_known(function, list(chosen.order_by("pk").values_list("pk", flat=True)), person)


def _not_known_yet(function: Function) -> QuerySet[Sample]:
    return Sample.objects.filter(function=function, annotation__isnull=False, gold__isnull=True)


def _draw(rows: QuerySet[Sample], n: int) -> list[int]:
    keys = list(rows.order_by("pk").values_list("pk", flat=True))
    return SystemRandom().sample(keys, min(n, len(keys)))


def _make_known(function: Function, keys: Sequence[int], person: User) -> int:
    tags: dict[int, dict[Label, bool]] = defaultdict(dict)
    for tag in SampleTag.objects.filter(sample__in=keys).select_related("label").order_by("label__position", "label"):
        tags[tag.sample_id][tag.label] = tag.is_present
    for sample in Sample.objects.filter(pk__in=keys).select_related("function", "label").order_by("pk"):
        if function.output_kind == OutputKind.TAGS:
            make_gold(sample=sample, tags=tags[sample.pk], person=person)
        else:
            make_gold(sample=sample, label=sample.label, person=person)
    return len(keys)
