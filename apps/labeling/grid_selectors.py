"""Which samples the grid shows: many that look alike, to be labelled with one key.

What is accepted here was chosen by the model for being easy, so it is remembered as such (`PickedBy.GRID`), learned
from, and counted in no figure. It does not touch the random stream itself: samples drawn before the grid took its pick
stand for everything there was then, and each later draw is fair among what is left. But what is left is harder than
what comes in from the world, and what the grid took is known by confidence alone. So estimates made after much use of
the grid lean to the low side, never to the flattering one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Count, QuerySet
from django.db.models.functions import Left

from apps.functions.models import Function, Label, OutputKind
from apps.labeling import selectors
from apps.samples.models import Sample
from apps.training.models import Prediction, PredictionKind

SHOWN_CHARACTERS = 4_000
"""What a card or a close look shows of a text."""
EXACT_BELOW = 5_000
"""With fewer predictions than this each is checked for a label given since; with more the index alone is counted."""


class Show(StrEnum):
    """What a grid holds: those taken for one label, those that may be of a rare one, or any."""

    ALIKE = "alike"
    HUNT = "hunt"
    ANY = "any"


@dataclass(frozen=True)
class GridItem:
    """A sample of the grid, its text cut to `SHOWN_CHARACTERS`; `confidence` is that it is of the grid's label."""

    sample: Sample
    excerpt: str
    confidence: float | None


def grid_items(
    function: Function, *, show: Show, label: Label | None, n: int, hidden: Collection[int] = ()
) -> list[GridItem]:
    """Return up to `n` samples to look over, the likeliest of the label first.

    Samples that several people are asked about, that wait for somebody, or whose answer is known, never come: there
    each answer is to be weighed alone.
    """
    if show is Show.ANY or label is None:
        drawn = selectors.draw_at_random(_of_one_person(selectors.askable(function)), n, hidden=hidden)
        return _items([(sample.pk, None) for sample in drawn])
    return _items(_surest(function, label, n, hidden))


def n_alike(function: Function, labels: Iterable[Label]) -> dict[str, int]:
    """Return how many unlabelled samples the live model takes for each label, by public id.

    Among very many, those labelled since the last round are still counted: the index is read, the samples are not.
    """
    public_ids = {label.pk: label.public_id for label in labels}
    rows = Prediction.objects.filter(label__in=list(public_ids), kind=PredictionKind.LIVE)
    counts = _by_label(rows)
    if sum(counts.values()) < EXACT_BELOW:
        counts = _by_label(rows.filter(sample__annotation=None))
    return {public_id: counts.get(pk, 0) for pk, public_id in public_ids.items()}


def _by_label(rows: QuerySet[Prediction]) -> dict[int, int]:
    return dict(rows.order_by().values_list("label").annotate(Count("pk")))


def _of_one_person(rows: QuerySet[Sample]) -> QuerySet[Sample]:
    return rows.filter(n_wanted=1, gold=None)


def _surest(function: Function, label: Label, n: int, hidden: Collection[int]) -> list[tuple[int, float | None]]:
    """Keys and confidences by the index that holds them in this order; only labelled ones are passed over."""
    rows = Prediction.objects.filter(label=label, kind=PredictionKind.LIVE).exclude(sample__in=hidden)
    rows = rows.filter(sample__annotation=None, sample__deleted_at=None, sample__n_wanted=1, sample__gold=None)
    rows = rows.filter(sample__is_disputed=False, sample__sent_back_to=None)
    if function.output_kind != OutputKind.TAGS:
        return list(rows.order_by("-confidence").values_list("sample_id", "confidence")[:n])
    # The index goes by how sure it is of all the tags of a sample; within the grid, by how sure of this one.
    said = rows.order_by("-confidence").values_list("sample_id", "tags")[:n]
    sure = [(pk, float((tags or {}).get(label.public_id, 0.0))) for pk, tags in said]
    return [*sorted(sure, key=lambda pair: -pair[1])]


def _items(chosen: Sequence[tuple[int, float | None]]) -> list[GridItem]:
    """Load the samples in the order given; of long texts only what is shown."""
    samples = Sample.objects.filter(pk__in=[pk for pk, _confidence in chosen]).defer("text")
    rows: Mapping[int, Sample] = {row.pk: row for row in samples.annotate(excerpt=Left("text", SHOWN_CHARACTERS))}
    return [GridItem(rows[pk], getattr(rows[pk], "excerpt", ""), confidence) for pk, confidence in chosen if pk in rows]
