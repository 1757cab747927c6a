"""Finding the samples most like one: the space in which they are compared, and looking through it quickly.

Cosines of unit vectors, always exact: among very many, a first look through short forms of all vectors picks
candidates, and those are compared as a whole. Nothing here depends on the order or number of the samples.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from types import ModuleType

import numpy as np
import numpy.typing as npt

from apps.engine.matrices import dense
from apps.engine.readers.table import TableReader
from apps.engine.types import FloatArray, Inputs, IntArray, TrainingData

Rows = npt.NDArray[np.float32]
Stored = npt.NDArray[np.floating]

PARTS: Mapping[str, tuple[tuple[int, int, float], ...]] = {"minilm": ((0, 384, 3.0), (384, 768, 1.0))}
"""Which numbers of an embedding count, and how much. Share of the 10 nearest with the sample's own label, 1,000 texts
each of clinc20, snips7, medical_abstracts and sms_spam; and of the 10 nearest to a label's bare name with that label:

    means of the last layer                        0.818   0.828
    ... with the third from last, 3 to 1           0.828   0.846   <- used
    all layers and maxima, alike                   0.836   0.760   (names are short: what is asked in a box is, too)
    last layer, words and pieces of words joined   0.827   0.838   (at 0.3; at 0.5 0.832 and 0.817)
"""
BESIDE: Mapping[str, float] = {"pixels": 0.3}
"""What is joined to the best backbone of pictures, where that is a built-in one. The same share, 400 pictures each of
trashnet, sign_digits, cells, patches, glyphs and digits: 0.675 without, 0.710 with 0.3, 0.704 with 1."""
BESIDE_OF = {"effnet-lite0"}

EXACT_UP_TO = 20_000_000
"""Numbers: 26,000 texts. Up to there all are compared as a whole, in 4 ms at most on one core."""
SHORT_DIMS = 256
FITTED_ON = 20_000
CANDIDATES, CANDIDATES_PER_RESULT = 300, 4
"""What the first look picks. Of 100,000 texts (22 sets, and mixtures of them) the true 10 nearest are among 100 such
candidates to 0.998, with short forms of 256 bytes: 1.4 ms and 29 MB, made in 1.3 s; with 128 bytes to 0.974. Of 30,000
pictures to 0.956 among 100, 0.983 among 200, 0.994 among 400 (3.7 ms). Lists (IVF, 632 of them, 128 looked through)
find 0.951 in 0.7 ms; a graph (HNSW, 32 links) of whole vectors 0.974 in 0.4 ms, with 181 MB and made in 23 s. All texts
as a whole: 8.4 ms and 307 MB."""
ROWS_AT_ONCE = 5_000


def joined(embeddings: Mapping[str, FloatArray]) -> Rows:
    """Return `(n_samples, dim)`, rows of length 1, in which samples are compared.

    Parameters
    ----------
    embeddings
        Backbone name to `(n_samples, dim)`, the best backbone first; others count where `counting` names them.
    """
    first = next(iter(embeddings))
    parts = [
        np.sqrt(np.float32(weight)) * unit(embeddings[first][:, start:end])
        for start, end, weight in PARTS.get(first, ((0, embeddings[first].shape[1], 1.0),))
    ]
    if first in BESIDE_OF:
        parts += [
            np.sqrt(np.float32(weight)) * unit(embeddings[name])
            for name, weight in BESIDE.items()
            if name in embeddings
        ]
    return unit(np.concatenate(parts, axis=1)) if len(parts) > 1 else unit(parts[0])


def counting(names: Sequence[str]) -> tuple[str, ...]:
    """Return those backbones that `joined` reads, of all that samples are read with, the best one first."""
    return names[0], *(name for name in names[1:] if name in BESIDE and names[0] in BESIDE_OF)


class RowSpace:
    """Table rows as unit vectors: scaled columns, cells of free text and pictures by their main directions.

    One more number, the same in all rows, keeps rows near the middle of everything apart by their distance, where
    their direction would be chance. Share of the 10 nearest rows with the same label: penguins 0.983, german_credit
    0.645; without it 0.982 and 0.643, by plain distance 0.981 and 0.643.
    """

    def __init__(self, reader: TableReader, constant: float) -> None:
        self.reader = reader
        self.constant = constant

    @classmethod
    def fit(cls, inputs: Inputs) -> RowSpace:
        """Learn from rows what is usual in each column."""
        nothing = np.zeros(inputs.n_samples, dtype=np.int64)
        reader = TableReader().fit(TrainingData(inputs, nothing, n_classes=1, groups=nothing))
        rows = dense(reader.read(inputs))
        mean_square = float((rows.astype(np.float64) ** 2).sum(axis=1).mean()) if len(rows) else 0.0
        return cls(reader, max(mean_square, 1e-6) ** 0.5)

    def rows(self, inputs: Inputs) -> Rows:
        """Return `(n_samples, dim)`, rows of length 1. Raises `ValueError` where the columns are others by now."""
        rows = dense(self.reader.read(inputs))
        beside = np.full((len(rows), 1), self.constant, dtype=np.float32)
        return unit(np.concatenate([rows, beside], axis=1))


def unit(rows: FloatArray) -> Rows:
    """Return the rows brought to length 1; zeros stay zeros, and so do numbers that are not finite."""
    whole = np.nan_to_num(rows.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    lengths = np.linalg.norm(whole, axis=1, keepdims=True)
    result: Rows = np.divide(whole, lengths, out=np.zeros_like(whole), where=lengths > 0)
    return result


def shortened(vectors: Stored) -> npt.NDArray[np.uint8]:
    """Return what `Nearest` takes a first look through, as bytes; none where all can be compared as a whole.

    Parameters
    ----------
    vectors
        `(n_samples, dim)`, rows of length 1. Read a few thousand at a time.
    """
    n, dim = vectors.shape
    if n * dim <= EXACT_UP_TO:
        return np.zeros(0, dtype=np.uint8)
    faiss = _faiss()
    drawn = np.sort(np.random.default_rng(0).permutation(n)[:FITTED_ON])
    fitted_on = vectors[drawn].astype(np.float32)
    short = min(SHORT_DIMS, dim)
    # Distances, not products: turning and moving all vectors alike leaves those as they are.
    stored = faiss.IndexScalarQuantizer(short, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_L2)
    index = faiss.IndexPreTransform(faiss.PCAMatrix(dim, short), stored)
    index.train(fitted_on)
    for start in range(0, n, ROWS_AT_ONCE):
        index.add(vectors[start : start + ROWS_AT_ONCE].astype(np.float32))
    written: npt.NDArray[np.uint8] = faiss.serialize_index(index)
    return written


def _faiss() -> ModuleType:
    """Import it where it is needed: few functions have so many samples. By itself it fills the log."""
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)
    import faiss

    module: ModuleType = faiss
    return module


class Nearest:
    """Vectors that can be asked for those nearest to another.

    Parameters
    ----------
    vectors
        `(n_samples, dim)`, rows of length 1, float16 or float32; may be mapped from a file.
    short
        What `shortened` made of them.
    """

    def __init__(self, vectors: Stored, short: npt.NDArray[np.uint8] | None = None) -> None:
        self._vectors = vectors
        self._whole: Rows | None = None
        self._index = None
        if short is None or not len(short):
            self._whole = np.ascontiguousarray(vectors, dtype=np.float32)
        else:
            self._index = _faiss().deserialize_index(np.ascontiguousarray(short))
        self.n_bytes = self._whole.nbytes if self._whole is not None else len(short if short is not None else ())

    def __len__(self) -> int:
        return len(self._vectors)

    def row(self, i: int) -> Rows:
        """Return one vector, `(dim,)`."""
        vector: Rows = self._vectors[i].astype(np.float32)
        return vector

    def some(self, n: int) -> Rows:
        """Return at most `n` vectors, from all over."""
        drawn = np.sort(np.random.default_rng(0).permutation(len(self))[:n])
        vectors: Rows = self._vectors[drawn].astype(np.float32)
        return vectors

    def find(self, vector: Rows, n: int) -> tuple[IntArray, FloatArray]:
        """Return the rows of the `n` nearest, the nearest first, and their cosines."""
        n = min(n, len(self))
        if n == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        if self._whole is not None:
            return first_of(np.arange(len(self)), self._whole @ vector, n)
        assert self._index is not None
        n_candidates = min(len(self), max(CANDIDATES, CANDIDATES_PER_RESULT * n))
        _distances, found = self._index.search(vector[None, :], n_candidates)
        rows = np.sort(found[0][found[0] >= 0])
        return first_of(rows, self._vectors[rows].astype(np.float32) @ vector, n)


def first_of(rows: IntArray, cosines: FloatArray, n: int) -> tuple[IntArray, FloatArray]:
    """Return the `n` rows with the highest cosines, highest first, and those; of equal ones the later row first."""
    if n < len(rows):
        kept = np.argpartition(-cosines, n - 1)[:n]
        rows, cosines = rows[kept], cosines[kept]
    order = np.lexsort((-rows, -cosines))
    return rows[order], cosines[order]
