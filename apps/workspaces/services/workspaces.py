"""Making workspaces, and the very first owner."""

from django.db import transaction
from django.db.models import QuerySet

from apps.accounts.models import LinkPurpose, OneTimeLink, User
from apps.accounts.services import OPERATOR_EMAIL, create_person, has_owner, use_link
from apps.core.errors import InvalidInput, NotAllowed, NotFound
from apps.events.kinds import Audit
from apps.events.services import record
from apps.workspaces.models import Membership, Workspace
from apps.workspaces.roles import Role


@transaction.atomic
def create_workspace(*, name: str, owner: User | None) -> Workspace:
    """Make a workspace. One without an owner belongs to whoever uses the set-up link."""
    workspace = Workspace.objects.create(name=checked_name(name))
    actor = owner.public_id if owner else ""
    record(
        workspace=workspace.public_id,
        kind=Audit.WORKSPACE_CREATED,
        actor=actor,
        subject=workspace.public_id,
        name=workspace.name,
    )
    if owner is not None:
        add_owner(workspace, owner)
    return workspace


@transaction.atomic
def create_another_workspace(*, name: str, person: User) -> Workspace:
    """Make a workspace for someone who is a member of one; who was removed everywhere has no business here."""
    if not person.memberships.exists():
        raise NotAllowed("You are not in any workspace any more. Ask an owner or admin to invite you.")
    return create_workspace(name=name, owner=person)


@transaction.atomic
def set_up_owner(*, token: str, email: str, name: str, password: str, workspace_name: str) -> Membership:
    """Use the set-up link: make the first person, owner of every workspace that has none, or of a new one.

    The oldest such workspace (the demo's, if there is one) takes `workspace_name`; a new one is made with it otherwise.
    """
    # Two people with a link each would both find no owner: the second waits here, then finds the first.
    list(OneTimeLink.objects.select_for_update().filter(purpose=LinkPurpose.SET_UP).order_by("pk"))
    use_link(token=token, purpose=LinkPurpose.SET_UP)
    if has_owner():
        raise NotFound("Hundredfold has an owner already. Sign in, or ask the owner to invite you.")
    owner = create_person(email=email, name=name, password=password)
    adopted = list(ownerless_workspaces().order_by("id"))
    if not adopted:
        create_workspace(name=workspace_name, owner=owner)
    for position, workspace in enumerate(adopted):
        if position == 0:
            workspace.name = checked_name(workspace_name)
            workspace.save(update_fields=["name"])
        add_owner(workspace, owner)
    return owner.memberships.select_related("workspace", "user").order_by("id")[0]


def ownerless_workspaces() -> QuerySet[Workspace]:
    """Return those that no person belongs to: nobody at all, or the operator alone."""
    return Workspace.objects.exclude(memberships__in=Membership.objects.exclude(user__email=OPERATOR_EMAIL))


def checked_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= 80:
        raise InvalidInput("Give the workspace a name of 1 to 80 characters.")
    return name


def add_owner(workspace: Workspace, owner: User) -> None:
    """Make a person the owner of a workspace that has none. Call it in a transaction."""
    membership = workspace.memberships.create(user=owner, role=Role.OWNER)
    record(
        workspace=workspace.public_id,
        kind=Audit.MEMBER_JOINED,
        actor=owner.public_id,
        subject=membership.public_id,
        email=owner.email,
        role=Role.OWNER.value,
    )
