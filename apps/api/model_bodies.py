"""Models and figures as they go out: the numbers of the pages, each with the address of the samples behind it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from apps.functions.models import Function, Label, OutputKind
from apps.functions.selectors import standing_labels
from apps.review.selectors import expectation, figures
from apps.review.selectors.confusion import TagMistake, confusion, pairs
from apps.review.selectors.figures import LabelLine
from apps.training.model_list import Accuracy, accuracy_of, change_words
from apps.training.models import TrainedModel
from apps.training.selectors import judging_model
from apps.training.services.choosing import why_not

Body = dict[str, object]
MOST_CELLS = 1_000


def model_bodies(function: Function, models: Sequence[TrainedModel]) -> list[Body]:
    """Return published models as JSON. One query."""
    standing = standing_labels(function.pk)
    bodies: list[Body] = []
    for model in models:
        model.function = function
        body: Body = {
            "id": model.public_id,
            "number": model.number,
            "isCurrent": model.is_live,
            "isPinned": model.is_pinned,
            "annotationCount": model.n_annotations,
            "changes": list(change_words(model.changes)),
        }
        if model.published_at:
            body["createdAt"] = model.published_at.isoformat().replace("+00:00", "Z")
        if accuracy := accuracy_of(model):
            body["accuracy"] = _accuracy(accuracy)
        if reason := why_not(model, standing=standing):
            body["whyNot"] = reason
        bodies.append(body)
    return bodies


def figures_body(function: Function) -> Body:
    """Return what the function's home says of how well it does."""
    labels = list(function.labels.in_use())
    found = figures(function, labels)
    expected, model = expectation(function, found), judging_model(function)
    body: Body = {
        "guessingShare": found.majority_share,
        "annotatedCount": found.n_labelled,
        "judgedCount": found.n_judged,
        "rightCount": found.n_right,
        "wrongCount": found.n_wrong,
        "unsureCount": found.n_unsure,
        "labels": [_label_line(function, line) for line in found.lines],
    }
    if model is not None:
        body["modelId"] = model.public_id
    if expected is not None:
        body["accuracy"] = {
            "value": expected.value,
            "low": expected.low,
            "high": expected.high,
            "isEarly": expected.is_early,
            "isWeighted": expected.is_weighted,
            "sampleCount": expected.n,
            "randomSampleCount": expected.n_random,
        }
    return body


def confusion_body(function: Function) -> Body:
    """Return what is taken for what."""
    labels = list(function.labels.in_use())
    found = confusion(function, labels)
    body: Body = {"judgedCount": found.n_judged, "wrongCount": found.n_wrong}
    if function.output_kind == OutputKind.TAGS:
        return body | {"tags": [_tag_mistake(function, tag) for tag in found.tags]}
    by_key = {label.pk: label for label in labels}
    counted = sorted(pairs(function, labels).items(), key=lambda each: (-each[1], each[0]))
    cells = [_cell(function, by_key[label], by_key[said], n) for (label, said), n in counted[:MOST_CELLS]]
    return body | {"cells": cells, "moreCellCount": max(0, len(counted) - MOST_CELLS)}


def _accuracy(accuracy: Accuracy) -> Body:
    return {"value": accuracy.value, "low": accuracy.low, "high": accuracy.high, "isEarly": accuracy.is_early}


def _label_line(function: Function, line: LabelLine) -> Body:
    label = line.label.public_id
    if function.output_kind == OutputKind.TAGS:
        caught = _list(function, annotationLabelId=label, predictionLabelId=label)
        missed = _list(function, annotationLabelId=label, predictionLabelIdNot=label)
        false_alarms = _list(function, predictionLabelId=label, annotationLabelIdNot=label)
    else:
        caught = _list(function, annotationLabelId=label, predictionAndAnnotationAgree="true")
        missed = _list(function, annotationLabelId=label, predictionAndAnnotationAgree="false")
        false_alarms = _list(function, predictionLabelId=label, predictionAndAnnotationAgree="false")
    return {
        "labelId": label,
        "labelName": line.label.name,
        "sampleCount": line.n,
        "caughtCount": line.n_caught,
        "missedCount": line.n - line.n_caught,
        "falseAlarmCount": line.n_false_alarms,
        "caught": caught,
        "missed": missed,
        "falseAlarms": false_alarms,
    }


def _cell(function: Function, label: Label, said: Label, n: int) -> Body:
    agrees = "true" if label == said else "false"
    asked = {"annotationLabelId": label.public_id, "predictionLabelId": said.public_id}
    return {
        "annotationLabelId": label.public_id,
        "annotationLabelName": label.name,
        "predictionLabelId": said.public_id,
        "predictionLabelName": said.name,
        "count": n,
        "samples": _list(function, **asked, predictionAndAnnotationAgree=agrees),
    }


def _tag_mistake(function: Function, tag: TagMistake) -> Body:
    label = tag.label.public_id
    return {
        "labelId": label,
        "labelName": tag.label.name,
        "presentCount": tag.n_there,
        "missedCount": tag.n_missed,
        "saidCount": tag.n_given,
        "wrongCount": tag.n_wrongly_given,
        "missed": _list(function, annotationLabelId=label, predictionLabelIdNot=label),
        "wrong": _list(function, predictionLabelId=label, annotationLabelIdNot=label),
    }


def _list(function: Function, **asked: str) -> str:
    """The address of a list of samples, without host and mount, as those of next pages are."""
    return f"/v1/functions/{function.public_id}/samples?{urlencode(asked)}"
