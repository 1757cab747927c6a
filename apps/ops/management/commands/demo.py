"""`manage.py demo`: bring the example functions."""

from django.core.management.base import BaseCommand

from apps.ops.demo import load_demo


class Command(BaseCommand):
    help = "Bring two example functions, half labelled, for whoever signs in first."

    def handle(self, *args: object, **options: object) -> None:
        load_demo()
