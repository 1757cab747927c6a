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

import numpy as np
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Left

from apps.engine.grids import alike_together, hunt_scores
from apps.functions.models import Function, Label, OutputKind
from apps.labeling import selectors
from apps.samples.models import Sample
from apps.training.models import Prediction, PredictionKind
from apps.training.services.survey import nearest_to_label, read_survey

SHOWN_CHARACTERS = 4_000
"""What a card or a close look shows of a text."""
CANDIDATES = 400
"""Among how many of the nearest, and of the likeliest, is hunted: several grids' worth."""
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
        drawn = selectors.draw_at_random(selectors.askable(function).filter(_of_one_person()), n, hidden=hidden)
        return _items([(key, None) for key in _alike_together(function, [sample.pk for sample in drawn])])
    if show is Show.HUNT:
        return _items([(key, None) for key in _hunted(function, label, hidden)[:n]])
    return _items(_surest(function, label, n, hidden))


def n_alike(labels: Iterable[Label]) -> dict[str, int]:
    """Return how many samples that the grid may show the live model takes for each label, by public id.

    Among very many, those labelled since the last round are still counted, and those that several people are asked
    about: the index is read, the samples are not.
    """
    public_ids = {label.pk: label.public_id for label in labels}
    rows = Prediction.objects.filter(label__in=list(public_ids), kind=PredictionKind.LIVE)
    counts = _by_label(rows)
    if sum(counts.values()) < EXACT_BELOW:
        counts = _by_label(rows.filter(_of_one_person("sample__")))
    return {public_id: counts.get(pk, 0) for pk, public_id in public_ids.items()}


def _by_label(rows: QuerySet[Prediction]) -> dict[int, int]:
    return dict(rows.order_by().values_list("label").annotate(Count("pk")))


def _of_one_person(path: str = "") -> Q:
    """Samples, at the end of `path`, that a label given to many at once is right for."""
    wanted = {
        "n_wanted": 1,
        "is_disputed": False,
        **dict.fromkeys(("annotation", "deleted_at", "gold", "sent_back_to")),
    }
    return Q(**{f"{path}{name}": value for name, value in wanted.items()})


def _surest(function: Function, label: Label, n: int, hidden: Collection[int]) -> list[tuple[int, float]]:
    """Keys and confidences by the index that holds them in this order; only labelled ones are passed over."""
    rows = Prediction.objects.filter(_of_one_person("sample__"), label=label, kind=PredictionKind.LIVE)
    rows = rows.exclude(sample__in=hidden).order_by("-confidence")
    if function.output_kind != OutputKind.TAGS:
        return list(rows.values_list("sample_id", "confidence")[:n])
    # The index goes by how sure it is of all the tags of a sample; within the grid, by how sure of this one.
    said = rows.values_list("sample_id", "tags")[:n]
    sure = [(pk, float((tags or {}).get(label.public_id, 0.0))) for pk, tags in said]
    return sorted(sure, key=lambda pair: -pair[1])


def _hunted(function: Function, label: Label, hidden: Collection[int]) -> list[int]:
    """Keys of what may be of the label: most like its samples, likeliest by the model, or best of both."""
    near = dict(nearest_to_label(function, label.pk, CANDIDATES))
    probability = dict(_surest(function, label, CANDIDATES, hidden))
    # By key alone: with the function beside it SQLite walks all of the function's samples.
    open_ones = Sample.objects.filter(_of_one_person(), pk__in=[key for key in near if key not in hidden])
    probability = {**_probabilities(list(open_ones.values_list("pk", flat=True)), label), **probability}
    keys = list(probability)
    farthest = min(near.values(), default=0.0)
    likeness = np.array([near.get(key, farthest) for key in keys], dtype=np.float32)
    scores = hunt_scores(likeness, np.array([probability[key] for key in keys], dtype=np.float32))
    return [keys[place] for place in np.argsort(-scores, kind="stable")]


def _probabilities(keys: Sequence[int], label: Label) -> dict[int, float]:
    """How probable the label is of each sample, as far as it is kept: of the two likeliest labels, and of every tag."""
    rows = Prediction.objects.filter(sample__in=keys, kind=PredictionKind.LIVE)
    said = {row.sample_id: row for row in rows}
    return {key: _probability(said[key], label) if key in said else 0.0 for key in keys}


def _probability(said: Prediction, label: Label) -> float:
    if said.tags is not None:
        return float(said.tags.get(label.public_id, 0.0))
    if said.label_id == label.pk:
        return said.confidence
    return max(0.0, said.confidence - said.margin) if said.runner_up_id == label.pk else 0.0


def _alike_together(function: Function, keys: list[int]) -> list[int]:
    """The same samples, those that are alike side by side, so that one range selects them; others last."""
    view = read_survey(function)
    if view is None:
        return keys
    rows, is_known = view.find(keys)
    known = [key for key, is_there in zip(keys, is_known, strict=True) if is_there]
    rest = [key for key, is_there in zip(keys, is_known, strict=True) if not is_there]
    return [known[place] for place in alike_together(np.asarray(view.vectors[rows]))] + rest


def _items(chosen: Sequence[tuple[int, float | None]] | Sequence[tuple[int, float]]) -> list[GridItem]:
    """Load the samples in the order given; of long texts only what is shown."""
    samples = Sample.objects.filter(pk__in=[pk for pk, _confidence in chosen]).defer("text")
    rows: Mapping[int, Sample] = {row.pk: row for row in samples.annotate(excerpt=Left("text", SHOWN_CHARACTERS))}
    return [GridItem(rows[pk], getattr(rows[pk], "excerpt", ""), confidence) for pk, confidence in chosen if pk in rows]
