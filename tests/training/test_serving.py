"""What answers: whole artifacts only, the newest published model, labels that are in use."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from apps.events.kinds import Audit
from apps.events.models import Event
from apps.functions.models import Function
from apps.functions.services import rename_label
from apps.samples.models import Sample
from apps.samples.services.surgery import merge_labels
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.training.services import finish_work, serving, train_function
from apps.training.services.encoders import BoundedCache
from tests.training.conftest import label
from tests.training.reading import as_read

pytestmark = pytest.mark.django_db

Samples = dict[str, list[Sample]]


@pytest.fixture
def two_models(text_function: Function, samples: Samples) -> list[TrainedModel]:
    finish_work(function_id=text_function.pk)
    label(text_function, samples[""][:1], "Refund")
    finish_work(function_id=text_function.pk)
    return list(TrainedModel.objects.order_by("number"))


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(bytes(content))


def test_nothing_is_served_before_a_model_is_published(text_function: Function, samples: Samples) -> None:
    assert serving.load_live(text_function.pk) is None


def test_what_is_served_says_what_the_pages_say(text_function: Function, two_models: list[TrainedModel]) -> None:
    served = serving.load_live(text_function.pk)
    assert served is not None
    assert served.model == two_models[-1]
    for row in Prediction.objects.filter(kind=PredictionKind.LIVE).select_related("sample"):
        pred_probs = served.pred_probs(as_read(served, [row.sample.text]))
        assert served.labels[int(pred_probs.argmax())] == row.label
        assert float(pred_probs.max()) == pytest.approx(row.confidence, abs=1e-3)


def test_the_artifact_is_read_once(
    text_function: Function, two_models: list[TrainedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    serving.load_live(text_function.pk)

    def read_again(model: TrainedModel) -> None:
        raise AssertionError

    monkeypatch.setattr(serving, "_read_artifact", read_again)
    assert serving.load_live(text_function.pk) is not None


def test_a_renamed_label_answers_by_its_old_name_until_the_next_model(
    text_function: Function, two_models: list[TrainedModel]
) -> None:
    rename_label(label=text_function.labels.get(name="Refund"), name="Money back")
    served = serving.load_live(text_function.pk)
    assert served is not None
    assert served.names == ("Refund", "Shipping")
    assert [row.name for row in served.labels] == ["Money back", "Shipping"]
    TrainedModel.objects.update(label_names=[])  # from before names were kept
    served = serving.load_live(text_function.pk)
    assert served is not None
    assert served.names == ("Money back", "Shipping")


def test_what_a_model_says_of_a_merged_label_counts_for_the_other(
    text_function: Function, two_models: list[TrainedModel]
) -> None:
    other = text_function.labels.create(name="Money back", position=2, colour=2)
    merge_labels(source=text_function.labels.get(name="Refund"), target=other, person=None)
    served = serving.load_live(text_function.pk)
    assert served is not None
    assert [row.name for row in served.labels] == ["Money back", "Shipping"]
    assert served.names == ("Refund", "Shipping")  # what it has always called it
    both = replace(served, labels=served.labels[:1], columns=((0, 1),))
    assert both._gathered(np.array([[0.4, 0.6]])).tolist() == [[1.0]]


@pytest.mark.parametrize("file_name", ["model.safetensors", "manifest.json"])
@pytest.mark.parametrize("position", [0, 9, -2])
def test_a_flipped_byte_is_refused_and_the_model_before_it_serves(
    text_function: Function,
    two_models: list[TrainedModel],
    start_fresh: Callable[[], None],
    file_name: str,
    position: int,
) -> None:
    first, second = two_models
    flip(serving.artifact_folder(text_function, second.public_id) / file_name, position)
    start_fresh()
    served = serving.load_live(text_function.pk)
    assert served is not None
    assert served.model == first
    second.refresh_from_db()
    assert (second.is_damaged, second.is_live) == (True, False)
    event = Event.objects.get(kind=Audit.MODEL_DAMAGED)
    assert (event.subject, event.about) == (second.public_id, text_function.public_id)
    assert event.data == {"function": text_function.public_id, "number": second.number, "restored": first.public_id}


def test_after_damage_a_new_model_is_trained_and_predicts(
    text_function: Function, two_models: list[TrainedModel], start_fresh: Callable[[], None]
) -> None:
    flip(serving.artifact_folder(text_function, two_models[-1].public_id) / "model.safetensors", 50)
    start_fresh()
    serving.load_live(text_function.pk)
    finish_work(function_id=text_function.pk)
    healed = TrainedModel.objects.get(is_live=True)
    assert (healed.number, healed.data_revision) == (3, two_models[-1].data_revision)
    assert {row.model_id for row in Prediction.objects.all()} == {healed.pk}


def test_when_all_are_damaged_nothing_is_served(
    text_function: Function, two_models: list[TrainedModel], start_fresh: Callable[[], None]
) -> None:
    for model in two_models:
        (serving.artifact_folder(text_function, model.public_id) / "manifest.json").unlink()
    start_fresh()
    assert serving.load_live(text_function.pk) is None
    assert not TrainedModel.objects.filter(is_damaged=False).exists()


def test_a_model_for_another_version_of_its_backbone_does_not_answer(
    text_function: Function, two_models: list[TrainedModel]
) -> None:
    TrainedModel.objects.filter(is_live=True).update(backbone_versions={"tiny-text": "of yesterday"})
    assert serving.load_live(text_function.pk) is None


def test_a_deleted_labels_share_goes_to_the_others(text_function: Function, samples: Samples) -> None:
    third = text_function.labels.create(name="Thanks", position=2, colour=2)
    label(text_function, samples[""][:2], "Thanks")
    train_function(function_id=text_function.pk)
    type(third).objects.filter(pk=third.pk).update(deleted_at="2026-01-01T00:00Z")
    served = serving.load_live(text_function.pk)
    assert served is not None
    np.testing.assert_allclose(
        served.pred_probs(as_read(served, ["refund the parcel", ""])).sum(axis=1), 1.0, rtol=1e-5
    )
    assert served.pred_probs(as_read(served, ["refund the parcel", ""])).shape == (2, 2)


class TestBoundedCache:
    def test_a_value_is_made_once_however_many_wait_for_it(self) -> None:
        cache: BoundedCache[str, object] = BoundedCache(max_entries=2)
        made: list[int] = []
        all_there = threading.Barrier(8)

        def make() -> object:
            made.append(1)
            time.sleep(0.02)  # long enough for the others to be waiting
            return object()

        def ask() -> object:
            all_there.wait()
            return cache.get("backbone", make)

        with ThreadPoolExecutor(8) as pool:
            found = [future.result() for future in [pool.submit(ask) for _ in range(8)]]
        assert len(made) == 1
        assert len(set(map(id, found))) == 1

    def test_what_was_asked_for_last_is_kept(self) -> None:
        cache: BoundedCache[int, str] = BoundedCache(max_entries=2)
        for key in (1, 2, 1, 3):
            cache.get(key, lambda key=key: f"made {key}")  # type: ignore[misc]
        assert cache.get(1, lambda: "again") == "made 1"
        assert cache.get(2, lambda: "again") == "again"

    def test_a_failure_is_raised_and_not_remembered(self) -> None:
        cache: BoundedCache[int, str] = BoundedCache(max_entries=2)
        with pytest.raises(ZeroDivisionError):
            cache.get(1, lambda: str(1 / 0))
        assert cache.get(1, lambda: "made") == "made"
