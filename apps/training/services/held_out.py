"""What a round said of samples it held out, kept beside its model, so that it can be judged anew without a round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from apps.engine import metrics
from apps.engine.types import BoolArray, FloatArray, IntArray, RoundResult
from apps.training.models import TrainedModel
from apps.training.services import files
from apps.training.services.arrays import RoundInput
from apps.training.services.serving import artifact_folder

FILE = "held_out.safetensors"
MAX_NUMBERS = 20_000_000
"""Of more than this many probabilities (100,000 samples of 200 labels) nothing is kept: the next round must do."""


@dataclass(frozen=True)
class Kept:
    """Samples by key, what the model said of each, and what a person did.

    `labels` and the columns of `pred_probs` are in the order of the model's `label_ids`; tags have a column each.
    `counts`: others were accepted by the dozen because a model said so, and are in no figure.
    `thresholds` are those chosen for tags, before any is weighed; None for one label a sample.
    """

    sample_ids: npt.NDArray[np.int64]
    pred_probs: FloatArray
    labels: IntArray
    is_random: BoolArray
    counts: BoolArray
    thresholds: FloatArray | None

    @property
    def is_right(self) -> BoolArray:
        """`(n_samples,)`: whether the likeliest label is the sample's, or every tag is as said."""
        return metrics.is_right(self.pred_probs, self.labels, self.thresholds)

    @classmethod
    def of(cls, given: RoundInput, result: RoundResult) -> Kept:
        """Return what a round held out."""
        n = len(given.sample_ids)
        is_random = np.ones(n, dtype=bool) if given.data.is_random is None else given.data.is_random
        sample_ids = np.array(given.sample_ids, dtype=np.int64)
        counts = given.data.is_counted
        return cls(sample_ids, result.pred_probs, given.data.labels, is_random, counts, result.predictor.thresholds)


def keep(model: TrainedModel, kept: Kept) -> None:
    """Write it into the model's folder, which is there. Nothing is lost without it but a moment."""
    if kept.pred_probs.size > MAX_NUMBERS:
        return
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "sample_ids": kept.sample_ids,
        "pred_probs": kept.pred_probs.astype(np.float32),
        "labels": kept.labels.astype(np.int32),
        "is_random": kept.is_random.astype(np.uint8),
        "counts": kept.counts.astype(np.uint8),
    }
    if kept.thresholds is not None:
        arrays["thresholds"] = kept.thresholds.astype(np.float64)
    path = artifact_folder(model.function, model.public_id) / FILE
    path.write_bytes(safetensors.numpy.save(arrays))


def read(model: TrainedModel) -> Kept | None:
    """Return what was kept with a model; None where nothing was, or it cannot be read any more."""
    path = artifact_folder(model.function, model.public_id) / FILE
    try:
        arrays = safetensors.numpy.load(files.fetch(path).read_bytes())
        kept = Kept(
            arrays["sample_ids"],
            arrays["pred_probs"],
            arrays["labels"].astype(np.int64),
            arrays["is_random"].astype(bool),
            arrays.get("counts", np.ones(len(arrays["labels"]))).astype(bool),
            arrays.get("thresholds"),
        )
    except (OSError, KeyError, ValueError, safetensors.SafetensorError):
        return None
    fits = kept.pred_probs.shape == (len(kept.sample_ids), len(model.label_ids))
    lengths = {len(each) for each in (kept.labels, kept.sample_ids, kept.is_random, kept.counts)}
    return kept if fits and len(lengths) == 1 else None
