"""Samples as rows of numbers that lie near one another where the samples are alike, for what compares a few of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from apps.engine.query_points import points_of
from apps.engine.types import FloatArray
from apps.functions.models import Function, InputKind
from apps.samples.models import Sample
from apps.training.services.inputs import Row, build_inputs, layout_of, read_contents
from apps.training.services.vectors import read_vectors

ROWS_AT_ONCE = 500


def read_points(function: Function, hash_of: Mapping[int, str]) -> tuple[list[int], FloatArray]:
    """Return the keys of the samples that can be read, and their rows, `(n_keys, dim)`.

    `hash_of` has the content hash of each sample by its key. Nothing but vectors is read, of table rows the cells too;
    one query per 500 samples of each.
    """
    layout = layout_of(function)
    specs = layout.specs if layout.input_kind == InputKind.TABLE else layout.specs[:1]
    hashes = list(hash_of.values())
    vectors = {spec.name: read_vectors(workspace_id=function.workspace_id, spec=spec, hashes=hashes) for spec in specs}
    contents: dict[int, str | Row] = dict.fromkeys(hash_of, "")
    if layout.input_kind == InputKind.TABLE:
        contents = {}
        keys = list(hash_of)
        for start in range(0, len(keys), ROWS_AT_ONCE):
            contents |= read_contents(layout, Sample.objects.filter(pk__in=keys[start : start + ROWS_AT_ONCE]))
    there = [
        key
        for key, content_hash in hash_of.items()
        if key in contents and all(content_hash in found for found in vectors.values())
    ]
    if not there:
        return [], np.zeros((0, 1), dtype=np.float32)
    embeddings = {name: np.stack([found[hash_of[key]] for key in there]) for name, found in vectors.items()}
    return there, points_of(build_inputs(layout, [contents[key] for key in there], embeddings))
