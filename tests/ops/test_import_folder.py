"""`manage.py import_folder`: a data set folder becomes a trained function, alone or by the worker of a running `up`."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from PIL import Image
from pytest_django import Settings

from apps.functions.models import Function
from apps.ops.import_folder import Item, distinct
from apps.samples.models import Annotation, PickedBy
from apps.workspaces.models import Workspace
from tests.live_up import ROOT, LiveUp, clean_environment

KEYS = [
    "function",
    "n_labels",
    "cv_accuracy",
    "interval",
    "test_accuracy",
    "majority",
    "seconds_to_first_predictions",
    "seconds_total",
]


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Sixty training texts in two labels, one of them twice, and ten to test on."""
    folder = tmp_path / "desk"
    folder.mkdir()
    refunds = [[f"please refund order {i}", "Refund"] for i in range(40)]
    parcels = [[f"the parcel number {i} is late", "Parcel"] for i in range(40)]
    write_table(folder / "train.csv", ["text", "label"], [*refunds[:35], *parcels[:24], refunds[0]])
    write_table(folder / "test.csv", ["text", "label"], [*refunds[35:], *parcels[35:38]])
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "colours"
    for split, n in (("train", 8), ("test", 3)):
        rows = []
        for name, colour in (("red", (220, 0)), ("blue", (0, 220))):
            (folder / split / name).mkdir(parents=True)
            for i in range(n):
                path = f"{split}/{name}/{i}.jpg"
                Image.new("RGB", (20, 20), (colour[0], 4 * i, colour[1])).save(folder / path)
                rows.append([path, name])
        write_table(folder / f"{split}.csv", ["path", "label"], rows)
    return folder


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Sixty rows of birds in two kinds told apart by weight, and a column that is the same in all."""
    folder = tmp_path / "birds"
    folder.mkdir()
    birds = [
        [f"{3000 + 7 * i + 1500 * (i % 2)}", ("North", "South")[i % 3 % 2], "2009", ("Small", "Large")[i % 2]]
        for i in range(80)
    ]
    header = ["weight", "island", "year", "kind"]
    write_table(folder / "train.csv", header, birds[:60])
    write_table(folder / "test.csv", header, birds[60:])
    (folder / "meta.json").write_text(json.dumps({"target": "kind"}))
    return folder


@pytest.fixture
def own_files(settings: Settings, tmp_path: Path) -> None:
    settings.ARTIFACTS_DIR, settings.MEDIA_ROOT = tmp_path / "models", tmp_path / "media"


def last_line(out: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(out.splitlines()[-1])
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_files")
class TestInThisProcess:
    def test_texts_are_brought_trained_and_scored(self, texts: Path, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("import_folder", texts, "--name", "Which desk?", "--labels", "20")
        report = last_line(capsys.readouterr().out)
        assert list(report) == KEYS
        function = Function.objects.get(public_id=report["function"])
        assert (function.name, function.samples.count()) == ("Which desk?", 59)
        assert report["n_labels"] == function.samples.filter(label__isnull=False).count() == 20
        assert report["test_accuracy"] == 1.0
        assert report["majority"] == 0.625
        low, high = report["interval"]  # type: ignore[misc]  # JSON
        assert low < report["cv_accuracy"] <= high
        assert 0 < report["seconds_to_first_predictions"] <= report["seconds_total"]  # type: ignore[operator]

    def test_only_the_labels_drawn_are_annotations(self, texts: Path) -> None:
        call_command("import_folder", texts, "--name", "Which desk?", "--labels", "20")
        assert set(Annotation.objects.values_list("picked_by", flat=True)) == {PickedBy.IMPORT}
        assert Annotation.objects.count() == 20

    def test_the_seed_decides_which_are_labelled(self, texts: Path) -> None:
        drawn = []
        for seed in ("0", "0", "1"):
            call_command("import_folder", texts, "--name", "Which desk?", "--labels", "20", "--seed", seed)
            newest = Function.objects.latest("pk")
            drawn.append(set(newest.samples.filter(label__isnull=False).values_list("content_hash", flat=True)))
        assert drawn[0] == drawn[1] != drawn[2]

    def test_it_makes_a_workspace_only_where_there_is_none(self, texts: Path) -> None:
        for _ in range(2):
            call_command("import_folder", texts, "--name", "Which desk?", "--labels", "10")
        assert Workspace.objects.get().functions.count() == 2

    def test_pictures_are_brought_trained_and_scored(self, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("import_folder", pictures, "--name", "Which colour?", "--labels", "8")
        report = last_line(capsys.readouterr().out)
        assert (report["n_labels"], report["test_accuracy"], report["majority"]) == (8, 1.0, 0.5)

    def test_rows_are_brought_trained_and_scored(self, rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
        call_command("import_folder", rows, "--name", "Which bird?", "--labels", "30")
        report = last_line(capsys.readouterr().out)
        function = Function.objects.get(public_id=report["function"])
        fields = list(function.fields.values_list("name", "type", "is_used"))
        assert fields == [("weight", "number", True), ("island", "category", True), ("year", "number", False)]
        assert (function.samples.count(), report["n_labels"], report["majority"]) == (60, 30, 0.5)
        assert report["test_accuracy"] >= 0.9  # type: ignore[operator]  # JSON

    def test_what_cannot_be_trained_is_a_failure_in_words(self, texts: Path) -> None:
        write_table(texts / "train.csv", ["text", "label"], [["one", "A"], ["two", "B"], ["three", "B"]])
        with pytest.raises(CommandError, match="Label 1 more A to see the first predictions"):
            call_command("import_folder", texts, "--name", "Which desk?")

    def test_a_folder_that_is_no_data_set_is_a_failure_in_words(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match=r"not a data set folder with train\.csv and test\.csv"):
            call_command("import_folder", tmp_path, "--name", "Which desk?")
        assert not Function.objects.exists()


def run_alone(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "manage.py"), "import_folder", *arguments]
    return subprocess.run(
        command, env=clean_environment(data_dir), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_it_works_alone_on_a_machine_with_nothing_running(texts: Path, tmp_path: Path) -> None:
    done = run_alone(tmp_path / "data", str(texts), "--name", "Which desk?", "--labels", "20")
    assert done.returncode == 0, done.stderr
    assert last_line(done.stdout)["test_accuracy"] == 1.0
    assert '"trains": "here"' in done.stderr
    assert "6379" not in done.stderr


def test_a_failure_shows_in_the_exit_status(tmp_path: Path) -> None:
    done = run_alone(tmp_path / "data", str(tmp_path / "nowhere"), "--name", "Which desk?")
    assert done.returncode != 0
    assert done.stdout == ""


def test_the_worker_of_a_running_up_trains(up: LiveUp, texts: Path) -> None:
    done = up.manage("import_folder", str(texts), "--name", "Which desk?", "--labels", "20", seconds=120)
    assert done.returncode == 0, done.stderr
    report = last_line(done.stdout)
    assert (report["n_labels"], report["test_accuracy"]) == (20, 1.0)
    assert '"trains": "worker"' in done.stderr


def test_repeated_contents_are_drawn_once() -> None:
    items = [Item("a", "A"), Item("b", "B"), Item(" a\n", "B")]
    assert distinct(items) == items[:2]
