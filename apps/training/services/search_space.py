"""A function's samples as the unit vectors they are compared by: from the stored vectors, and from inputs just read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from apps.engine.backbones import BackboneSpec
from apps.engine.errors import ArtifactCorrupt
from apps.engine.readers.state import State
from apps.engine.readers.table import TableReader
from apps.engine.retrieval import Rows, RowSpace, counting, joined
from apps.engine.types import FloatArray, Inputs
from apps.functions.models import Function, InputKind
from apps.samples.models import Sample
from apps.training.services.inputs import Layout, layout_of
from apps.training.services.points import read_inputs
from apps.training.services.vectors import read_vectors

ROWS_AT_ONCE = 500
FITTED_ON = 20_000


@dataclass(frozen=True)
class Source:
    """What vectors are made of; those of another source cannot be compared with them."""

    backbone: str
    version: str


@dataclass(frozen=True)
class Space:
    """How a function's samples become vectors. Of table rows, `rows` has learned what is usual in each column."""

    function: Function
    layout: Layout
    row_space: RowSpace | None = None

    @property
    def is_table(self) -> bool:
        return self.layout.input_kind == InputKind.TABLE

    @property
    def specs(self) -> tuple[BackboneSpec, ...]:
        """The embeddings that are read."""
        if self.is_table:
            return self.layout.specs
        names = counting([spec.name for spec in self.layout.specs])
        return tuple(spec for spec in self.layout.specs if spec.name in names)

    @property
    def source(self) -> Source:
        versions = {spec.name: spec.version for spec in self.specs}
        if not self.is_table:
            return Source("+".join(versions), "+".join(versions.values()))
        told = json.dumps([versions, {key: each.value for key, each in self.layout.types.items()}], sort_keys=True)
        return Source("table", hashlib.sha256(told.encode()).hexdigest())

    def read(self, hash_of: Mapping[int, str]) -> tuple[list[int], Rows]:
        """Return the keys of those samples that have their vectors, in the order given, and the rows."""
        if self.is_table:
            keys, inputs = read_inputs(self.function, self.layout, hash_of, Sample.everywhere.all())
            return keys, self.of_inputs(inputs)
        hashes = list(hash_of.values())
        found = [read_vectors(workspace_id=self.function.workspace_id, spec=spec, hashes=hashes) for spec in self.specs]
        keys = [key for key, content_hash in hash_of.items() if all(content_hash in of_one for of_one in found)]
        if not keys:
            return [], np.zeros((0, 1), dtype=np.float32)
        matrices = [np.stack([of_one[hash_of[key]] for key in keys]) for of_one in found]
        return keys, self.of_embeddings(dict(zip([spec.name for spec in self.specs], matrices, strict=True)))

    def of_embeddings(self, embeddings: Mapping[str, FloatArray]) -> Rows:
        """Return the rows of texts or pictures, as their backbones read them."""
        return joined({spec.name: embeddings[spec.name] for spec in self.specs})

    def of_inputs(self, inputs: Inputs) -> Rows:
        """Return the rows of inputs just read. Raises `ValueError` where the columns are others by now."""
        if not self.is_table:
            return self.of_embeddings(inputs.embeddings)
        if self.row_space is None:
            raise ValueError("It is not known yet what is usual in these columns.")
        return self.row_space.rows(inputs)

    def fitted(self, hash_of: Mapping[int, str]) -> Space:
        """Return the same, having learned from some samples what is usual where that is needed."""
        if not self.is_table or not hash_of:
            return self
        drawn = np.random.default_rng(0).permutation(len(hash_of))[:FITTED_ON]
        keys = list(hash_of)
        some = {keys[place]: hash_of[keys[place]] for place in sorted(drawn.tolist())}
        _keys, inputs = read_inputs(self.function, self.layout, some, Sample.everywhere.all())
        return Space(self.function, self.layout, RowSpace.fit(inputs))

    def to_state(self) -> State:
        """Return what was learned."""
        if self.row_space is None:
            return State()
        state = self.row_space.reader.to_state()
        return State(state.arrays, {"reader": dict(state.facts), "constant": self.row_space.constant})

    def restored(self, state: State) -> Space:
        """Return the same with what was learned. Raises `ArtifactCorrupt`."""
        if not self.is_table:
            return self
        try:
            reader = TableReader().load_state(State(state.arrays, state.facts["reader"]))  # type: ignore[arg-type]  # any other type is refused
            return Space(self.function, self.layout, RowSpace(reader, float(str(state.facts["constant"]))))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactCorrupt(f"What was learned of the columns cannot be read: {error}") from error


def space_of(function: Function) -> Space:
    """Return how the function's samples are compared now. One query for tables, none for others."""
    return Space(function, layout_of(function))


def read_all(space: Space, hash_of: Mapping[int, str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float16]]:
    """Return the keys of all that have their vectors, in the order given, and these; half the memory of exact ones."""
    keys = list(hash_of)
    kept: list[int] = []
    parts: list[npt.NDArray[np.float16]] = []
    for start in range(0, len(keys), ROWS_AT_ONCE):
        of_chunk = {key: hash_of[key] for key in keys[start : start + ROWS_AT_ONCE]}
        found, rows = space.read(of_chunk)
        if found:
            kept += found
            parts.append(rows.astype(np.float16))
    vectors = np.concatenate(parts) if parts else np.zeros((0, 1), dtype=np.float16)
    return np.array(kept, dtype=np.int64), vectors


def embedded(function_id: int) -> dict[int, str]:
    """Return the content hash of each sample that was read, by key. Those in the bin, too: they may come back."""
    rows = Sample.everywhere.filter(function=function_id, is_embedded=True).order_by("pk")
    found: dict[int, str] = {}
    last = 0
    while chunk := list(rows.filter(pk__gt=last).values_list("pk", "content_hash")[:2000]):
        found.update(chunk)
        last = chunk[-1][0]
    return found


def hashes_of(sample_ids: Sequence[int]) -> dict[int, str]:
    """Return the content hash of each of these samples, as far as they are there."""
    found: dict[int, str] = {}
    for start in range(0, len(sample_ids), ROWS_AT_ONCE):
        rows = Sample.everywhere.filter(pk__in=sample_ids[start : start + ROWS_AT_ONCE])
        found.update(rows.values_list("pk", "content_hash"))
    return found
