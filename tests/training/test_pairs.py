"""A backbone that reads pictures and texts: pictures are answered by the labels' names before any is labelled."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytest_django import Settings

from apps.engine.backbones import hub
from apps.engine.backbones.registry import Registry
from apps.engine.types import Modality
from apps.functions.models import Function, InputKind, OutputKind
from apps.functions.services import rename_label
from apps.invoke import services as invoke
from apps.invoke.services import answer_many
from apps.samples.images import as_stored
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_many
from apps.samples.services.intake import NewImage, add_images
from apps.training.models import TrainedModel
from apps.training.notes import guessing_sentence
from apps.training.services import chosen, finish_work
from apps.training.services.arrays import read_round
from apps.training.services.rereading import use_backbone
from apps.training.services.serving import load_live
from apps.training.services.untrained import load_untrained
from apps.workspaces.models import Workspace
from tests import tiny_models
from tests.tiny_models import COLOURS, coloured

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    hub.pull(hub.wanted_from_folder(tiny_models.clip(root / "pair", n_steps=150), name="clip-base"), into=root / "here")
    hub.pull(hub.wanted_from_folder(tiny_models.dinov2(root / "alone"), name="alone"), into=root / "here")
    return root / "here"


@pytest.fixture(autouse=True)
def chosen_ones(settings: Settings, pulled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.BACKBONES, settings.BACKBONES_DIR, settings.MEDIA_ROOT = "default", pulled, tmp_path / "media"
    monkeypatch.setattr(chosen, "FRESH_SECONDS", 0.0)
    chosen.forget()
    yield
    chosen.forget()


def use(name: str, pulled: Path) -> None:
    use_backbone(modality=Modality.IMAGE, manifest=Registry(pulled).manifest(name))


@pytest.fixture
def colours(workspace: Workspace) -> Function:
    """A picture function whose labels are colours, without samples."""
    function = workspace.functions.create(name="Which colour?", input_kind=InputKind.IMAGE)
    for position, name in enumerate(COLOURS):
        function.labels.create(name=name.title(), position=position, colour=position)
    return function


def png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def answers(function: Function, colour: str) -> list[str]:
    answerer = invoke.load_answerer(function)
    assert answerer is not None
    given = [as_stored(png(coloured(colour, seed=1_000 + i))) for i in range(3)]
    return [answer.best.name for answer in answer_many(answerer, given)]


def bring(function: Function, n_each: int) -> list[Sample]:
    named = [(colour, i) for colour in COLOURS for i in range(n_each)]
    items = [NewImage(png(coloured(colour, seed=2_000 + i)), original_name=colour) for colour, i in named]
    return add_images(function=function, items=items, person=None, origin=Origin.IMPORT).samples


def test_pictures_are_answered_by_the_names_of_labels(colours: Function, pulled: Path) -> None:
    assert load_untrained(colours) is None
    use("clip-base", pulled)
    for colour in COLOURS:
        assert answers(colours, colour) == [colour.title()] * 3
    assert guessing_sentence(colours) == "Not trained yet: it guesses from the labels’ names."


def test_what_labels_are_called_now_counts(colours: Function, pulled: Path) -> None:
    use("clip-base", pulled)
    rename_label(label=colours.labels.get(name="Red"), name="Warm")
    rename_label(label=colours.labels.get(name="Blue"), name="Red")
    assert set(answers(colours, "red")) == {"Red"}


def test_probabilities_follow_the_temperature_it_was_taught_with(colours: Function, pulled: Path) -> None:
    use("clip-base", pulled)
    untrained = load_untrained(colours)
    assert untrained is not None
    spec = untrained.specs[0]
    assert spec.is_pair
    assert spec.temperature == pytest.approx(Registry(pulled).manifest("clip-base").reading.temperature)
    same = np.eye(3, spec.dim, dtype=np.float32)
    probs = untrained.pred_probs(["image", "", "x"], same)
    np.testing.assert_allclose(probs.sum(axis=1), 1.0, atol=1e-5)


def test_tags_of_pictures_are_guessed_too(colours: Function, pulled: Path) -> None:
    use("clip-base", pulled)
    Function.objects.filter(pk=colours.pk).update(output_kind=OutputKind.TAGS)
    colours.refresh_from_db()
    assert answers(colours, "green") == ["Green"] * 3


def test_a_backbone_that_reads_pictures_alone_says_nothing(colours: Function, pulled: Path) -> None:
    use("alone", pulled)
    assert load_untrained(colours) is None
    assert guessing_sentence(colours) == ""


def test_rounds_read_the_names_of_labels(colours: Function, pulled: Path) -> None:
    use("clip-base", pulled)
    samples = bring(colours, 5)
    finish_work(function_id=colours.pk)
    label_of = {label.name.lower(): label.pk for label in colours.labels.all()}
    colour_of = {sample.pk: sample.original_name for sample in samples}
    pairs: list[tuple[int, int | None]] = [(pk, label_of[colour]) for pk, colour in colour_of.items()]
    annotate_many(function=colours, pairs=pairs[:-3], person=None, picked_by=PickedBy.PERSON)
    given = read_round(colours)
    assert set(given.data.label_embeddings) == {"clip-base"}
    assert set(given.data.inputs.embeddings) == {"clip-base", "pixels"}
    finish_work(function_id=colours.pk)
    model = TrainedModel.objects.get(function=colours, is_live=True)
    assert model.n_right == model.n_annotations
    tried = {trial["recipe"]["backbone"] for trial in colours.runs.first().trials}
    assert "names:clip-base" in tried
    assert load_live(colours.pk) is not None
    assert answers(colours, "blue") == ["Blue"] * 3
