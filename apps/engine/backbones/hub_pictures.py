"""Pictures read by a pulled network of transformers or timm; of a pair, texts too, into the same space."""

from __future__ import annotations

import copy
import functools
import os
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from apps.engine import devices
from apps.engine.backbones import Input, token_rows
from apps.engine.backbones.arithmetic import PICTURE_CHOICES, Arithmetic
from apps.engine.backbones.hub_encoder import HubEncoder
from apps.engine.backbones.hub_files import CONFIG, facts_in
from apps.engine.backbones.hub_models import arranged, fitting, number_in, open_timm, open_transformers
from apps.engine.backbones.hub_text import MAX_CHARS, TOKENIZER, open_tokenizer
from apps.engine.backbones.pictures import fill_rgb
from apps.engine.backbones.registry import Kind, Library, Manifest, Reading
from apps.engine.errors import BackboneUnavailable, PullRefused
from apps.engine.runtime import Deadline

POOLINGS = ("cls", "mean", "max", "pooled")
SHARED = "shared"
TEXT_PARTS, PICTURE_PARTS = ("text_model", "text_projection"), ("vision_model", "visual_projection")
"""Of a pair, as CLIP and SigLIP call them; one that calls them otherwise is held whole."""
N_COPIES = {"cpu": 1, "cuda": 8}
"""Of the pictures to measure with: enough to keep the device busy."""
BATCH = {"cpu": (1, 8), "cuda": (8, 128)}
"""Fewest and most pictures in a forward pass; between them, what takes a turn."""
LARGEST_PX = 1_024
USUAL_PX = 224
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
COLDEST, HOTTEST = 0.005, 0.2
"""Temperatures of pairs outside are a mistake in the files: CLIP and SigLIP have 0.01 and 0.0085."""


class _Reader(nn.Module):
    """Bytes `(n, 3, size, size)` in, embeddings of length 1 out."""

    def __init__(self, network: nn.Module, reading: Reading, library: Library, arithmetic: Arithmetic) -> None:
        super().__init__()
        self.network, self.reading, self.library = network, reading, library
        self.dtype = arithmetic.dtype
        self.order = torch.channels_last if arithmetic.is_channels_last else torch.contiguous_format
        self.register_buffer("shift", torch.tensor(reading.mean).view(1, 3, 1, 1) * 255)
        self.register_buffer("scale", 1 / (torch.tensor(reading.std).view(1, 3, 1, 1) * 255))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = (pixels.float() - cast(torch.Tensor, self.shift)) * cast(torch.Tensor, self.scale)
        x = x.to(self.dtype).contiguous(memory_format=self.order)
        parts = [functional.normalize(part.float().flatten(1), dim=1) for part in self.parts(x)]
        joined: torch.Tensor = torch.cat(parts, dim=1) / len(parts) ** 0.5
        return joined

    def parts(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return one `(n, width)` per pooling."""
        network: Any = self.network
        if self.reading.pooling == (SHARED,):
            return [_features(network.get_image_features(pixel_values=x))]
        is_timm = self.library is Library.TIMM
        found = network.forward_features(x) if is_timm else network(pixel_values=x)
        states = found if is_timm else found.last_hidden_state
        n_first = self._n_first(states)
        ways: dict[str, Callable[[], torch.Tensor]] = {
            "pooled": lambda: network.forward_head(found, pre_logits=True) if is_timm else found.pooler_output,
            "cls": lambda: states[:, 0],
            "mean": lambda: _places(states, n_first).mean(dim=1),
            "max": lambda: _places(states, n_first).amax(dim=1),
        }
        return [ways[pooling]() for pooling in self.reading.pooling]

    def _n_first(self, states: torch.Tensor) -> int:
        """Return how many tokens come before those of the places of a picture."""
        if states.ndim != 3:
            return 0
        if self.library is Library.TIMM:
            return int(getattr(self.network, "num_prefix_tokens", 0))
        patch = getattr(cast(Any, self.network).config, "patch_size", 0)
        side = patch if isinstance(patch, int) else next(iter(patch or (0,)))
        n_places = (self.reading.size_px // side) ** 2 if side else states.shape[1]
        return max(0, states.shape[1] - n_places)


class HubPictures(HubEncoder):
    """A pulled picture backbone. Pictures are squeezed to a square."""

    def __init__(
        self, manifest: Manifest, folder: Path, *, device: str | None = None, cache: Path | None = None
    ) -> None:
        network, reading = _opened(manifest, folder)
        super().__init__(manifest, reading, folder, device=device)
        self._names = None
        if manifest.kind is Kind.PAIR:
            texts, network = _half(network, without=PICTURE_PARTS), _half(network, without=TEXT_PARTS)
            self._names = _Names(texts, folder, self.reading, self._device)
        pixels = sample_pixels(self.reading.size_px).repeat(N_COPIES[self._kind], 1, 1, 1).to(self._device)

        @functools.cache
        def reader(arithmetic: Arithmetic) -> _Reader:
            own = arranged(network, arithmetic, device=self._device)
            return _Reader(own, self.reading, manifest.library, arithmetic).to(self._device)

        def embed(arithmetic: Arithmetic) -> torch.Tensor:
            with torch.inference_mode():
                return cast(torch.Tensor, reader(arithmetic)(pixels))

        chosen = self._measure(embed, PICTURE_CHOICES, units=len(pixels), bounds=BATCH, cache=cache)
        self._network = reader(chosen)
        self._n_readers = (os.cpu_count() or 1) if devices.is_gpu(self._device) else 1  # cores that have nothing to do

    def encode(self, inputs: Sequence[Input], *, deadline: Deadline | None = None) -> npt.NDArray[np.float32]:
        """Return `(len(inputs), dim)`, rows of length 1; see `Backbone.encode`."""
        embeddings = np.zeros((len(inputs), self.width), dtype=np.float32)
        size_px = self.reading.size_px

        def run(rows: list[int]) -> torch.Tensor:
            pixels = devices.staging((len(rows), size_px, size_px, 3), torch.uint8, self._device)
            fill_rgb(pixels.numpy(), [inputs[row] for row in rows], n_threads=self._n_readers)
            with self._turn, torch.inference_mode():
                return cast(torch.Tensor, self._network(devices.sent(pixels, self._device).permute(0, 3, 1, 2)))

        for rows, found in devices.in_shrinking_batches([1] * len(inputs), run, self._room, deadline=deadline):
            embeddings[rows] = found.cpu().numpy()
        return np.nan_to_num(embeddings)

    def encode_names(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return `(len(texts), dim)`: texts in the space of the pictures. Raises `TypeError` where it is no pair."""
        if self._names is None:
            raise TypeError("This backbone encodes pictures, not text.")
        with self._turn, torch.inference_mode():
            return self._names.encode(texts)


class _Names:
    """The half of a pair that reads texts, in float32: names of labels are few, and read once."""

    def __init__(self, network: nn.Module, folder: Path, reading: Reading, device: str) -> None:
        self._network: Any = network.to(device)
        self._folder = folder
        self._device, self._frame, self._width = device, reading.name_frame, reading.max_tokens
        self._tokenizer, self._pad = open_tokenizer(folder)
        self._tokenizer.enable_truncation(reading.max_tokens)
        text = _part(facts_in(folder, CONFIG), "text_config")
        # SigLIP was taught with every text filled up to one length, and looks at the filling too; and with plain words,
        # which not every tokenizer that comes with one makes of a text.
        self._is_siglip = str(text.get("model_type", "")).startswith("siglip")

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        found = [np.zeros((0, 1), dtype=np.float32)]
        for start in range(0, len(texts), 64):
            framed = [self._framed(text) for text in texts[start : start + 64]]
            with fitting(self._folder, TOKENIZER):
                rows = [encoding.ids for encoding in self._tokenizer.encode_batch(framed)]
            ids, is_token = token_rows.padded(rows, pad=self._pad, length=self._width if self._is_siglip else 0)
            mask = {} if self._is_siglip else {"attention_mask": is_token.long().to(self._device)}
            features = _features(self._network.get_text_features(input_ids=ids.to(self._device), **mask))
            found.append(functional.normalize(features.float(), dim=1).cpu().numpy())
        return np.concatenate(found[1:] or found)

    def _framed(self, text: str) -> str:
        framed = self._frame.replace("{}", text[:MAX_CHARS].encode("utf-8", "replace").decode())
        return _plain_words(framed) if self._is_siglip else framed


def _plain_words(text: str) -> str:
    """As SigLIP's authors bring prompts into one form: small letters, no punctuation, one space between words."""
    return " ".join(text.lower().translate(_NO_PUNCTUATION).split())


def _half(network: nn.Module, *, without: tuple[str, ...]) -> nn.Module:
    """Return the network without its other half, sharing what is left: a copy need not hold what it never runs."""
    half = copy.copy(network)
    half._modules = {name: part for name, part in network._modules.items() if name not in without}
    return half


def _opened(manifest: Manifest, folder: Path) -> tuple[nn.Module, Reading]:
    reading = manifest.reading
    if manifest.library is Library.TIMM:
        network = open_timm(folder, size_px=reading.size_px)
        return network, _completed(reading, folder, Library.TIMM, ("pooled",))
    network = open_transformers(folder)
    if manifest.kind is Kind.PAIR:
        return network, _completed_pair(_completed(reading, folder, Library.TRANSFORMERS, (SHARED,)), folder, network)
    completed = _completed(reading, folder, Library.TRANSFORMERS, ("mean",))
    if not reading.pooling and _has_first_token(network, completed):
        completed = replace(completed, pooling=("cls", "mean"))
    return network, completed


def _completed(reading: Reading, folder: Path, library: Library, pooling: tuple[str, ...]) -> Reading:
    """Return how to read pictures, what was left open filled in from a model's files. Raises `PullRefused`."""
    config, prepared = facts_in(folder, CONFIG), facts_in(folder, "preprocessor_config.json")
    taught = _part(config, "pretrained_cfg") if library is Library.TIMM else prepared
    mean = reading.mean or _three(taught.get("mean", taught.get("image_mean"))) or IMAGENET[0]
    std = reading.std or _three(taught.get("std", taught.get("image_std"))) or IMAGENET[1]
    size_px = reading.size_px or _size_in(config, prepared, taught)
    if not 1 <= size_px <= LARGEST_PX:
        raise PullRefused(f"Pictures of {size_px} pixels are larger than what is read, {LARGEST_PX}.")
    pooling = reading.pooling or pooling
    if unknown := set(pooling) - {*POOLINGS, *([SHARED] if pooling == (SHARED,) else [])}:
        raise PullRefused(f"Pictures are not pooled by {unknown.pop()}; there are {', '.join(POOLINGS)}.")
    if min(std) <= 0:
        raise PullRefused("The files say that colours do not differ at all.")
    return replace(reading, pooling=pooling, size_px=size_px, mean=mean, std=std)


def _completed_pair(reading: Reading, folder: Path, network: nn.Module) -> Reading:
    text = _part(facts_in(folder, CONFIG), "text_config")
    known: Any = getattr(cast(Any, network).config, "text_config", None)
    most = number_in(text, "max_position_embeddings") or int(getattr(known, "max_position_embeddings", 0) or 77)
    scale = getattr(network, "logit_scale", None)
    told = float(torch.exp(-scale.detach().float()).item()) if isinstance(scale, torch.Tensor) else 0.0
    temperature = reading.temperature or (told if COLDEST <= told <= HOTTEST else 0.01)
    return replace(reading, max_tokens=min(reading.max_tokens or most, most), temperature=temperature)


def _size_in(config: Mapping[str, object], prepared: Mapping[str, object], taught: Mapping[str, object]) -> int:
    for said in (
        prepared.get("crop_size"),
        prepared.get("size"),
        taught.get("input_size"),
        config.get("image_size"),
        _part(config, "vision_config").get("image_size"),
    ):
        if isinstance(said, dict):
            said = said.get("height") or said.get("shortest_edge")
        if isinstance(said, list | tuple) and said:
            said = said[-1]
        if isinstance(said, int) and said > 0:
            return said
    return USUAL_PX


def _has_first_token(network: nn.Module, reading: Reading) -> bool:
    reader = _Reader(network, reading, Library.TRANSFORMERS, Arithmetic())
    try:
        with torch.inference_mode():
            states = cast(Any, network)(pixel_values=torch.zeros(1, 3, reading.size_px, reading.size_px))
            return reader._n_first(states.last_hidden_state) > 0
    except (RuntimeError, ValueError, AttributeError, TypeError) as error:
        raise BackboneUnavailable(f"It does not read pictures of {reading.size_px} pixels: {error}") from error


def _places(states: torch.Tensor, n_first: int) -> torch.Tensor:
    """Return `(n, places, width)`, whether they were rows already or lie in a plane, channels first."""
    return states[:, n_first:] if states.ndim == 3 else states.flatten(2).transpose(1, 2)


def _features(found: object) -> torch.Tensor:
    """Transformers hands out the vectors themselves, or what they were made from with them."""
    return cast(torch.Tensor, found if isinstance(found, torch.Tensor) else getattr(found, "pooler_output", None))


def _part(facts: Mapping[str, object], key: str) -> Mapping[str, object]:
    part = facts.get(key)
    return part if isinstance(part, dict) else {}


def _three(values: object) -> tuple[float, ...]:
    if not isinstance(values, list | tuple) or len(values) != 3:
        return ()
    return tuple(float(value) for value in values if isinstance(value, int | float))


def sample_pixels(size_px: int) -> torch.Tensor:
    """Return four made-up pictures, smooth as photographs are, to measure arithmetic with."""
    noise = torch.rand((4, 3, 7, 7), generator=torch.Generator().manual_seed(0))
    smooth = functional.interpolate(noise, size=(size_px, size_px), mode="bicubic")
    return smooth.clamp(0, 1).mul(255).to(torch.uint8)
