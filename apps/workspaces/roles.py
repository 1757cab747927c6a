"""Who may do what: five roles, a fixed list of actions, and the table between them. Deny is the default."""

from django.db import models


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    REVIEWER = "reviewer", "Reviewer"
    LABELER = "labeler", "Labeler"
    VIEWER = "viewer", "Viewer"


class Action(models.TextChoices):
    """What a view or an API key declares it does."""

    VIEW = "view", "see functions, samples and figures"
    LABEL = "label", "label samples in the queue and undo own labels"
    REVIEW = "review", "correct anyone's label"
    BRING_SAMPLES = "bring_samples", "add samples"
    DELETE_SAMPLES = "delete_samples", "delete samples"
    EXPORT = "export", "take samples and labels out"
    EDIT_LABELS = "edit_labels", "add, rename and delete labels"
    EDIT_FUNCTIONS = "edit_functions", "make, rename and delete functions"
    CHOOSE_MODEL = "choose_model", "choose which model answers"
    INVOKE = "invoke", "call a function"
    MANAGE_KEYS = "manage_keys", "make and revoke API keys"
    MANAGE_MEMBERS = "manage_members", "invite, change and remove members"
    MANAGE_WEBHOOKS = "manage_webhooks", "have other programs told what happens"
    SEE_AUDIT = "see_audit", "read the audit log"
    MANAGE_WORKSPACE = "manage_workspace", "rename and delete the workspace"


_VIEWER = {Action.VIEW}
_LABELER = _VIEWER | {Action.LABEL}
_REVIEWER = _LABELER | {Action.REVIEW, Action.BRING_SAMPLES, Action.EXPORT, Action.EDIT_LABELS, Action.INVOKE}
_ADMIN = _REVIEWER | {
    Action.DELETE_SAMPLES,
    Action.EDIT_FUNCTIONS,
    Action.CHOOSE_MODEL,
    Action.MANAGE_KEYS,
    Action.MANAGE_MEMBERS,
    Action.SEE_AUDIT,
}

ALLOWED: dict[Role, frozenset[Action]] = {
    Role.VIEWER: frozenset(_VIEWER),
    Role.LABELER: frozenset(_LABELER),
    Role.REVIEWER: frozenset(_REVIEWER),
    Role.ADMIN: frozenset(_ADMIN),
    Role.OWNER: frozenset(Action),
}


def may(role: str, action: Action) -> bool:
    """Whether the role includes the action; an unknown role includes nothing."""
    return action in ALLOWED.get(Role(role), frozenset()) if role in Role.values else False
