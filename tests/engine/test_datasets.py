"""Data set folders and the drawing of labels."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from apps.engine import backbones, bench, bench_accuracy, bench_forecast, datasets
from apps.engine.types import ColumnType, Modality


def write(folder: Path, train: str, test: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "train.csv").write_text(train, encoding="utf-8")
    (folder / "test.csv").write_text(test, encoding="utf-8")
    return folder


def test_a_folder_of_texts_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "mail", '\ufefftext,label\n"one, two\nlines",b\nzwei,a\n', "text,label\ndrei,a\n")
    data = datasets.read(folder)
    assert (data.name, data.modality, data.label_names) == ("mail", Modality.TEXT, ("a", "b"))
    assert data.train == datasets.Split(("one, two\nlines", "zwei"), ("b", "a"))
    assert data.test == datasets.Split(("drei",), ("a",))


def test_a_folder_of_pictures_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "birds", "path,label\ntrain/a/1.jpg,a\n", "path,label\ntest/a/2.jpg,a\n")
    data = datasets.read(folder)
    assert data.modality is Modality.IMAGE
    assert data.train.inputs == (folder / "train/a/1.jpg",)


def write_rows(folder: Path, train: str, test: str, meta: str = '{"target": "kind"}') -> Path:
    write(folder, train, test)
    (folder / "meta.json").write_text(meta, encoding="utf-8")
    return folder


def test_a_folder_of_table_rows_is_read(tmp_path: Path) -> None:
    folder = write_rows(tmp_path / "birds", "size,kind,place\n1.5,a,x\n,b,y\n", "size,kind,place\nbig,a,z\n")
    data = datasets.read(folder)
    assert (data.modality, data.column_names, data.label_names) == (Modality.TABLE, ("size", "place"), ("a", "b"))
    assert data.train == datasets.Split((), ("a", "b"), (("1.5", "x"), ("", "y")))
    assert data.test == datasets.Split((), ("a",), (("big", "z"),))


def test_rows_become_columns_of_the_types_that_the_train_rows_have(tmp_path: Path) -> None:
    train = "size,kind,place,always\n" + "1.5,a,x,1\n2,b,y,1\n" * 20
    folder = write_rows(tmp_path / "birds", train, "size,kind,place,always\nbig,a,z,2\n3,a,x,1\n")
    _, (size, place) = datasets.typed_columns(datasets.read(folder))
    assert (size.key, size.type, place.key, place.type) == ("size", ColumnType.NUMBER, "place", ColumnType.CATEGORY)
    np.testing.assert_array_equal(size.values, [np.nan, 3.0])
    assert place.values.tolist() == ["z", "x"]


@pytest.mark.parametrize(
    ("train", "meta"),
    [
        ("size,kind\n1,a\n", '{"target": "species"}'),
        ("size,kind\n1,a,3\n", '{"target": "kind"}'),
        ("size,kind\n1,a\n", "{}"),
        ("size,kind\n1,a\n", '{"target": "kind", "task": "regression"}'),
        ("size,place,kind\n1,2,a\n", '{"target": "kind"}'),
        ("", '{"target": "kind"}'),
    ],
)
def test_a_table_that_does_not_fit_its_description_is_refused(tmp_path: Path, train: str, meta: str) -> None:
    folder = write_rows(tmp_path / "birds", train, "size,kind\n1,a\n", meta)
    with pytest.raises(ValueError, match=str(folder)):
        datasets.read(folder)


def test_other_tables_are_refused_in_words(tmp_path: Path) -> None:
    folder = write(tmp_path / "rows", "height,weight\n1,2\n", "height,weight\n1,2\n")
    with pytest.raises(ValueError, match=r"needs the columns text,label or path,label; it has height, weight"):
        datasets.read(folder)
    with pytest.raises(ValueError, match="different kinds"):
        datasets.read(write(tmp_path / "mixed", "text,label\na,b\n", "path,label\na,b\n"))
    with pytest.raises(FileNotFoundError):
        datasets.read(tmp_path / "nowhere")


@settings(deadline=None)  # a busy machine is no error
@given(st.lists(st.integers(0, 20), min_size=1, max_size=200), st.integers(0, 150), st.integers(0, 5))
def test_labels_are_drawn_by_the_rule(numbers: list[int], n_labels: int, seed: int) -> None:
    labels = [f"label {number}" for number in numbers]
    drawn = datasets.draw_labelled(labels, n_labels, seed=seed)
    assert len(set(drawn.tolist())) == len(drawn)
    least = 8 if len(set(labels)) > 12 else 2
    names = np.array(labels)
    n_least = 0
    for name in set(labels):
        available = int((names == name).sum())
        assert (names[drawn] == name).sum() >= min(least, available)
        n_least += min(least, available)
    assert len(drawn) == max(n_least, min(n_labels, len(labels)))
    assert drawn.tolist() == datasets.draw_labelled(labels, n_labels, seed=seed).tolist()


def test_another_seed_draws_other_samples() -> None:
    labels = ["a", "b"] * 50
    assert datasets.draw_labelled(labels, 20, seed=0).tolist() != datasets.draw_labelled(labels, 20, seed=1).tolist()


def test_the_bench_measures_a_round() -> None:
    figures = bench.measure_round(60, dim=64, repeats=1)
    assert figures["n_samples"] == 60
    assert isinstance(figures["cv_accuracy"], float)


def test_the_bench_measures_accuracy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"train/{color}{i}.png,{color}\n" for color in ("red", "blue") for i in range(8))
    folder = write(tmp_path / "colors", "path,label\n" + rows, "path,label\n" + rows)
    (folder / "train").mkdir()
    for color in ("red", "blue"):
        for i in range(8):
            Image.new("RGB", (9, 9 + i), color).save(folder / f"train/{color}{i}.png")
    monkeypatch.setattr(backbones, "for_modality", lambda modality: ("tiny-image",))
    found = list(bench_accuracy.measure_accuracy(folder, n_labels=8, n_seeds=2))
    assert [row["seed"] for row in found] == [0, 1]
    assert {(row["accuracy"], row["n_labels"], row["majority"]) for row in found} == {(1.0, 8, 0.5)}


@pytest.mark.parametrize("pick", list(bench_accuracy.Pick))
def test_the_bench_measures_tables_with_numbers_and_texts(
    pick: bench_accuracy.Pick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"a": "the lamp is broken and cold", "b": "where is my parcel today"}
    rows = "".join(f"{i % 7}.5,{words[kind]} {i},{kind}\n" for i in range(60) for kind in "ab")
    folder = write_rows(tmp_path / "mail", "size,note,kind\n" + rows, "size,note,kind\n" + rows)
    train, _ = datasets.typed_columns(datasets.read(folder))
    assert [column.type for column in train] == [ColumnType.NUMBER, ColumnType.TEXT]
    monkeypatch.setattr(backbones, "for_modality", {Modality.TEXT: ("tiny-text",)}.__getitem__)
    [row] = bench_accuracy.measure_accuracy(folder, n_labels=40, n_seeds=1, pick=pick)
    assert row["accuracy"] == 1.0
    assert "tiny-text:note" in bench_forecast.read_world(folder).train.embeddings
