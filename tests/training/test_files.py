"""Machines without a shared disk: what one of them writes, the others read, and nobody removes what is wanted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from apps.core.models import StoredFile, StoredPart
from apps.functions.models import Function
from apps.functions.services import delete_function
from apps.samples.models import Sample
from apps.training.models import Survey, TrainedModel
from apps.training.services import (
    enqueue_unfinished_work,
    files,
    finish_work,
    held_out,
    learned,
    serving,
    survey,
    survey_file,
    sweeper,
)

pytestmark = pytest.mark.django_db
Samples = dict[str, list[Sample]]


@pytest.fixture
def apart(settings: Settings) -> None:
    settings.FILES = "database"
    backend = "apps.core.database_storage.DatabaseStorage"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": backend, "OPTIONS": {"root": "media"}},
        "artifacts": {"BACKEND": backend, "OPTIONS": {"root": "models"}},
    }


@pytest.fixture
def stand_at(
    settings: Settings, tmp_path: Path, start_fresh: Callable[[], None], monkeypatch: pytest.MonkeyPatch, apart: None
) -> Callable[[str], Path]:
    """Go to another machine: another directory, and a process that remembers nothing."""

    def go(name: str) -> Path:
        settings.ARTIFACTS_DIR = tmp_path / name
        start_fresh()
        monkeypatch.setattr(survey, "_views", survey._Views(max_entries=8))
        return Path(settings.ARTIFACTS_DIR)

    return go


@pytest.fixture
def model(stand_at: Callable[[str], Path], text_function: Function, samples: Samples) -> TrainedModel:
    """Trained and published at machine *b*."""
    stand_at("b")
    finish_work(function_id=text_function.pk)
    return TrainedModel.objects.get()


def test_a_model_published_by_one_machine_is_served_by_another(
    model: TrainedModel, text_function: Function, stand_at: Callable[[str], Path]
) -> None:
    there = stand_at("a")
    served = serving.load_live(text_function.pk)
    assert served is not None
    assert served.model == model
    assert not model.is_damaged
    names = sorted(path.name for path in there.rglob("*") if path.is_file())
    assert names == ["manifest.json", "model.safetensors"], "only what answering needs is fetched"


def test_a_models_figures_and_what_it_learned_are_known_everywhere(
    model: TrainedModel, stand_at: Callable[[str], Path]
) -> None:
    kept, keys = held_out.read(model), learned.annotations_of(model)
    stand_at("a")
    again = held_out.read(model)
    assert kept is not None
    assert again is not None
    assert (again.pred_probs == kept.pred_probs).all()
    assert learned.annotations_of(model) == keys
    assert keys


def test_a_survey_made_by_one_machine_is_read_by_another_and_the_old_ones_go(
    model: TrainedModel, text_function: Function, stand_at: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = stand_at("b") / text_function.public_id
    arrays = {"keys": held_out.read(model).sample_ids}  # type: ignore[union-attr]  # it was kept
    shas = [survey_file.write_survey(there, arrays, {"turn": str(turn)}) for turn in range(2)]
    survey_file.drop_other_surveys(there, shas[1])
    own = stand_at("a") / text_function.public_id
    old, new = (survey_file.SURVEY.path(own, sha256) for sha256 in shas)
    assert not files.fetch(old).exists()
    assert files.fetch(new).is_file()
    old.write_bytes(b"fetched long ago")
    Survey.objects.update_or_create(
        function=text_function, defaults={"sha256": shas[1], "made_at": timezone.now(), "n_samples": 1}
    )
    sweeper.forget_leftover_copies()
    assert (old.exists(), new.exists()) == (False, True)


def test_a_copy_damaged_on_one_machine_is_fetched_again_and_the_model_stays(
    model: TrainedModel, text_function: Function, stand_at: Callable[[str], Path]
) -> None:
    stand_at("a")
    path = files.fetch(serving.artifact_folder(text_function, model.public_id) / "model.safetensors")
    path.write_bytes(b"\0" * path.stat().st_size)
    assert serving.load_live(text_function.pk) is not None
    model.refresh_from_db()
    assert not model.is_damaged


def test_a_model_damaged_where_it_is_kept_is_never_served(
    model: TrainedModel, text_function: Function, stand_at: Callable[[str], Path]
) -> None:
    parts = StoredPart.objects.filter(file__name__endswith="/model.safetensors")
    parts.update(content=b"\0" * 100)
    stand_at("a")
    assert serving.load_live(text_function.pk) is None
    model.refresh_from_db()
    assert model.is_damaged


def test_nobody_removes_what_another_machine_has_just_written(
    model: TrainedModel, text_function: Function, stand_at: Callable[[str], Path], start_fresh: Callable[[], None]
) -> None:
    folder = serving.artifact_folder(text_function, "model_not_in_a_row_yet")
    folder.mkdir()
    (folder / "manifest.json").write_bytes(b"{}")
    files.keep(folder)
    stand_at("a")
    enqueue_unfinished_work()
    assert StoredFile.objects.filter(name__contains="model_not_in_a_row_yet").exists()
    StoredFile.objects.update(created_at=timezone.now() - timedelta(hours=1))
    start_fresh()
    enqueue_unfinished_work()
    assert not StoredFile.objects.filter(name__contains="model_not_in_a_row_yet").exists()
    assert StoredFile.objects.filter(name__contains=model.public_id).count() == 3


def test_what_was_deleted_leaves_every_machine(
    model: TrainedModel, text_function: Function, stand_at: Callable[[str], Path]
) -> None:
    own = stand_at("a")
    serving.load_live(text_function.pk)
    delete_function(function=text_function)
    stand_at("b")
    enqueue_unfinished_work()
    assert not StoredFile.objects.filter(name__startswith="models/").exists()
    stand_at("a")
    sweeper.forget_leftover_copies()
    assert not any(own.iterdir())


def test_what_lay_in_the_data_directory_before_is_brought_along(
    text_function: Function,
    samples: Samples,
    settings: Settings,
    start_fresh: Callable[[], None],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    key = default_storage.save("shop/one.jpg", ContentFile(b"jpeg"))
    finish_work(function_id=text_function.pk)
    request.getfixturevalue("apart")
    call_command("store_files")
    call_command("store_files")
    settings.ARTIFACTS_DIR = tmp_path / "elsewhere"
    start_fresh()
    assert serving.load_live(text_function.pk) is not None
    with default_storage.open(key) as file:
        assert file.read() == b"jpeg"


def test_storing_files_where_they_lie_already_is_refused() -> None:
    with pytest.raises(CommandError, match="HUNDREDFOLD_FILES=database"):
        call_command("store_files")


def test_where_machines_share_a_directory_nothing_is_written_twice(text_function: Function, samples: Samples) -> None:
    finish_work(function_id=text_function.pk)
    assert not StoredFile.objects.exists()
