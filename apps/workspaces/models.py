"""Workspaces, who belongs to them, invitations and API keys."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from apps.core.ids import PublicIdField
from apps.workspaces.roles import Action, Role, may


class Workspace(models.Model):
    """What one team sees. Nothing, not even timing, tells one workspace what another holds."""

    WORKSPACE_PATH: ClassVar[str] = ""
    ID_KIND: ClassVar[str] = "workspace"

    public_id = PublicIdField("workspace")
    name = models.CharField(max_length=80)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role in a workspace."""

    WORKSPACE_PATH: ClassVar[str] = "workspace"
    ID_KIND: ClassVar[str] = "member"

    public_id = PublicIdField("member")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} as {self.role}"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self) -> InvitationQuerySet:
        """Those that still let someone in."""
        return self.filter(used_at=None, revoked_at=None, expires_at__gt=timezone.now())


class Invitation(models.Model):
    """A single-use link for one e-mail address and role. Only the hash of its secret is kept."""

    WORKSPACE_PATH: ClassVar[str] = "workspace"
    ID_KIND: ClassVar[str] = "invitation"

    public_id = PublicIdField("invitation")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=Role)
    token_hash = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = InvitationQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.email} as {self.role}"


class ApiKey(models.Model):
    """A secret for programs. The first characters find the row, an HMAC of the whole proves it; it is shown once."""

    WORKSPACE_PATH: ClassVar[str] = "workspace"
    ID_KIND: ClassVar[str] = "key"

    public_id = PublicIdField("key")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="api_keys")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16, unique=True)
    secret_hash = models.CharField(max_length=64)
    actions = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    # Set on keys that `services.keys.authenticate` returned; without it a key may do nothing.
    role_of_owner: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_usable(self) -> bool:
        """Neither revoked nor expired; its owner may still have left."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    def allows(self, action: Action) -> bool:
        """Whether the key carries the action and its owner's role still includes it."""
        return action.value in self.actions and may(self.role_of_owner, action)
