"""Workspaces, who belongs to them, invitations, API keys and webhooks."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.core.ids import PublicIdField
from apps.core.leases import Leased
from apps.workspaces.roles import Action, Role, may


class Workspace(models.Model):
    """What one team sees. Nothing, not even timing, tells one workspace what another holds.

    Its quotas are empty where those of the installation count (`settings.QUOTAS`).
    """

    WORKSPACE_PATH: ClassVar[str] = ""
    ID_KIND: ClassVar[str] = "workspace"

    public_id = PublicIdField("workspace")
    name = models.CharField(max_length=80)
    calls_per_day = models.PositiveIntegerField(null=True, blank=True)
    max_samples = models.PositiveIntegerField(null=True, blank=True)
    max_functions = models.PositiveIntegerField(null=True, blank=True)
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
    """A secret for programs. The first characters find the row, an HMAC of the whole proves it; it is shown once.

    Programs that sign in first (`/connect/token`) name it by `client_id`. Where an operator chose the secret, only its
    slow hash is kept (`chosen_hash`), and it works there alone. After a rotation the secret before it goes on working
    until `old_until`. A key of one function (`only_function`, a public id) sees nothing else of its workspace.
    """

    WORKSPACE_PATH: ClassVar[str] = "workspace"
    ID_KIND: ClassVar[str] = "key"

    public_id = PublicIdField("key")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="api_keys")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=16, unique=True)
    client_id = models.CharField(max_length=80, unique=True)
    secret_hash = models.CharField(max_length=64)
    chosen_hash = models.CharField(max_length=200, blank=True)
    old_secret_hash = models.CharField(max_length=64, blank=True)
    old_chosen_hash = models.CharField(max_length=200, blank=True)
    old_until = models.DateTimeField(null=True, blank=True)
    only_function = models.CharField(max_length=40, blank=True)
    actions = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    # Set on keys that `services.authenticate` returned; without it a key may do nothing.
    role_of_owner: str = ""
    # Set with it: how many events the audit log of the workspace had then. As long as it has no more, nothing changed.
    n_events_then: int = -1

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_usable(self) -> bool:
        """Neither revoked nor expired; its owner may still have left."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    def allows(self, action: Action) -> bool:
        """Whether the key carries the action and its owner's role still includes it."""
        return action.value in self.actions and may(self.role_of_owner, action)


class CallCount(models.Model):
    """How many calls a workspace made on one day, in UTC; written every second or so while it calls."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="call_counts", db_index=False)
    day = models.DateField()
    n_calls = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "day"], name="call_count_once")]

    def __str__(self) -> str:
        return f"{self.n_calls} on {self.day}"


class IdempotentReply(models.Model):
    """What a request with an `Idempotency-Key` was answered: sent again, it is answered the same and does nothing.

    `status` is empty while the first is still at work. `request_hash` is of the method, the path and the body; the
    same words with another request are refused.
    """

    key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="replies", db_index=False)
    words = models.CharField(max_length=200)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    body = models.BinaryField(default=bytes)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "words"], name="idempotent_once")]

    def __str__(self) -> str:
        return f"{self.words}: {self.status or 'at work'}"


class Webhook(models.Model):
    """An address of another program that is told what happens: all of the workspace, or of one function.

    Without `kinds` it hears of everything, also of kinds that came after it.
    The secret is derived from the installation's own and `secret_version`; it is stored nowhere. Where nothing got
    through for a week (`failing_since`) it is turned off, and `off_because` says why.
    """

    WORKSPACE_PATH: ClassVar[str] = "workspace"
    ID_KIND: ClassVar[str] = "webhook"

    public_id = PublicIdField("webhook")
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="webhooks")
    only_function = models.CharField(max_length=40, blank=True)
    url = models.CharField(max_length=2000)
    kinds = models.JSONField(default=list)
    secret_version = models.PositiveIntegerField(default=1)
    rotated_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    is_on = models.BooleanField(default=True)
    off_because = models.CharField(max_length=400, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.url


class DeliveryState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    DELIVERED = "delivered", "Delivered"
    GIVEN_UP = "given_up", "Given up"


class Delivery(Leased):
    """One message to one webhook: what is sent, when next, and what came of it. The receiver's words are not kept.

    The body is fixed when it happens; sending again sends the same under the same id.
    """

    WORKSPACE_PATH: ClassVar[str] = "webhook__workspace"
    ID_KIND: ClassVar[str] = "delivery"

    public_id = PublicIdField("delivery")
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    kind = models.CharField(max_length=40)
    body = models.TextField()
    state = models.CharField(max_length=10, choices=DeliveryState, default=DeliveryState.WAITING)
    n_attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    milliseconds = models.FloatField(null=True, blank=True)
    problem = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["webhook", "-id"], name="delivery_newest_first"),
            models.Index(fields=["next_at"], condition=Q(state="waiting"), name="delivery_due"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.webhook_id}: {self.state}"
