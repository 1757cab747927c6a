"""`manage.py doctor`: is everything there that it needs? One line each."""

from django.core.management.base import BaseCommand, CommandError

from apps.ops.doctor import examine


class Command(BaseCommand):
    help = "Check packages, data directory, database, Redis, worker and backbones; exit status 1 if anything is amiss."
    requires_system_checks = ()

    def handle(self, *args: object, **options: object) -> None:
        n_wrong = 0
        for finding in examine():
            n_wrong += not finding.is_well
            self.stdout.write(f"{'ok   ' if finding.is_well else 'WRONG'}  {finding.what}: {finding.words}")
        if n_wrong:
            raise CommandError(f"{n_wrong} of these need attention.")
