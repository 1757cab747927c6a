"""One key for the samples chosen on the map or in a list: the JSON that asks for it, and what became of it in words."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.core.json_body import read_json_object
from apps.functions.models import Function, Label, OutputKind
from apps.functions.selectors import standing_labels
from apps.samples.services.bulk import label_selection

_MOST_TOKEN_CHARACTERS = 64


@dataclass(frozen=True)
class Chosen:
    """Samples by public id, the label for them (None takes away what was said), and a token of the request's own."""

    sample_ids: list[str]
    label: Label | None
    token: str


def read_chosen(request: HttpRequest, function: Function) -> Chosen:
    """Read what a page asks for. Raises InvalidInput, and Conflict where the label is gone."""
    body = read_json_object(request)
    samples, label_id, token = body.get("samples"), body.get("label"), body.get("token", "")
    if not isinstance(samples, list) or not all(isinstance(each, str) for each in samples):
        raise InvalidInput("No sample is selected. Select some first.")
    if not isinstance(token, str) or len(token) > _MOST_TOKEN_CHARACTERS:
        raise InvalidInput("The token of a selection is a short text.")
    return Chosen(samples, _label(label_id, function), token)


def _label(label_id: object, function: Function) -> Label | None:
    if label_id is None:
        return None
    label = standing_labels(function.pk).get(label_id) if isinstance(label_id, str) else None
    if label is None:
        raise Conflict("The label was deleted meanwhile. Choose another one.")
    return label


def label_chosen(*, function: Function, chosen: Chosen, person: User) -> dict[str, object]:
    """Label them as one act; returns how many changed, in words too, and where that is undone (null: nothing was)."""
    act = label_selection(
        function=function,
        sample_ids=chosen.sample_ids,
        label=chosen.label,
        person=person,
        token=chosen.token,
    )
    undo_url = reverse("samples:undo_act", args=[function.public_id, act.public_id]) if act.pk else None
    words = _words(act.n_samples, chosen.label, is_tag=function.output_kind == OutputKind.TAGS)
    return {"n": act.n_samples, "words": words, "undoUrl": undo_url}


def _words(n: int, label: Label | None, *, is_tag: bool) -> str:
    if n == 0:
        return "Nothing changed: that is what they have already."
    samples = "1 sample" if n == 1 else f"{n:,} samples"
    if label is None:
        return f"{samples} without {'tags' if is_tag else 'a label'} again"
    return f"{samples} {'tagged' if is_tag else 'labelled'} {label.name}"
