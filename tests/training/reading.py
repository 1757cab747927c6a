"""Texts as a published model reads them."""

from collections.abc import Sequence

from apps.engine.types import Inputs
from apps.training.services.inputs import build_inputs
from apps.training.services.serving import Served
from apps.training.services.towers import embed_with


def as_read(served: Served, texts: Sequence[str]) -> Inputs:
    return build_inputs(served.layout, texts, embed_with(served.specs, served.tower, texts))
