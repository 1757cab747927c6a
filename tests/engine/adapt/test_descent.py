"""Steps of a tower: those of torch's own AdamW, without what that loads."""

import subprocess
import sys
from pathlib import Path

import torch

from apps.engine.adapt.descent import Descent


def loss_of(numbers: list[torch.Tensor]) -> torch.Tensor:
    return (numbers[0] @ numbers[1] - 1).square().sum() + numbers[0].abs().sum()


def fresh() -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    shapes = ((4, 3), (3, 5), (2,))
    return [torch.randn(shape, generator=random).requires_grad_() for shape in shapes]


def test_steps_are_those_of_torch() -> None:
    ours, theirs = fresh(), fresh()
    descent, reference = Descent(ours), torch.optim.AdamW(theirs, lr=1.0)
    for rate in (0.01, 0.02, 0.005, 0.001):
        descent.forget()
        loss_of(ours).backward()
        descent.step(rate)
        reference.zero_grad()
        loss_of(theirs).backward()
        reference.param_groups[0]["lr"] = rate
        reference.step()
        for mine, torchs in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, torchs, rtol=1e-5, atol=1e-6)
    assert ours[2].tolist() == fresh()[2].tolist()  # nothing depends on it


def test_gradients_are_forgotten_between_steps() -> None:
    numbers = fresh()
    descent = Descent(numbers)
    loss_of(numbers).backward()
    descent.forget()
    assert [one.grad for one in numbers] == [None, None, None]


def test_fitting_a_text_tower_does_not_load_torchs_compiler() -> None:
    code = """
import sys
import numpy as np
from apps.engine import backbones
minilm = backbones.load("minilm", device="cpu")
minilm.fit_towers(["refund please", "where is it", "money back", "it is late"], np.array([0, 1, 0, 1]), [np.array([0])])
assert "torch._dynamo" not in sys.modules
"""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
