"""The measurement of the loop runs the real thing: `up`, an import, answers, the event stream, the figures."""

import csv
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    rows = [[f"please refund order {i}", "Refund"] for i in range(70)]
    rows += [[f"the parcel number {i} is late", "Parcel"] for i in range(70)]
    for split, part in (("train", rows), ("test", rows[::10])):
        with (tmp_path / f"{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["text", "label"], *part])
    return tmp_path


def test_each_answer_is_followed_until_its_effect_is_shown(
    texts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")  # `up` reads settings of its own
    call_command("bench", "loop", "--data", str(texts.parent), "--set", texts.name, "--annotations", "3")
    figures = json.loads(capsys.readouterr().out)
    assert (figures["n_labels"], figures["n_annotations"]) == (100, 3)
    assert 0 < figures["saved_p50"] < figures["predicted_p50"] < figures["shown_p50"]
    assert figures["engine_round"] > 0


def test_the_bare_round_is_measured_alone(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("bench", "round", "--samples", "20", "40")
    sizes = [json.loads(line)["n_samples"] for line in capsys.readouterr().out.splitlines()]
    assert sizes == [20, 40]


def test_a_data_set_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nowhere"):
        call_command("bench", "accuracy", str(tmp_path / "nowhere"))
