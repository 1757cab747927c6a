"""How fast calls of functions with towers of their own are, beside those of functions without: parts of the benchmark.

Towers are fitted to the samples of the benchmark and put into service whether or not a round would have chosen them:
what is measured is what serving them costs.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import cycle
from pathlib import Path
from statistics import median

import numpy as np
from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from apps.engine import adapt, artifacts, automl
from apps.engine.adapt import Adaptable
from apps.engine.backbones import Input
from apps.engine.types import FoldRows, Inputs, RoundResult, TrainingData
from apps.functions.models import Function
from apps.invoke import bench
from apps.invoke.bench import Desk
from apps.samples.models import Sample
from apps.training.models import Adaptation, AdaptationState, TrainedModel
from apps.training.services import encoders, towers
from apps.training.services.inputs import layout_of, stored_picture
from apps.training.services.serving import artifact_folder


class Reads(StrEnum):
    """What a model of the benchmark is a blend of."""

    FROZEN = "frozen"
    TOWER = "tower"
    BOTH = "both"


@dataclass(frozen=True)
class Learned:
    """What was learned from the samples of a function: towers, and models that read the backbone with and without."""

    adaptation: adapt.Adaptation
    sample_ids: tuple[str, ...]
    models: Mapping[Reads, RoundResult]


def learn(function: Function) -> Learned:
    """Adapt the backbone that knows most to the labelled samples of a function, and train heads on what is read."""
    samples = list(Sample.objects.filter(function=function).exclude(label=None).order_by("pk"))
    inputs: list[Input] = [one.text or stored_picture(one.file_key) for one in samples]
    labels = np.unique([one.label_id for one in samples], return_inverse=True)[1].astype(np.int64)
    backbone = _learner(function)
    learned = adapt.fit(backbone, inputs, labels, np.arange(len(labels)))
    rows = adapt.embed(backbone, [backbone.tower(state) for state in learned.towers], inputs)
    name, n_classes = backbone.adapted.name, int(labels.max()) + 1
    groups = np.arange(len(labels))
    frozen = Inputs(len(samples), {backbone.spec.name: backbone.encode(inputs)})
    adapted = {name: FoldRows(learned.folds, rows[:-1])}
    of_frozen = automl.train(TrainingData(frozen, labels, n_classes, groups))
    of_tower = automl.train(
        TrainingData(Inputs(len(samples), {name: rows[-1]}), labels, n_classes, groups, adapted=adapted)
    )
    models = {Reads.FROZEN: of_frozen, Reads.TOWER: of_tower, Reads.BOTH: _half_and_half(of_frozen, of_tower)}
    return Learned(learned, tuple(one.public_id for one in samples), models)


def _half_and_half(one: RoundResult, other: RoundResult) -> RoundResult:
    members = [
        replace(member, weight=member.weight / 2) for result in (one, other) for member in result.predictor.members
    ]
    return replace(one, predictor=replace(one.predictor, members=tuple(members)))


def put_into_service(
    function: Function, learned: Learned, *, reads: Reads = Reads.TOWER, like: TrainedModel | None = None
) -> TrainedModel:
    """Let a function answer by what was learned. The files of `like`, a model put into service so, are shared."""
    if reads is Reads.FROZEN:
        return _publish(function, learned, reads, None)
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
    return _publish(function, learned, reads, row)


def measure_towers(
    desk: Desk, port: int, inputs: Sequence[str | bytes], *, n_functions: int, n_callers: int
) -> dict[str, object]:
    """Return the figures of calls by what the model reads, of many callers, and of many functions at random."""
    learned = learn(desk.function)
    twins = {reads: _twin(desk.function, reads) for reads in Reads}
    models = {reads: put_into_service(twin, learned, reads=reads) for reads, twin in twins.items()}
    others = [_twin(desk.function, i) for i in range(n_functions)]
    for other in others:
        put_into_service(other, learned, like=models[Reads.TOWER])
    frozen = [_twin(desk.function, f"frozen {i}") for i in range(min(n_callers, n_functions))]
    for other in frozen:
        put_into_service(other, learned, reads=Reads.FROZEN)
    called = {
        "one_frozen": [twins[Reads.FROZEN]],
        "one_tower": [twins[Reads.TOWER]],
        "many_frozen": frozen,
        "many_towers": others[: len(frozen)],
    }
    return {
        **_beside_frozen(desk, port, inputs, twins),
        **_together(desk, port, inputs, called, n_callers=len(frozen)),
        **_at_random(desk, port, inputs, others),
    }


def _beside_frozen(
    desk: Desk, port: int, inputs: Sequence[str | bytes], twins: Mapping[Reads, Function]
) -> dict[str, object]:
    """One caller, who calls each in turn with the same input, another one first every time."""
    calls = [bench.call_to(twin, desk.secret, port, one) for one in inputs for twin in twins.values()]
    numbers = np.arange(len(calls)).reshape(len(inputs), len(twins))
    turns = np.array([np.roll(of_input, place) for place, of_input in enumerate(numbers)]).ravel()
    ms = np.empty(len(calls))
    ms[turns] = _in_turn(calls, turns.tolist())
    ms = ms.reshape(numbers.shape)[bench.N_WARM_UP :]
    of = dict(zip(twins, ms.T, strict=True))
    p50 = {reads.value: bench.rounded(float(np.median(own))) for reads, own in of.items()}
    return {
        "n_calls": len(ms),
        "p50_ms": p50,
        "p95_ms": {reads.value: bench.rounded(float(np.percentile(own, 95))) for reads, own in of.items()},
        "p50_over_frozen": {reads.value: bench.rounded(p50[reads] / p50[Reads.FROZEN]) for reads in of},
    }


def _together(
    desk: Desk, port: int, inputs: Sequence[str | bytes], called: Mapping[str, Sequence[Function]], *, n_callers: int
) -> dict[str, object]:
    """Many callers at once: of one function, and each of another function, with towers of their own and without."""
    per_second: dict[str, list[float]] = {name: [] for name in called}
    with ExitStack() as stack:
        pipes = {}
        for name, functions in called.items():
            turns = zip(cycle(functions), inputs, strict=False)
            calls = [bench.call_to(function, desk.secret, port, one) for function, one in turns]
            pipes[name] = stack.enter_context(bench.caller(bench.call_together, calls, n_callers))
        for _ in range(bench.N_ROUNDS):
            for name, pipe in pipes.items():
                pipe.send(True)
                per_second[name].append(len(inputs) / pipe.recv())
        for pipe in pipes.values():
            pipe.send(None)
    return {
        "n_callers": n_callers,
        "calls_per_second": {name: bench.rounded(median(rates)) for name, rates in per_second.items()},
    }


def _at_random(
    desk: Desk, port: int, inputs: Sequence[str | bytes], functions: Sequence[Function]
) -> dict[str, object]:
    """One caller of all functions, each once and then at random."""
    calls = [
        bench.call_to(one, desk.secret, port, content) for one, content in zip(functions, cycle(inputs), strict=False)
    ]
    order = list(range(len(calls)))
    rng = random.Random(0)  # noqa: S311  # data for a measurement
    ms = _in_turn(calls, [*order, *rng.choices(order, k=2 * len(order))])
    first, again = ms[: len(calls)], ms[len(calls) :]
    return {
        "n_functions": len(functions),
        "first_ms": bench.spread(first),
        "random_ms": bench.spread(again),
        "tower_cache_mb": {"held": towers.held_bytes() // 1024**2, "most": settings.TOWER_CACHE_BYTES // 1024**2},
    }


def _in_turn(calls: Sequence[bench.Call], order: Iterable[int]) -> list[float]:
    """Return the milliseconds of each call."""
    with bench.caller(bench.call_in_turn, calls) as pipe:
        ms = bench.in_turn(pipe, order)
        pipe.send(None)
    return ms


def _twin(function: Function, name: object) -> Function:
    """Return another function with the same labels, and nothing in it."""
    twin = Function.objects.create(workspace=function.workspace, name=f"Bench {name}", input_kind=function.input_kind)
    for label in function.labels.in_use().order_by("pk"):
        twin.labels.create(name=label.name, position=label.position, colour=label.colour)
    return twin


def _publish(function: Function, learned: Learned, reads: Reads, row: Adaptation | None) -> TrainedModel:
    before = TrainedModel.objects.filter(function=function)
    result = learned.models[reads]
    versions = {} if row is None else {towers.adapted_name(row): row.public_id}
    if reads is not Reads.TOWER:
        versions[learned.adaptation.base] = learned.adaptation.base_version
    model = TrainedModel(
        function=function,
        number=(before.aggregate(highest=Max("number"))["highest"] or 0) + 1,
        data_revision=function.data_revision,
        recipe=result.predictor.blend.to_json(),
        backbone_versions=versions,
        adaptation=row,
        label_ids=_label_ids(function),
        last_annotation_id=0,
        n_annotations=len(learned.sample_ids),
        n_right=len(learned.sample_ids),
        log_loss=result.log_loss,
        published_at=timezone.now(),
    )
    model.sha256 = artifacts.save(
        artifact_folder(function, model.public_id),
        predictor=result.predictor,
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
