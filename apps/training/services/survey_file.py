"""A survey on disk: a file of arrays beside the function's models, mapped into memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from apps.engine.survey import Directions, Vectors
from apps.engine.types import BoolArray, FloatArray, IntArray
from apps.training.services.mapped_file import (
    Arrays,
    FileKind,
    drop_others,
    folder_of,
    forget_others_here,
    open_arrays,
    write_arrays,
)

__all__ = [
    "SurveyView",
    "drop_other_surveys",
    "folder_of",
    "forget_other_surveys_here",
    "open_survey",
    "write_survey",
]

SURVEY = FileKind("survey", "2")
ID_LENGTH = 16


@dataclass(frozen=True)
class SurveyView:
    """All samples at one moment; row `i` of everything is the sample with key `keys[i]`, and keys grow.

    Parameters
    ----------
    keys
        `(n_samples,)`. Some of these samples may have been deleted since.
    public_ids
        `(n_samples,)`, bytes: public ids without their `sample_`.
    vectors
        `(n_samples, k)`, float32, rows of length 1: products are cosines.
    xy
        `(n_samples, 2)`, uint16: where each is on the map.
    pairs, likeness
        `(n_pairs, 2)` rows that are nearly the same, and `(n_pairs,)` their cosines, the most alike first.
    landmarks
        Rows that the others were placed by.
    n_fitted
        How many samples the directions of `vectors`, and the map, were found with.
    """

    sha256: str
    keys: IntArray
    public_ids: npt.NDArray[np.bytes_]
    vectors: Vectors
    xy: npt.NDArray[np.uint16]
    pairs: IntArray
    likeness: FloatArray
    landmarks: IntArray
    directions: Directions
    source: str
    n_fitted: int

    def rows_of(self, keys: IntArray | Sequence[int]) -> IntArray:
        """Return the row of each sample that is in it, in the order given; others are left out."""
        rows, _is_known = self.find(keys)
        return rows

    def find(self, keys: IntArray | Sequence[int]) -> tuple[IntArray, BoolArray]:
        """Return the rows of those samples that are in it, in the order given, and which of them those are."""
        wanted = np.asarray(keys, dtype=np.int64)
        if not len(self.keys) or not len(wanted):
            return np.zeros(0, dtype=np.int64), np.zeros(len(wanted), dtype=bool)
        places = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        is_known: BoolArray = self.keys[places] == wanted
        return places[is_known], is_known


def write_survey(folder: Path, arrays: Arrays, facts: Mapping[str, str]) -> str:
    """Write a file that `open_survey` reads, all or nothing; returns its checksum."""
    return write_arrays(SURVEY, folder, arrays, facts)


def open_survey(folder: Path, sha256: str) -> SurveyView:
    """Map a survey into memory, once its checksum is right. Raises `ArtifactCorrupt`."""
    arrays, facts = open_arrays(SURVEY, folder, sha256)
    return SurveyView(
        sha256=sha256,
        keys=arrays["keys"],
        public_ids=arrays["public_ids"].view(f"S{ID_LENGTH}").reshape(-1),
        vectors=arrays["vectors"],
        xy=arrays["xy"],
        pairs=arrays["pairs"],
        likeness=arrays["likeness"],
        landmarks=arrays["landmarks"],
        directions=Directions(arrays["mean"], arrays["components"]),
        source=facts["source"],
        n_fitted=int(facts["n_fitted"]),
    )


def drop_other_surveys(folder: Path, sha256: str) -> None:
    """Remove what came before a survey, and what a process left behind that died while it wrote one."""
    drop_others(SURVEY, folder, sha256)


def forget_other_surveys_here(folder: Path, sha256: str) -> None:
    """Remove this machine's copies of what came before a survey that another machine made."""
    forget_others_here(SURVEY, folder, sha256)
