"""The names and descriptions of labels as a backbone reads them that reads texts: what samples are likened to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apps.engine.backbones import Pair
from apps.engine.similarity import label_text
from apps.functions.models import Label
from apps.training.services.encoders import BoundedCache, backbone
from apps.training.services.vectors import STORED, Matrix

MAX_LABEL_SETS = 256
# Keyed by workspace first: not even timing tells one workspace how another calls its labels.
_vectors: BoundedCache[tuple[int, str, str, tuple[str, ...]], Matrix] = BoundedCache(max_entries=MAX_LABEL_SETS)


def label_vectors(*, workspace_id: int, backbone_name: str, labels: Sequence[Label]) -> Matrix:
    """Return `(n_labels, dim)`, rounded as stored vectors are. The first call for a set of labels encodes them.

    Raises `BackboneUnavailable`.
    """
    texts = tuple(label_text(label.name, label.description) for label in labels)
    encoder = backbone(backbone_name)
    key = (workspace_id, backbone_name, encoder.spec.version, texts)

    def encode() -> Matrix:
        if encoder.spec.is_pair and isinstance(encoder, Pair):
            return encoder.encode_names(texts).astype(STORED).astype(np.float32)
        return encoder.encode(texts).astype(STORED).astype(np.float32)

    return _vectors.get(key, encode)
