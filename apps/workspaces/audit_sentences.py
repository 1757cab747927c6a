"""Events of the audit log in words, as what follows a person's name: *mika@example.com* "made the function “Spam?”"."""

from collections.abc import Mapping
from enum import StrEnum

from apps.events.kinds import Audit
from apps.events.models import Event

_MOST_NAMES = 5

SENTENCES: dict[Audit, str] = {
    Audit.WORKSPACE_CREATED: "made the workspace “{name}”",
    Audit.QUOTA_CHANGED: "changed what the workspace may use: {quotas}",
    Audit.MEMBER_INVITED: "invited {email} as {role}",
    Audit.MEMBER_JOINED: "joined as {role}",
    Audit.MEMBER_ROLE_CHANGED: "changed the role of {email} from {old_role} to {role}",
    Audit.MEMBER_REMOVED: "removed {email}",
    Audit.INVITATION_REVOKED: "withdrew the invitation for {email}",
    Audit.KEY_CREATED: "made the API key “{name}” (hf_{prefix}…)",
    Audit.KEY_ROTATED: "gave the API key “{name}” (hf_{prefix}…) a new secret; the old one ends {old_ends}",
    Audit.KEY_REVOKED: "revoked the API key “{name}” (hf_{prefix}…)",
    Audit.WEBHOOK_CREATED: "made a webhook to {host}",
    Audit.WEBHOOK_CHANGED: "changed the webhook to {host}",
    Audit.WEBHOOK_ROTATED: "gave the webhook to {host} a new secret",
    Audit.WEBHOOK_TURNED_ON: "turned the webhook to {host} on",
    Audit.WEBHOOK_TURNED_OFF: "turned the webhook to {host} off",
    Audit.WEBHOOK_DELETED: "deleted the webhook to {host}",
    Audit.MESSAGE_SENT_AGAIN: "had a message sent to {host} again",
    Audit.SIGNED_IN: "signed in with a {by}",
    Audit.FUNCTION_CREATED: "made the function “{name}”",
    Audit.FUNCTION_RENAMED: "renamed the function “{old_name}” to “{name}”",
    Audit.FUNCTION_DELETED: "deleted the function “{name}” with its samples ({n_samples})",
    Audit.AUTOMATION_CHANGED: "wants {target}% of the automated answers of “{name}” right ({old_target}% before)",
    Audit.TEAMWORK_CHANGED: "changed how people work together on “{name}”",
    Audit.CAPTURE_CHANGED: "changed what “{name}” keeps of calls: {mode}",
    Audit.DRIFT_NOTICED: "noticed that calls of “{name}” are not as they were: {what}",
    Audit.DRIFT_SEEN: "saw that calls of “{name}” are not as they were, and took that for usual",
    Audit.LABEL_CREATED: "added to the labels: {labels}",
    Audit.LABEL_RENAMED: "renamed the label “{old_name}” to “{name}”",
    Audit.LABEL_DELETED: "deleted the label “{name}” (it was on {n_samples} samples)",
    Audit.LABEL_RESTORED: "brought the deleted label “{name}” back",
    Audit.LABEL_RECOLOURED: "gave the label “{name}” another colour",
    Audit.LABEL_MERGED: "merged the label “{name}” into “{into}” ({n_samples} samples)",
    Audit.LABEL_UNMERGED: "took the label “{name}” out of “{into}” again",
    Audit.LABEL_SPLIT: "split “{name}” off the label “{old_name}” ({n_samples} samples)",
    Audit.LABEL_PROPOSED: "suggested the label “{name}”",
    Audit.PROPOSAL_ACCEPTED: "took up the suggested label “{name}”",
    Audit.PROPOSAL_DECLINED: "declined the suggested label “{name}”",
    Audit.INSTRUCTIONS_CHANGED: "wrote the instructions of “{name}” anew",
    Audit.LABEL_WEIGHED: "said that missing the label “{name}” is {weight}",
    Audit.LABEL_DESCRIBED: "described the label “{name}” anew",
    Audit.LABEL_METADATA_CHANGED: "changed what a program keeps with the label “{name}”",
    Audit.RULE_CREATED: "made the rule that “{words}” means “{label}”",
    Audit.RULE_DELETED: "deleted the rule that “{words}” means “{label}”",
    Audit.FIELD_CREATED: "added to the columns: {fields}",
    Audit.FIELD_RENAMED: "renamed the column “{old_name}” to “{name}”",
    Audit.FIELD_RETYPED: "changed the type of the column “{name}” from {old_type} to {type}",
    Audit.FIELD_USE_CHANGED: "changed whether to learn from the column “{name}” ({is_used})",
    Audit.FIELD_DELETED: "deleted the column “{name}”",
    Audit.SAMPLES_IMPORTED: "brought samples in ({n_added} new)",
    Audit.SAMPLES_EXPORTED: "took samples and labels out as {format}",
    Audit.FILE_PREDICTED: "had a file predicted ({n_rows} rows)",
    Audit.ANSWERS_SET_ASIDE: "set the answers of {email} aside ({n_samples} samples)",
    Audit.SAMPLES_BINNED: "put {n_samples} samples into the bin",
    Audit.SAMPLES_RESTORED: "took {n_samples} samples out of the bin",
    Audit.SAMPLES_PURGED: "deleted {n_samples} samples in the bin for good",
    Audit.ACT_UNDONE: "undid what had {what} ({n_samples} samples)",
    Audit.MODEL_PUBLISHED: "published model {number}, which learned from {n_annotations} labels",
    Audit.MODEL_DAMAGED: "found the file of a model damaged and stopped using it",
    Audit.MODEL_PINNED: "had model {number} answer until it is unpinned",
    Audit.MODEL_UNPINNED: "unpinned model {number}; model {live} answers now",
    Audit.READING_CHANGED: "has {samples} read by {after} instead of {before}",
}


class Topic(StrEnum):
    """What the audit page can be narrowed to: all kinds that begin with one of a few words."""

    ALL = "all"
    PEOPLE = "people"
    DATA = "data"
    MODELS = "models"

    @property
    def label(self) -> str:
        return _LABELS[self]

    @property
    def kinds(self) -> list[Audit]:
        return [kind for kind in Audit if kind.partition(".")[0] in _FIRST_WORDS.get(self, (kind.partition(".")[0],))]


_LABELS = {
    Topic.ALL: "Everything",
    Topic.PEOPLE: "People, keys and webhooks",
    Topic.DATA: "Functions and samples",
    Topic.MODELS: "Models",
}
_FIRST_WORDS = {
    Topic.PEOPLE: ("workspace", "member", "invitation", "key", "webhook", "person"),
    Topic.DATA: ("function", "label", "field", "rule", "samples", "file", "act"),
    Topic.MODELS: ("model", "drift"),
}


def sentence(event: Event) -> str:
    """Return the event in words; one written by another version, with other data, still reads as its bare kind."""
    try:
        return SENTENCES[Audit(event.kind)].format_map(_in_words(event.data))
    except (ValueError, KeyError):
        return event.kind.replace(".", " ").replace("_", " ")


def _in_words(data: Mapping[str, object]) -> dict[str, object]:
    words = {name: _listed(value) if isinstance(value, list) else value for name, value in data.items()}
    # One label is recorded by its name, several made at once as a list.
    return {"labels": f"“{data['name']}”", **words} if "name" in data else words


def _listed(values: list[object]) -> str:
    shown = ", ".join(f"“{value}”" for value in values[:_MOST_NAMES])
    n_more = len(values) - _MOST_NAMES
    return f"{shown} and {n_more} more" if n_more > 0 else shown
