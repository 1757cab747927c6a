"""What the models page shows: every published model, which one answers, and what each learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.core.paginator import Page, Paginator
from django.db.models.functions import Left

from apps.functions.models import Function, Label
from apps.functions.selectors import standing_labels
from apps.samples.models import Annotation, Sample
from apps.training.better import BETTER, gain_words
from apps.training.models import TrainedModel
from apps.training.recipe_words import recipe_words
from apps.training.services.choosing import CLEARED, pinned_model, why_not
from apps.training.services.learned import annotations_of

PER_PAGE = 20
LEARNED_PER_PAGE = 50
EXCERPT_CHARS = 600
MOST_NAMES = 5


@dataclass(frozen=True)
class Accuracy:
    """The share expected right of samples nobody saw, and between which it lies; `is_early`: do not trust it yet."""

    value: float
    low: float
    high: float
    is_early: bool = False


@dataclass(frozen=True)
class ModelLine:
    """One published model. `why_not` says why it cannot answer, empty where it can.

    `old_names` are those it answers by for labels that have been renamed since, and what they are called now.
    """

    model: TrainedModel
    accuracy: Accuracy | None
    changes: tuple[str, ...]
    unknown_labels: tuple[str, ...]
    old_names: tuple[tuple[str, str], ...]
    why_not: str
    recipe: Sequence[str]
    is_newest: bool

    @property
    def has_file(self) -> bool:
        return self.why_not != CLEARED

    @property
    def can_go_back(self) -> bool:
        """The newest one too: pinned, it stays live whatever is learned."""
        return not self.why_not and not self.model.is_pinned


@dataclass(frozen=True)
class ModelList:
    """A page of models, newest first, and the pinned one, wherever it stands in the list."""

    page: Page[TrainedModel]
    lines: tuple[ModelLine, ...]
    pinned: ModelLine | None
    n_newer: int


@dataclass(frozen=True)
class Learned:
    """One annotation a model learned from; `sample` is None once it was deleted."""

    sample: Sample | None
    excerpt: str
    labels: tuple[Label, ...]
    is_changed: bool


def model_list(function: Function, *, page_number: str | int) -> ModelList:
    """Return one page of the function's published models."""
    rows = (
        TrainedModel.objects.filter(function=function)
        .exclude(published_at=None)
        .select_related("function", "adaptation")
    )
    page = Paginator(rows.order_by("-number"), PER_PAGE).get_page(page_number)
    standing = standing_labels(function.pk)
    newest = rows.order_by("-number").values_list("number", flat=True).first()
    pinned = pinned_model(function)
    return ModelList(
        page,
        tuple(_line(model, standing, newest) for model in page),
        _line(pinned, standing, newest) if pinned else None,
        rows.filter(number__gt=pinned.number).count() if pinned else 0,
    )


def learned_page(model: TrainedModel, *, page_number: str | int) -> tuple[Page[int], list[Learned]] | None:
    """Return the annotations a model learned from, newest first; None where that is no longer known."""
    keys = annotations_of(model)
    if keys is None:
        return None
    page = Paginator(sorted(keys, reverse=True), LEARNED_PER_PAGE).get_page(page_number)
    wanted = list(page)
    annotations = {row.pk: row for row in Annotation.objects.filter(pk__in=wanted)}
    rows = Sample.objects.filter(pk__in=[row.sample_id for row in annotations.values()]).defer("text")
    samples = {row.pk: row for row in rows.annotate(excerpt=Left("text", EXCERPT_CHARS))}
    rows_of_labels = Label.objects.filter(function=model.function_id).select_related("merged_into")
    labels = {label.pk: label for label in rows_of_labels}
    return page, [_learned(annotations.get(key), samples, labels) for key in wanted]


def accuracy_of(model: TrainedModel) -> Accuracy | None:
    """Return what was estimated when the model was published, where it was."""
    found = model.figures.get("accuracy")
    if not isinstance(found, Mapping):
        return None
    numbers = [found.get(name) for name in ("value", "low", "high")]
    known = [float(number) for number in numbers if isinstance(number, int | float)]
    if len(known) < len(numbers):
        return None
    value, low, high = known
    return Accuracy(value, low, high, is_early=bool(found.get("is_early")))


def change_words(changes: Mapping[str, object]) -> tuple[str, ...]:
    """Say what a model learned that the one before had not."""
    gain, learned_longer = gain_words(changes), BETTER in changes
    said = [
        _counted(changes.get("added"), "label added", "labels added"),
        _counted(changes.get("corrected"), "corrected", "corrected"),
        _counted(changes.get("removed"), "taken away", "taken away"),
        _named("new", changes.get("labels_added")),
        _named("no longer there", changes.get("labels_removed")),
        "it learns another way" if changes.get("recipe") and not learned_longer else "",
        (f"it learned longer: {gain}" if gain else "it learned longer") if learned_longer else "",
    ]
    return tuple(filter(None, said))


def _counted(n: object, one: str, more: str) -> str:
    return f"{n:,} {one if n == 1 else more}" if isinstance(n, int) and n > 0 else ""


def _named(words: str, names: object) -> str:
    if not isinstance(names, list) or not names:
        return ""
    shown = ", ".join(f"“{name}”" for name in names[:MOST_NAMES])
    n_more = len(names) - MOST_NAMES
    return f"{words}: {shown}{f' and {n_more} more' if n_more > 0 else ''}"


def _line(model: TrainedModel, standing: Mapping[str, Label], newest: int | None) -> ModelLine:
    known = {standing[public_id] for public_id in model.label_ids if public_id in standing}
    return ModelLine(
        model=model,
        accuracy=accuracy_of(model),
        changes=change_words(model.changes),
        unknown_labels=tuple(label.name for label in dict.fromkeys(standing.values()) if label not in known),
        old_names=_old_names(model, standing),
        why_not=why_not(model, standing=standing),
        recipe=recipe_words(model.recipe, n_taught=model.adaptation.n_annotations if model.adaptation else 0),
        is_newest=model.number == newest,
    )


def _old_names(model: TrainedModel, standing: Mapping[str, Label]) -> tuple[tuple[str, str], ...]:
    """What the model still calls labels that have another name by now, and that name."""
    called = zip(model.label_ids, model.label_names, strict=False)  # of models from before names were kept, none
    now = ((name, standing[key].name) for key, name in called if key in standing and standing[key].public_id == key)
    return tuple((old, new) for old, new in now if old != new)


def _learned(annotation: Annotation | None, samples: Mapping[int, Sample], labels: Mapping[int, Label]) -> Learned:
    sample = samples.get(annotation.sample_id) if annotation else None
    if annotation is None or sample is None:
        return Learned(None, "", (), is_changed=False)
    if annotation.tags is None:
        said = [label for label in labels.values() if label.pk == annotation.label_id]
    else:
        said = [label for label in labels.values() if annotation.tags.get(label.public_id)]
    counted = dict.fromkeys(label.merged_into or label for label in said)
    is_changed = sample.annotation_id != annotation.pk
    return Learned(sample, getattr(sample, "excerpt", ""), tuple(counted), is_changed)
