"""How much of what is nearest a search finds, and how quickly, among a thousand samples and a hundred thousand.

Texts of the public sets as MiniLM reads them; where more are wanted than there are, mixtures of two of them with a
little noise, which lie as close together as texts do. What is asked for are texts that are not among them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from apps.engine import backbones, datasets
from apps.engine.retrieval import Nearest, Rows, joined, shortened, unit
from apps.engine.runtime import one_thread
from apps.engine.types import IntArray, Modality

Halves = npt.NDArray[np.float16]
N_ASKED, N_FOUND = 200, 10
N_TEXTS_PER_SET = 1_000
NOISE = 0.015
ROWS_AT_ONCE = 5_000


def measure_search(folders: Sequence[Path], sizes: Sequence[int]) -> Iterator[dict[str, object]]:
    """Yield recall and milliseconds for each number of samples."""
    random = np.random.default_rng(0)
    read = random.permutation(_texts_read(folders))
    asked, texts = read[:N_ASKED], read[N_ASKED:]
    with one_thread():
        for n in sizes:
            yield _measure(_filled(texts, n, random), asked)


def _texts_read(folders: Sequence[Path]) -> Rows:
    texts: list[str] = []
    for folder in folders:
        data = datasets.read(folder)
        if data.modality is Modality.TEXT:
            texts += [str(text) for text in data.train.inputs[:N_TEXTS_PER_SET]]
    backbone = backbones.load(backbones.MINILM.name, device="cpu")
    return joined({backbones.MINILM.name: backbone.encode(list(dict.fromkeys(texts)))})


def _filled(texts: Rows, n: int, random: np.random.Generator) -> Halves:
    rows = np.empty((n, texts.shape[1]), dtype=np.float16)
    n_real = min(n, len(texts))
    rows[:n_real] = texts[:n_real]
    for start in range(n_real, n, ROWS_AT_ONCE):
        size = min(ROWS_AT_ONCE, n - start)
        one, other = (texts[random.integers(0, len(texts), size)] for _ in range(2))
        share = random.uniform(0.3, 1.0, (size, 1)).astype(np.float32)
        noise = random.normal(0, NOISE, (size, texts.shape[1])).astype(np.float32)
        rows[start : start + size] = unit(share * one + (1 - share) * other + noise)
    return rows


def _measure(rows: Halves, asked: Rows) -> dict[str, object]:
    started = time.perf_counter()
    short = shortened(rows)
    made_s = time.perf_counter() - started
    nearest = Nearest(rows, short)
    milliseconds, n_hits = [], 0
    truth = _truth(rows, asked)
    for vector, true_rows in zip(asked, truth, strict=True):
        started = time.perf_counter()
        found, _cosines = nearest.find(vector, N_FOUND)
        milliseconds.append(1000 * (time.perf_counter() - started))
        n_hits += len(set(found.tolist()) & set(true_rows.tolist()))
    return {
        "n_samples": len(rows),
        "recall_at_10": round(n_hits / truth.size, 4),
        "ms_p50": round(float(np.median(milliseconds)), 2),
        "ms_p95": round(float(np.percentile(milliseconds, 95)), 2),
        "made_s": round(made_s, 2),
        "memory_mb": round(nearest.n_bytes / 1e6, 1),
    }


def _truth(rows: Halves, asked: Rows) -> IntArray:
    """Return the rows that are nearest by comparing all, `(n_asked, N_FOUND)`."""
    n_found = min(N_FOUND, len(rows))
    cosines = np.empty((len(asked), len(rows)), dtype=np.float32)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE].astype(np.float32)
        cosines[:, start : start + len(part)] = asked @ part.T
    return np.argsort(-cosines, axis=1)[:, :n_found].astype(np.int64)
