"""A GPU that is not there: tensors say that they lie on it, the processor computes with them, and who mixes is told.

What runs on it has every tensor where a real one wants it. Nothing is said of its speed, and of its memory only what a
test makes up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

GPU = torch.device("cuda:0")
aten = torch.ops.aten
MAY_MIX = {aten.copy_.default, aten._to_copy.default}
"""What takes numbers from one device to another."""
TAKES_PLACES_FROM_ANYWHERE = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default}


class _OnGpu(torch.Tensor):
    """Says that it lies on the GPU; `numbers` is where it really lies."""

    numbers: torch.Tensor

    @staticmethod
    def __new__(cls, real: torch.Tensor) -> _OnGpu:
        made: _OnGpu = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]  # torch leaves it untyped
            cls, real.shape, strides=real.stride(), storage_offset=real.storage_offset(), dtype=real.dtype
        )
        made.numbers = real
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})

    @property  # type: ignore[misc]  # what torch itself sees is a tensor of the processor
    def device(self) -> torch.device:
        return GPU

    def cpu(self) -> torch.Tensor:  # type: ignore[override]  # as above: to torch, it is there already
        return self.numbers.clone()

    def numpy(self, *, force: bool = False) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def __float__(self) -> float:
        return float(self.numbers)

    def __bool__(self) -> bool:
        return bool(self.numbers)

    def tolist(self) -> Any:
        return self.numbers.tolist()


class _Pretending(TorchDispatchMode):
    """Lets tensors be made on a GPU that torch does not know of."""

    _mode_key = torch._C._TorchDispatchModeKey.FAKE  # with it, torch does not look for the GPU itself

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _computed(func, args, kwargs or {})


def _computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, torch.Tensor)]
    if func in TAKES_PLACES_FROM_ANYWHERE:
        tensors = [args[0]]
    places = {one.device for one in tensors if one.ndim or one.device == GPU}
    # What torch makes by itself for a gradient follows what it takes for a tensor of the processor.
    is_gradient = torch._C._current_graph_task_id() != -1
    assert len(places) < 2 or func in MAY_MIX or is_gradient, f"{func} mixes {sorted(map(str, places))}"
    asked = kwargs.get("device")
    goes_to = torch.device(asked) if asked is not None else (tensors[0].device if func in MAY_MIX else None)
    is_there = GPU in places if goes_to is None or is_gradient else goes_to.type == "cuda"
    here = {name: value for name, value in kwargs.items() if name != "pin_memory"}
    if asked is not None:
        here["device"] = torch.device("cpu")
    made = func(*tree_map(_real, args), **tree_map(_real, here))
    if func._schema.name.endswith("_") and not func._schema.name.endswith("__"):
        return args[0]
    return tree_map(lambda one: _OnGpu(one) if is_there and isinstance(one, torch.Tensor) else one, made)


def _real(one: Any) -> Any:
    return one.numbers if isinstance(one, _OnGpu) else one


@contextmanager
def pretended(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a GPU with a gigabyte of free memory, of which a pass over a sample takes a megabyte."""
    answers: dict[str, Callable[..., object]] = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "device": nullcontext,
        "is_bf16_supported": lambda **_: True,
        "get_device_name": lambda device: "pretended",
        "mem_get_info": lambda device: (2**30, 2**31),
        "memory_reserved": lambda device: 0,
        "memory_allocated": lambda device: 0,
        "max_memory_allocated": lambda device: 2**20,
        "reset_peak_memory_stats": lambda device: None,
        "synchronize": lambda device: None,
        "empty_cache": lambda: None,
    }
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    monkeypatch.setattr(torch, "inference_mode", torch.no_grad)  # wrapped tensors know no other
    swaps = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)  # a module's weights become others, not other content
    try:
        with _Pretending():
            yield
    finally:
        torch.__future__.set_swap_module_params_on_conversion(swaps)
