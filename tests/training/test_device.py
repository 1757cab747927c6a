"""The device of the settings is where backbones are loaded and large heads are fitted, in every process."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from apps.engine import automl, backbones
from apps.engine.backbones import Backbone
from apps.engine.errors import DeviceUnavailable
from apps.engine.types import RoundResult, TrainingData
from apps.functions.models import Function
from apps.training.services import encoders
from apps.training.services.rounds import RoundOutcome, train_function


@pytest.fixture(autouse=True)
def chosen_anew() -> Iterator[None]:
    encoders.device.cache_clear()
    yield
    encoders.device.cache_clear()


def test_backbones_are_loaded_where_the_settings_say(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    settings.DEVICE = "cuda:1"
    monkeypatch.setattr(encoders, "choose_device", lambda requested: f"{requested} it is")
    monkeypatch.setattr(encoders, "_backbones", encoders.BoundedCache(max_entries=1))
    load, loaded_on = backbones.load, []

    def noted(name: str, *, device: str | None = None, **given: object) -> Backbone:
        loaded_on.append(device)
        return load(name)

    monkeypatch.setattr(backbones, "load", noted)
    encoders.backbone("tiny-text")
    assert loaded_on == ["cuda:1 it is"]


def test_a_graphics_card_that_is_not_there_is_said_and_not_replaced(settings: Settings) -> None:
    settings.DEVICE = "cuda:77"
    with pytest.raises(DeviceUnavailable, match="cuda:77"):
        encoders.device()


def test_rounds_are_told_where_to_fit_large_heads(
    text_function: Function, samples: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, told = automl.train, []

    def watch(data: TrainingData, *, device: str, **options: object) -> RoundResult:
        told.append(device)
        return train(data, **options)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(automl, "train", watch)
    monkeypatch.setattr(encoders, "choose_device", lambda requested: "cuda:3")
    encoders.device.cache_clear()  # the samples were read already
    assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
    assert told == ["cuda:3"]
