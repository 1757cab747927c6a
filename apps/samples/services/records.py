"""What coming in and going out leave behind: problems, row by row, and a line in the audit log."""

from collections.abc import Iterable

from apps.accounts.models import User
from apps.events.kinds import Audit, Notify
from apps.events.services import notify, record
from apps.functions.models import Function
from apps.samples.checks import clean_name
from apps.samples.models import Import, ImportProblem

NAME_MAX = 200
REASON_MAX = 400


def problem(*, row: int, reason: str, name: str = "", is_refused: bool = True) -> ImportProblem:
    """A row that did not go in, or went in without a cell; not stored yet."""
    return ImportProblem(row=row, name=clean_name(name[:NAME_MAX]), reason=reason[:REASON_MAX], is_refused=is_refused)


def keep_problems(*, import_job: Import, problems: Iterable[ImportProblem]) -> None:
    """Store what did not go in; the first reason of a row stays."""
    kept = sorted(problems, key=lambda found: found.row)
    for found in kept:
        found.import_job = import_job
    ImportProblem.objects.bulk_create(kept, ignore_conflicts=True)


def record_import(*, import_job: Import) -> None:
    """Write what an import did into the audit log, and tell other programs. Needs a transaction."""
    function, person = import_job.function, import_job.person
    record_brought(
        function=function,
        person=person.public_id if person else "",
        format=import_job.format,
        n_added=import_job.n_added,
        n_labelled=import_job.n_labelled,
        n_duplicates=import_job.n_duplicates,
        n_failed=import_job.n_failed,
    )


def record_brought(*, function: Function, person: str, format: str, **counts: int) -> None:
    """Write down that samples came in by the dozen: by an import, or out of a file that was predicted."""
    workspace = function.workspace.public_id
    record(
        workspace=workspace,
        kind=Audit.SAMPLES_IMPORTED,
        actor=person,
        subject=function.public_id,
        format=format,
        **counts,
    )
    told = {f"{name.removeprefix('n_').removesuffix('s')}_count": count for name, count in counts.items()}
    notify(workspace=workspace, kind=Notify.IMPORT_DONE, function=function.public_id, format=format, **told)


def record_export(*, function: Function, person: User, format_name: str) -> None:
    """Write into the audit log that somebody took everything out."""
    record(
        workspace=function.workspace.public_id,
        kind=Audit.SAMPLES_EXPORTED,
        actor=person.public_id,
        subject=function.public_id,
        format=format_name,
    )
