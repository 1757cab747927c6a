"""Data sets in a folder: how they lie on disk, and which of their samples count as labelled.

A folder has `train.csv` and `test.csv`, with columns `text,label`, or `path,label` where `path` is a picture's place in
the folder, or any columns where `meta.json` names the one that holds the label: `{"target": "species"}`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from apps.engine.tables import ColumnGuess, Value, columns_from_rows, infer_columns, parse_cell
from apps.engine.types import Column, IntArray, Modality

Row: TypeAlias = tuple[str, ...]

FEW_LABELS = 12
MIN_PER_LABEL, MIN_PER_LABEL_OF_MANY = 2, 8
COLUMNS = {Modality.TEXT: "text", Modality.IMAGE: "path"}


@dataclass(frozen=True)
class Split:
    """One half of a data set: texts, files of pictures or rows of cells, and the name of each one's label.

    `rows` are those of a table, without the label; it has no `inputs`.
    """

    inputs: tuple[str, ...] | tuple[Path, ...]
    labels: tuple[str, ...]
    rows: tuple[Row, ...] = ()


@dataclass(frozen=True)
class DataSet:
    """A data set as read; `label_names` are those of the train split, in alphabetical order.

    `column_names` are those of a table, without the label's.
    """

    name: str
    modality: Modality
    label_names: tuple[str, ...]
    train: Split
    test: Split
    column_names: tuple[str, ...] = ()


def read(folder: Path) -> DataSet:
    """Read a data set folder.

    Raises
    ------
    OSError
        If one of its tables is missing.
    ValueError
        If a table has no such columns; the text says which are expected.
    """
    if (folder / "meta.json").exists():
        return _read_table(folder)
    modality, train = _read_split(folder / "train.csv")
    test_modality, test = _read_split(folder / "test.csv")
    if test_modality is not modality:
        raise ValueError(f"{folder}: train.csv and test.csv hold different kinds of samples.")
    return DataSet(folder.name, modality, tuple(sorted(set(train.labels))), train, test)


def _read_split(table: Path) -> tuple[Modality, Split]:
    with table.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        columns = set(reader.fieldnames or ())
        rows = list(reader)
    for modality, column in COLUMNS.items():
        if {column, "label"} <= columns:
            inputs = [row[column] for row in rows]
            labels = tuple(row["label"] for row in rows)
            if modality is Modality.TEXT:
                return modality, Split(tuple(inputs), labels)
            return modality, Split(tuple(table.parent / path for path in inputs), labels)
    raise ValueError(f"{table} needs the columns text,label or path,label; it has {', '.join(sorted(columns))}.")


def _read_table(folder: Path) -> DataSet:
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    target = meta.get("target") if isinstance(meta, dict) else None
    if not isinstance(target, str) or meta.get("task", "classification") != "classification":
        raise ValueError(f"{folder / 'meta.json'} must name the column of the label as its target.")
    train_names, train = _read_rows(folder / "train.csv", target)
    test_names, test = _read_rows(folder / "test.csv", target)
    if train_names != test_names:
        raise ValueError(f"{folder}: train.csv and test.csv have different columns.")
    return DataSet(folder.name, Modality.TABLE, tuple(sorted(set(train.labels))), train, test, train_names)


def _read_rows(table: Path, target: str) -> tuple[tuple[str, ...], Split]:
    with table.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines)
        names = next(reader, [])
        rows = [row for row in reader if row]
    if target not in names or any(len(row) != len(names) for row in rows):
        raise ValueError(f"{table} needs the column {target} and as many cells in every row.")
    place = names.index(target)
    cells = tuple((*row[:place], *row[place + 1 :]) for row in rows)
    labels = tuple(row[place] for row in rows)
    return (*names[:place], *names[place + 1 :]), Split((), labels, cells)


def typed_columns(data: DataSet) -> tuple[list[Column], list[Column]]:
    """Return the typed columns of a table's train and test rows, under their names, as a function would have them.

    Types are guessed from the train rows. Columns that are proposed to be left out are left out; a cell that is not of
    its column's type is missing.
    """
    guesses = infer_columns(data.column_names, data.train.rows)
    return _typed(data.train.rows, guesses), _typed(data.test.rows, guesses)


def _typed(rows: Sequence[Row], guesses: Sequence[ColumnGuess]) -> list[Column]:
    kept = [(place, guess) for place, guess in enumerate(guesses) if guess.is_worth_learning]
    parsed = [{guess.name: _parsed(row[place], guess) for place, guess in kept} for row in rows]
    return columns_from_rows(parsed, {guess.name: guess.type for _place, guess in kept})


def _parsed(cell: str, guess: ColumnGuess) -> Value:
    try:
        return parse_cell(cell, guess.type, guess.facts)
    except ValueError:
        return None


def draw_labelled(labels: Sequence[str], n_labels: int, *, seed: int) -> IntArray:
    """Choose which samples count as labelled: at random, but at least two of each label.

    Where there are more than 12 labels, at least eight of each. A label with fewer gives all it has.

    Parameters
    ----------
    labels
        One per sample.
    n_labels
        How many samples to choose, if the least per label do not already come to more.

    Returns
    -------
    Positions in `labels`, in random order, without repetition.
    """
    random = np.random.default_rng(seed)
    names = np.asarray(labels, dtype=np.str_)
    shuffled = random.permutation(len(names))
    of_each = [shuffled[names[shuffled] == name] for name in np.unique(names)]
    least = MIN_PER_LABEL_OF_MANY if len(of_each) > FEW_LABELS else MIN_PER_LABEL
    first = np.concatenate([rows[:least] for rows in of_each]) if of_each else shuffled
    others = shuffled[~np.isin(shuffled, first)]
    chosen: IntArray = np.concatenate([first, others[: max(0, n_labels - len(first))]])
    return random.permutation(chosen)
