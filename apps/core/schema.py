"""Whether the database has the tables that this version reads: commands say so before they fail on one."""

from django.conf import settings
from django.core.management.base import CommandError
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor


def n_migrations_due() -> int:
    """Count the migrations that are yet to be applied."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def require_tables() -> None:
    """Raises CommandError, with what to do, where the database is empty, of an earlier version, or does not answer."""
    where = settings.DATA_DIR if connection.vendor == "sqlite" else connection.vendor
    try:
        n_due = n_migrations_due()
    except DatabaseError as error:
        raise CommandError(f"The database does not answer: {str(error).strip()}") from error
    if n_due:
        raise CommandError(
            f"The database ({where}) is new, or of an earlier version: `up` brings it up to date, or `manage.py "
            "migrate`. If your data lie elsewhere, give this command the HUNDREDFOLD_… variables that `up` has."
        )
