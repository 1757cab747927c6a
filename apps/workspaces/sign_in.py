"""Signing a person in, by password or by link, and out: both are seen in the audit log and by that person's pages."""

from django.contrib.auth import login
from django.http import HttpRequest

from apps.accounts.adapter import ClosedAccountAdapter
from apps.accounts.models import User
from apps.workspaces.services import announce_access_change, record_sign_in

CAME_BY_LINK = "came_by_link_at"  # session: when, as a timestamp; for a while it stands for the old password
BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


class AccountAdapter(ClosedAccountAdapter):
    """Tells the workspaces who came and went through allauth's two pages."""

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        record_sign_in(person=user, by="password")

    def logout(self, request: HttpRequest) -> None:
        person = request.user
        super().logout(request)
        if isinstance(person, User):
            announce_access_change(person=person)


def sign_in_by_link(request: HttpRequest, person: User) -> None:
    """Start a session for someone who came with a one-time link."""
    login(request, person, backend=BACKEND)
    record_sign_in(person=person, by="link")
