"""Many files dropped on the page: they come in chunks, answered file by file, and may be sent again after a cut."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.functions.models import Function, InputKind, OutputKind
from apps.samples.models import Import, ImportFormat, ImportState, Origin
from apps.samples.services.import_acts import act_of, close_act, count_in
from apps.samples.services.imports import tell_progress
from apps.samples.services.intake import IntakeResult, ItemResult, NewImage, Outcome, prepared_images, take_in
from apps.samples.services.records import keep_problems, problem, record_import
from apps.samples.services.tag_intake import make_tags

FILES_PER_CHUNK = 50
FILES_MAX = 50_000


@dataclass(frozen=True)
class FileResult:
    """What became of one dropped file, as the page lists it."""

    name: str
    outcome: Outcome
    reason: str
    sample_id: str


def begin_drop(*, function: Function, person: User | None, n_files: int, label_names: Sequence[str] = ()) -> Import:
    """Open the import that the chunks of one drop belong to.

    Tags are made before the first file: so it is known of each that it has none of those that only later files have.
    """
    if function.input_kind != InputKind.IMAGE:
        raise InvalidInput("This function takes texts. Paste lines, or bring a CSV, JSON lines or zip file.")
    if not 0 < n_files <= FILES_MAX:
        raise InvalidInput(f"Drop between 1 and {FILES_MAX:,} files at a time.")
    if function.output_kind == OutputKind.TAGS:
        make_tags(function=function, names=label_names, person=person)
    return Import.objects.create(
        function=function,
        person=person,
        format=ImportFormat.FILES,
        state=ImportState.UPLOADING,
        original_name=f"{n_files:,} dropped files" if n_files > 1 else "1 dropped file",
        options={"chunks": []},
        cursor_end=n_files,
    )


def take_chunk(*, import_job: Import, chunk_number: int, first_row: int, items: Sequence[NewImage]) -> list[FileResult]:
    """Take one chunk of files in. The same chunk again changes nothing and gives the same answers."""
    _require_open(import_job)
    if len(items) > FILES_PER_CHUNK:
        raise InvalidInput(f"Send at most {FILES_PER_CHUNK} files in one request.")
    function = import_job.function
    with prepared_images(function=function, items=items, origin=Origin.BROWSER) as batch, transaction.atomic():
        act = act_of(import_job)
        result = take_in(batch=batch, person=import_job.person, began_at=import_job.created_at, act=act)
        is_repeated = not _count_once(import_job, chunk_number, result)
        if not is_repeated:
            keep_problems(
                import_job=import_job,
                problems=[
                    problem(row=first_row + index, name=items[index].original_name, reason=reason)
                    for index, reason in result.problems
                ],
            )
            tell_progress(import_job)
    return [
        _file_result(item, outcome, import_job if is_repeated else None)
        for item, outcome in zip(items, result.items, strict=True)
    ]


def _count_once(import_job: Import, chunk_number: int, result: IntakeResult) -> bool:
    """Add a chunk to the counts unless it has been. The function's lock, held by now, makes chunks wait in line."""
    import_job.refresh_from_db(fields=["state", "options", "cursor"])
    _require_open(import_job)
    chunks = import_job.options["chunks"]
    if chunk_number in chunks:
        return False
    import_job.options = {**import_job.options, "chunks": [*chunks, chunk_number]}
    count_in(import_job, result)
    import_job.cursor += len(result.items)
    Import.objects.filter(pk=import_job.pk).update(
        options=import_job.options,
        cursor=import_job.cursor,
        n_read=F("n_read") + len(result.items),
        n_added=F("n_added") + result.n_added,
        n_labelled=F("n_labelled") + result.n_labelled,
        n_duplicates=F("n_duplicates") + result.n_duplicates,
        n_failed=F("n_failed") + len(result.problems),
    )
    return True


def _require_open(import_job: Import) -> None:
    if import_job.state != ImportState.UPLOADING:
        raise Conflict("This drop has been closed. Drop the files again: those already here are recognised.")


def _file_result(item: NewImage, result: ItemResult, repeated_of: Import | None) -> FileResult:
    outcome = result.outcome
    if repeated_of is not None and result.sample is not None and result.sample.created_at >= repeated_of.created_at:
        outcome = Outcome.ADDED  # by the first sending, whose answer was lost on its way
    sample_id = result.sample.public_id if result.sample else ""
    return FileResult(item.original_name, outcome, result.reason, sample_id)


def end_drop(*, import_job: Import) -> Import:
    """Close a drop. Closing twice closes once."""
    with transaction.atomic():
        n_changed = Import.objects.filter(pk=import_job.pk, state=ImportState.UPLOADING).update(
            state=ImportState.DONE, finished_at=timezone.now()
        )
        import_job.refresh_from_db()
        if n_changed:
            import_job.options = {name: value for name, value in import_job.options.items() if name != "chunks"}
            import_job.save(update_fields=["options"])
            close_act(import_job)
            record_import(import_job=import_job)
            tell_progress(import_job)
    return import_job
