"""The JSON between the label page and the server: what is handed out, what comes back."""

import json
from typing import TypeAlias
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.functions.models import Function, Label
from apps.labeling import proofs, selectors
from apps.labeling.items import Answer, Outcome, QueueItem, Suggestion
from apps.samples.models import Sample
from apps.samples.rows import named_cells
from apps.training.words import confidence_word
from apps.workspaces.access import AppHttpRequest

Json: TypeAlias = dict[str, object]

MAX_ITEMS = 20
MAX_ANSWERS = 100
MAX_EXCLUDED = 200
# A person reads a page or two before deciding; a whole book would only make the queue slow.
SHOWN_CHARACTERS = 20_000


def labels_as_json(function: Function) -> list[Json]:
    return [_label_as_json(label) for label in selectors.labels_in_order(function)]


def queue_as_json(function: Function, person: User, items: list[QueueItem], *, n_given: int) -> Json:
    """Return what the page holds: items, labels, and where the count of handed-out samples stands after them."""
    return {
        "items": [item_as_json(item, person, function) for item in items],
        "labels": labels_as_json(function),
        "nGiven": n_given + len(items),
        "hasSamples": function.samples.exists(),
        "hasModel": selectors.has_model(function),
        "nSkipped": selectors.n_skipped(function, person),
    }


def item_as_json(item: QueueItem, person: User, function: Function) -> Json:
    sample = item.sample
    is_picture = bool(sample.file_key)
    return {
        "sampleId": sample.public_id,
        "text": sample.text[:SHOWN_CHARACTERS],
        "isCut": len(sample.text) > SHOWN_CHARACTERS,
        "cells": _cells(sample, function) if sample.row is not None else None,
        "imageUrl": reverse("samples:sample_image", args=[sample.public_id]) if is_picture else None,
        "widthPx": sample.width_px,
        "heightPx": sample.height_px,
        "name": sample.original_name,
        "pickedBy": item.picked_by.value,
        "proof": proofs.sign(sample_id=sample.public_id, picked_by=item.picked_by, person=person),
        "suggestion": _suggestion_as_json(item.suggestion) if item.suggestion else None,
        "suggestions": None if item.suggestions is None else [_suggestion_as_json(each) for each in item.suggestions],
        "said": list(item.said),
    }


def _cells(sample: Sample, function: Function) -> list[tuple[str, str, str]]:
    """Names and values of a table's row, and addresses of its pictures. One query, however many rows there are."""
    prefetch_related_objects([function], "fields")
    return [
        (name, text, reverse("samples:cell_image", args=[sample.public_id, field_id]) if field_id else "")
        for name, text, field_id in named_cells(sample.row, function.fields.all())
    ]


def outcome_as_json(outcome: Outcome) -> Json:
    return {
        "saved": [str(token) for token in outcome.saved],
        "refused": [{"token": str(refusal.token), "message": refusal.message} for refusal in outcome.refused],
    }


class OtherPerson(Conflict):
    """Someone else has signed in in this browser; the page keeps its answers until their giver is back."""

    code = "other_person"


def check_person(request: AppHttpRequest) -> None:
    """Refuse a page that was opened by one person and sends under another's name. Raises OtherPerson."""
    if request.headers.get("X-Person", request.user.public_id) != request.user.public_id:
        raise OtherPerson(f"Someone else is signed in here now: {request.user.email}.")


def answers_from(request: HttpRequest) -> list[Answer]:
    """Read a list of answers. Raises InvalidInput, with the place of the first bad one; then none was saved."""
    body = _json_from(request)
    if not isinstance(body, list):
        raise InvalidInput("Answers must come as a JSON list.")
    if len(body) > MAX_ANSWERS:
        raise InvalidInput(f"At most {MAX_ANSWERS} answers go in one request; send the rest in the next.")
    return [_answer_from(row, place) for place, row in enumerate(body, start=1)]


def undo_token_from(request: HttpRequest) -> UUID | None:
    """Read which answer to undo; none named means the last. Raises InvalidInput."""
    body = _json_from(request)
    if not isinstance(body, dict):
        raise InvalidInput('Undo takes {"token": "…"}, or {} for your last answer.')
    token = body.get("token")
    return None if token is None else _uuid_from(token, "The token to undo")


def label_name_from(request: HttpRequest) -> str:
    """Read the name of a new label. Raises InvalidInput."""
    body = _json_from(request)
    name = body.get("name") if isinstance(body, dict) else None
    if not isinstance(name, str) or not name.strip():
        raise InvalidInput("Give the new label a name.")
    return name


def n_from(request: HttpRequest, name: str, *, default: int, most: int) -> int:
    """Read a count from the query string. Raises InvalidInput."""
    raw = request.GET.get(name, str(default))
    if not (raw.isascii() and raw.isdecimal() and len(raw) <= 12):
        raise InvalidInput(f"“{name}” must be a whole number.")
    return min(int(raw), most)


def excluded_from(request: HttpRequest) -> list[str]:
    """Read the samples the page already holds, comma-separated; it never holds more than `MAX_EXCLUDED`."""
    return [part for part in request.GET.get("exclude", "").split(",") if part][:MAX_EXCLUDED]


def _label_as_json(label: Label) -> Json:
    return {
        "id": label.public_id,
        "name": label.name,
        "description": label.description,
        "colour": label.colour % Label.N_COLOURS,
    }


def _suggestion_as_json(suggestion: Suggestion) -> Json:
    return {
        "labelId": suggestion.label.public_id,
        "confidence": round(suggestion.confidence, 4),
        "word": confidence_word(suggestion.confidence),
    }


def _json_from(request: HttpRequest) -> object:
    try:
        return json.loads(request.body)
    except ValueError as error:
        raise InvalidInput("The request is not valid JSON.") from error


def _answer_from(row: object, place: int) -> Answer:
    if not isinstance(row, dict):
        raise InvalidInput(f"Answer {place} is not a JSON object.")
    sample_id, label_id, proof = row.get("sampleId"), row.get("labelId"), row.get("proof")
    if not isinstance(sample_id, str):
        raise InvalidInput(f"Answer {place} names no sample.")
    if not isinstance(proof, str):
        raise InvalidInput(f"Answer {place} comes without its proof.")
    if label_id is not None and not isinstance(label_id, str):
        raise InvalidInput(f"Answer {place} has a label that is no label id.")
    token = _uuid_from(row.get("token"), f"The token of answer {place}")
    return Answer(token, sample_id, label_id, proof, _tags_from(row.get("tags"), place))


def _tags_from(value: object, place: int) -> dict[str, bool] | None:
    if value is None:
        return None
    if not isinstance(value, dict) or not all(isinstance(is_present, bool) for is_present in value.values()):
        raise InvalidInput(f"The tags of answer {place} must say true or false of each label id.")
    return value


def _uuid_from(value: object, what: str) -> UUID:
    try:
        return UUID(value if isinstance(value, str) else "")
    except ValueError as error:
        raise InvalidInput(f"{what} must be a UUID.") from error
