"""A search index on disk: whose vectors, the vectors, their short forms, and what was learned of columns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from apps.engine.errors import ArtifactCorrupt
from apps.engine.readers.state import State
from apps.engine.retrieval import shortened
from apps.training.services.mapped_file import FileKind, drop_others, forget_others_here, open_arrays, write_arrays

SEARCH = FileKind("search", "1")
_LEARNED = "learned."


@dataclass(frozen=True)
class IndexFile:
    """What is in it; row `i` of `vectors` is the sample with key `sample_ids[i]`."""

    sample_ids: npt.NDArray[np.int64]
    vectors: npt.NDArray[np.float16]
    short: npt.NDArray[np.uint8]
    learned: State


def write_index(
    folder: Path, sample_ids: npt.NDArray[np.int64], vectors: npt.NDArray[np.float16], learned: State
) -> str:
    """Write a file that `open_index` reads, all or nothing; returns its checksum."""
    arrays: dict[str, npt.NDArray[np.generic]] = {"sample_ids": sample_ids, "vectors": vectors}
    arrays["short"] = shortened(vectors)
    arrays |= {_LEARNED + name: array for name, array in learned.arrays.items()}
    return write_arrays(SEARCH, folder, arrays, {"learned": json.dumps(learned.facts)})


def open_index(folder: Path, sha256: str) -> IndexFile:
    """Map an index into memory, once its checksum is right. Raises `ArtifactCorrupt`."""
    arrays, facts = open_arrays(SEARCH, folder, sha256)
    learned = {name.removeprefix(_LEARNED): each for name, each in arrays.items() if name.startswith(_LEARNED)}
    try:
        return IndexFile(
            arrays["sample_ids"], arrays["vectors"], arrays["short"], State(learned, json.loads(facts["learned"]))
        )
    except KeyError as error:
        raise ArtifactCorrupt(f"The index of {folder} lacks {error}.") from error


def drop_other_indexes(folder: Path, sha256: str) -> None:
    """Remove what came before an index, and what a process left behind that died while it wrote one."""
    drop_others(SEARCH, folder, sha256)


def forget_other_indexes_here(folder: Path, sha256: str) -> None:
    """Remove this machine's copies of what came before an index that another machine made."""
    forget_others_here(SEARCH, folder, sha256)
