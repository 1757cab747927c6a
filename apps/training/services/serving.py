"""What answers: the published models, read once per process and kept while they are asked for.

Safe to call from many threads. A damaged artifact is never served: the newest whole model before it goes live again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import structlog
from django.conf import settings
from django.db import transaction

from apps.core.database_storage import NotAsSaved
from apps.core.jobs import JobName, enqueue_on_commit
from apps.engine import artifacts
from apps.engine.adapt import Tower
from apps.engine.artifacts import Artifact
from apps.engine.backbones import BackboneSpec
from apps.engine.errors import ArtifactCorrupt, BackboneUnavailable
from apps.engine.types import ADAPTED, FloatArray, Inputs, Task
from apps.events.kinds import Audit, Live
from apps.events.services import announce, record
from apps.functions.models import Function, Label
from apps.functions.selectors import standing_labels
from apps.training.models import Adaptation, FunctionWork, TrainedModel, WorkKind
from apps.training.services import files, towers
from apps.training.services.encoders import BoundedCache, cell_spec
from apps.training.services.inputs import Layout, layout_of
from apps.training.services.telling import Because, tell_answering
from apps.training.services.work import want_predictions

logger = structlog.get_logger(__name__)

MAX_MODELS = 10_000


@dataclass(frozen=True)
class Served:
    """The published model of one function, ready to answer.

    `labels` are the labels in use that it knows, one per column of what `pred_probs` returns, and `names` what it calls
    them: those they had when it was published. A label deleted since is never answered; one merged since counts for the
    label it was merged into. `columns` are the model's own that count for each. Its head and its towers are not held
    here, whoever keeps this, but only in their caches, which are bounded.
    """

    model: TrainedModel
    layout: Layout
    labels: tuple[Label, ...]
    names: tuple[str, ...]
    columns: tuple[tuple[int, ...], ...]

    @property
    def artifact(self) -> Artifact:
        """Its head, read from disk where others have taken its place in memory. Raises `ArtifactCorrupt`, `OSError`."""
        return _artifact_of(self.model)

    @property
    def is_at_hand(self) -> bool:
        """Whether its head is in memory at this moment."""
        return _cache_key(self.model) in _artifacts

    @property
    def specs(self) -> tuple[BackboneSpec, ...]:
        """The embeddings it reads, whatever new models read by now; of the cells of columns in use only.

        The version of adapted ones is the public id of the model's adaptation.
        """
        columns = {"", *(field.public_id for field in self.layout.fields)}
        names = [name for name in self.model.backbone_versions if name.partition(":")[2] in columns]
        return tuple(self._spec(name) for name in names)

    @property
    def thresholds(self) -> FloatArray | None:
        """Where the function gives tags: the probability from which on each of `labels` counts as there."""
        thresholds = self.artifact.predictor.thresholds
        return None if thresholds is None else thresholds[[own[0] for own in self.columns]]

    def tower(self, spec: BackboneSpec) -> Tower | None:
        """Return what makes an embedding it reads; None for frozen ones. Raises `ArtifactCorrupt`."""
        adaptation = adaptation_of(self.model)
        return towers.tower_of(adaptation) if adaptation and spec.name.startswith(ADAPTED) else None

    def _spec(self, name: str) -> BackboneSpec:
        adaptation = self.model.adaptation
        return towers.adapted_spec(adaptation) if adaptation and name.startswith(ADAPTED) else cell_spec(name)

    def pred_probs(self, inputs: Inputs) -> FloatArray:
        """Return `(n_samples, len(labels))`; rows sum to 1 unless the labels are tags."""
        predictor = self.artifact.predictor
        pred_probs = self._gathered(predictor.pred_probs(inputs))
        if predictor.task is Task.TAGS:
            return pred_probs
        totals = pred_probs.sum(axis=1, keepdims=True)
        even = np.full_like(pred_probs, 1 / len(self.labels))
        shared: FloatArray = np.divide(pred_probs, totals, out=even, where=totals > 0)
        return shared

    def _gathered(self, pred_probs: FloatArray) -> FloatArray:
        """One column per label: of merged ones the sum, or of tags, which may come together, the likeliest."""
        gathered = pred_probs[:, [own[0] for own in self.columns]]
        for column, own in enumerate(self.columns):
            if len(own) > 1:
                of_one = pred_probs[:, list(own)]
                is_tags = self.artifact.predictor.task is Task.TAGS
                gathered[:, column] = of_one.max(axis=1) if is_tags else of_one.sum(axis=1)
        return gathered


# Keyed by workspace first: no other workspace's model can ever be found by a wrong number.
_artifacts: BoundedCache[tuple[int, int], Artifact] = BoundedCache(
    max_entries=MAX_MODELS, max_bytes=settings.HEAD_CACHE_BYTES, n_bytes_of=lambda artifact: artifact.n_bytes
)


def load_live(function_id: int) -> Served | None:
    """Return the published model of a function, or None where there is none that can answer.

    Two small queries; the artifact itself is read from disk once per process.
    """
    while True:
        model = _live_model(function_id)
        if model is None:
            return None
        try:
            return _served(model)
        except ArtifactCorrupt as error:
            retire_damaged(model=model, reason=str(error))


def load_model(model: TrainedModel) -> Served | None:
    """Return one published model, live or not, or None where it can no longer answer. Its function must be loaded."""
    if model.is_damaged or not model.sha256:
        return None
    try:
        return _served(model)
    except ArtifactCorrupt as error:
        retire_damaged(model=model, reason=str(error))
        return None


def artifact_folder(function: Function, model_public_id: str) -> Path:
    return Path(settings.ARTIFACTS_DIR) / function.public_id / model_public_id


def retire_damaged(*, model: TrainedModel, reason: str) -> None:
    """Never serve this model again; the newest whole one before it goes live, and a new one is trained."""
    with transaction.atomic():
        changed = TrainedModel.objects.filter(pk=model.pk, is_damaged=False).update(
            is_damaged=True, is_live=False, is_pinned=False
        )
        if not changed:
            return
        function = model.function
        whole = TrainedModel.objects.filter(function=function, is_damaged=False).exclude(published_at=None)
        newest_first = whole.exclude(sha256="").select_related("adaptation").order_by("-number")
        previous = next((other for other in newest_first.iterator(chunk_size=20) if is_current(other)), None)
        if previous is not None and not TrainedModel.objects.filter(function=function, is_live=True).exists():
            TrainedModel.objects.filter(pk=previous.pk).update(is_live=True)
            tell_answering(previous, Because.DAMAGED)
        want_predictions(function.pk)
        FunctionWork.objects.filter(function=function, kind=WorkKind.TRAIN).update(done_revision=0)
        enqueue_on_commit(JobName.TRAIN_FUNCTION, function.pk)
        workspace = function.workspace.public_id
        restored = previous.public_id if previous else ""
        record(
            workspace=workspace,
            kind=Audit.MODEL_DAMAGED,
            subject=model.public_id,
            function=function.public_id,
            number=model.number,
            restored=restored,
        )
        announce(workspace=workspace, kind=Live.PREDICTIONS_CHANGED, subject=function.public_id)
    logger.error("model_damaged", model=model.public_id, restored=restored, reason=reason)


def _live_model(function_id: int) -> TrainedModel | None:
    rows = TrainedModel.objects.filter(function_id=function_id, is_live=True)
    return rows.select_related("function__workspace", "adaptation").first()


def held_bytes() -> int:
    """Return the memory that loaded heads take in this process."""
    return _artifacts.n_bytes


def _artifact_of(model: TrainedModel) -> Artifact:
    return _artifacts.get(_cache_key(model), partial(_read_artifact, model))


def _cache_key(model: TrainedModel) -> tuple[int, int]:
    return (model.function.workspace_id, model.pk)


def _read_artifact(model: TrainedModel) -> Artifact:
    """Raises `ArtifactCorrupt`. Where it is only this machine's copy that is damaged, another one is fetched."""
    folder = artifact_folder(model.function, model.public_id)
    try:
        return _fetched(folder, model.sha256)
    except ArtifactCorrupt:
        if not files.are_apart():
            raise
        files.forget_here(folder)
        return _fetched(folder, model.sha256)


def _fetched(folder: Path, sha256: str) -> Artifact:
    try:
        for name in (artifacts.MANIFEST, artifacts.ARRAYS):
            files.fetch(folder / name)
    except NotAsSaved as error:
        raise ArtifactCorrupt(str(error)) from error
    return artifacts.load(folder, sha256=sha256)


def is_current(model: TrainedModel) -> bool:
    """Whether samples are encoded the same way now as when a model was trained; else it cannot answer."""
    try:
        return all(_is_current(model, name, version) for name, version in model.backbone_versions.items())
    except BackboneUnavailable:
        return False


def _is_current(model: TrainedModel, name: str, version: str) -> bool:
    """Raises `BackboneUnavailable`."""
    if not name.startswith(ADAPTED):
        return cell_spec(name).version == version
    adaptation = model.adaptation
    if adaptation is None or not adaptation.sha256:
        return False
    return adaptation.public_id == version and towers.is_current(adaptation)


def adaptation_of(model: TrainedModel) -> Adaptation | None:
    """Return the adaptation a model reads, with its function at hand."""
    if model.adaptation is not None:
        model.adaptation.function = model.function
    return model.adaptation


def _load_tower(model: TrainedModel) -> None:
    """Have the tower of a model at hand, whoever asks for it next.

    Raises `ArtifactCorrupt`; then nobody may read the adaptation again, and another one is made in time.
    """
    adaptation = adaptation_of(model)
    if adaptation is None or not any(name.startswith(ADAPTED) for name in model.backbone_versions):
        return
    try:
        with suppress(BackboneUnavailable):  # whoever has samples read by it is told
            towers.tower_of(adaptation)
    except ArtifactCorrupt:
        Adaptation.objects.filter(pk=adaptation.pk).delete()
        raise


def _served(model: TrainedModel) -> Served | None:
    """None where too few of its labels are left, or a backbone has changed: another one is being trained.

    Raises `ArtifactCorrupt`.
    """
    if not is_current(model):
        return None
    artifact = _artifact_of(model)
    _load_tower(model)
    stands_for = standing_labels(model.function_id)
    columns: dict[Label, list[int]] = {}
    for i, public_id in enumerate(artifact.label_ids):
        if label := stands_for.get(public_id):
            own = columns.setdefault(label, [])
            own.insert(0 if public_id == label.public_id else len(own), i)
    if len(columns) < (1 if artifact.predictor.task is Task.TAGS else 2):
        return None
    labels = tuple(columns)
    called = model.label_names or [stands_for[key].name if key in stands_for else "" for key in artifact.label_ids]
    names = tuple(called[own[0]] for own in columns.values())
    merged = tuple(map(tuple, columns.values()))
    return Served(model, layout_of(model.function), labels, names, merged)
