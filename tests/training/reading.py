"""Texts as a published model reads them."""

from collections.abc import Sequence

from apps.engine.types import Inputs
from apps.training.services.inputs import build_inputs, embed
from apps.training.services.serving import Served


def as_read(served: Served, texts: Sequence[str]) -> Inputs:
    return build_inputs(served.layout, texts, {spec.name: embed(spec, texts) for spec in served.specs})
