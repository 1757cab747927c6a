"""Data sets in a folder: how they lie on disk, and which of their samples count as labelled.

A folder has `train.csv` and `test.csv`, with columns `text,label`, or `path,label` where `path` is a picture's place in
the folder.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apps.engine.types import IntArray, Modality

FEW_LABELS = 12
MIN_PER_LABEL, MIN_PER_LABEL_OF_MANY = 2, 8
COLUMNS = {Modality.TEXT: "text", Modality.IMAGE: "path"}


@dataclass(frozen=True)
class Split:
    """One half of a data set: texts or files of pictures, and the name of each one's label."""

    inputs: tuple[str, ...] | tuple[Path, ...]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class DataSet:
    """A data set as read; `label_names` are those of the train split, in alphabetical order."""

    name: str
    modality: Modality
    label_names: tuple[str, ...]
    train: Split
    test: Split


def read(folder: Path) -> DataSet:
    """Read a data set folder.

    Raises
    ------
    OSError
        If one of its tables is missing.
    ValueError
        If a table has no such columns; the text says which are expected.
    """
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
