"""`manage.py sign_in_link EMAIL`: let somebody in who lost a password."""

from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from apps.accounts.models import LinkPurpose, User
from apps.accounts.services import create_link
from apps.core.schema import require_tables
from apps.ops import data_lock


class Command(BaseCommand):
    help = "Write a link that signs one person in. It works once, and for an hour."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: object, email: str, **options: object) -> None:
        require_tables()
        user = User.objects.filter(email__iexact=email.strip(), is_active=True).first()
        if user is None:
            raise CommandError(f"Nobody here has the address {email}.")
        holder = data_lock.holder_of(settings.DATA_DIR)
        base = settings.BASE_URL or (holder.address if holder else "") or "http://127.0.0.1:8000"
        token = create_link(purpose=LinkPurpose.SIGN_IN, user=user)
        self.stdout.write(base + reverse("workspaces:one_time_sign_in", args=[token]))
