"""Top layers that learned from a function's samples: their file, the loaded towers, and what they make of samples.

Rounds, live predictions and calls all embed here, so that what is shared by several towers of a backbone is computed
once, and a model is always asked in the way it was taught.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import structlog
from django.conf import settings

from apps.core.database_storage import NotAsSaved
from apps.engine import adapt, artifacts, backbones
from apps.engine.adapt import Tower
from apps.engine.backbones import BackboneSpec, Input
from apps.engine.errors import ArtifactCorrupt, BackboneUnavailable
from apps.engine.types import ADAPTED, IntArray
from apps.training.models import Adaptation
from apps.training.services import files
from apps.training.services.encoders import BoundedCache, backbone, base_of
from apps.training.services.inputs import Row, as_read
from apps.training.services.vectors import Matrix

logger = structlog.get_logger(__name__)

FILE = "adaptation.safetensors"
MAX_TOWERS, MAX_FOLDS = 10_000, 64
_OF_ALL = -1

# Keyed by workspace first: no other workspace's layers can ever be found by a wrong number.
_towers: BoundedCache[tuple[int, str, int], Tower] = BoundedCache(
    max_entries=MAX_TOWERS, max_bytes=settings.TOWER_CACHE_BYTES, n_bytes_of=lambda tower: tower.n_bytes
)
_folds: BoundedCache[tuple[int, str], Folds] = BoundedCache(max_entries=MAX_FOLDS)


@dataclass(frozen=True)
class Folds:
    """How many there are, and where each sample is held out that layers may have learned from, by its public id."""

    n_folds: int
    fold_of: Mapping[str, int]


@dataclass(frozen=True)
class Wanted:
    """Embeddings to be made: which, of which rows of the contents, and the tower that makes them where one does."""

    spec: BackboneSpec
    rows: IntArray
    tower: Tower | None = None


def adapted_name(adaptation: Adaptation, fold: int | None = None) -> str:
    """Return what embeddings made with an adaptation are called; those of a fold's tower are for rounds alone."""
    return f"{ADAPTED}{adaptation.base}{'' if fold is None else f'@{fold}'}"


def adapted_spec(adaptation: Adaptation, fold: int | None = None) -> BackboneSpec:
    """Return the spec of embeddings made with an adaptation: their version is its public id.

    Raises `BackboneUnavailable` where samples are read in another way by now.
    """
    spec = backbones.adapted(adaptation.base)
    if spec is None or not is_current(adaptation):
        raise BackboneUnavailable(f"What was learned on top of {adaptation.base} does not fit it any more.")
    return replace(spec, name=adapted_name(adaptation, fold), version=adaptation.public_id)


def is_current(adaptation: Adaptation) -> bool:
    """Whether the backbone it was made of is still there, and layers on top of it are still built the same way."""
    adapted = backbones.adapted(adaptation.base)
    if adapted is None or adapted.version != adaptation.version:
        return False
    try:
        return backbones.spec(adaptation.base).version == adaptation.base_version
    except BackboneUnavailable:
        return False


def folder_of(adaptation: Adaptation) -> Path:
    """Return where its file lies. Its function must be loaded."""
    return Path(settings.ARTIFACTS_DIR) / adaptation.function.public_id / adaptation.public_id


def keep_file(adaptation: Adaptation, learned: adapt.Adaptation, sample_ids: Sequence[str]) -> None:
    """Write the layers, all or nothing, and note their checksum in the row, which is not saved here."""
    content = adapt.save(learned, sample_ids)
    adaptation.sha256 = artifacts.sha256_of(content)
    artifacts.write_folder(folder_of(adaptation), {FILE: content})
    files.keep(folder_of(adaptation))


def read_file(adaptation: Adaptation) -> tuple[adapt.Adaptation, tuple[str, ...]]:
    """Return the layers and the public ids of the samples that have a fold. Raises `ArtifactCorrupt`.

    Where it is only this machine's copy that is damaged, another one is fetched.
    """
    try:
        return adapt.load(_content(adaptation), sha256=adaptation.sha256)
    except ArtifactCorrupt:
        if not files.are_apart():
            raise
        files.forget_here(folder_of(adaptation))
        return adapt.load(_content(adaptation), sha256=adaptation.sha256)


def folds_of(adaptation: Adaptation) -> Folds:
    """Return the folds of an adaptation; its function must be loaded. Raises `ArtifactCorrupt`."""

    def read() -> Folds:
        learned, sample_ids = read_file(adaptation)
        return Folds(learned.n_folds, dict(zip(sample_ids, learned.folds.tolist(), strict=True)))

    return _folds.get((adaptation.function.workspace_id, adaptation.public_id), read)


def tower_of(adaptation: Adaptation, fold: int | None = None) -> Tower:
    """Return the tower fitted on all samples, or that of a fold; loaded once and shared while it is asked for.

    Its function must be loaded. Raises `ArtifactCorrupt`, `BackboneUnavailable`.
    """
    place = _OF_ALL if fold is None else fold

    def load() -> Tower:
        encoder = backbone(adaptation.base)
        learned, _sample_ids = read_file(adaptation)
        if not learned.fits(encoder):
            raise BackboneUnavailable(f"What was learned on top of {adaptation.base} does not fit it any more.")
        return encoder.tower(learned.towers[place])

    return _towers.get((adaptation.function.workspace_id, adaptation.public_id, place), load)


def forget_damaged(adaptation: Adaptation, error: ArtifactCorrupt) -> None:
    """Let nobody read an adaptation again whose file is damaged; another one is made in time."""
    if Adaptation.objects.filter(pk=adaptation.pk).delete()[0]:
        logger.error("adaptation_damaged", adaptation=adaptation.public_id, reason=str(error))


def held_bytes() -> int:
    """Return the memory that loaded towers take in this process."""
    return _towers.n_bytes


def _content(adaptation: Adaptation) -> bytes:
    """A machine whose disk is full, say, does not make it damaged: that is raised as it comes."""
    path = folder_of(adaptation) / FILE
    try:
        files.fetch(path)
    except NotAsSaved as error:
        raise ArtifactCorrupt(f"{path} cannot be read: {error}") from error
    return artifacts.read_whole(path)


def embed_wanted(wanted: Sequence[Wanted], contents: Sequence[Input | Row]) -> list[Matrix]:
    """Return, per entry of `wanted`, `(len(rows), dim)`; what is wanted of one backbone is made in one pass.

    `contents` are texts, pictures, or rows of which the cells of one column are read; missing cells are zero.
    """
    found: list[Matrix] = [np.zeros((len(one.rows), one.spec.dim), dtype=np.float32) for one in wanted]
    of_source: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for i, one in enumerate(wanted):
        of_source[base_of(one.spec.name), one.spec.name.partition(":")[2]].append(i)
    for (base, column), entries in of_source.items():
        _embed_source(base, column, [wanted[i] for i in entries], [found[i] for i in entries], contents)
    return found


def _embed_source(
    base: str, column: str, wanted: Sequence[Wanted], found: Sequence[Matrix], contents: Sequence[Input | Row]
) -> None:
    """Fill in the matrices of one backbone that reads one thing of the contents."""
    rows = np.unique(np.concatenate([one.rows for one in wanted])).tolist()
    read = {row: content for row in rows if (content := as_read(contents[row], column)) is not None}
    if not read:
        return
    place_of = {row: place for place, row in enumerate(read)}
    there = [np.array([i for i, row in enumerate(one.rows.tolist()) if row in place_of], dtype=int) for one in wanted]
    places = [
        np.array([place_of[row] for row in one.rows[i].tolist()], dtype=int)
        for one, i in zip(wanted, there, strict=True)
    ]
    encoder, inputs = backbone(base), list(read.values())
    if adapt.is_adaptable(encoder):
        towers = [one.tower for one in wanted]
        matrices = encoder.encode_for(inputs, list(zip(towers, places, strict=True)))
    else:
        of_all = encoder.encode(inputs)
        matrices = [of_all[own] for own in places]
    for target, i, matrix in zip(found, there, matrices, strict=True):
        target[i] = matrix
