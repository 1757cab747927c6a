"""A place on the map for each sample: near each other in two dimensions what is near in many.

A draw of samples, the landmarks, is laid out by t-SNE; the others go where the landmarks are that they are most like.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from apps.engine.runtime import Deadline, one_thread
from apps.engine.survey.vectors import Vectors
from apps.engine.types import FloatArray, IntArray

LANDMARKS = 1_500
FLAT_UP_TO = 40
"""So few samples are shown along their two main directions: t-SNE tells little of them."""
ITERATIONS = 500
"""Of 1,000 samples of three text sets, the divergence after 300, 500 and 1,000: 1.099, 0.838, 0.822."""
PERPLEXITY = 30.0
TSNE_SECONDS = 8.0
"""Not begun with less time left: 1,500 landmarks take 2 s on one thread of a desk computer."""
NEAR = 5
SHARPNESS = 20.0
LOOSENESS = 0.25


@dataclass(frozen=True)
class Layout:
    """`xy` is `(n_samples, 2)`, float32, within the unit square; `landmarks` are the rows that were laid out first."""

    xy: Vectors
    landmarks: IntArray


def lay_out(vectors: Vectors, *, deadline: Deadline, seed: int = 0) -> Layout:
    """Return a place for each of `(n_samples, k)` unit vectors; the same for the same vectors and seed.

    Source: L. van der Maaten, G. Hinton, Visualizing data using t-SNE, 2008; started from principal components, which
    keeps far apart what is far apart (D. Kobak, P. Berens 2019).
    """
    n = len(vectors)
    if n <= LANDMARKS:
        landmarks = np.arange(n)
    else:
        landmarks = np.sort(np.random.default_rng(seed).choice(n, size=LANDMARKS, replace=False))
    chosen = np.asarray(vectors[landmarks])
    flat = _main_plane(chosen)
    is_flat = len(landmarks) <= FLAT_UP_TO or deadline.remaining() < TSNE_SECONDS
    laid = _in_unit_square(flat if is_flat else _tsne(chosen, flat, seed))
    xy = laid if len(landmarks) == n else place(vectors, chosen, laid, seed=seed)
    xy[landmarks] = laid
    return Layout(xy, landmarks)


def place(vectors: Vectors, landmark_vectors: Vectors, landmark_xy: Vectors, *, seed: int = 0) -> Vectors:
    """Return where samples go among landmarks, `(n_samples, 2)`: the mean of the `NEAR` most alike, the likest most.

    A little beside it, at random, so that a hundred samples between two landmarks are no line.
    """
    xy = np.zeros((len(vectors), 2), dtype=np.float32)
    if not len(landmark_vectors):
        return xy
    draw = np.random.default_rng(seed)
    near = min(NEAR, len(landmark_vectors))
    for start in range(0, len(vectors), 2048):
        cosines = vectors[start : start + 2048] @ landmark_vectors.T
        nearest = np.argpartition(-cosines, near - 1, axis=1)[:, :near]
        values = np.take_along_axis(cosines, nearest, axis=1)
        weights = np.exp(SHARPNESS * (values - values.max(axis=1, keepdims=True)))
        weights /= weights.sum(axis=1, keepdims=True)
        places = landmark_xy[nearest]
        middle = (weights[:, :, None] * places).sum(axis=1)
        reach = np.sqrt((weights[:, :, None] * (places - middle[:, None]) ** 2).sum(axis=1))
        # One far landmark among the five must not throw the sample across the map.
        reach = np.minimum(reach, 0.02) * LOOSENESS + 0.002
        xy[start : start + 2048] = middle + draw.standard_normal(middle.shape) * reach
    inside: Vectors = np.clip(xy, 0.0, 1.0)
    return inside


def _main_plane(vectors: Vectors) -> FloatArray:
    spread = vectors - vectors.mean(axis=0)
    _left, _sizes, directions = np.linalg.svd(spread, full_matrices=False)
    plane = np.zeros((len(vectors), 2), dtype=np.float32)
    k = min(2, len(directions))
    for i in range(k):  # the sign of a direction is the library's whim
        sign = 1.0 if directions[i, np.abs(directions[i]).argmax()] >= 0 else -1.0
        plane[:, i] = sign * (spread @ directions[i])
    return plane


def _tsne(vectors: Vectors, flat: FloatArray, seed: int) -> FloatArray:
    from sklearn.manifold import TSNE  # here, because it takes half a second and only this needs it

    scale = float(flat[:, 0].std()) or 1.0
    tsne = TSNE(
        init=(flat * (1e-4 / scale)).astype(np.float32),
        perplexity=min(PERPLEXITY, (len(vectors) - 1) / 3),
        max_iter=ITERATIONS,
        learning_rate="auto",
        random_state=seed,
        n_jobs=1,
    )
    # Its threads wait for each other, and the other core has better to do.
    with one_thread(), threadpool_limits(limits=1, user_api="openmp"):
        laid: FloatArray = tsne.fit_transform(np.ascontiguousarray(vectors))
    return laid


def _in_unit_square(places: FloatArray) -> Vectors:
    """Keep the proportions; outliers by themselves in a corner must not press all others together."""
    low, high = np.percentile(places, [0.5, 99.5], axis=0) if len(places) > 200 else (places.min(0), places.max(0))
    size = float((high - low).max()) or 1.0
    middle = (high + low) / 2
    inside: Vectors = np.clip(0.5 + (places - middle) / size * 0.96, 0.0, 1.0).astype(np.float32)
    return inside
