"""How allauth behaves here: nobody signs up by themselves."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedAccountAdapter(DefaultAccountAdapter):
    """People come in by a set-up link or an invitation only."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
