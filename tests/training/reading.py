"""Texts as a published model reads them."""

from collections.abc import Sequence

import numpy as np

from apps.engine.types import Inputs
from apps.training.services.inputs import build_inputs
from apps.training.services.serving import Served
from apps.training.services.towers import Wanted, embed_wanted


def as_read(served: Served, texts: Sequence[str]) -> Inputs:
    rows = np.arange(len(texts))
    matrices = embed_wanted([Wanted(spec, rows, served.tower(spec)) for spec in served.specs], texts)
    by_name = {spec.name: matrix for spec, matrix in zip(served.specs, matrices, strict=True)}
    return build_inputs(served.layout, texts, by_name)
