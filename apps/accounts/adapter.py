"""How allauth behaves here: nobody signs up by themselves, and nobody learns whose account is switched off."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from apps.accounts.models import User


class ClosedAccountAdapter(DefaultAccountAdapter):
    """People come in by a set-up link or an invitation only."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Answer a switched-off account as a wrong password; allauth would send it to a page of its own."""
        person: User | None = super().authenticate(request, **credentials)
        return person if person is not None and person.is_active else None
