"""Keyword rules: what the owner knows before there is a model. A round learns them anew whenever they change."""

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.engine.rules import pattern_words
from apps.events.kinds import Audit
from apps.events.services import record
from apps.functions.models import InputKind, KeywordRule, Label, OutputKind
from apps.functions.names import rule_words
from apps.functions.selectors import rules_of
from apps.functions.services.changes import actor_id, lock, note_data_change
from apps.functions.services.labels import require_in_use

MAX_RULES = 200


@transaction.atomic
def add_rule(*, label: Label, words: str, actor: User | None = None) -> KeywordRule:
    """Say that a text with these words has this label. Raises InvalidInput or Conflict with the reason."""
    function = label.function
    if function.input_kind == InputKind.IMAGE:
        raise InvalidInput("Rules look for words, and pictures have none. Describe the label instead.")
    clean = rule_words(words)
    lock(label.function_id)
    require_in_use(label)
    others = rules_of(function)
    if len(others) >= MAX_RULES:
        raise InvalidInput(f"There are {MAX_RULES} rules already, as many as a function takes. Delete one first.")
    _refuse_said(others, label, clean)
    rule = KeywordRule.objects.create(label=label, words=clean)
    _record(Audit.RULE_CREATED, rule, actor)
    note_data_change(label.function_id)
    return rule


@transaction.atomic
def delete_rule(*, rule: KeywordRule, actor: User | None = None) -> None:
    """Take a rule away; what it taught goes with the next round."""
    lock(rule.label.function_id)
    n_deleted, _by_model = KeywordRule.objects.filter(pk=rule.pk).delete()
    if not n_deleted:
        raise Conflict("This rule has been deleted meanwhile. Reload the page.")
    _record(Audit.RULE_DELETED, rule, actor)
    note_data_change(rule.label.function_id)


def _refuse_said(others: list[KeywordRule], label: Label, words: str) -> None:
    """The same words mean one label; several tags may have them in common."""
    is_label = label.function.output_kind == OutputKind.LABEL
    wanted = pattern_words(words)
    for other in others:
        if pattern_words(other.words) != wanted:
            continue
        if other.label_id == label.pk:
            raise Conflict(f"There is already a rule that “{other.words}” means {other.label.name}.")
        if is_label:
            raise Conflict(f"“{other.words}” already means {other.label.name}. Delete that rule first, or add a word.")


def _record(kind: Audit, rule: KeywordRule, actor: User | None) -> None:
    function = rule.label.function
    record(
        workspace=function.workspace.public_id,
        kind=kind,
        actor=actor_id(actor),
        subject=rule.public_id,
        function=function.public_id,
        label=rule.label.name,
        words=rule.words,
    )
