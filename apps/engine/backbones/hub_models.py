"""Pulled files become networks: by transformers or timm, from safetensors, offline, and without foreign code."""

from __future__ import annotations

import copy
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError
from torch import nn

from apps.engine import devices
from apps.engine.backbones.arithmetic import Arithmetic
from apps.engine.backbones.cure import cure_torchvision
from apps.engine.backbones.hub_files import CONFIG, WEIGHTS, facts_in
from apps.engine.errors import BackboneUnavailable

TURN_SECONDS = 0.2
"""A batch takes about so long, so that a short call between those of a long one does not wait."""
_UNUSED_ENDS = ("position_ids", "logit_bias")
_MET = (
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    TypeError,
    AttributeError,
    ImportError,
    AssertionError,
    SafetensorError,
)
"""What the libraries raise for files that do not fit is not listed anywhere: these were met."""
_PANICS = "pyo3_runtime"
"""Where the type of a panic in Rust says that it lives. It cannot be imported, and it is no `Exception`."""


def go_offline() -> None:
    """Keep the hub's library, and what uses it, from asking the network for anything in this process.

    It looks at its own switch at each request, and at the environment only when it is imported.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    if "huggingface_hub" in sys.modules:
        from huggingface_hub import constants

        constants.HF_HUB_OFFLINE = True


def open_transformers(folder: Path) -> nn.Module:
    """Return the network of a folder in float32, for reading only. Raises `BackboneUnavailable`."""
    go_offline()
    cure_torchvision()
    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()

    with fitting(folder):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        if getattr(config, "is_encoder_decoder", False):
            raise ValueError("it writes texts, it is not an encoder")
        network, info = AutoModel.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    missing = map(str, info["missing_keys"])
    lacking = sorted(name for name in missing if "pooler" not in name and not name.endswith(_UNUSED_ENDS))
    if lacking:
        raise BackboneUnavailable(f"The weights in {folder} are not whole: {lacking[0]} is missing.")
    return cast(nn.Module, network).eval().requires_grad_(False)


def open_timm(folder: Path, *, size_px: int = 0) -> nn.Module:
    """Return timm's network of a folder, without its classifier. Raises `BackboneUnavailable`.

    Every weight must be there and fit. `size_px` reads pictures of another size than the network was taught with, where
    it can.
    """
    go_offline()
    cure_torchvision()
    import timm

    facts = facts_in(folder, CONFIG)
    architecture, taught = str(facts.get("architecture")), facts.get("pretrained_cfg")
    arguments = facts.get("model_args") or {}
    if not timm.is_model(architecture) or not isinstance(taught, dict) or not isinstance(arguments, dict):
        raise BackboneUnavailable(f"{folder / CONFIG} does not name a model that the installed timm knows.")
    known = ("input_size", "mean", "std", "first_conv", "classifier")
    source = {key: taught[key] for key in known if key in taught}
    n_classes = facts.get("num_classes", taught.get("num_classes", 1000))
    # Its own loader, because it knows how to bring older weights into today's form; from this file and nowhere else.
    source |= {"architecture": architecture, "num_classes": n_classes, "file": str(folder / WEIGHTS)}
    arguments = {key: value for key, value in arguments.items() if key not in {"num_classes", "in_chans"}}
    if size_px:
        arguments["img_size"] = size_px

    with fitting(folder):
        network = timm.create_model(
            architecture, pretrained=True, pretrained_cfg=source, num_classes=n_classes, **arguments
        )
        network.reset_classifier(0)
    return cast(nn.Module, network).eval().requires_grad_(False)


@contextmanager
def fitting(folder: Path, part: str = "model") -> Iterator[None]:
    """Turn what the libraries raise for files that do not fit into `BackboneUnavailable`."""
    try:
        yield
    except BaseException as error:
        if not _is_met(error):
            raise
        first_line = str(error).strip().partition("\n")[0][:300]
        reason = f": {first_line}" if first_line else " by the installed libraries."
        raise BackboneUnavailable(f"The {part} in {folder} cannot be read{reason}") from error


def _is_met(error: BaseException) -> bool:
    """Whether an error speaks of the files.

    tokenizers raises `Exception` itself, nothing narrower, for a file it cannot make sense of and for a text that file
    has no answer to, and panics where a file contradicts itself: when it is opened, or at the first text.
    """
    return isinstance(error, _MET) or type(error) is Exception or type(error).__module__ == _PANICS


def arranged(network: nn.Module, arithmetic: Arithmetic, device: str) -> nn.Module:
    """Return the network in an arithmetic, on a device; a copy unless nothing changes, as rounded weights stay so."""
    if arithmetic.dtype is torch.float32 and not arithmetic.is_channels_last and device == "cpu":
        return network
    own = copy.deepcopy(network).to(device=device, dtype=arithmetic.dtype)
    if arithmetic.is_channels_last:
        for parameter in own.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return own


def room_for(
    run: Callable[[], object], *, units: int, least: int, most: int, device: str, most_rows: int | None = None
) -> devices.Room:
    """Return the room for batches of `TURN_SECONDS`, on a GPU of what fits as well; `run` does `units`."""
    run()
    devices.finish(device)
    started = time.perf_counter()
    run()
    devices.finish(device)
    seconds = max(time.perf_counter() - started, 1e-6)
    in_a_turn = min(max(int(units * TURN_SECONDS / seconds), least), most)
    return devices.room_on(device, most=in_a_turn, most_rows=most_rows, sample=run, n_items=units)


def number_in(facts: Mapping[str, object], *keys: str) -> int:
    """Return the first whole number above 0 under these keys, 0 where there is none."""
    for key in keys:
        value = facts.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return 0
