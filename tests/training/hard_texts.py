"""Texts that frozen readers find hard and towers do not: many common words each lean a little to one label.

Words are numbers, so that neither their rarity nor their pieces give anything away.
"""

from __future__ import annotations

import random

from apps.functions.models import Function
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_many
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import Adaptation, FunctionWork, WorkKind
from apps.training.services import Progress, adapt_function, embed_function, finish_work

NAMES = ("Refund", "Shipping")
WORDS = [str(number) for number in random.Random("words").sample(range(10**6), 60)]
OFTEN, SELDOM, N_RARE = 0.6, 0.3, 100


def hard_texts(n: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """Return `n` texts with their labels, the two in turn."""
    draw = random.Random(seed)
    return [(_text(draw, i % 2), NAMES[i % 2]) for i in range(n)]


def noise_texts(n: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """Return `n` texts whose labels have nothing to do with them."""
    draw = random.Random(seed)
    return [(_text(draw, draw.randrange(2)), NAMES[i % 2]) for i in range(n)]


def bring_labelled(function: Function, pairs: list[tuple[str, str]], *, is_embedded: bool = True) -> list[Sample]:
    """Add texts and label them one by one, as a person would."""
    items = [NewText(text) for text, _name in pairs]
    samples = add_texts(function=function, items=items, person=None, origin=Origin.BROWSER).samples
    label_all(function, samples, [name for _text, name in pairs])
    while is_embedded and embed_function(function_id=function.pk) is Progress.MORE:
        pass
    return samples


def label_all(function: Function, samples: list[Sample], names: list[str]) -> None:
    key_of = dict(function.labels.in_use().values_list("name", "pk"))
    pairs: list[tuple[int, int | None]] = [
        (sample.pk, key_of[name]) for sample, name in zip(samples, names, strict=True)
    ]
    annotate_many(function=function, pairs=pairs, person=None, picked_by=PickedBy.PERSON)


def adapt_now(function: Function) -> Adaptation:
    """Adapt whatever the clock says, and let a round judge it."""
    FunctionWork.objects.filter(function=function, kind=WorkKind.ADAPT).update(done_revision=0, retry_at=None)
    Adaptation.objects.filter(function=function).update(seconds=0.0)  # no rest after a long one
    assert adapt_function(function_id=function.pk) is Progress.DONE
    finish_work(function_id=function.pk)
    return Adaptation.objects.filter(function=function).latest("pk")


def _text(draw: random.Random, side: int) -> str:
    words = [word for k, word in enumerate(WORDS) if draw.random() < (OFTEN if k % 2 == side else SELDOM)]
    words += [str(draw.randrange(10**6)) for _ in range(N_RARE)]
    draw.shuffle(words)
    return " ".join(words)
