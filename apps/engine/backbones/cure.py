"""Makes `import timm` possible beside a torch for which torchvision's compiled operators were not built.

torch's CPU wheel and torchvision's default wheel install together, but then torchvision's extension cannot load, and
whatever imports torchvision (timm and transformers do) fails with "operator torchvision::nms does not exist". Nothing
here uses those operators: it is enough that they are declared.
"""

from __future__ import annotations

import importlib.util
import threading
from functools import cache
from pathlib import Path

import torch

_lock = threading.Lock()


def cure_torchvision() -> None:
    """Declare torchvision's missing operators. Call before the first import of timm or transformers.

    Where the extension loads, nothing is declared: it declares its own.
    """
    with _lock:
        _declare_if_missing()


@cache
def _declare_if_missing() -> torch.library.Library | None:
    """Return the declarations, which live as long as the object does; `cache` keeps it for the life of the process."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return None
    try:
        torch.ops.load_library(str(Path(found.origin).parent / "_C.so"))  # type: ignore[no-untyped-call]  # torch leaves it untyped
    except OSError:
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]  # as above
        for name in ("nms", "qnms"):
            schema = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(schema)  # type: ignore[no-untyped-call]  # as above
        return library
    return None
