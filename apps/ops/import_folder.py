"""A data set folder brought in as a function: some samples labelled, the rest not, trained, and scored by its calls.

The labelled samples go in first, so that predictions stand before the rest is even read. Accuracy on the test split is
measured as a caller would meet it: through the published model, by the code that answers calls.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import redis
import structlog
from django.conf import settings

from apps.core import heartbeat
from apps.core.errors import InvalidInput, Unavailable
from apps.engine import datasets, metrics
from apps.engine.datasets import DataSet, Split
from apps.engine.tables import infer_columns
from apps.engine.types import Modality
from apps.functions.models import Function
from apps.functions.services import NewField, create_function, get_or_create_fields
from apps.invoke.services import predictions, read_content
from apps.samples.media import content_hash
from apps.samples.models import Origin
from apps.samples.rows import cells_by_name, typed
from apps.samples.services.intake import (
    IntakeResult,
    NewImage,
    NewRow,
    NewText,
    add_images,
    add_rows,
    add_texts,
)
from apps.training.selectors import is_finished, training_state
from apps.training.services import finish_work, serving
from apps.workspaces.models import Workspace
from apps.workspaces.services.workspaces import create_workspace, ownerless_workspaces

logger = structlog.get_logger(__name__)
T = TypeVar("T")

WORKSPACE_NAME = "My workspace"
SAMPLES_AT_ONCE = 200
CALLS_AT_ONCE = 64
WORKER_START_SECONDS = 15.0
STANDSTILL_SECONDS = 120.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Report:
    """What was brought and how good the model is; the keys of the line that `import_folder` writes."""

    function: str
    n_labels: int
    cv_accuracy: float
    interval: tuple[float, float]
    test_accuracy: float
    majority: float
    seconds_to_first_predictions: float
    seconds_total: float


@dataclass(frozen=True)
class Item:
    """One sample of a data set as intake takes it: a text, the bytes of a picture, or cells by their column's name."""

    content: str | bytes | Mapping[str, str]
    label_name: str
    original_name: str = ""


def import_folder(*, folder: Path, name: str, n_labels: int, seed: int) -> Report:
    """Bring a data set in and wait until its function is trained.

    Raises `InvalidInput` for a folder that is none, `Unavailable` when the worker stands still.
    """
    started = time.monotonic()
    data = _read(folder)
    items = distinct(load_items(data.train, data.column_names))
    drawn = set(datasets.draw_labelled([item.label_name for item in items], n_labels, seed=seed).tolist())
    function = create_function(
        workspace=_first_workspace() or create_workspace(name=WORKSPACE_NAME, owner=None),
        name=name,
        input_kind=data.modality.value,
        label_names=data.label_names,
        actor=None,
    )
    if data.modality is Modality.TABLE:
        make_fields(function, data)
    is_worker_there = has_worker()
    logger.info("import_folder", trains="worker" if is_worker_there else "here", n_samples=len(items))
    work = finish_by_worker if is_worker_there else finish_here
    bring(function, [items[i] for i in sorted(drawn)], are_labelled=True)
    work(function)
    seconds_to_first_predictions = time.monotonic() - started
    bring(function, [item for i, item in enumerate(items) if i not in drawn], are_labelled=False)
    work(function)
    return _report(function, data, started, seconds_to_first_predictions)


def make_fields(function: Function, data: DataSet) -> None:
    """Give a function the columns of a table, as their cells in the train split look."""
    guesses = infer_columns(data.column_names, data.train.rows)
    get_or_create_fields(
        function=function,
        fields=[
            NewField(
                name=guess.name,
                type=guess.type.value,
                is_used=guess.is_worth_learning,
                advice=guess.advice,
                facts=guess.facts.to_json(),
            )
            for guess in guesses
        ],
    )


def load_items(split: Split, column_names: Sequence[str] = ()) -> list[Item]:
    """Read a split: texts and rows as they are, pictures as the bytes of their files."""
    if column_names:
        cells = [dict(zip(column_names, row, strict=True)) for row in split.rows]
        return [Item(row, label) for row, label in zip(cells, split.labels, strict=True)]
    sources: Sequence[str | Path] = split.inputs
    return [
        Item(source.read_bytes(), label, source.name) if isinstance(source, Path) else Item(source, label)
        for source, label in zip(sources, split.labels, strict=True)
    ]


def distinct(items: Sequence[Item]) -> list[Item]:
    """Drop repeated contents: a function holds each once, and labels are drawn among those it holds."""
    first: dict[str, Item] = {}
    for item in items:
        content = item.content if isinstance(item.content, str | bytes) else json.dumps(item.content)
        first.setdefault(content_hash(content), item)
    return list(first.values())


def bring(function: Function, items: Sequence[Item], *, are_labelled: bool) -> None:
    """Take samples in by the ordinary path, with or without their labels."""
    for chunk in _chunks(items, SAMPLES_AT_ONCE):
        names = [item.label_name if are_labelled else "" for item in chunk]
        result = _bring_chunk(function, chunk, names)
        for position, reason in result.problems:
            logger.warning("sample_refused", name=chunk[position].original_name, reason=reason)


def _bring_chunk(function: Function, chunk: Sequence[Item], names: Sequence[str]) -> IntakeResult:
    """Take some samples in, all of one sort, each with its label or with ""."""
    pairs = list(zip(chunk, names, strict=True))
    texts = [NewText(item.content, name) for item, name in pairs if isinstance(item.content, str)]
    if texts:
        return add_texts(function=function, items=texts, person=None, origin=Origin.IMPORT)
    images = [
        NewImage(item.content, name, original_name=item.original_name)
        for item, name in pairs
        if isinstance(item.content, bytes)
    ]
    if images:
        return add_images(function=function, items=images, person=None, origin=Origin.IMPORT)
    fields = typed(function.fields.all())
    rows = [
        NewRow(cells_by_name(item.content, fields), name) for item, name in pairs if isinstance(item.content, Mapping)
    ]
    return add_rows(function=function, items=rows, person=None, origin=Origin.IMPORT)


def has_worker() -> bool:
    """Say whether a worker is there to train; one that is being restarted is waited for."""
    if settings.IS_ALONE:
        return False
    client = heartbeat.connect()
    deadline = time.monotonic() + WORKER_START_SECONDS
    try:
        while time.monotonic() < deadline:
            if heartbeat.workers_alive(client):
                return True
            time.sleep(POLL_SECONDS)
    except redis.RedisError:
        logger.warning("broker_away")
    finally:
        client.close()
    return False


def finish_here(function: Function) -> None:
    """Train in this process."""
    finish_work(function_id=function.pk)


def finish_by_worker(function: Function) -> None:
    """Wait while the worker trains. Raises `Unavailable` when nothing has moved for `STANDSTILL_SECONDS`."""
    last, moved_at = None, time.monotonic()
    while not is_finished(function.pk):
        state = training_state(function)
        now = (state.n_to_read, state.is_training, state.live_model.pk if state.live_model else None)
        if now != last:
            last, moved_at = now, time.monotonic()
        elif time.monotonic() - moved_at > STANDSTILL_SECONDS:
            raise Unavailable(state.message or "The worker has not moved for two minutes; its log may say why.")
        time.sleep(POLL_SECONDS)


def accuracy_of_calls(function: Function, items: Sequence[Item]) -> float:
    """Return the share of items that calls answer rightly. Raises `Unavailable` without a published model."""
    served = serving.load_live(function.pk)
    if served is None:
        missing = training_state(function).missing
        raise Unavailable(" ".join(missing) or "No model was published; the log may say why.")
    n_right = 0
    for chunk in _chunks(items, CALLS_AT_ONCE):
        calls = [predictions.submit(served, read_content(item.content, served.layout)) for item in chunk]
        answers = [call.result() for call in calls]
        n_right += sum(answer.best.label.name == item.label_name for answer, item in zip(answers, chunk, strict=True))
    return n_right / len(items) if items else 0.0


def _read(folder: Path) -> DataSet:
    try:
        return datasets.read(folder)
    except (OSError, ValueError, KeyError) as error:
        raise InvalidInput(f"{folder} is not a data set folder with train.csv and test.csv: {error}") from error


def _first_workspace() -> Workspace | None:
    return ownerless_workspaces().order_by("id").first() or Workspace.objects.order_by("id").first()


def _report(function: Function, data: DataSet, started: float, seconds_to_first_predictions: float) -> Report:
    tested = load_items(data.test, data.column_names)
    test_accuracy = accuracy_of_calls(function, tested)
    model = function.trained_models.get(is_live=True)
    low, high = metrics.wilson_interval(model.n_right, model.n_judged)
    commonest = max(data.label_names, key=lambda name: sum(item.label_name == name for item in tested))
    return Report(
        function=function.public_id,
        n_labels=model.n_annotations,
        cv_accuracy=round(model.n_right / model.n_judged, 4),
        interval=(round(low, 4), round(high, 4)),
        test_accuracy=round(test_accuracy, 4),
        majority=round(sum(item.label_name == commonest for item in tested) / max(1, len(tested)), 4),
        seconds_to_first_predictions=round(seconds_to_first_predictions, 2),
        seconds_total=round(time.monotonic() - started, 2),
    )


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
