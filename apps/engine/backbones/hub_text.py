"""Texts read by a pulled transformer: pooled as its makers did, long texts in parts, short ones beside short ones."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch import nn

from apps.engine import devices
from apps.engine.backbones import Input, token_rows
from apps.engine.backbones.arithmetic import TEXT_CHOICES, Arithmetic
from apps.engine.backbones.hub_encoder import HubEncoder
from apps.engine.backbones.hub_files import CONFIG, POOLING, facts_in
from apps.engine.backbones.hub_models import arranged, fitting, go_offline, number_in, open_transformers
from apps.engine.backbones.registry import Manifest, Reading
from apps.engine.errors import PullRefused
from apps.engine.runtime import Deadline

MAX_TOKENS = 512
"""Read at once at most, though a model may know more: what a pass needs grows with the square."""
MAX_PARTS = 4
"""Parts read of one text, spread evenly over it: a book costs what a page does."""
MAX_CHARS = 20_000
"""The rest of a text is not looked at."""
MAX_ROWS = {"cpu": 512, "cuda": 8_192}
BATCH_TOKENS = {"cpu": (256, 1_024), "cuda": (8_192, 65_536)}
"""Fewest and most tokens in a forward pass, padding included; between them, what takes a turn."""
N_COPIES = {"cpu": 1, "cuda": 32}
"""Of the samples to measure with: enough to keep the device busy."""
POOLINGS = ("mean", "max", "cls", "last")
TOKENIZER = "tokenizer"
"""What is said to be unreadable where it is not the network."""
_FROM_TWO = {"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl", "longformer", "data2vec-text", "ibert"}
"""Their first place in a text has the number 2, so that two of the places they know are never used."""
SAMPLES = (
    "Where is my parcel? It was due on Monday.",
    "I want my money back",
    "the weather is lovely",
    "Please change the address of my order before it leaves, and tell me what that costs.",
)


class HubText(HubEncoder):
    """A pulled text backbone."""

    def __init__(
        self, manifest: Manifest, folder: Path, *, device: str | None = None, cache: Path | None = None
    ) -> None:
        super().__init__(manifest, completed(manifest.reading, folder), folder, device=device)
        network = open_transformers(folder)
        self._tokenizer, self._pad = open_tokenizer(folder)
        with fitting(folder, TOKENIZER):
            self._prefix_length = len(self._tokenizer.encode(self.reading.prefix, add_special_tokens=False).ids)
            marks = self._tokenizer.encode("a").special_tokens_mask
        self._n_head, self._n_tail = _leading(marks), _leading(marks[::-1])
        parts, _owners = self._parts(SAMPLES)
        ids, is_token = token_rows.padded(parts, pad=self._pad)
        n_copies = N_COPIES[self._kind]
        ids, is_token = ids.repeat(n_copies, 1).to(self._device), is_token.repeat(n_copies, 1).to(self._device)
        networks = functools.cache(functools.partial(arranged, network, device=self._device))

        def embed(arithmetic: Arithmetic) -> torch.Tensor:
            with torch.inference_mode():
                return torch.cat(self._pooled(networks(arithmetic), ids, is_token), dim=1)

        chosen = self._measure(
            embed, TEXT_CHOICES, units=ids.numel(), bounds=BATCH_TOKENS, most_rows=MAX_ROWS, cache=cache
        )
        self._network = networks(chosen)

    def encode(self, inputs: Sequence[Input], *, deadline: Deadline | None = None) -> npt.NDArray[np.float32]:
        """Return `(len(inputs), dim)`, rows of length 1; see `Backbone.encode`."""
        if not inputs:
            return np.zeros((0, self.width), dtype=np.float32)
        parts, owners = self._parts(inputs)
        together: list[npt.NDArray[np.float32]] = []

        def run(rows: list[int]) -> list[torch.Tensor]:
            ids, is_token = token_rows.padded([parts[row] for row in rows], pad=self._pad)
            with self._turn, torch.inference_mode():
                return self._pooled(self._network, ids.to(self._device), is_token.to(self._device))

        n_tokens = [max(1, len(part)) for part in parts]
        for rows, found in devices.in_shrinking_batches(n_tokens, run, self._room, deadline=deadline):
            if not together:
                together = [np.empty((len(parts), part.shape[1]), dtype=np.float32) for part in found]
            for whole, part in zip(together, found, strict=True):
                whole[rows] = part.cpu().numpy()
        if len(parts) > len(inputs):
            lengths = np.array([len(part) for part in parts])
            together = [token_rows.put_together(part, owners, lengths) for part in together]
        return np.nan_to_num(token_rows.joined(together))

    def _parts(self, inputs: Sequence[Input]) -> tuple[list[Sequence[int]], npt.NDArray[np.intp]]:
        return token_rows.in_parts(
            self._tokens(inputs),
            n_head=self._n_head + self._prefix_length,
            n_tail=self._n_tail,
            max_tokens=self.reading.max_tokens,
            max_parts=MAX_PARTS,
        )

    def _tokens(self, inputs: Sequence[Input]) -> list[list[int]]:
        texts = []
        for text in inputs:
            if not isinstance(text, str):
                raise TypeError("This backbone encodes text, not pictures.")
            # The tokenizer refuses halves of surrogate pairs, which JSON can carry.
            texts.append(self.reading.prefix + text[:MAX_CHARS].encode("utf-8", "replace").decode())
        with fitting(self._folder, TOKENIZER):
            return [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]

    def _pooled(self, network: nn.Module, ids: torch.Tensor, is_token: torch.Tensor) -> list[torch.Tensor]:
        """Return one `(n, width)` per pooling, float32."""
        states = network(input_ids=ids, attention_mask=is_token.long()).last_hidden_state.float()
        mask = is_token[:, :, None]
        counts = mask.sum(dim=1)
        last = (is_token.long().cumsum(dim=1).argmax(dim=1))[:, None, None].expand(-1, 1, states.shape[2])
        ways = {
            "mean": lambda: states.masked_fill(~mask, 0.0).sum(dim=1) / counts,
            "max": lambda: states.masked_fill(~mask, float("-inf")).amax(dim=1),
            "cls": lambda: states[:, 0],
            "last": lambda: states.gather(1, last)[:, 0],
        }
        return [ways[pooling]() for pooling in self.reading.pooling]


def completed(reading: Reading, folder: Path) -> Reading:
    """Return how to read texts, what was left open filled in from a model's files. Raises `PullRefused`."""
    pooling = reading.pooling or _pooling_in(folder)
    if unknown := set(pooling) - set(POOLINGS):
        raise PullRefused(f"Texts are not pooled by {unknown.pop()}; there are {', '.join(POOLINGS)}.")
    config = facts_in(folder, CONFIG)
    places = number_in(config, "max_position_embeddings", "n_positions")
    if config.get("model_type") in _FROM_TWO:
        places -= 2
    taught = number_in(facts_in(folder, "sentence_bert_config.json"), "max_seq_length")
    known = [number for number in (places, reading.max_tokens or taught, MAX_TOKENS) if number > 0]
    return replace(reading, pooling=pooling, max_tokens=min(known))


def _pooling_in(folder: Path) -> tuple[str, ...]:
    """As Sentence Transformers write it down; without a word, averages."""
    facts = facts_in(folder, POOLING)
    said = {
        "mean": "pooling_mode_mean_tokens",
        "cls": "pooling_mode_cls_token",
        "max": "pooling_mode_max_tokens",
        "last": "pooling_mode_lasttoken",
    }
    return tuple(name for name, key in said.items() if facts.get(key) is True) or ("mean",)


def open_tokenizer(folder: Path) -> tuple[Tokenizer, int]:
    """Return what cuts texts into tokens, and what a short row is filled up with. Raises `BackboneUnavailable`."""
    with fitting(folder, TOKENIZER):
        tokenizer = _tokenizer_of(folder)
    padding = tokenizer.padding or {}
    named = facts_in(folder, "tokenizer_config.json").get("pad_token") or padding.get("pad_token") or "[PAD]"
    name = named.get("content") if isinstance(named, dict) else named
    pad = tokenizer.token_to_id(str(name))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer, number_in(facts_in(folder, CONFIG), "pad_token_id") if pad is None else pad


def _tokenizer_of(folder: Path) -> Tokenizer:
    file = folder / "tokenizer.json"
    if file.is_file():
        return Tokenizer.from_file(str(file))
    go_offline()
    from transformers import AutoTokenizer  # makes one of a list of words, as older models bring it

    made: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return Tokenizer.from_str(made.backend_tokenizer.to_str())


def _leading(marks: Sequence[int]) -> int:
    """Return how many of them are set before the first that is not."""
    return marks.index(0) if 0 in marks else 0
