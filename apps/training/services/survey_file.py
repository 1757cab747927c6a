"""A survey on disk: one safetensors file beside the function's models, named by its checksum and mapped into memory.

Written whole under another name and renamed: whoever has an older one open goes on reading that.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy
from django.conf import settings

from apps.engine.errors import ArtifactCorrupt
from apps.engine.survey import Directions, Vectors
from apps.engine.types import BoolArray, FloatArray, IntArray
from apps.functions.models import Function
from apps.training.services import files

FORMAT = "2"
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


def folder_of(function: Function) -> Path:
    return Path(settings.ARTIFACTS_DIR) / function.public_id


def write_survey(folder: Path, arrays: Mapping[str, npt.NDArray[np.generic]], facts: Mapping[str, str]) -> str:
    """Write a file that `open_survey` reads, all or nothing; returns its checksum."""
    packed = safetensors.numpy.save(dict(arrays), metadata={"format": FORMAT, **facts})
    sha256 = hashlib.sha256(packed).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".survey-", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(packed)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(_path(folder, sha256))
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    files.keep(_path(folder, sha256))
    return sha256


def open_survey(folder: Path, sha256: str) -> SurveyView:
    """Map a survey into memory, once its checksum is right. Raises `ArtifactCorrupt`."""
    path = _path(folder, sha256)
    try:
        whole: npt.NDArray[np.uint8] = np.memmap(files.fetch(path), dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:
        raise ArtifactCorrupt(f"{path} cannot be read: {error}") from error
    if hashlib.sha256(whole.data).hexdigest() != sha256:
        raise ArtifactCorrupt(f"{path} is not the file that was saved.")
    arrays, facts = _mapped(whole)
    if facts.get("format") != FORMAT:
        raise ArtifactCorrupt(f"{path} was written by another version.")
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
    kept = [folder / name for name in files.listing(folder)[1]]
    for path in {*folder.glob("survey-*.safetensors"), *folder.glob(".survey-*"), *kept} - {_path(folder, sha256)}:
        files.drop(path)


def forget_other_surveys_here(folder: Path, sha256: str) -> None:
    """Remove this machine's copies of what came before a survey that another machine made."""
    for path in set(folder.glob("survey-*.safetensors")) - {_path(folder, sha256)}:
        files.forget_here(path)


def _path(folder: Path, sha256: str) -> Path:
    return folder / f"survey-{sha256[:32]}.safetensors"


def _mapped(whole: npt.NDArray[np.uint8]) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Return views of a safetensors file's arrays: its own reader copies them."""
    n_header = int(whole[:8].view("<u8")[0])
    header = json.loads(whole[8 : 8 + n_header].tobytes())
    facts = header.pop("__metadata__", {})
    types = {"F32": "<f4", "I64": "<i8", "U16": "<u2", "U8": "u1"}
    arrays = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        data = whole[8 + n_header + start : 8 + n_header + end]
        arrays[name] = data.view(types[entry["dtype"]]).reshape(entry["shape"])
    return arrays, facts
