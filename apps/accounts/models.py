"""People: an e-mail address and a password, no user name. And the one-time links that let them in."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from apps.core.ids import PublicIdField


class UserManager(BaseUserManager["User"]):
    """Makes users; e-mail addresses are kept in lower case, since people type them either way."""

    def create_user(self, *, email: str, name: str = "", password: str | None = None) -> User:
        user = self.model(email=email.strip().lower(), name=name.strip())
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(email__iexact=username)


class User(AbstractBaseUser):
    """A person who can sign in. What they may do lies in their memberships, nowhere else."""

    public_id = PublicIdField("user")
    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    session_epoch = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_once")]

    def __str__(self) -> str:
        return self.name or self.email

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Tie sessions to the password and to `session_epoch`: a new value of either ends every open session."""
        value = f"{self.session_epoch}:{self.password}"
        return salted_hmac("hundredfold.session", value, secret=secret, algorithm="sha256").hexdigest()


class LinkPurpose(models.TextChoices):
    SET_UP = "set_up", "makes the owner"
    SIGN_IN = "sign_in", "signs one person in"


class OneTimeLink(models.Model):
    """A link that works once and for an hour. Only the hash of its secret is kept."""

    purpose = models.CharField(max_length=10, choices=LinkPurpose)
    token_hash = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.purpose} link until {self.expires_at:%H:%M}"
