"""S14: who may do what, spelled out. Whoever changes `roles.py` has to change this table as well, and think twice."""

import pytest

from apps.workspaces.roles import ALLOWED, Action, Role, may

Y, n = True, False
TABLE = {
    #                     owner admin reviewer labeler viewer
    "view":              (Y,    Y,    Y,       Y,      Y),
    "label":             (Y,    Y,    Y,       Y,      n),
    "review":            (Y,    Y,    Y,       n,      n),
    "bring_samples":     (Y,    Y,    Y,       n,      n),
    "export":            (Y,    Y,    Y,       n,      n),
    "edit_labels":       (Y,    Y,    Y,       n,      n),
    "invoke":            (Y,    Y,    Y,       n,      n),
    "delete_samples":    (Y,    Y,    n,       n,      n),
    "edit_functions":    (Y,    Y,    n,       n,      n),
    "choose_model":      (Y,    Y,    n,       n,      n),
    "manage_keys":       (Y,    Y,    n,       n,      n),
    "manage_members":    (Y,    Y,    n,       n,      n),
    "manage_webhooks":   (Y,    n,    n,       n,      n),
    "see_audit":         (Y,    Y,    n,       n,      n),
    "manage_workspace":  (Y,    n,    n,       n,      n),
}  # fmt: skip
ROLES = ("owner", "admin", "reviewer", "labeler", "viewer")
CELLS = [(role, action, TABLE[action][column]) for action in TABLE for column, role in enumerate(ROLES)]


def test_the_table_names_every_role_and_every_action() -> None:
    assert set(TABLE) == set(Action.values)
    assert set(ROLES) == set(Role.values) == set(ALLOWED)


@pytest.mark.parametrize(("role", "action", "allowed"), CELLS)
def test_s14_each_role_may_exactly_what_the_table_says(role: str, action: str, allowed: bool) -> None:
    assert may(role, Action(action)) is allowed


@pytest.mark.parametrize("role", ["", "Owner", "superuser", "owner "])
def test_s14_an_unknown_role_may_nothing(role: str) -> None:
    assert not any(may(role, action) for action in Action)
