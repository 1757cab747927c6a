"""S07 and S16: keys are stored hashed, do what they were made for, and die with their owner's membership."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import InvalidInput, NotAllowed, NotSignedIn
from apps.events.models import Event
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.roles import Action, Role
from apps.workspaces.services import authenticate, change_role, create_key, remove_member, revoke_key
from tests.workspaces.conftest import Join, membership_of


@pytest.fixture
def key_and_text(workspace: Workspace, owner: User) -> tuple[ApiKey, str]:
    return create_key(workspace=workspace, owner=owner, name="Help desk", actions=[Action.INVOKE])


def test_s07_a_key_has_a_visible_prefix_and_256_random_bits(key_and_text: tuple[ApiKey, str]) -> None:
    key, text = key_and_text
    kind, prefix, secret = text.split("_", 2)
    assert (kind, prefix) == ("hf", key.prefix)
    assert len(prefix) == 12
    assert len(secret) == 43


def test_s07_the_text_is_nowhere_in_the_database(key_and_text: tuple[ApiKey, str]) -> None:
    key, text = key_and_text
    secret = text.split("_", 2)[2]
    rows = [*ApiKey.objects.values(), *Event.objects.values()]
    assert rows
    assert not any(secret in str(value) for row in rows for value in row.values())
    assert len(key.secret_hash) == 64


def test_s07_the_stored_hash_is_of_no_use_without_the_servers_secret(
    key_and_text: tuple[ApiKey, str], settings: Any
) -> None:
    settings.SECRET_KEY = "another secret key, as long as it has to be, of some server"
    with pytest.raises(NotSignedIn):
        authenticate(key_and_text[1])


def test_a_key_is_known_by_its_text(key_and_text: tuple[ApiKey, str]) -> None:
    key, text = key_and_text
    found = authenticate(text)
    assert found == key
    assert found.allows(Action.INVOKE)
    assert not found.allows(Action.EXPORT)


@pytest.mark.parametrize(
    "mangle",
    [
        lambda text: "",
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
        lambda text: text.upper(),
        lambda text: " " + text,
        lambda text: text + "\n",
        lambda text: text.replace("hf_", "hg_"),
        lambda text: "hf_aaaaaaaaaaaa_" + "A" * 43,
        lambda text: text[:16] + "é" * 43,
        lambda text: text * 1000,
    ],
)
def test_any_other_text_is_refused(key_and_text: tuple[ApiKey, str], mangle: Any) -> None:
    with pytest.raises(NotSignedIn):
        authenticate(mangle(key_and_text[1]))


def test_a_secret_of_another_key_does_not_fit_this_prefix(key_and_text: tuple[ApiKey, str], owner: User) -> None:
    key, text = key_and_text
    _other, other_text = create_key(workspace=key.workspace, owner=owner, name="Other", actions=[Action.INVOKE])
    with pytest.raises(NotSignedIn):
        authenticate(text[:16] + other_text[16:])


def test_a_revoked_key_is_dead_at_once(key_and_text: tuple[ApiKey, str], owner: User) -> None:
    key, text = key_and_text
    authenticate(text)
    revoke_key(key=key, actor=owner)
    with pytest.raises(NotSignedIn):
        authenticate(text)


def test_revoking_twice_is_recorded_once(key_and_text: tuple[ApiKey, str], owner: User) -> None:
    key, _text = key_and_text
    revoke_key(key=key, actor=owner)
    revoke_key(key=key, actor=owner)
    assert Event.objects.filter(kind="key.revoked", subject=key.public_id).count() == 1


def test_s07_an_expired_key_is_dead(workspace: Workspace, owner: User) -> None:
    soon = timezone.now() + timedelta(hours=1)
    key, text = create_key(workspace=workspace, owner=owner, name="Short", actions=[Action.INVOKE], expires_at=soon)
    assert authenticate(text) == key
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotSignedIn):
        authenticate(text)


def test_s16_removing_a_member_kills_the_keys_they_made(workspace: Workspace, owner: User, join: Join) -> None:
    admin = join(Role.ADMIN)
    key, text = create_key(workspace=workspace, owner=admin, name="Theirs", actions=[Action.INVOKE])
    remove_member(membership=membership_of(admin, workspace), actor=owner)
    with pytest.raises(NotSignedIn):
        authenticate(text)
    key.refresh_from_db()
    assert key.revoked_at is not None
    # Coming back does not bring the keys back.
    workspace.memberships.create(user=admin, role=Role.ADMIN)
    with pytest.raises(NotSignedIn):
        authenticate(text)


def test_s16_keys_die_with_the_membership_row_however_it_went(workspace: Workspace, join: Join) -> None:
    admin = join(Role.ADMIN)
    _key, text = create_key(workspace=workspace, owner=admin, name="Theirs", actions=[Action.INVOKE])
    membership_of(admin, workspace).delete()
    with pytest.raises(NotSignedIn):
        authenticate(text)


def test_keys_of_someone_who_may_not_sign_in_are_dead(key_and_text: tuple[ApiKey, str]) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(NotSignedIn):
        authenticate(key_and_text[1])


def test_s14_a_demoted_owners_key_loses_what_the_role_lost(workspace: Workspace, owner: User, join: Join) -> None:
    admin = join(Role.ADMIN)
    _key, text = create_key(workspace=workspace, owner=admin, name="Both", actions=[Action.VIEW, Action.DELETE_SAMPLES])
    assert authenticate(text).allows(Action.DELETE_SAMPLES)
    change_role(membership=membership_of(admin, workspace), role=Role.VIEWER, actor=owner)
    key = authenticate(text)
    assert key.allows(Action.VIEW)
    assert not key.allows(Action.DELETE_SAMPLES)


def test_s14_nobody_makes_a_key_that_can_do_more_than_they_can(workspace: Workspace, join: Join) -> None:
    with pytest.raises(NotAllowed):
        create_key(workspace=workspace, owner=join(Role.LABELER), name="More", actions=[Action.INVOKE])
    with pytest.raises(NotAllowed):
        create_key(workspace=workspace, owner=join(Role.ADMIN), name="More", actions=[Action.MANAGE_WORKSPACE])


def test_s14_a_stranger_makes_no_key(workspace: Workspace, outsider: User) -> None:
    with pytest.raises(NotAllowed):
        create_key(workspace=workspace, owner=outsider, name="Mine", actions=[Action.VIEW])


@pytest.mark.parametrize(("name", "actions"), [("", [Action.INVOKE]), ("x" * 81, [Action.INVOKE]), ("None", [])])
def test_a_key_needs_a_name_and_something_to_do(
    workspace: Workspace, owner: User, name: str, actions: list[Action]
) -> None:
    with pytest.raises(InvalidInput):
        create_key(workspace=workspace, owner=owner, name=name, actions=actions)


def test_use_is_noted_at_most_once_a_minute(key_and_text: tuple[ApiKey, str], django_assert_num_queries: Any) -> None:
    key, text = key_and_text
    with django_assert_num_queries(2):
        authenticate(text)
    key.refresh_from_db()
    assert key.last_used_at is not None
    with django_assert_num_queries(1):
        authenticate(text)
    long_ago = timezone.now() - timedelta(minutes=2)
    ApiKey.objects.update(last_used_at=long_ago)
    authenticate(text)
    key.refresh_from_db()
    assert key.last_used_at > long_ago


def test_a_refused_key_is_not_noted_as_used(key_and_text: tuple[ApiKey, str]) -> None:
    key, text = key_and_text
    with pytest.raises(NotSignedIn):
        authenticate(text[:-1] + ("A" if text[-1] != "A" else "B"))
    key.refresh_from_db()
    assert key.last_used_at is None
