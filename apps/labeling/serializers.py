"""The JSON between the label page and the server: what is handed out, what comes back."""

from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from django.db.models import prefetch_related_objects
from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.core.json_body import read_json, read_json_object
from apps.functions.models import Function, Label
from apps.labeling import proofs, selectors
from apps.labeling.items import Answer, Outcome, QueueItem, Suggestion
from apps.samples.models import CaptureReason, Comment, MarkKind, Sample
from apps.samples.rows import named_cells
from apps.training.words import confidence_word
from apps.workspaces.access import AppHttpRequest

Json: TypeAlias = dict[str, object]

MAX_ITEMS = 20
MAX_ANSWERS = 100
MAX_EXCLUDED = 200
# A person reads a page or two before deciding; a whole book would only make the queue slow.
SHOWN_CHARACTERS = 20_000
MOST_MS = 8 * 60 * 60 * 1000


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
        "reason": _reason_as_json(item),
        "proof": proofs.sign(sample_id=sample.public_id, picked_by=item.picked_by, person=person),
        "suggestion": _suggestion_as_json(item.suggestion) if item.suggestion else None,
        "suggestions": None if item.suggestions is None else [_suggestion_as_json(each) for each in item.suggestions],
        "said": list(item.said),
        "isFlagged": item.is_flagged,
        "comments": [_comment_as_json(comment, person) for comment in item.comments],
        "sentBack": _comment_as_json(item.sent_back, person) if item.sent_back else None,
        "mayNotSuggest": item.may_not_suggest,
    }


def _reason_as_json(item: QueueItem) -> Json:
    reason: Json = {"kind": item.why.value, "labels": [label.public_id for label in item.labels]}
    if item.capture is None:
        return reason
    # Why it was kept would sway whoever is to answer by themselves.
    because = "" if item.may_not_suggest else CaptureReason(item.capture.reason).label
    return reason | {"call": {"at": item.capture.created_at.isoformat(), "because": because}}


def _comment_as_json(comment: Comment, person: User) -> Json:
    who = comment.person
    name = "Somebody who has left" if who is None else "You" if who.pk == person.pk else who.name or who.email
    return {"who": name, "text": comment.text, "at": comment.created_at.isoformat()}


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
    body = read_json(request)
    if not isinstance(body, list):
        raise InvalidInput("Answers must come as a JSON list.")
    if len(body) > MAX_ANSWERS:
        raise InvalidInput(f"At most {MAX_ANSWERS} answers go in one request; send the rest in the next.")
    return [_answer_from(row, place) for place, row in enumerate(body, start=1)]


def undo_token_from(request: HttpRequest) -> UUID | None:
    """Read which answer to undo; none named means the last. Raises InvalidInput."""
    body = read_json(request)
    if not isinstance(body, dict):
        raise InvalidInput('Undo takes {"token": "…"}, or {} for your last answer.')
    token = body.get("token")
    return None if token is None else _uuid_from(token, "The token to undo")


@dataclass(frozen=True)
class MarkSent:
    """A mark put on a sample, or taken off it."""

    sample_id: str
    kind: MarkKind
    is_on: bool


def mark_from(request: HttpRequest) -> MarkSent:
    """Read a flag or a doubt. Raises InvalidInput."""
    body = read_json_object(request)
    sample_id, kind, is_on = body.get("sampleId"), body.get("mark"), body.get("isOn")
    if not isinstance(sample_id, str) or kind not in MarkKind.values or not isinstance(is_on, bool):
        raise InvalidInput('A mark takes {"sampleId": "…", "mark": "flag" or "unsure", "isOn": true or false}.')
    return MarkSent(sample_id, MarkKind(str(kind)), is_on)


def holding_from(request: HttpRequest) -> tuple[list[str], list[str]]:
    """Read which samples a page holds, and which it lets go of. Raises InvalidInput."""
    body = read_json_object(request)
    return _held_ids(body.get("held", [])), _held_ids(body.get("released", []))


def _held_ids(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InvalidInput('What is held comes as {"held": ["…"], "released": ["…"]}: lists of sample ids.')
    if len(value) > MAX_EXCLUDED:
        raise InvalidInput(f"A page holds at most {MAX_EXCLUDED} samples.")
    return value


@dataclass(frozen=True)
class CommentSent:
    """A comment on its way; the token makes it one however often it is sent."""

    sample_id: str
    text: str
    token: UUID


def comment_from(request: HttpRequest) -> CommentSent:
    """Read a comment. Raises InvalidInput."""
    body = read_json_object(request)
    sample_id, text = body.get("sampleId"), body.get("text")
    if not isinstance(sample_id, str) or not isinstance(text, str):
        raise InvalidInput('A comment takes {"sampleId": "…", "text": "…", "token": "…"}.')
    return CommentSent(sample_id, text, _uuid_from(body.get("token"), "The token of a comment"))


def label_name_from(request: HttpRequest) -> str:
    """Read the name of a new label. Raises InvalidInput."""
    name = read_json_object(request).get("name")
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
    return Answer(
        token=token,
        sample_id=sample_id,
        label_id=label_id,
        proof=proof,
        tags=_tags_from(row.get("tags"), place),
        active_ms=_ms_from(row.get("ms"), place),
        is_unsure=row.get("unsure") is True,
    )


def _ms_from(value: object, place: int) -> int | None:
    """Read how long a person was at an answer; it is theirs to say, so it is held to what a working day allows."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidInput(f"The time of answer {place} must be a number of milliseconds.")
    return min(value, MOST_MS)


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
