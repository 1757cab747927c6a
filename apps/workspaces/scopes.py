"""What a person picks when making an API key: four scopes, each a few of the actions of `roles`."""

from collections.abc import Iterable

from django.db import models

from apps.workspaces.roles import ALLOWED, Action, Role


class Scope(models.TextChoices):
    INVOKE = "invoke", "Call functions"
    READ = "read", "Read samples, labels and figures"
    WRITE = "write", "Add samples, labels and annotations"
    ADMIN = "admin", "Change functions, members and keys"


ACTIONS: dict[Scope, frozenset[Action]] = {
    Scope.INVOKE: frozenset({Action.INVOKE}),
    Scope.READ: frozenset({Action.VIEW, Action.EXPORT}),
    Scope.WRITE: frozenset({Action.LABEL, Action.REVIEW, Action.BRING_SAMPLES, Action.EDIT_LABELS}),
    Scope.ADMIN: frozenset(
        {
            Action.DELETE_SAMPLES,
            Action.EDIT_FUNCTIONS,
            Action.CHOOSE_MODEL,
            Action.MANAGE_KEYS,
            Action.MANAGE_MEMBERS,
            Action.MANAGE_WEBHOOKS,
            Action.SEE_AUDIT,
            Action.MANAGE_WORKSPACE,
        }
    ),
}


def actions_of(scopes: Iterable[str], *, role: Role) -> list[Action]:
    """Return the actions of the scopes, as far as the role of the key's maker includes them."""
    wanted = frozenset[Action]().union(*(ACTIONS[Scope(scope)] for scope in scopes))
    return sorted(wanted & ALLOWED[role])


def scopes_of(actions: Iterable[str]) -> list[Scope]:
    """Return the scopes that a key's actions belong to."""
    held = set(actions)
    return [scope for scope in Scope if any(action.value in held for action in ACTIONS[scope])]
