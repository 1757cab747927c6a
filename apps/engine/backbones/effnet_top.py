"""The top of EfficientNet-Lite0, from the middle of its sixth stage on: what may learn from a function's pictures.

The cut lies behind the depthwise convolution that halves the sixth stage's maps: what is above it is 40 % of the
network's arithmetic, but none of the convolutions that are slow to go back through, and on 7 by 7 places a convolution
with a 1 by 1 kernel is one product of matrices. These products learn; the small depthwise convolutions between them do
not (their gradients take longer than all the others).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import nn
from torch.nn import functional

SIDE = 7
N_PLACES = SIDE * SIDE
N_LOWER = 672
"""Maps that the lower layers hand up."""


@dataclass(frozen=True)
class Kernels:
    """A depthwise convolution; it learns nothing."""

    weight: torch.Tensor
    bias: torch.Tensor
    padding: int

    def to(self, dtype: torch.dtype) -> Kernels:
        """Return the same in another number format."""
        return Kernels(self.weight.to(dtype), self.bias.to(dtype), self.padding)

    def over(self, x: torch.Tensor) -> torch.Tensor:
        """Return it applied to `(n * 49, n_maps)`."""
        n_maps = x.shape[1]
        maps = x.view(-1, SIDE, SIDE, n_maps).permute(0, 3, 1, 2)
        found = functional.conv2d(maps, self.weight, self.bias, padding=self.padding, groups=n_maps)
        return functional.hardtanh_(found, 0.0, 6.0).permute(0, 2, 3, 1).reshape(-1, n_maps)


@dataclass(frozen=True)
class Top:
    """The top layers, loaded: the backbone's own, a function's, or such as are learning.

    Parameters
    ----------
    matrices, biases
        Of the convolutions with a 1 by 1 kernel, in the order they are applied: `(n_in, n_out)` and `(n_out,)`.
    kernels
        The depthwise convolutions between them, which all tops share.
    """

    matrices: tuple[torch.Tensor, ...]
    biases: tuple[torch.Tensor, ...]
    kernels: tuple[Kernels, ...]

    @property
    def n_bytes(self) -> int:
        """Memory it takes beyond what it shares."""
        return sum(tensor.nbytes for tensor in (*self.matrices, *self.biases))

    def cast(self, dtype: torch.dtype) -> Top:
        """Return the same with its own weights in another number format; gradients go back to these."""
        return replace(
            self,
            matrices=tuple(one.to(dtype) for one in self.matrices),
            biases=tuple(one.to(dtype) for one in self.biases),
        )

    def embed(self, states: torch.Tensor, maxima: torch.Tensor) -> torch.Tensor:
        """Return embeddings `(n, 1776)`, float32, of what the lower layers made of pictures.

        Parameters
        ----------
        states
            `(n, 49, 672)`, in the number format of the weights.
        maxima
            `(n, 112)`, float32: the highest values of the fifth stage.
        """
        sixth, last = self.maps(states)
        return joined([roots_of_means(last), sixth.mean(1), sixth.amax(1), maxima])

    def maps(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the maps of the sixth stage and the last ones, `(n, 49, n_maps)`, float32."""
        layers = iter(zip(self.matrices, self.biases, strict=True))

        def product(x: torch.Tensor) -> torch.Tensor:
            weights, bias = next(layers)
            return torch.addmm(bias, x, weights)

        def wide(x: torch.Tensor) -> torch.Tensor:
            return functional.hardtanh_(product(x), 0.0, 6.0)

        *of_sixth, of_seventh = self.kernels
        x = product(states.reshape(-1, N_LOWER))
        for kernels in of_sixth:
            x = x + product(kernels.over(wide(x)))
        last = wide(product(of_seventh.over(wide(x))))
        shape = len(states), N_PLACES, -1
        return x.float().view(shape), last.float().view(shape)


def top_of(network: nn.Module) -> Top:
    """Return the top of timm's network, its batch norms folded into its convolutions."""
    blocks = cast(nn.Sequential, network.get_submodule("blocks"))
    first, *others = cast(nn.Sequential, blocks[5])
    others += list(cast(nn.Sequential, blocks[6]))
    products = [first.get_submodule("conv_pwl")]
    for block in others:
        products += [block.get_submodule("conv_pw"), block.get_submodule("conv_pwl")]
    products.append(network.get_submodule("conv_head"))
    convolutions = [cast(nn.Conv2d, module) for module in products]
    depthwise = [cast(nn.Conv2d, block.get_submodule("conv_dw")) for block in others]
    return Top(
        tuple(one.weight.detach()[:, :, 0, 0].t().contiguous() for one in convolutions),
        tuple(_bias(one) for one in convolutions),
        tuple(Kernels(one.weight.detach(), _bias(one), one.kernel_size[0] // 2) for one in depthwise),
    )


def ready(top: Top, dtype: torch.dtype, *, shared: Top | None = None) -> Top:
    """Return a top to encode with, in a number format; the depthwise convolutions are those of `shared`, if given."""
    kernels = tuple(one.to(dtype) for one in top.kernels) if shared is None else shared.kernels
    return replace(top.cast(dtype), kernels=kernels)


def roots_of_means(maps: torch.Tensor) -> torch.Tensor:
    """Return the square roots of the averages of maps that are never below 0."""
    return maps.mean(1).clamp_min(1e-12).sqrt()


def joined(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the parts side by side, each brought to the same length, together to 1."""
    units = torch.cat([functional.normalize(part, dim=1) for part in parts], dim=1)
    return units / math.sqrt(len(parts))


def _bias(convolution: nn.Conv2d) -> torch.Tensor:
    return cast(torch.Tensor, convolution.bias).detach()
