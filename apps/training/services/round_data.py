"""What a round was begun with, so that other processes go on with exactly that, whatever is labelled meanwhile.

What only the round knows is written down: who was labelled how, and which samples are held out together. The rest,
texts and vectors, never changes while a sample is there, and is read again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from apps.engine.types import Rule, TrainingData
from apps.functions.models import Function, Label
from apps.samples.models import Sample
from apps.training.services.arrays import RoundInput, embeddings_of
from apps.training.services.inputs import Layout, Row, build_inputs, layout_of, read_contents

ROWS_AT_ONCE = 500
LABEL_ROWS = "label_rows."
FACTS = "facts"


class DataMoved(Exception):
    """What the round was begun with is not there any more: a sample or label was deleted, or is read in another way."""


def pack(given: RoundInput) -> bytes:
    """Return what `unpack` reads. Nothing adapted may be in it."""
    data = given.data
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "sample_ids": np.array(given.sample_ids, dtype=np.int64),
        "annotation_ids": np.array(given.annotation_ids, dtype=np.int64),
        "labels": data.labels.astype(np.int64),
        "groups": data.groups.astype(np.int64),
        "counts": data.is_counted.astype(np.uint8),
        **{f"{LABEL_ROWS}{name}": np.ascontiguousarray(rows) for name, rows in data.label_embeddings.items()},
    }
    if data.is_random is not None:
        arrays["is_random"] = data.is_random.astype(np.uint8)
    facts = {
        "revision": given.revision,
        "labels": [label.pk for label in given.labels],
        "label_names": list(data.label_names),
        "rules": [[rule.words, rule.label] for rule in data.rules],
        "read": _how_read(given.layout),
        "contents": digest_of(given),
    }
    return safetensors.numpy.save(arrays, metadata={FACTS: json.dumps(facts, sort_keys=True)})


def unpack(function: Function, packed: bytes) -> RoundInput:
    """Return what was packed, read anew. Raises `DataMoved`."""
    arrays, facts = _read(packed)
    layout = layout_of(function)
    labels = _labels(function, facts["labels"])
    sample_ids = arrays["sample_ids"].tolist()
    rows, contents = _samples(function, layout, sample_ids)
    embeddings, missing = embeddings_of(function, layout.specs, [rows[pk][1] for pk in sample_ids])
    if missing or _how_read(layout) != facts["read"]:
        raise DataMoved
    data = TrainingData(
        inputs=build_inputs(layout, [contents[pk] for pk in sample_ids], embeddings),
        labels=arrays["labels"],
        n_classes=len(labels),
        groups=arrays["groups"],
        label_names=facts["label_names"],
        label_embeddings={
            name.removeprefix(LABEL_ROWS): rows for name, rows in arrays.items() if name.startswith(LABEL_ROWS)
        },
        rules=[Rule(words, label) for words, label in facts["rules"]],
        is_random=arrays["is_random"].astype(bool) if "is_random" in arrays else None,
        counts=arrays["counts"].astype(bool),
    )
    given = RoundInput(
        revision=facts["revision"],
        layout=layout,
        labels=labels,
        sample_ids=sample_ids,
        public_ids=[rows[pk][0] for pk in sample_ids],
        annotation_ids=arrays["annotation_ids"].tolist(),
        data=data,
        n_waiting=0,
        lost=[],
    )
    if digest_of(given) != facts["contents"]:
        raise DataMoved
    return given


def digest_of(given: RoundInput) -> str:
    """Return what tells what is read of these samples from anything else."""
    digest = hashlib.sha256()
    for name, rows in sorted(given.data.inputs.embeddings.items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(rows).data)
    for text in given.data.inputs.texts:
        digest.update(text.encode() + b"\0")
    for column in given.data.inputs.columns:
        digest.update(repr(column.values.tolist()).encode())
    return digest.hexdigest()


def _read(packed: bytes) -> tuple[dict[str, npt.NDArray[Any]], Mapping[str, Any]]:
    n_header = int.from_bytes(packed[:8], "little")
    facts: Mapping[str, Any] = json.loads(json.loads(packed[8 : 8 + n_header])["__metadata__"][FACTS])
    return safetensors.numpy.load(packed), facts


def _how_read(layout: Layout) -> list[list[str]]:
    columns = [[key, column_type.value] for key, column_type in layout.types.items()]
    return [[spec.name, spec.version] for spec in layout.specs] + columns


def _labels(function: Function, pks: Sequence[int]) -> tuple[Label, ...]:
    found = function.labels.in_use().in_bulk(pks)
    if len(found) < len(pks):
        raise DataMoved
    return tuple(found[pk] for pk in pks)


def _samples(
    function: Function, layout: Layout, pks: Sequence[int]
) -> tuple[dict[int, tuple[str, str]], dict[int, str | Row]]:
    """Return of each sample its public id and the hash of its content, and what there is to read of it."""
    rows: dict[int, tuple[str, str]] = {}
    contents: dict[int, str | Row] = {}
    for chunk in _chunks(pks):
        samples = Sample.objects.filter(function=function, pk__in=chunk)
        rows |= {pk: (public_id, key) for pk, public_id, key in samples.values_list("pk", "public_id", "content_hash")}
        contents |= read_contents(layout, samples)
    if len(rows) < len(pks) or len(contents) < len(pks):
        raise DataMoved
    return rows, contents


def _chunks(pks: Sequence[int]) -> Iterator[Sequence[int]]:
    return (pks[start : start + ROWS_AT_ONCE] for start in range(0, len(pks), ROWS_AT_ONCE))
