"""`manage.py create_key`: existing clients keep their credentials."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import LinkPurpose, User
from apps.accounts.services import create_link, has_owner
from apps.functions.models import Function
from apps.workspaces.models import ApiKey, Membership, Workspace
from apps.workspaces.roles import Action, Role
from apps.workspaces.scopes import scopes_of
from apps.workspaces.services import authenticate, authentication, exchange, revoke_key, set_up_owner

PASSWORD = "correct horse battery staple"
CHOSEN, OTHER = "a-secret-of-many-years-01", "another-secret-of-ours-02"


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "_guesses", authentication._Guesses())


def create(*arguments: str, **options: Any) -> tuple[dict[str, str], str]:
    """Return what stands on standard output, by name, and what is said beside it."""
    out, said = io.StringIO(), io.StringIO()
    call_command("create_key", *arguments, stdout=out, stderr=said, **options)
    lines = dict(line.split(": ", 1) for line in out.getvalue().splitlines())
    return lines, said.getvalue()


def test_a_key_for_a_workspace_that_is_there(workspace: Workspace, owner: User) -> None:
    pair, _said = create("--workspace", "Support desk")
    key = authenticate(pair["client_secret"])
    assert (key.workspace, key.owner, key.client_id) == (workspace, owner, pair["client_id"])
    assert set(key.actions) == set(Action.values)
    assert exchange(client_id=pair["client_id"], secret=pair["client_secret"]).key == key


def test_the_key_is_as_narrow_as_asked(workspace: Workspace, owner: User, text_function: Function) -> None:
    arguments = ("--scopes", "invoke,read", "--function", text_function.public_id, "--expires", "30", "--name", "Shop")
    pair, _said = create("--workspace", workspace.public_id, *arguments)
    key = authenticate(pair["client_secret"])
    assert [str(scope) for scope in scopes_of(key.actions)] == ["invoke", "read"]
    assert (key.only_function, key.name) == (text_function.public_id, "Shop")
    assert key.expires_at is not None


def test_a_client_keeps_its_credentials_on_a_fresh_installation(db: None) -> None:
    arguments = ("--workspace", "Shop", "--client-id", "old-id", "--client-secret", CHOSEN)
    pair, said = create(*arguments, "--owner", "Eva@Example.com")
    assert pair == {"client_id": "old-id"}
    assert CHOSEN not in said
    assert "sign_in_link eva@example.com" in said
    membership = Membership.objects.get()
    assert (membership.workspace.name, membership.user.email, membership.role) == (
        "Shop",
        "eva@example.com",
        Role.OWNER,
    )
    assert exchange(client_id="old-id", secret=CHOSEN).key.name == "old-id"


def test_repeating_it_changes_nothing(workspace: Workspace, owner: User) -> None:
    arguments = ("--workspace", "Support desk", "--client-id", "old-id", "--client-secret", CHOSEN)
    create(*arguments)
    before = ApiKey.objects.values().get()
    pair, said = create(*arguments)
    assert pair == {"client_id": "old-id"}
    assert "stays as it is" in said
    create(*arguments, "--rotate")
    assert ApiKey.objects.values().get() == before


def test_another_secret_takes_its_place_only_when_told(workspace: Workspace, owner: User) -> None:
    arguments = ("--workspace", "Support desk", "--client-id", "old-id")
    create(*arguments, "--client-secret", CHOSEN)
    with pytest.raises(CommandError, match="--rotate"):
        create(*arguments, "--client-secret", OTHER)
    create(*arguments, "--client-secret", OTHER, "--rotate", "--overlap", "24")
    assert exchange(client_id="old-id", secret=CHOSEN)
    assert exchange(client_id="old-id", secret=OTHER)
    pair, _said = create(*arguments, "--rotate")
    assert authenticate(pair["client_secret"]).client_id == "old-id"


def test_the_secret_may_come_in_by_the_environment_or_standard_input(
    workspace: Workspace, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLD_SECRET", CHOSEN)
    create("--workspace", "Support desk", "--client-id", "one", "--client-secret-env", "OLD_SECRET")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{OTHER}\n"))
    create("--workspace", "Support desk", "--client-id", "two", "--client-secret", "-")
    assert exchange(client_id="one", secret=CHOSEN)
    assert exchange(client_id="two", secret=OTHER)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--workspace", "Support desk", "--owner", "nobody@example.com"), "not in the workspace"),
        (("--workspace", "Nowhere", "--owner", "no address"), "valid email"),
        (("--workspace", "Support desk", "--scopes", "everything"), "--scopes"),
        (("--workspace", "Support desk", "--scopes", ""), "--scopes"),
        (("--workspace", "Support desk", "--function", "function_x"), "no such function"),
        (("--workspace", "Support desk", "--expires", "0"), "--expires"),
        (("--workspace", "Support desk", "--client-secret", CHOSEN), "--client-id"),
        (("--workspace", "Support desk", "--rotate"), "--client-id"),
        (("--workspace", "Support desk", "--client-id", "a b"), "client id"),
        (("--workspace", "Support desk", "--client-id", "old", "--client-secret", "short"), "8 to 200"),
        (("--workspace", "Support desk", "--client-id", "old", "--client-secret-env", "NOT_THERE_AT_ALL"), "not set"),
        (("--workspace", "", "--owner", "eva@example.com"), "name"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_made(
    workspace: Workspace, owner: User, arguments: tuple[str, ...], words: str
) -> None:
    before = (Workspace.objects.count(), User.objects.count(), ApiKey.objects.count())
    with pytest.raises(CommandError, match=words):
        create(*arguments)
    assert (Workspace.objects.count(), User.objects.count(), ApiKey.objects.count()) == before


def test_a_client_id_of_another_workspace_or_of_a_dead_key_is_refused(
    workspace: Workspace, owner: User, outsider: User
) -> None:
    create("--workspace", "Elsewhere", "--client-id", "theirs")
    with pytest.raises(CommandError, match="another workspace"):
        create("--workspace", "Support desk", "--client-id", "theirs", "--rotate")
    create("--workspace", "Support desk", "--client-id", "ours")
    revoke_key(key=ApiKey.objects.get(client_id="ours"), actor=owner)
    with pytest.raises(CommandError, match="revoked"):
        create("--workspace", "Support desk", "--client-id", "ours")


def test_a_workspace_that_waits_for_an_owner_gets_one(db: None) -> None:
    Workspace.objects.create(name="Demo")
    create("--workspace", "Demo", "--owner", "eva@example.com")
    assert Workspace.objects.get().memberships.get().role == Role.OWNER


def test_before_there_is_anybody_the_key_is_the_operators_and_the_set_up_link_still_makes_the_owner(db: None) -> None:
    pair, said = create("--workspace", "Shop", "--scopes", "invoke", "read")
    key = authenticate(pair["client_secret"])
    assert [str(scope) for scope in scopes_of(key.actions)] == ["invoke", "read"]
    assert "sign_in_link" not in said
    create("--workspace", "Shop", "--client-id", "second")

    token = create_link(purpose=LinkPurpose.SET_UP)
    membership = set_up_owner(
        token=token, email="eva@example.com", name="Eva", password=PASSWORD, workspace_name="Ours"
    )
    assert membership.workspace == key.workspace
    assert authenticate(pair["client_secret"]).workspace.name == "Ours"
    assert has_owner()


def test_a_new_workspace_is_the_oldest_owners_where_nobody_is_named(workspace: Workspace, owner: User) -> None:
    create("--workspace", "Elsewhere")
    assert Workspace.objects.get(name="Elsewhere").memberships.get().user == owner


def test_of_two_workspaces_with_one_name_the_id_says_which(workspace: Workspace, owner: User) -> None:
    Workspace.objects.create(name="Support desk")
    with pytest.raises(CommandError, match="several workspaces"):
        create("--workspace", "Support desk")
    assert create("--workspace", workspace.public_id)[0]["client_id"]
