"""Looking over many samples in a process of its own: niced and on one thread, so that nobody waits for a map.

t-SNE holds the interpreter for milliseconds at a time; beside it in one process a round of training took twice as long.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy

from apps.engine.runtime import Deadline
from apps.engine.survey.duplicates import Pairs, near_duplicates
from apps.engine.survey.layout import Layout, lay_out
from apps.engine.survey.vectors import Vectors

HERE_UP_TO = 200
"""So few are laid out in the caller's process, in 0.2 s; another process takes half a second to start."""
SECONDS = 120.0
NICENESS = 10
_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Overview:
    """What lies near what among some samples."""

    layout: Layout
    pairs: Pairs


def look_over(vectors: Vectors, *, at_least: float, seed: int = 0, seconds: float = SECONDS) -> Overview:
    """Return the map and the near-duplicates (cosine `at_least` that) of `(n_samples, k)` unit vectors.

    Raises `subprocess.SubprocessError` if the process it takes dies or is not done after `seconds`.
    """
    if len(vectors) <= HERE_UP_TO:
        return _look_over(vectors, at_least, seed, seconds)
    sent = safetensors.numpy.save(
        {"vectors": np.ascontiguousarray(vectors), "settings": np.array([at_least, seed, seconds])}
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(  # noqa: S603  # this installation's own module, no part comes from outside
        [sys.executable, "-m", __name__],
        input=sent,
        capture_output=True,
        env=environment,
        cwd=_ROOT,
        timeout=seconds,
        check=True,
    )
    got = safetensors.numpy.load(done.stdout)
    return Overview(Layout(got["xy"], got["landmarks"]), Pairs(got["rows"], got["cosines"]))


def _look_over(vectors: Vectors, at_least: float, seed: int, seconds: float) -> Overview:
    deadline = Deadline.after(seconds / 2)
    layout = lay_out(vectors, deadline=deadline, seed=seed)
    return Overview(layout, near_duplicates(vectors, at_least=at_least, deadline=deadline, seed=seed))


def main() -> None:
    """Read vectors from standard input, write the overview to standard output."""
    sent = safetensors.numpy.load(sys.stdin.buffer.read())
    at_least, seed, seconds = (float(value) for value in sent["settings"])
    os.nice(NICENESS)
    signal.alarm(int(seconds) + 1)  # nobody is left to read what comes later
    found = _look_over(sent["vectors"], at_least, int(seed), seconds)
    sys.stdout.buffer.write(
        safetensors.numpy.save(
            {
                "xy": found.layout.xy,
                "landmarks": found.layout.landmarks,
                "rows": found.pairs.rows,
                "cosines": found.pairs.cosines,
            }
        )
    )


if __name__ == "__main__":
    main()
