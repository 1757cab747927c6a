"""Which files of a hub's repository, or of a folder, are taken, and what they must not ask for.

By a list of what is known, never by a list of what is bad: weights as safetensors, configurations, tokenizers. Pickled
weights are neither fetched nor opened, and code is never run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from apps.engine.errors import PullRefused

CONFIG, POOLING = "config.json", "1_Pooling/config.json"
INDEX, WEIGHTS = "model.safetensors.index.json", "model.safetensors"
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_PLAIN = {
    CONFIG,
    POOLING,
    INDEX,
    WEIGHTS,
    "preprocessor_config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
}
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
MAX_BYTES = 5_000_000_000
"""Of all files together, unless the operator says otherwise."""
MAX_SMALL_BYTES = 64_000_000
"""Of a file that is not weights: the largest tokenizers have 35 million bytes."""
_ASKS_FOR_CODE = {"auto_map", "custom_pipelines"}
_ASKS_FOR_MORE = {"quantization_config": "quantized weights", "use_pretrained_backbone": "the weights of another model"}


def taken(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of a repository's files that are taken, in their order."""
    return tuple(sorted(name for name in names if name in _PLAIN or _SHARD.fullmatch(name)))


def is_weights(name: str) -> bool:
    """Whether a file that is taken holds weights."""
    return name.endswith(".safetensors")


def checked_selection(source: str, sizes: Mapping[str, int], *, max_bytes: int = MAX_BYTES) -> tuple[str, ...]:
    """Return the files to take, by the names and sizes of all there are. Raises `PullRefused`."""
    names = taken(sizes)
    if CONFIG not in names:
        raise PullRefused(f"{source} has no {CONFIG}, so it is not a model of transformers or timm.")
    if not any(map(is_weights, names)):
        pickled = next((name for name in sorted(sizes) if name.endswith(_PICKLES)), None)
        why = f", only {pickled}, which could run code when it is opened and never is" if pickled else ""
        raise PullRefused(f"{source} has no weights as safetensors{why}. Look for a revision that has them.")
    for name in names:
        if not is_weights(name) and sizes[name] > MAX_SMALL_BYTES:
            raise PullRefused(f"{name} of {source} has {sizes[name]:,} bytes; {MAX_SMALL_BYTES:,} at most are taken.")
    total = sum(sizes[name] for name in names)
    if total > max_bytes:
        raise PullRefused(
            f"{source} has {total / 1e9:.1f} GB; at most {max_bytes / 1e9:.1f} GB are taken. Allow more with --max-gb."
        )
    return names


def check_contents(source: str, folder: Path, names: Iterable[str]) -> None:
    """Look into the small files before any library does. Raises `PullRefused` for what they must not ask for."""
    names = tuple(names)
    for name in names:
        if name.endswith(".json") and not name.startswith(("vocab", "added_tokens")):
            _check_requests(source, name, read_json(folder / name))
    if INDEX in names:
        index = read_json(folder / INDEX)
        shards = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(shards, dict) or not set(map(str, shards.values())) <= set(names):
            raise PullRefused(f"{INDEX} of {source} names weights that are not there.")


def read_json(path: Path) -> object:
    """Return what a small JSON file says. Raises `PullRefused`."""
    if path.stat().st_size > MAX_SMALL_BYTES:
        raise PullRefused(f"{path.name} is too large.")
    try:
        found: object = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise PullRefused(f"{path.name} cannot be read: {error}.") from error
    return found


def facts_in(folder: Path, name: str) -> dict[str, object]:
    """Return the facts of a JSON file, none where it is not there. Raises `PullRefused` if it holds anything else."""
    if not (folder / name).is_file():
        return {}
    facts = read_json(folder / name)
    if not isinstance(facts, dict):
        raise PullRefused(f"{name} does not hold facts by name.")
    return facts


def _check_requests(source: str, name: str, facts: object) -> None:
    """Look at every fact, however deep: a part of a model may ask as well as the whole."""
    waiting = [facts]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += [each for each in found if isinstance(each, dict | list)]
        if not isinstance(found, dict):
            continue
        for key, value in found.items():
            if key in _ASKS_FOR_CODE and value:
                raise PullRefused(
                    f"{name} of {source} asks to run code of its own ({key}). Such models are refused: "
                    "choose one that transformers or timm can read by itself."
                )
            if key in _ASKS_FOR_MORE and value:
                raise PullRefused(f"{name} of {source} asks for {_ASKS_FOR_MORE[key]} ({key}), which is not supported.")
            if "attn_implementation" in key and isinstance(value, str) and "/" in value:
                raise PullRefused(f"{name} of {source} asks for compiled code from a hub ({key}), which is refused.")
            if isinstance(value, dict | list):
                waiting.append(value)
