"""How fast calls of functions with towers of their own are, beside those of functions without: parts of the benchmark.

Towers are fitted to the samples of the benchmark and put into service whether or not a round would have chosen them:
what is measured is what serving them costs.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.db.models import Max
from django.utils import timezone

from apps.engine import adapt, artifacts, automl
from apps.engine.adapt import Adaptable
from apps.engine.backbones import Input
from apps.engine.types import FoldRows, Inputs, RoundResult, TrainingData
from apps.functions.models import Function
from apps.samples.models import Sample
from apps.training.models import Adaptation, AdaptationState, TrainedModel
from apps.training.services import encoders, towers
from apps.training.services.inputs import layout_of, stored_picture
from apps.training.services.serving import artifact_folder


@dataclass(frozen=True)
class Learned:
    """What was learned from the samples of a function: towers, and the heads on top of them alone."""

    adaptation: adapt.Adaptation
    sample_ids: tuple[str, ...]
    result: RoundResult


def learn(function: Function) -> Learned:
    """Adapt the backbone that knows most to the labelled samples of a function, and train heads on that alone."""
    samples = list(Sample.objects.filter(function=function).exclude(label=None).order_by("pk"))
    inputs: list[Input] = [one.text or stored_picture(one.file_key) for one in samples]
    labels = np.unique([one.label_id for one in samples], return_inverse=True)[1].astype(np.int64)
    backbone = _learner(function)
    learned = adapt.fit(backbone, inputs, labels, np.arange(len(labels)))
    rows = adapt.embed(backbone, [backbone.tower(state) for state in learned.towers], inputs)
    name = backbone.adapted.name
    given = TrainingData(
        Inputs(len(samples), {name: rows[-1]}),
        labels,
        int(labels.max()) + 1,
        np.arange(len(labels)),
        adapted={name: FoldRows(learned.folds, rows[:-1])},
    )
    return Learned(learned, tuple(one.public_id for one in samples), automl.train(given))


def put_into_service(function: Function, learned: Learned, *, like: TrainedModel | None = None) -> TrainedModel:
    """Let a function answer by what was learned. The files of `like`, a model put into service so, are shared."""
    row = Adaptation(
        function=function,
        base=learned.adaptation.base,
        base_version=learned.adaptation.base_version,
        version=learned.adaptation.version,
        state=AdaptationState.USED,
        data_revision=function.data_revision,
        label_ids=_label_ids(function),
        n_annotations=len(learned.sample_ids),
        seconds=0.0,
    )
    if like is None:
        towers.keep_file(row, learned.adaptation, learned.sample_ids)
    else:
        assert like.adaptation is not None
        _link(towers.folder_of(like.adaptation), towers.folder_of(row))
        row.sha256 = like.adaptation.sha256
    row.save()
    return _publish(function, learned, row)


def _publish(function: Function, learned: Learned, row: Adaptation) -> TrainedModel:
    before = TrainedModel.objects.filter(function=function)
    model = TrainedModel(
        function=function,
        number=(before.aggregate(highest=Max("number"))["highest"] or 0) + 1,
        data_revision=function.data_revision,
        recipe=learned.result.blend.to_json(),
        backbone_versions={towers.adapted_name(row): row.public_id},
        adaptation=row,
        label_ids=_label_ids(function),
        last_annotation_id=0,
        n_annotations=len(learned.sample_ids),
        n_right=len(learned.sample_ids),
        log_loss=learned.result.log_loss,
        published_at=timezone.now(),
    )
    model.sha256 = artifacts.save(
        artifact_folder(function, model.public_id),
        predictor=learned.result.predictor,
        label_ids=model.label_ids,
        backbone_versions=model.backbone_versions,
        trained_with={},
    )
    before.update(is_live=False)
    model.is_live = True
    model.save(force_insert=True)
    return model


def _learner(function: Function) -> Adaptable:
    for spec in layout_of(function).specs:
        backbone = encoders.backbone(spec.name)
        if adapt.is_adaptable(backbone):
            return backbone
    raise SystemExit("None of the backbones of this function can learn.")


def _label_ids(function: Function) -> list[str]:
    """Return the labels in the order of the columns that `learn` made."""
    return list(function.labels.in_use().order_by("pk").values_list("public_id", flat=True))


def _link(source: Path, target: Path) -> None:
    """Give a folder of files a second name: five hundred functions need not take five hundred times the room."""
    target.mkdir(parents=True)
    for file in source.iterdir():
        os.link(file, target / file.name)
