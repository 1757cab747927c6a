"""Keyword rules and descriptions of labels: what they may be, what is written down, what is learned anew."""

import pytest

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.events.kinds import Audit
from apps.events.models import Event
from apps.functions import services
from apps.functions.models import Function, InputKind, KeywordRule, Label, OutputKind
from apps.functions.selectors import rules_of
from apps.functions.services import rules
from apps.workspaces.audit_sentences import sentence


def revision(function: Function) -> int:
    return Function.objects.values_list("data_revision", flat=True).get(pk=function.pk)


def test_a_rule_is_kept_tidied_written_down_and_learned(text_function: Function, refund: Label, owner: User) -> None:
    rule = services.add_rule(label=refund, words="  money \n back ", actor=owner)
    assert [(row.words, row.label) for row in rules_of(text_function)] == [("money back", refund)]
    event = Event.objects.get(kind=Audit.RULE_CREATED)
    assert (event.subject, event.actor) == (rule.public_id, owner.public_id)
    assert sentence(event) == "made the rule that “money back” means “Refund”"
    assert revision(text_function) == 1


@pytest.mark.parametrize("words", ["", "  ", "?!", "*", "$ %", "x" * 201])
def test_a_rule_needs_something_to_look_for(refund: Label, words: str) -> None:
    with pytest.raises(InvalidInput):
        services.add_rule(label=refund, words=words)
    assert not KeywordRule.objects.exists()


@pytest.mark.parametrize("words", ["refund", "REFUND", "Refund!", "réfund"])
def test_the_same_words_are_said_once(refund: Label, shipping: Label, words: str) -> None:
    services.add_rule(label=refund, words="refund")
    with pytest.raises(Conflict, match="already a rule that “refund” means Refund"):
        services.add_rule(label=refund, words=words)
    with pytest.raises(Conflict, match="“refund” already means Refund"):
        services.add_rule(label=shipping, words=words)


def test_several_tags_may_share_words(text_function: Function, refund: Label, shipping: Label) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    for label in (refund, shipping):
        label.refresh_from_db()
        services.add_rule(label=label, words="lost parcel")
    assert len(rules_of(text_function)) == 2


def test_a_function_takes_two_hundred_rules(
    text_function: Function, refund: Label, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MAX_RULES", 2)
    services.add_rule(label=refund, words="one")
    services.add_rule(label=refund, words="two")
    with pytest.raises(InvalidInput, match="2 rules already"):
        services.add_rule(label=refund, words="three")


def test_pictures_have_no_words(text_function: Function, refund: Label) -> None:
    Function.objects.filter(pk=text_function.pk).update(input_kind=InputKind.IMAGE)
    refund.refresh_from_db()
    with pytest.raises(InvalidInput, match="pictures have none"):
        services.add_rule(label=refund, words="refund")


def test_a_rule_is_deleted_once(text_function: Function, refund: Label, owner: User) -> None:
    rule = services.add_rule(label=refund, words="refund")
    stale = KeywordRule.objects.get(pk=rule.pk)
    services.delete_rule(rule=rule, actor=owner)
    assert rules_of(text_function) == []
    assert revision(text_function) == 2
    assert Event.objects.get(kind=Audit.RULE_DELETED).data["words"] == "refund"
    with pytest.raises(Conflict, match="deleted meanwhile"):
        services.delete_rule(rule=stale)


def test_the_rules_of_a_deleted_label_free_their_words(text_function: Function, refund: Label) -> None:
    services.add_rule(label=refund, words="refund")
    services.delete_label(label=refund)
    assert rules_of(text_function) == []
    with pytest.raises(Conflict, match="deleted meanwhile"):
        services.add_rule(label=refund, words="money")
    services.add_rule(label=text_function.labels.get(name="Shipping"), words="refund")


def test_a_description_is_kept_and_learned_once(text_function: Function, refund: Label, owner: User) -> None:
    services.describe_label(label=refund, description=" wants\tmoney back ", actor=owner)
    services.describe_label(label=refund, description="wants money back", actor=owner)
    refund.refresh_from_db()
    assert refund.description == "wants money back"
    assert revision(text_function) == 1
    event = Event.objects.get(kind=Audit.LABEL_DESCRIBED)
    assert sentence(event) == "described the label “Refund” anew"
    with pytest.raises(InvalidInput, match="too long"):
        services.describe_label(label=refund, description="x" * 1001)
