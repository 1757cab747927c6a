"""The JSON between the grid and the server: samples to look over, what was done to many of them at once."""

from dataclasses import dataclass

from django.db.models import prefetch_related_objects
from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.core.json_body import read_json_object
from apps.functions.models import Act, ActKind, Function, Label, OutputKind
from apps.functions.selectors import standing_labels
from apps.labeling.grid_selectors import SHOWN_CHARACTERS, GridItem, Show, n_alike
from apps.labeling.grid_services import hand_out_grid
from apps.labeling.selectors import flagged_by, has_model
from apps.labeling.serializers import Json, excluded_from, labels_as_json, n_from
from apps.samples.rows import named_cells
from apps.training.words import confidence_word

MOST_ITEMS = 60
USUAL_ITEMS = 40
MOST_TOKEN_CHARACTERS = 64
MOST_MS = 86_400_000


@dataclass(frozen=True)
class GridAsked:
    """Which samples a page asks for."""

    show: Show
    label: Label | None
    n: int
    exclude: list[str]


def grid_asked(request: HttpRequest, labels: list[Label]) -> GridAsked:
    """Read what a grid is to hold; a label that is gone counts as none. Raises InvalidInput."""
    show = request.GET.get("show", Show.ALIKE)
    if show not in list(Show):
        raise InvalidInput("There is no such grid. Choose one on the page.")
    wanted = request.GET.get("label", "")
    label = next((each for each in labels if each.public_id == wanted), None)
    n = n_from(request, "n", default=USUAL_ITEMS, most=MOST_ITEMS)
    return GridAsked(Show(show), label, n, excluded_from(request))


def grid_as_json(function: Function, person: User, asked: GridAsked, labels: list[Label]) -> Json:
    """Return a grid: the one asked for, or where no label was named that of the label most samples are taken for."""
    counts = n_alike(labels)
    commonest = max(labels, key=lambda label: counts[label.public_id], default=None)
    label, show = asked.label or commonest, asked.show
    if label is None or (asked.label is None and not counts[label.public_id]):
        label, show = None, Show.ANY
    grid = hand_out_grid(function=function, person=person, show=show, label=label, n=asked.n, exclude=asked.exclude)
    flagged = flagged_by([item.sample for item in grid.items], person)
    return {
        "show": show.value,
        "labelId": label.public_id if label else None,
        "items": [{**_item_as_json(item, function), "isFlagged": item.sample.pk in flagged} for item in grid.items],
        "isLast": grid.is_last,
        "labels": labels_as_json(function),
        "counts": counts,
        "hasSamples": bool(grid.items) or function.samples.exists(),
        "hasModel": has_model(function),
    }


def _item_as_json(item: GridItem, function: Function) -> Json:
    sample = item.sample
    is_picture = bool(sample.file_key)
    return {
        "sampleId": sample.public_id,
        "text": item.excerpt,
        "isCut": len(item.excerpt) == SHOWN_CHARACTERS,
        "cells": _cells(item, function) if sample.row is not None else None,
        "thumbnailUrl": reverse("samples:sample_thumbnail", args=[sample.public_id]) if is_picture else None,
        "imageUrl": reverse("samples:sample_image", args=[sample.public_id]) if is_picture else None,
        "widthPx": sample.width_px,
        "heightPx": sample.height_px,
        "name": sample.original_name,
        "word": None if item.confidence is None else confidence_word(item.confidence),
    }


def _cells(item: GridItem, function: Function) -> list[tuple[str, str, str]]:
    """Names and values of a table's row, and addresses of its pictures. One query, however many rows there are."""
    prefetch_related_objects([function], "fields")
    sample_id = item.sample.public_id
    return [
        (name, text, reverse("samples:cell_image", args=[sample_id, field_id]) if field_id else "")
        for name, text, field_id in named_cells(item.sample.row, function.fields.all())
    ]


@dataclass(frozen=True)
class SelectionSent:
    """What a page asks to be labelled: samples by public id, the label (None takes away what was said), and how."""

    sample_ids: list[str]
    label: Label | None
    kind: ActKind
    token: str
    active_ms: int | None


def selection_from(request: HttpRequest, function: Function) -> SelectionSent:
    """Read a selection. Raises InvalidInput, Conflict where the label is gone."""
    body = read_json_object(request)
    samples, label_id, kind, token = (body.get(name) for name in ("samples", "label", "kind", "token"))
    if not isinstance(samples, list) or not samples or not all(isinstance(each, str) for each in samples):
        raise InvalidInput("No sample is selected. Select some first.")
    if kind not in (ActKind.GRID, ActKind.SELECTION):
        raise InvalidInput("A selection is of the kind “grid” or “selection”.")
    if token is not None and not (isinstance(token, str) and len(token) <= MOST_TOKEN_CHARACTERS):
        raise InvalidInput("The token of a selection is a short text.")
    ms = body.get("ms")
    if ms is not None and (isinstance(ms, bool) or not isinstance(ms, int) or ms < 0):
        raise InvalidInput("The time a selection took is a number of milliseconds.")
    active_ms = None if ms is None else min(ms, MOST_MS)
    return SelectionSent(samples, _label_from(label_id, function), ActKind(str(kind)), token or "", active_ms)


def _label_from(label_id: object, function: Function) -> Label | None:
    if label_id is None:
        return None
    if not isinstance(label_id, str):
        raise InvalidInput("The label of a selection is a label id, or null.")
    label = standing_labels(function.pk).get(label_id)
    if label is None:
        raise Conflict("The label was deleted meanwhile. Choose another one.")
    return label


def act_as_json(act: Act | None, sent: SelectionSent, function: Function) -> Json:
    """Say what became of a selection: how many samples, in words, and where it is undone."""
    n = act.n_samples if act else 0
    return {
        "n": n,
        "words": _words(n, len(set(sent.sample_ids)) - n, sent.label, function),
        "undoUrl": reverse("samples:undo_act", args=[function.public_id, act.public_id]) if act else None,
    }


def _words(n: int, n_left_out: int, label: Label | None, function: Function) -> str:
    done = "tagged" if function.output_kind == OutputKind.TAGS else "labelled"
    said = f"{n} {done} {label.name}" if label else f"{n} without {'tags' if done == 'tagged' else 'a label'} again"
    if not n_left_out:
        return said
    others = "1 stays as it is" if n_left_out == 1 else f"{n_left_out} stay as they are"
    return f"{said}; {others}"
