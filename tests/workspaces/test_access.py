"""The one way to an object: strangers and former members meet "not found", too low a role "not allowed"."""

import pytest
from django.apps import apps

from apps.accounts.models import User
from apps.core.errors import NotAllowed, NotFound
from apps.functions.models import Function, KeywordRule, Label
from apps.workspaces.access import Access
from apps.workspaces.models import ApiKey, Membership, Workspace
from apps.workspaces.roles import Action, Role
from apps.workspaces.services import authenticate, create_key
from tests.workspaces.conftest import Join, membership_of


def test_a_member_gets_the_object_and_its_workspace(text_function: Function, member: User) -> None:
    access = Access(Action.VIEW, user=member)
    assert access.fetch(Function, text_function.public_id) == text_function
    assert access.workspace == text_function.workspace


def test_an_id_works_with_and_without_its_kind(text_function: Function, member: User) -> None:
    bare = text_function.public_id.removeprefix("function_")
    assert Access(Action.VIEW, user=member).fetch(Function, bare) == text_function


def test_s09_another_workspaces_object_and_one_that_is_not_there_read_the_same(
    text_function: Function, outsider: User
) -> None:
    access = Access(Action.VIEW, user=outsider)
    with pytest.raises(NotFound) as foreign:
        access.fetch(Function, text_function.public_id)
    with pytest.raises(NotFound) as missing:
        access.fetch(Function, "function_0000000000000000")
    assert foreign.value.message == missing.value.message


def test_s09_objects_two_steps_below_the_workspace_are_guarded_as_well(text_function: Function, outsider: User) -> None:
    label = text_function.labels.first()
    assert label is not None
    with pytest.raises(NotFound):
        Access(Action.VIEW, user=outsider).fetch(Label, label.public_id)


def test_s10_neither_a_former_member_nor_a_stranger_gets_in(
    text_function: Function, former_member: User, outsider: User
) -> None:
    for person in (former_member, outsider):
        for action in Action:
            with pytest.raises(NotFound):
                Access(action, user=person).fetch(Function, text_function.public_id)


def test_s14_a_role_without_the_action_is_told_so(text_function: Function, member: User) -> None:
    with pytest.raises(NotAllowed, match="delete samples"):
        Access(Action.DELETE_SAMPLES, user=member).fetch(Function, text_function.public_id)


def test_a_role_counts_only_in_its_own_workspace(text_function: Function, outsider: User) -> None:
    """An owner elsewhere who is a viewer here has a viewer's rights here, whatever rows the join could find."""
    text_function.workspace.memberships.create(user=outsider, role=Role.VIEWER)
    text_function.workspace.memberships.create(
        user=User.objects.create_user(email="second@example.com"), role=Role.OWNER
    )
    assert Access(Action.VIEW, user=outsider).fetch(Function, text_function.public_id)
    with pytest.raises(NotAllowed):
        Access(Action.EDIT_FUNCTIONS, user=outsider).fetch(Function, text_function.public_id)


def test_a_role_is_read_anew_at_each_fetch(text_function: Function, join: Join, workspace: Workspace) -> None:
    admin = join(Role.ADMIN)
    access = Access(Action.EDIT_FUNCTIONS, user=admin)
    access.fetch(Function, text_function.public_id)
    membership = membership_of(admin, workspace)
    Membership.objects.filter(pk=membership.pk).update(role=Role.VIEWER)
    with pytest.raises(NotAllowed):
        access.fetch(Function, text_function.public_id)


def key_of(function: Function, owner: User) -> ApiKey:
    """Return a key that may do everything, with this function alone."""
    key, text = create_key(workspace=function.workspace, owner=owner, name="One", actions=list(Action))
    ApiKey.objects.filter(pk=key.pk).update(only_function=function.public_id)
    return authenticate(text)


def test_a_key_of_one_function_opens_it_and_what_is_below_it(text_function: Function, owner: User) -> None:
    access = Access(Action.VIEW, key=key_of(text_function, owner))
    label = text_function.labels.get(name="Refund")
    rule = label.rules.create(words="money back")
    assert access.fetch(Function, text_function.public_id) == text_function
    assert access.fetch(Label, label.public_id) == label
    assert access.fetch(KeywordRule, rule.public_id) == rule
    assert access.workspace == text_function.workspace


def test_a_key_of_one_function_finds_nothing_else_of_its_workspace(text_function: Function, owner: User) -> None:
    access = Access(Action.VIEW, key=key_of(text_function, owner))
    other = text_function.workspace.functions.create(name="Another", input_kind="text")
    label = other.labels.create(name="Refund", position=0, colour=0)
    membership = membership_of(owner, text_function.workspace)
    for row in (other, label, label.rules.create(words="x"), membership, text_function.workspace, access.key):
        assert row is not None
        with pytest.raises(NotFound):
            access.fetch(type(row), row.public_id)


def test_a_key_of_one_function_does_nothing_to_the_workspace(text_function: Function, owner: User) -> None:
    with pytest.raises(NotAllowed, match="of one function"):
        Access(Action.EDIT_FUNCTIONS, key=key_of(text_function, owner)).own_workspace()


def test_every_model_with_an_id_is_within_reach_of_one_functions_key_or_out_of_it(
    text_function: Function, owner: User
) -> None:
    """A model that reaches its workspace in a new way must not fail, nor be seen whole."""
    access = Access(Action.VIEW, key=key_of(text_function, owner))
    for model in apps.get_models():
        if hasattr(model, "WORKSPACE_PATH") and model is not Function:
            with pytest.raises(NotFound):
                access.fetch(model, f"{getattr(model, 'ID_KIND', '')}_0000000000000000")


def test_a_key_opens_its_own_workspace_only(text_function: Function, owner: User, outsider: User) -> None:
    elsewhere = outsider.memberships.get().workspace
    _key, text = create_key(workspace=elsewhere, owner=outsider, name="Theirs", actions=[Action.INVOKE])
    with pytest.raises(NotFound):
        Access(Action.INVOKE, key=authenticate(text)).fetch(Function, text_function.public_id)
    _key, text = create_key(workspace=text_function.workspace, owner=owner, name="Ours", actions=[Action.INVOKE])
    access = Access(Action.INVOKE, key=authenticate(text))
    assert access.fetch(Function, text_function.public_id) == text_function


def test_s07_a_key_does_only_what_it_was_made_for(text_function: Function, owner: User) -> None:
    _key, text = create_key(workspace=text_function.workspace, owner=owner, name="Calls", actions=[Action.INVOKE])
    with pytest.raises(NotAllowed, match="This key"):
        Access(Action.EXPORT, key=authenticate(text)).fetch(Function, text_function.public_id)


def test_s14_a_key_that_nobody_authenticated_may_nothing(text_function: Function, owner: User) -> None:
    key, _text = create_key(workspace=text_function.workspace, owner=owner, name="Calls", actions=[Action.INVOKE])
    with pytest.raises(NotAllowed):
        Access(Action.INVOKE, key=key).fetch(Function, text_function.public_id)
