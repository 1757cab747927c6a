"""Backbones that are worth pulling, by short names: where they are, and how their makers say they are read.

Nothing is known here of their files: revision and checksums are recorded when one is pulled. That each repository
brings safetensors was looked up in listings of its files and in programs that fetch them; what follows, in its model
card, its configuration files, and the code of the library that reads it.

    dinov2   pictures at 224 pixels, bicubic, colours as ImageNet has them (preprocessor_config.json); the first token
             beside the average of the others is what its authors' linear probe reads
    clip     its main revision has pickles only, and the hub's converter put safetensors on a branch of its own; 224
             pixels and colours of its own, 77 tokens, logits are a hundred times the cosines (their scale is read)
    siglip   224 pixels, colours around 0.5 (preprocessor_config.json); texts in small letters, without punctuation,
             filled up to 64 tokens; the scale of its logits is read as well, their bias is the same for all labels
    bge      the first token, 512 tokens (1_Pooling, model card); an instruction only for questions to a search engine
    e5       the average, 512 tokens, "query: " for "features, such as linear probing classification" (model card)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apps.engine.backbones.registry import Kind, Reading

QUERY = "query: "
"""e5 was taught with it before both of two texts that are compared as equals, and wants it where texts are features."""
TAUGHT_AT = 0.015
"""bge and e5 were taught at a temperature of 0.01 (their model cards), MiniLM at 0.05, and of the latter 0.06 was
measured to be best."""


@dataclass(frozen=True)
class Preset:
    """One backbone of a hub; whatever of its `reading` is left open is read from its own files.

    `revision` is where its safetensors are, empty where the main one has them.
    """

    name: str
    repository: str
    kind: Kind
    reading: Reading
    words: str
    revision: str = ""


_ALL = (
    Preset(
        "dinov2-small",
        "facebook/dinov2-small",
        Kind.PICTURES,
        Reading(pooling=("cls", "mean"), size_px=224),
        "pictures of any kind, 22 million weights",
    ),
    Preset(
        "dinov2-base",
        "facebook/dinov2-base",
        Kind.PICTURES,
        Reading(pooling=("cls", "mean"), size_px=224),
        "pictures of any kind, 87 million weights",
    ),
    Preset(
        "clip-base",
        "openai/clip-vit-base-patch32",
        Kind.PAIR,
        Reading(pooling=("shared",), name_frame="a photo of a {}."),
        "pictures, answers from label names before any label; 151 million weights",
        revision="refs/pr/15",
    ),
    Preset(
        "siglip-base",
        "google/siglip-base-patch16-224",
        Kind.PAIR,
        Reading(pooling=("shared",), name_frame="this is a photo of {}"),
        "pictures, answers from label names before any label; 203 million weights",
    ),
    Preset(
        "bge-small",
        "BAAI/bge-small-en-v1.5",
        Kind.TEXT,
        Reading(pooling=("cls",), max_tokens=512, temperature=TAUGHT_AT),
        "English texts, 33 million weights",
    ),
    Preset(
        "bge-base",
        "BAAI/bge-base-en-v1.5",
        Kind.TEXT,
        Reading(pooling=("cls",), max_tokens=512, temperature=TAUGHT_AT),
        "English texts, 109 million weights",
    ),
    Preset(
        "e5-small",
        "intfloat/e5-small-v2",
        Kind.TEXT,
        Reading(pooling=("mean",), prefix=QUERY, max_tokens=512, temperature=TAUGHT_AT),
        "English texts, 33 million weights",
    ),
    Preset(
        "e5-base",
        "intfloat/e5-base-v2",
        Kind.TEXT,
        Reading(pooling=("mean",), prefix=QUERY, max_tokens=512, temperature=TAUGHT_AT),
        "English texts, 109 million weights",
    ),
    Preset(
        "multilingual-e5-small",
        "intfloat/multilingual-e5-small",
        Kind.TEXT,
        Reading(pooling=("mean",), prefix=QUERY, max_tokens=512, temperature=TAUGHT_AT),
        "texts in a hundred languages, 118 million weights",
    ),
    Preset(
        "multilingual-e5-base",
        "intfloat/multilingual-e5-base",
        Kind.TEXT,
        Reading(pooling=("mean",), prefix=QUERY, max_tokens=512, temperature=TAUGHT_AT),
        "texts in a hundred languages, 278 million weights",
    ),
)
PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in _ALL}
