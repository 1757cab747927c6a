"""Answers before there is a model: rules first, then likeness to the labels' names and descriptions."""

import numpy as np
import pytest

from apps.engine import backbones, languages
from apps.engine.types import Modality
from apps.functions.models import Function, InputKind, OutputKind
from apps.functions.services import add_label, add_rule, delete_label, describe_label, rename_label
from apps.training.services import label_vectors
from apps.training.services.untrained import load_untrained

TINY = backbones.tiny(Modality.TEXT)


def said(function: Function, text: str) -> dict[str, float] | None:
    """What an untrained function says of a text; None where it says nothing."""
    untrained = load_untrained(function)
    assert untrained is not None
    embeddings = TINY.encode([text]) if untrained.backbone_name else None
    probs = untrained.pred_probs([text], embeddings)[0]
    if np.isnan(probs).any():
        return None
    return dict(zip([label.name for label in untrained.labels], probs.tolist(), strict=True))


def best(function: Function, text: str) -> str:
    found = said(function, text)
    assert found is not None
    return max(found, key=found.__getitem__)


def rule(function: Function, words: str, label_name: str) -> None:
    add_rule(label=function.labels.get(name=label_name), words=words)


def test_from_no_labels_it_answers_by_the_names(text_function: Function) -> None:
    assert best(text_function, "a refund please") == "Refund"
    assert best(text_function, "shipping to norway") == "Shipping"


def test_a_description_is_likened_to_and_a_new_name_at_once(text_function: Function) -> None:
    describe_label(label=text_function.labels.get(name="Refund"), description="money back, charged twice")
    assert best(text_function, "money back") == "Refund"
    rename_label(label=text_function.labels.get(name="Shipping"), name="money")
    assert best(text_function, "money") == "money"


def test_a_rule_speaks_over_likeness(text_function: Function) -> None:
    rule(text_function, "refund", "Shipping")
    found = said(text_function, "a refund please")
    assert found is not None
    assert found["Shipping"] > 0.85


def test_a_deleted_label_is_not_said(text_function: Function) -> None:
    add_label(function=text_function, name="Other")
    rule(text_function, "refund", "Refund")
    delete_label(label=text_function.labels.get(name="Refund"))
    found = said(text_function, "a refund please")
    assert found is not None
    assert set(found) == {"Shipping", "Other"}


def test_in_a_language_that_is_not_read_only_rules_speak(
    text_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(languages._READ_BY, "tiny-text", frozenset({"en"}))
    text = "Wo bleibt mein Paket, es ist schon spät, refund"
    assert said(text_function, text) is None
    assert said(text_function, "where is my parcel, it is late, refund") is not None
    rule(text_function, "Paket", "Shipping")
    assert best(text_function, text) == "Shipping"


def test_rows_are_answered_by_rules_or_not_at_all(text_function: Function) -> None:
    Function.objects.filter(pk=text_function.pk).update(input_kind=InputKind.TABLE)
    text_function.refresh_from_db()
    assert load_untrained(text_function) is None
    rule(text_function, "refund", "Refund")
    assert best(text_function, "refund · open") == "Refund"
    assert said(text_function, "parcel · open") is None


def test_pictures_and_single_labels_are_not_answered(text_function: Function) -> None:
    delete_label(label=text_function.labels.get(name="Refund"))
    assert load_untrained(text_function) is None
    add_label(function=text_function, name="Other")
    assert load_untrained(text_function) is not None
    Function.objects.filter(pk=text_function.pk).update(input_kind=InputKind.IMAGE)
    text_function.refresh_from_db()
    assert load_untrained(text_function) is None


def test_tags_are_said_each_for_itself(text_function: Function) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    text_function.refresh_from_db()
    rule(text_function, "broken", "Refund")
    rule(text_function, "broken", "Shipping")
    found = said(text_function, "it came broken")
    assert found is not None
    assert min(found.values()) == pytest.approx(0.9)


def test_labels_are_encoded_once_per_workspace(text_function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    said(text_function, "refund")
    monkeypatch.setattr(label_vectors, "label_text", lambda name, _description: name.lower())
    kept = dict(label_vectors._vectors._values)
    said(text_function, "refund")
    assert dict(label_vectors._vectors._values) == kept
