"""Rotating keys with overlap, keys with chosen secrets, and telling whoever remembers keys."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, NotAllowed, NotSignedIn
from apps.events.models import Event
from apps.functions.models import Function
from apps.workspaces.audit_sentences import sentence
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.roles import Action, Role
from apps.workspaces.services import (
    authenticate,
    authentication,
    change_role,
    create_key,
    exchange,
    remove_member,
    revoke_key,
    rotate_key,
    watching,
)
from tests.workspaces.conftest import Join, membership_of

CHOSEN, OTHER = "a-secret-of-many-years-01", "another-secret-of-ours-02"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "_guesses", authentication._Guesses())
    monkeypatch.setattr(authentication, "_known", authentication._Known())


@pytest.fixture
def key_and_text(workspace: Workspace, owner: User) -> tuple[ApiKey, str]:
    return create_key(workspace=workspace, owner=owner, name="Help desk", actions=[Action.INVOKE])


def is_let_in(bearer: str) -> bool:
    try:
        return authenticate(bearer) is not None
    except NotSignedIn:
        return False


def gets_a_token(client_id: str, secret: str) -> bool:
    try:
        return exchange(client_id=client_id, secret=secret) is not None
    except NotSignedIn:
        return False


def test_both_secrets_work_while_they_overlap_and_the_old_one_ends(key_and_text: tuple[ApiKey, str]) -> None:
    key, old = key_and_text
    old_token = exchange(client_id=key.client_id, secret=old).text
    new = rotate_key(key=key, actor=key.owner, overlap=DAY)
    assert new != old
    assert new[:16] == old[:16], "the prefix, by which people know it, stays"
    new_token = exchange(client_id=key.client_id, secret=new).text
    assert [is_let_in(each) for each in (old, new, old_token, new_token)] == [True] * 4
    assert gets_a_token(key.client_id, old)
    ApiKey.objects.update(old_until=timezone.now() - timedelta(seconds=1))
    assert [is_let_in(each) for each in (old, new, old_token, new_token)] == [False, True, False, True]
    assert not gets_a_token(key.client_id, old)


def test_without_overlap_the_old_secret_and_its_tokens_are_dead_at_once(key_and_text: tuple[ApiKey, str]) -> None:
    key, old = key_and_text
    old_token = exchange(client_id=key.client_id, secret=old).text
    new = rotate_key(key=key, actor=key.owner)
    assert [is_let_in(each) for each in (old, old_token, new)] == [False, False, True]


def test_rotating_twice_ends_the_first_secret(key_and_text: tuple[ApiKey, str]) -> None:
    key, first = key_and_text
    second = rotate_key(key=key, actor=key.owner, overlap=DAY)
    third = rotate_key(key=key, actor=key.owner, overlap=DAY)
    assert [is_let_in(each) for each in (first, second, third)] == [False, True, True]


def test_rotation_is_recorded_in_words_and_without_secrets(key_and_text: tuple[ApiKey, str]) -> None:
    key, old = key_and_text
    new = rotate_key(key=key, actor=key.owner, overlap=DAY)
    rotate_key(key=key, actor=key.owner)
    slow, quick = Event.objects.filter(kind="key.rotated").order_by("sequence")
    assert sentence(slow).endswith("a new secret; the old one ends in 24 hours")
    assert sentence(quick).endswith("a new secret; the old one ends at once")
    written = str(list(Event.objects.values())) + str(list(ApiKey.objects.values()))
    assert old[16:] not in written
    assert new[16:] not in written


def test_only_the_person_a_key_belongs_to_rotates_it(key_and_text: tuple[ApiKey, str], join: Join) -> None:
    with pytest.raises(NotAllowed):
        rotate_key(key=key_and_text[0], actor=join(Role.ADMIN))
    assert is_let_in(key_and_text[1])


def test_a_dead_key_is_not_rotated_back_to_life(key_and_text: tuple[ApiKey, str]) -> None:
    key, _text = key_and_text
    revoke_key(key=key, actor=key.owner)
    with pytest.raises(Conflict):
        rotate_key(key=key, actor=key.owner)


@pytest.mark.parametrize("overlap", [timedelta(days=31), timedelta(seconds=-1)])
def test_an_overlap_is_a_month_at_most(key_and_text: tuple[ApiKey, str], overlap: timedelta) -> None:
    with pytest.raises(InvalidInput):
        rotate_key(key=key_and_text[0], actor=key_and_text[0].owner, overlap=overlap)


def test_a_chosen_pair_works_at_the_door_and_is_rotated_like_any_other(workspace: Workspace, owner: User) -> None:
    key, secret = create_key(
        workspace=workspace, owner=owner, name="Old", actions=[Action.VIEW], client_id="ours", secret=CHOSEN
    )
    assert secret == CHOSEN
    assert (key.secret_hash, CHOSEN in key.chosen_hash) == ("", False)
    token = exchange(client_id="ours", secret=CHOSEN).text
    rotate_key(key=key, actor=owner, overlap=DAY, secret=OTHER)
    assert gets_a_token("ours", CHOSEN)
    assert gets_a_token("ours", OTHER)
    generated = rotate_key(key=key, actor=owner, overlap=DAY)
    assert [gets_a_token("ours", each) for each in (CHOSEN, OTHER, generated)] == [False, True, True]
    assert is_let_in(generated)
    assert not is_let_in(token)


@pytest.mark.parametrize(
    "secret",
    ["short", "x" * 201, "has a space in its middle", "a\x00b" * 10, "hf_looks_like_a_generated_one", "\ud800" * 20],
)
def test_a_chosen_secret_is_long_and_can_travel(workspace: Workspace, owner: User, secret: str) -> None:
    with pytest.raises(InvalidInput):
        create_key(workspace=workspace, owner=owner, name="x", actions=[Action.VIEW], client_id="ours", secret=secret)


@pytest.mark.parametrize("client_id", ["ab", "with space", "with:colon", "x" * 81, "ünicode", "new\nline"])
def test_a_chosen_client_id_can_travel(workspace: Workspace, owner: User, client_id: str) -> None:
    with pytest.raises(InvalidInput):
        create_key(workspace=workspace, owner=owner, name="x", actions=[Action.VIEW], client_id=client_id)


def test_a_client_id_is_given_once(workspace: Workspace, owner: User, outsider: User) -> None:
    create_key(workspace=workspace, owner=owner, name="x", actions=[Action.VIEW], client_id="ours")
    with pytest.raises(Conflict):
        create_key(workspace=workspace, owner=owner, name="x", actions=[Action.VIEW], client_id="ours")


def test_a_key_of_one_function_is_of_one_of_this_workspace(
    workspace: Workspace, owner: User, text_function: Function, outsider: User
) -> None:
    bare = text_function.public_id.removeprefix("function_")
    key, _text = create_key(workspace=workspace, owner=owner, name="x", actions=[Action.VIEW], only_function=bare)
    assert key.only_function == text_function.public_id
    foreign = outsider.memberships.get().workspace.functions.create(name="Theirs", input_kind="text").public_id
    for wrong in (foreign, "function_0000000000000000", "\x00"):
        with pytest.raises(InvalidInput):
            create_key(workspace=workspace, owner=owner, name="x", actions=[Action.VIEW], only_function=wrong)


def test_whoever_remembers_keys_is_told_of_every_change_after_it_is_true(
    workspace: Workspace,
    owner: User,
    join: Join,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(watching, "_listeners", [told.append])
    admin = join(Role.ADMIN)
    key, _text = create_key(workspace=workspace, owner=admin, name="x", actions=[Action.VIEW])
    changes: list[Callable[[], object]] = [
        lambda: rotate_key(key=key, actor=admin),
        lambda: change_role(membership=membership_of(admin, workspace), role=Role.REVIEWER, actor=owner),
        lambda: revoke_key(key=key, actor=owner),
        lambda: remove_member(membership=membership_of(admin, workspace), actor=owner),
    ]
    for change in changes:
        told.clear()
        with django_capture_on_commit_callbacks(execute=True):
            change()
            assert told == [], "not before the commit"
        assert set(told) == {workspace.public_id}
