"""The JSON between the grid and the server: samples to look over, what was done to many of them at once."""

import json
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from apps.core.errors import InvalidInput, NotFound
from apps.functions.models import Act, ActKind, Function, Label, OutputKind
from apps.labeling.serializers import Json

MOST_TOKEN_CHARACTERS = 64


@dataclass(frozen=True)
class SelectionSent:
    """What a page asks to be labelled: samples by public id, the label (None takes away what was said), and how."""

    sample_ids: list[str]
    label: Label | None
    kind: ActKind
    token: str


def selection_from(request: HttpRequest, function: Function) -> SelectionSent:
    """Read a selection. Raises InvalidInput, NotFound where the label is gone."""
    body = _object_from(request)
    samples, label_id, kind, token = (body.get(name) for name in ("samples", "label", "kind", "token"))
    if not isinstance(samples, list) or not samples or not all(isinstance(each, str) for each in samples):
        raise InvalidInput("No sample is selected. Select some first.")
    if kind not in (ActKind.GRID, ActKind.SELECTION):
        raise InvalidInput("A selection is of the kind “grid” or “selection”.")
    if token is not None and not (isinstance(token, str) and len(token) <= MOST_TOKEN_CHARACTERS):
        raise InvalidInput("The token of a selection is a short text.")
    return SelectionSent(samples, _label_from(label_id, function), ActKind(str(kind)), token or "")


def _object_from(request: HttpRequest) -> dict[str, object]:
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise InvalidInput("The request is not valid JSON.") from error
    if not isinstance(body, dict):
        raise InvalidInput("The request must be a JSON object.")
    return body


def _label_from(label_id: object, function: Function) -> Label | None:
    if label_id is None:
        return None
    if not isinstance(label_id, str):
        raise InvalidInput("The label of a selection is a label id, or null.")
    label = function.labels.in_use().filter(public_id=label_id).first()
    if label is None:
        raise NotFound("The label was deleted meanwhile. Choose another one.")
    return label


def act_as_json(act: Act | None, sent: SelectionSent, function: Function) -> Json:
    """Say what became of a selection: how many samples, in words, and where it is undone."""
    n = act.n_samples if act else 0
    return {
        "n": n,
        "words": _words(n, len(set(sent.sample_ids)) - n, sent.label, function),
        "undoUrl": _undo_url(act, function) if act else None,
    }


def _words(n: int, n_left_out: int, label: Label | None, function: Function) -> str:
    done = "tagged" if function.output_kind == OutputKind.TAGS else "labelled"
    said = f"{n} {done} {label.name}" if label else f"{n} without {'tags' if done == 'tagged' else 'a label'} again"
    if not n_left_out:
        return said
    others = "1 stays as it is" if n_left_out == 1 else f"{n_left_out} stay as they are"
    return f"{said}; {others}"


def _undo_url(act: Act, function: Function) -> str | None:
    try:
        return reverse("samples:undo_act", args=[function.public_id, act.public_id])
    except NoReverseMatch:
        return None
