"""Models on disk: `model.safetensors` and `manifest.json`, each byte of them checked when read.

The manifest holds the checksum of the arrays; the caller keeps the checksum of the manifest. Nothing is unpickled.
"""

from __future__ import annotations

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

import safetensors
import safetensors.numpy

from apps.engine import heads
from apps.engine.errors import ArtifactCorrupt
from apps.engine.predictor import Predictor
from apps.engine.types import Recipe

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
ARRAYS = "model.safetensors"
LIBRARIES = ("numpy", "scipy", "safetensors")
"""The libraries a head's numbers come from; the manifest says which versions."""


@dataclass(frozen=True)
class Artifact:
    """A model as read from disk; `label_ids` names the columns of its `pred_probs`."""

    predictor: Predictor
    recipe: Recipe
    label_ids: tuple[str, ...]
    manifest: Mapping[str, object]


def save(
    folder: Path,
    *,
    predictor: Predictor,
    recipe: Recipe,
    label_ids: Sequence[str],
    backbone_version: str,
    trained_with: Mapping[str, object],
) -> str:
    """Write a model, all or nothing: `folder` appears complete and flushed to disk, or not at all.

    Parameters
    ----------
    folder
        Where the model will lie. A folder already there is replaced.
    label_ids
        The public id of each column of `pred_probs`.
    backbone_version
        Version of the backbone whose embeddings the head was fitted on.
    trained_with
        Facts about the round to keep beside the model; what `json` can write.

    Returns
    -------
    The sha256 of the manifest, in hex. Keep it: `load` asks for it.
    """
    if len(label_ids) != predictor.n_classes:
        raise ValueError("A model has one label id per class.")
    arrays = safetensors.numpy.save(predictor.head.to_arrays())
    manifest: dict[str, object] = {
        "format_version": FORMAT_VERSION,
        "recipe": recipe.to_json(),
        "backbone_version": backbone_version,
        "temperature": predictor.temperature,
        "label_ids": list(label_ids),
        "trained_with": dict(trained_with),
        "libraries": {name: version(name) for name in LIBRARIES},
        "sha256": {ARRAYS: sha256_of(arrays)},
    }
    text = json.dumps(manifest, indent=1, sort_keys=True).encode()
    _write_folder(folder, {ARRAYS: arrays, MANIFEST: text})
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
    text = _read(folder / MANIFEST)
    if sha256_of(text) != sha256:
        raise ArtifactCorrupt(f"{folder / MANIFEST} is not the manifest that was saved.")
    arrays = _read(folder / ARRAYS)
    manifest: dict[str, object] = json.loads(text)
    if manifest["format_version"] != FORMAT_VERSION:
        raise ArtifactCorrupt(f"{folder} has format {manifest['format_version']}, which this version cannot read.")
    if manifest["sha256"] != {ARRAYS: sha256_of(arrays)}:
        raise ArtifactCorrupt(f"{folder / ARRAYS} is not the file that was saved.")
    return _assemble(manifest, arrays)


def _assemble(manifest: dict[str, object], arrays: bytes) -> Artifact:
    recipe_data, label_ids, temperature = manifest["recipe"], manifest["label_ids"], manifest["temperature"]
    try:
        if not isinstance(recipe_data, dict) or not isinstance(label_ids, list):
            raise ValueError("its recipe or its labels are missing")
        if not isinstance(temperature, float) or not (math.isfinite(temperature) and temperature > 0):
            raise ValueError("its temperature is no positive number")
        recipe = Recipe.from_json(recipe_data)
        head = heads.restore(recipe.head, recipe.settings, safetensors.numpy.load(arrays))
    except (ValueError, safetensors.SafetensorError) as error:
        raise ArtifactCorrupt(f"The saved model cannot be read: {error}") from error
    predictor = Predictor(head=head, temperature=temperature, n_classes=len(label_ids))
    return Artifact(predictor, recipe, tuple(label_ids), manifest)


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
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


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactCorrupt(f"{path} cannot be read: {error.strerror}.") from error


def sha256_of(content: bytes) -> str:
    """Return the checksum of some bytes, in hex."""
    return hashlib.sha256(content).hexdigest()
