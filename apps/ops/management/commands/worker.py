"""`manage.py worker`: one worker process; `up` starts its own through this."""

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.ops.worker import run_worker


class Command(BaseCommand):
    help = "Embed, train, predict and import in the background, until Ctrl-C."

    def handle(self, *args: object, **options: object) -> None:
        if settings.IS_ALONE:
            raise CommandError("A worker needs a broker: give the address of a Redis in HUNDREDFOLD_REDIS_URL.")
        run_worker()
