"""How the numbers of a tower follow their gradients: AdamW, as in torch.

`torch.optim` loads torch's compiler at its first use: 1.4 s and 50 MB in every process that fits a tower.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

DECAY = 0.01
MEMORY, MEMORY_OF_SQUARES = 0.9, 0.999
LEAST = 1e-8


class Descent:
    """Takes steps; numbers without a gradient stay where they are.

    Source: I. Loshchilov, F. Hutter, Decoupled weight decay regularization, 2019; the settings are those of torch.
    """

    def __init__(self, numbers: Sequence[torch.Tensor]) -> None:
        self._numbers = [(one, torch.zeros_like(one), torch.zeros_like(one)) for one in numbers]
        self._n_steps = 0

    def forget(self) -> None:
        """Let go of the gradients, so that those of the next step are not added to them."""
        for numbers, _, _ in self._numbers:
            numbers.grad = None

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Follow the gradients that are there."""
        self._n_steps += 1
        unbiased, unbiased_squares = 1 - MEMORY**self._n_steps, 1 - MEMORY_OF_SQUARES**self._n_steps
        for numbers, means, squares in self._numbers:
            gradient = numbers.grad
            if gradient is None:
                continue
            numbers.mul_(1 - rate * DECAY)
            means.lerp_(gradient, 1 - MEMORY)
            squares.mul_(MEMORY_OF_SQUARES).addcmul_(gradient, gradient, value=1 - MEMORY_OF_SQUARES)
            sizes = (squares.sqrt() / unbiased_squares**0.5).add_(LEAST)
            numbers.addcdiv_(means, sizes, value=-rate / unbiased)
