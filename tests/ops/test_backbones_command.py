"""`manage.py backbones`: what it says, what it refuses, and what doctor makes of a machine that lacks one."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoAssertNumQueries, Settings

from apps.engine.backbones.presets import PRESETS
from apps.engine.types import Modality
from apps.events.kinds import Audit
from apps.events.models import Event
from apps.functions.models import Function, InputKind
from apps.ops import doctor
from apps.ops.backbones import is_folder
from apps.ops.worker import warm_up
from apps.samples.models import Origin
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import BackboneChoice, Rereading, RereadingState
from apps.training.services import chosen, encoders
from apps.workspaces.models import Workspace
from tests import tiny_models
from tests.tiny_hub import COMMIT, Hub, serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.BACKBONES, settings.BACKBONES_DIR = "default", tmp_path / "backbones"
    monkeypatch.setattr(chosen, "FRESH_SECONDS", 0.0)
    monkeypatch.setattr(encoders, "_backbones", encoders.BoundedCache(max_entries=8))
    chosen.forget()
    yield
    chosen.forget()


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return tiny_models.bert(tmp_path / "bert")


def said(*arguments: object) -> str:
    out = io.StringIO()
    call_command("backbones", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_presets_are_listed_until_they_are_here(bert: Path) -> None:
    text = said("list")
    assert all(name in text for name in PRESETS)
    assert "Here: none but the built-in ones." in text
    assert "texts                   minilm" in text
    said("pull", bert, "--name", "bge-small")
    text = said("list")
    assert "bge-small               texts" in text
    assert "folder bert" in text
    assert text.count(PRESETS["bge-small"].words) == 1  # of e5-small, which has as many


def test_a_folder_is_pulled_and_used(bert: Path, text_function: Function) -> None:
    add_texts(function=text_function, items=[NewText("a refund")], person=None, origin=Origin.IMPORT)
    text = said("pull", bert, "--name", "tickets")
    assert "tickets is here: 4 files" in text
    assert "backbones use tickets" in text
    text = said("use", "tickets")
    assert "tickets reads texts from now on" in text
    assert "The workers read 1 sample of 1 function anew" in text
    assert "each function goes on as before" in text
    assert "Then tickets is compared with what reads there now" in text
    assert "pull ./FOLDER --name tickets" in text
    assert BackboneChoice.objects.get().is_current
    assert "1 function still to be read anew" in said("list")
    assert said("use", "tickets") == "tickets reads texts already; nothing changes.\n"
    event = Event.objects.get(kind=Audit.READING_CHANGED)
    assert event.data == {"samples": "texts", "before": "minilm", "after": "tickets"}
    text = said("use", "--default", "text")
    assert "minilm reads texts from now on" in text
    assert not Rereading.objects.exists()
    assert encoders.backbone_names(Modality.TEXT) == ("minilm",)


def test_what_became_of_a_change_is_listed_with_figures(
    bert: Path, text_function: Function, workspace: Workspace
) -> None:
    said("pull", bert, "--name", "tickets")
    said("use", "tickets")
    figures = {"n_compared": 120, "n_right_before": 1_097, "n_right_after": 81}
    kept = Rereading(function=text_function, kind="text", name="", state=RereadingState.KEPT, **figures)
    kept.save()
    text = said("list")
    assert "texts                   tickets\n    worse for 1 function, which went on as before" in text
    assert "`backbones use tickets` asks again" in text
    function = f"{text_function.public_id} {text_function.name}"
    assert f"{function}, read by minilm: 81 of 120 labelled samples right instead of 1,097\n" in text
    kept.n_right_after, kept.state = 1_100, RereadingState.TAKEN
    kept.save()
    assert "    took over for 1 function: 1,100 of 120 labelled samples right instead of 1,097\n" in said("list")
    kept.delete()
    pictures = Function.objects.create(workspace=workspace, name="Rooms", input_kind=InputKind.IMAGE)
    Rereading.objects.create(function=pictures, kind="image", name="old", state=RereadingState.KEPT)
    text = said("list")
    assert "`backbones use --default image` asks again" in text
    assert "read by old and pixels: 0 of 0" in text


def test_only_the_first_functions_are_listed_one_by_one(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for i in range(5):
        function = Function.objects.create(workspace=workspace, name=f"Desk {i}")
        Rereading.objects.create(function=function, kind="text", state=RereadingState.KEPT, n_compared=30)
    monkeypatch.setattr("apps.ops.backbones.MOST_NAMED", 3)
    with django_assert_max_num_queries(5):
        text = said("list")
    assert [i for i in range(5) if f"Desk {i}," in text] == [0, 1, 2]
    assert "… and 2 others: 0 of 60 labelled samples right" in text


def test_who_insists_is_told_what_that_means(bert: Path, text_function: Function) -> None:
    add_texts(function=text_function, items=[NewText("a refund")], person=None, origin=Origin.IMPORT)
    said("pull", bert, "--name", "tickets")
    text = said("use", "tickets", "--anyway")
    assert "also where it does worse than the one of before" in text
    assert Rereading.objects.get().is_anyway
    Rereading.objects.update(state=RereadingState.KEPT)
    text = said("use", "tickets")
    assert text.startswith("tickets reads texts already.\nThe workers read 1 sample of 1 function anew")
    assert "is compared with what reads there now" in text
    assert not Rereading.objects.get().is_anyway


def test_pulling_again_says_that_it_is_here(bert: Path) -> None:
    said("pull", bert, "--name", "tickets")
    assert "tickets is here" in said("pull", bert, "--name", "tickets")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["pull", "./nowhere", "--name", "x"], "There is no folder"),
        (["pull", "./nowhere"], "cannot be its name here"),
        (["pull", "nobody"], "neither a preset"),
        (["pull", "a/b", "--name", "../up"], "cannot be its name here"),
        (["pull", "bge-small"], "HF_HUB_OFFLINE is set"),
        (["use", "bge-small"], "There is no bge-small on this machine"),
        (["use", "../up"], "There is no ../up on this machine"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        said(*arguments)
    assert not BackboneChoice.objects.exists()


def test_what_cannot_be_read_cannot_be_chosen(bert: Path, settings: Settings) -> None:
    said("pull", bert, "--name", "tickets")
    (settings.BACKBONES_DIR / "tickets" / "files" / "model.safetensors").write_bytes(b"other")
    with pytest.raises(CommandError, match="damaged"):
        said("use", "tickets")
    assert not BackboneChoice.objects.exists()


def test_too_much_is_not_fetched(bert: Path) -> None:
    with pytest.raises(CommandError, match="--max-gb"):
        said("pull", bert, "--name", "tickets", "--max-gb", "0.00001")


def test_weightless_ones_are_not_replaced(bert: Path, settings: Settings) -> None:
    said("pull", bert, "--name", "tickets")
    settings.BACKBONES = "tiny"
    with pytest.raises(CommandError, match="HUNDREDFOLD_BACKBONES=tiny"):
        said("use", "tickets")
    assert "choices do not count" in said("list")


def test_a_machine_without_the_files_is_found(
    bert: Path, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    said("pull", bert, "--name", "tickets")
    said("use", "tickets")
    settings.BACKBONES_DIR = tmp_path / "elsewhere"
    is_well, words = doctor.CHECKS["backbones"]()
    assert not is_well
    assert "tickets is not on this machine: run `manage.py backbones pull FOLDER --name tickets`" in words
    assert "tickets is not on this machine" in said("list")
    warm_up()
    assert "tickets is not on this machine" in capsys.readouterr().err + caplog.text


def test_doctor_opens_the_chosen_one(bert: Path) -> None:
    said("pull", bert, "--name", "tickets")
    said("use", "tickets")
    is_well, words = doctor.CHECKS["backbones"]()
    assert is_well, words
    assert "tickets loads in" in words


def test_a_path_is_told_from_a_name() -> None:
    assert [text for text in ("a/b", "bge-small", "a/b@main") if is_folder(text)] == []
    assert all(map(is_folder, ("./a", "../a", "/a", "~/a", "a/", ".")))


def test_from_a_hub_as_a_person_would(bert: Path, tmp_path: Path) -> None:
    """The whole command in a process of its own, with a hub that is on this machine."""
    with serving(Hub("owner/tickets", bert)) as served:
        environment = {
            **os.environ,
            "HF_ENDPOINT": served.url,
            "HF_HUB_OFFLINE": "0",
            "HF_HOME": str(tmp_path / "hf"),
            "HUNDREDFOLD_DATA_DIR": str(tmp_path / "data"),
            "HUNDREDFOLD_BACKBONES": "default",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        done = subprocess.run(
            [sys.executable, "manage.py", "backbones", "pull", f"owner/tickets@{COMMIT}"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=environment,
        )
    assert done.returncode == 0, done.stderr
    assert f"tickets is here, revision {COMMIT}" in done.stdout
    manifest = json.loads((tmp_path / "data" / "backbones" / "tickets" / "manifest.json").read_text())
    assert manifest["revision"] == COMMIT
