"""What a function's home says about who answers: nothing learned yet, a language it does not read, a pinned model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from apps.engine import languages
from apps.engine.backbones.presets import PRESETS
from apps.engine.types import Modality
from apps.functions.models import Function, InputKind
from apps.samples.models import Sample
from apps.training.models import TrainedModel
from apps.training.services.encoders import backbone_names
from apps.training.services.untrained import load_untrained

LANGUAGES_OF = 1_000
"""The newest texts, which say enough about all of them."""
FEWEST_TEXTS = 10
MOST_NAMES = 2


@dataclass(frozen=True)
class Notes:
    """Empty sentences and None have nothing to say. `judging` is the model whose figures the home shows."""

    guessing: str
    language: str
    pinned: TrainedModel | None
    judging: TrainedModel | None

    @property
    def is_split(self) -> bool:
        """Whether calls are answered by another model than the one whose figures are shown."""
        return self.pinned is not None and self.pinned != self.judging


def notes(function: Function) -> Notes:
    """Return what there is to say. Two queries for a function with a model, two more for one without."""
    published = TrainedModel.objects.filter(function=function).exclude(published_at=None)
    live_and_newest = list(published.order_by("-is_live", "-number")[:2])
    live = next((model for model in live_and_newest if model.is_live), None)
    return Notes(
        guessing="" if live else guessing_sentence(function),
        language=language_sentence(function),
        pinned=live if live and live.is_pinned else None,
        judging=max(live_and_newest, key=lambda model: model.number, default=None),
    )


def guessing_sentence(function: Function) -> str:
    """Say by what a function without a model answers; empty where it has nothing to say."""
    untrained = load_untrained(function)
    if untrained is None:
        return ""
    if not untrained.backbone_name:
        return "Not trained yet: it answers by your rules, and says nothing of rows that none of them fits."
    is_described = any(label.description for label in untrained.labels)
    names = "the labels’ names and descriptions" if is_described else "the labels’ names"
    return f"Not trained yet: it guesses from {names}{' and your rules' if untrained.rules.patterns else ''}."


def language_sentence(function: Function) -> str:
    """Say so where most texts are in languages that the backbone does not read; empty elsewhere."""
    if function.input_kind != InputKind.TEXT:
        return ""
    newest = Sample.objects.filter(function=function).order_by("-pk").values_list("language", flat=True)[:LANGUAGES_OF]
    told = Counter(language for language in newest if language)
    backbone = backbone_names(Modality.TEXT, function_id=function.pk)[0]
    unread = Counter({language: n for language, n in told.items() if not languages.reads(backbone, language)})
    if told.total() < FEWEST_TEXTS or 2 * unread.total() <= told.total():
        return ""
    names = [languages.NAMES[language] for language, _n in unread.most_common(MOST_NAMES)]
    reader = f"What reads them ({backbone})" if backbone in PRESETS else "The built-in reader"
    return (
        f"Most of your texts are {' or '.join(names)}. {reader} knows English best; for others it leans on "
        "word and character patterns and needs more labels."
    )
