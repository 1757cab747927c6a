"""Models on disk: `model.safetensors` and `manifest.json`, each byte of them checked when read.

The manifest holds the checksum of the arrays; the caller keeps the checksum of the manifest. Nothing is unpickled.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from apps.engine import heads, readers
from apps.engine.errors import ArtifactCorrupt
from apps.engine.predictor import Member, Predictor
from apps.engine.readers import State
from apps.engine.types import Recipe, Task

FORMAT_VERSION = 2
MANIFEST = "manifest.json"
ARRAYS = "model.safetensors"
OUT_OF_MEANS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EAGAIN, errno.ETIMEDOUT}
"""What a machine says that has no more open files, memory or space to read anything with."""
WORDS_TAKE = 8
"""Words and numbers in JSON take so many times their bytes once they are Python's objects."""
LIBRARIES = ("numpy", "scipy", "safetensors")
"""The libraries a head's numbers come from; the manifest says which versions."""


@dataclass(frozen=True)
class Artifact:
    """A model as read from disk; `label_ids` names the columns of its `pred_probs`, `n_bytes` is about its memory."""

    predictor: Predictor
    label_ids: tuple[str, ...]
    manifest: Mapping[str, object]
    n_bytes: int


def save(
    folder: Path,
    *,
    predictor: Predictor,
    label_ids: Sequence[str],
    backbone_versions: Mapping[str, str],
    trained_with: Mapping[str, object],
) -> str:
    """Write a model, all or nothing: `folder` appears complete and flushed to disk, or not at all.

    Parameters
    ----------
    folder
        Where the model will lie. A folder already there is replaced.
    label_ids
        The public id of each column of `pred_probs`.
    backbone_versions
        Version of each backbone whose embeddings the model was fitted on.
    trained_with
        Facts about the round to keep beside the model; what `json` can write.

    Returns
    -------
    The sha256 of the manifest, in hex. Keep it: `load` asks for it.
    """
    if len(label_ids) != predictor.n_classes:
        raise ValueError("A model has one label id per class.")
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    members = []
    for i, member in enumerate(predictor.members):
        state = member.reader.to_state()
        arrays |= _under(f"{i}.reader.", state.arrays) | _under(f"{i}.head.", member.head.to_arrays())
        members.append(
            {
                "recipe": member.recipe.to_json(),
                "weight": member.weight,
                "temperature": member.temperature,
                "reader": dict(state.facts),
            }
        )
    packed = safetensors.numpy.save(arrays)
    manifest: dict[str, object] = {
        "format_version": FORMAT_VERSION,
        "members": members,
        "task": predictor.task.value,
        "temperature": predictor.temperature,
        "thresholds": None if predictor.thresholds is None else [float(one) for one in predictor.thresholds],
        "backbone_versions": dict(backbone_versions),
        "label_ids": list(label_ids),
        "trained_with": dict(trained_with),
        "libraries": {name: version(name) for name in LIBRARIES},
        "sha256": {ARRAYS: sha256_of(packed)},
    }
    text = json.dumps(manifest, indent=1, sort_keys=True).encode()
    write_folder(folder, {ARRAYS: packed, MANIFEST: text})
    return sha256_of(text)


def load(folder: Path, *, sha256: str) -> Artifact:
    """Read a model that `save` wrote.

    Parameters
    ----------
    sha256
        What `save` returned.

    Raises
    ------
    ArtifactCorrupt
        If a file is missing or any byte of it is not what was saved.
    """
    text = read_whole(folder / MANIFEST)
    if sha256_of(text) != sha256:
        raise ArtifactCorrupt(f"{folder / MANIFEST} is not the manifest that was saved.")
    arrays = read_whole(folder / ARRAYS)
    manifest: dict[str, object] = json.loads(text)
    if manifest["format_version"] != FORMAT_VERSION:
        raise ArtifactCorrupt(f"{folder} has format {manifest['format_version']}, which this version cannot read.")
    if manifest["sha256"] != {ARRAYS: sha256_of(arrays)}:
        raise ArtifactCorrupt(f"{folder / ARRAYS} is not the file that was saved.")
    return _assemble(manifest, arrays, len(text))


def _assemble(manifest: dict[str, object], packed: bytes, n_words_bytes: int) -> Artifact:
    members, label_ids, thresholds = manifest["members"], manifest["label_ids"], manifest["thresholds"]
    try:
        if not isinstance(members, list) or not members or not isinstance(label_ids, list):
            raise ValueError("its members or its labels are missing")
        arrays = safetensors.numpy.load(packed)
        task = Task(str(manifest["task"]))
        predictor = Predictor(
            tuple(_member(member, i, arrays, task) for i, member in enumerate(members)),
            len(label_ids),
            task=task,
            temperature=_temperature(manifest),
            thresholds=None if thresholds is None else np.array(thresholds, dtype=np.float64),
        )
    except (KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise ArtifactCorrupt(f"The saved model cannot be read: {error}") from error
    return Artifact(predictor, tuple(label_ids), manifest, len(packed) + WORDS_TAKE * n_words_bytes)


def _member(saved: Mapping[str, object], i: int, arrays: Mapping[str, npt.NDArray[np.generic]], task: Task) -> Member:
    recipe_data, weight, facts = saved["recipe"], saved["weight"], saved["reader"]
    if not isinstance(recipe_data, dict) or not isinstance(weight, float) or not isinstance(facts, dict):
        raise ValueError("a member's recipe, weight or reader is missing")
    recipe = Recipe.from_json(recipe_data)
    return Member(
        recipe,
        weight,
        _temperature(saved),
        readers.restore(recipe.backbone, State(without_prefix(f"{i}.reader.", arrays), facts)),
        heads.restore(recipe.head, recipe.settings, without_prefix(f"{i}.head.", arrays), task=task),
    )


def _temperature(saved: Mapping[str, object]) -> float:
    temperature = saved["temperature"]
    if not isinstance(temperature, float) or not (math.isfinite(temperature) and temperature > 0):
        raise ValueError("its temperature is no positive number")
    return temperature


def _under(prefix: str, arrays: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, npt.NDArray[np.generic]]:
    return {prefix + name: array for name, array in arrays.items()}


def without_prefix(prefix: str, arrays: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays whose names begin so, under the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files, all or nothing: `folder` appears complete and flushed to disk, or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, content in files.items():
            with (temporary / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _fsync_folder(temporary)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _fsync_folder(folder.parent)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_whole(path: Path) -> bytes:
    """Return what is in a file.

    Raises
    ------
    ArtifactCorrupt
        If it is not there, or cannot be read.
    OSError
        If this process or machine has run out of what it takes to read any file: that says nothing about this one.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno in OUT_OF_MEANS:
            raise
        raise ArtifactCorrupt(f"{path} cannot be read: {error.strerror}.") from error


def sha256_of(content: bytes) -> str:
    """Return the checksum of some bytes, in hex."""
    return hashlib.sha256(content).hexdigest()
