"""Samples as rows of numbers that lie near one another where the samples are alike, for what compares a few of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from django.db.models import QuerySet

from apps.engine.query_points import points_of
from apps.engine.types import FloatArray, Inputs
from apps.functions.models import Function, InputKind
from apps.samples.models import Sample
from apps.training.services.inputs import Layout, Row, build_inputs, layout_of, read_contents
from apps.training.services.vectors import read_vectors

ROWS_AT_ONCE = 500


def read_points(function: Function, hash_of: Mapping[int, str]) -> tuple[list[int], FloatArray]:
    """Return the keys of the samples that can be read, and their rows, `(n_keys, dim)`.

    `hash_of` has the content hash of each sample by its key. Nothing but vectors is read, of table rows the cells too;
    one query per 500 samples of each.
    """
    keys, inputs = read_inputs(function, layout_of(function), hash_of, Sample.objects.all())
    return keys, points_of(inputs) if keys else np.zeros((0, 1), dtype=np.float32)


def read_inputs(
    function: Function, layout: Layout, hash_of: Mapping[int, str], samples: QuerySet[Sample]
) -> tuple[list[int], Inputs]:
    """Return the keys of those samples that can be read, in the order of `hash_of`, and what a reader is given of them.

    Texts and pictures are known by their vectors alone. `samples` are those whose cells may be read.
    """
    is_table = layout.input_kind == InputKind.TABLE
    specs = layout.specs if is_table else layout.specs[:1]
    hashes = list(hash_of.values())
    vectors = {spec.name: read_vectors(workspace_id=function.workspace_id, spec=spec, hashes=hashes) for spec in specs}
    contents = _cells(layout, list(hash_of), samples) if is_table else dict.fromkeys(hash_of, "")
    there = [
        key
        for key, content_hash in hash_of.items()
        if key in contents and all(content_hash in found for found in vectors.values())
    ]
    embeddings = {name: np.stack([found[hash_of[key]] for key in there]) for name, found in vectors.items() if there}
    return there, build_inputs(layout, [contents[key] for key in there], embeddings)


def _cells(layout: Layout, keys: Sequence[int], samples: QuerySet[Sample]) -> dict[int, str | Row]:
    found: dict[int, str | Row] = {}
    for start in range(0, len(keys), ROWS_AT_ONCE):
        found |= read_contents(layout, samples.filter(pk__in=keys[start : start + ROWS_AT_ONCE]))
    return found
