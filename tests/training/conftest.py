"""Two labels that can be told apart by their words, and processes that start fresh."""

from pathlib import Path

import dramatiq
import pytest
from pytest_django import Settings

from apps.functions.models import Function
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_many
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import Adaptation
from apps.training.services import embed_function, finish_work
from apps.training.services.work import Progress
from tests.training.hard_texts import adapt_now, bring_labelled, hard_texts

REFUNDS = [
    "please refund my money",
    "i want a refund for the broken lamp",
    "money back please the lamp is broken",
    "refund the double charge on my card",
    "charged twice i want my money back",
    "give me a refund now",
]
PARCELS = [
    "where is my parcel",
    "the parcel has not arrived",
    "track my delivery please",
    "delivery is late again",
    "when will the parcel be delivered",
    "parcel shipping to norway possible",
]
OTHERS = ["refund of my money", "parcel still not delivered", "late parcel delivery", "refund the charge"]


@pytest.fixture
def learned(text_function: Function) -> Function:
    """Forty labelled texts and a model, nothing adapted."""
    bring_labelled(text_function, hard_texts(40))
    finish_work(function_id=text_function.pk)
    return text_function


@pytest.fixture
def adapted(learned: Function) -> Adaptation:
    return adapt_now(learned)


@pytest.fixture(autouse=True)
def own_files(settings: Settings, tmp_path: Path) -> None:
    settings.ARTIFACTS_DIR = tmp_path / "models"
    dramatiq.get_broker().flush_all()


def bring(function: Function, texts: list[str]) -> list[Sample]:
    """Add texts without labels, not yet embedded."""
    items = [NewText(text) for text in texts]
    return add_texts(function=function, items=items, person=None, origin=Origin.IMPORT).samples


def label(function: Function, samples: list[Sample], label_name: str) -> None:
    row = function.labels.get(name=label_name)
    pairs: list[tuple[int, int | None]] = [(sample.pk, row.pk) for sample in samples]
    annotate_many(function=function, pairs=pairs, person=None, picked_by=PickedBy.PERSON)


def embed_all(function: Function) -> None:
    while embed_function(function_id=function.pk) is Progress.MORE:
        pass


@pytest.fixture
def samples(text_function: Function) -> dict[str, list[Sample]]:
    """Twelve labelled texts and four unlabelled ones, all embedded, nothing trained."""
    refunds, parcels = bring(text_function, REFUNDS), bring(text_function, PARCELS)
    others = bring(text_function, OTHERS)
    embed_all(text_function)
    label(text_function, refunds, "Refund")
    label(text_function, parcels, "Shipping")
    return {"Refund": refunds, "Shipping": parcels, "": others}
