"""What a reader learned, as it is saved with a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class State:
    """Arrays, and facts that `json` can write."""

    arrays: Mapping[str, npt.NDArray[np.generic]] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)
