"""Exports written in the background: the same file as the page's, whoever dies while it is being written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.core.leases import claim, release
from apps.events.kinds import Notify
from apps.events.models import Audience, Event, Notice
from apps.functions.models import FieldType, Function, InputKind
from apps.samples import exports
from apps.samples.models import Export, ExportPart, ExportState, Origin
from apps.samples.services.export_runs import (
    ATTEMPTS_MAX,
    MOST_AT_WORK,
    clear_old_exports,
    create_export,
    delete_export,
    enqueue_unfinished_exports,
    result_chunks,
    write_export,
)
from apps.samples.services.intake import NewRow, NewText, add_rows, add_texts
from apps.workspaces.models import Workspace
from tests.told import undescribed, untold

pytestmark = pytest.mark.usefixtures("small_pages")


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "ROWS_PER_PAGE", 3)


@pytest.fixture
def full_function(text_function: Function, owner: User) -> Function:
    items = [NewText(f"text, {number}", label_name="Refund", external_id=f"t-{number}") for number in range(10)]
    add_texts(function=text_function, items=items, person=owner, origin=Origin.API)
    return text_function


def run(export: Export, *, slices: int = 100, seconds: float = 0) -> Export:
    export.refresh_from_db()
    n_parts: int | None = export.n_parts
    for _slice in range(slices):
        if n_parts is None:
            break
        n_parts = write_export(export_id=export.pk, n_parts=n_parts, budget_seconds=seconds)
    export.refresh_from_db()
    return export


def text_of(export: Export) -> str:
    return b"".join(result_chunks(export)).decode()


@pytest.mark.parametrize("seconds", [0, 60])
def test_the_file_is_the_one_that_the_page_downloads(full_function: Function, owner: User, seconds: float) -> None:
    for format_name, chunks in (("csv", exports.csv_chunks), ("jsonl", exports.json_chunks)):
        export = run(create_export(function=full_function, person=owner, format_name=format_name), seconds=seconds)
        assert export.state == ExportState.DONE
        assert (export.n_rows, export.n_rows_expected) == (10, 10)
        assert text_of(export) == "".join(chunks(full_function))


def test_a_function_without_samples_has_an_export_too(text_function: Function, owner: User) -> None:
    made = [create_export(function=text_function, person=owner, format_name=name) for name in ("csv", "jsonl")]
    table, lines = map(run, made)
    assert text_of(table) == exports.csv_header(text_function)
    assert text_of(lines) == ""


@pytest.mark.parametrize("n_attempts", [0, ATTEMPTS_MAX])
def test_who_listens_is_told_that_it_is_done_or_failed(full_function: Function, owner: User, n_attempts: int) -> None:
    Audience.objects.create(workspace_id=full_function.workspace.public_id)
    export = create_export(function=full_function, person=owner, format_name="csv")
    Export.objects.filter(pk=export.pk).update(n_attempts=n_attempts)
    run(export)
    notice = Notice.objects.get(kind=Notify.EXPORT_DONE)
    assert (notice.function_id, notice.data["exportId"]) == (full_function.public_id, export.public_id)
    assert notice.data["state"] == ("failed" if n_attempts else "done")
    assert undescribed(notice.kind, notice.data) == untold(notice.kind, notice.data) == set()


def test_asking_for_everything_is_in_the_audit_log(full_function: Function, owner: User) -> None:
    create_export(function=full_function, person=owner, format_name="csv")
    assert Event.objects.filter(kind="samples.exported", actor=owner.public_id).count() == 1


def test_what_a_dead_process_was_at_is_written_by_the_next(
    full_function: Function, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = run(create_export(function=full_function, person=owner, format_name="csv"), slices=2)
    assert export.state == ExportState.RUNNING
    n_before = export.n_parts

    def die(**_values: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ExportPart.objects, "create", die)
        with pytest.raises(KeyboardInterrupt):
            write_export(export_id=export.pk, n_parts=n_before)
    export.refresh_from_db()
    assert export.n_parts == n_before
    assert enqueue_unfinished_exports() in {0, 1}  # 0 where there is no broker to ask
    assert text_of(run(export)) == "".join(exports.csv_chunks(full_function))


def test_a_message_that_comes_twice_does_nothing(full_function: Function, owner: User) -> None:
    export = create_export(function=full_function, person=owner, format_name="csv")
    assert write_export(export_id=export.pk, n_parts=0, budget_seconds=0) == 1
    assert write_export(export_id=export.pk, n_parts=0, budget_seconds=0) is None
    assert claim(Export, export.pk)
    assert write_export(export_id=export.pk, n_parts=1, budget_seconds=0) is None
    release(Export, export.pk)
    assert run(export).n_rows == 10


def test_an_export_that_is_gone_or_done_is_left_alone(full_function: Function, owner: User) -> None:
    export = run(create_export(function=full_function, person=owner, format_name="csv"), slices=1)
    delete_export(export=export)
    assert write_export(export_id=export.pk, n_parts=export.n_parts) is None
    done = run(create_export(function=full_function, person=owner, format_name="csv"))
    assert write_export(export_id=done.pk, n_parts=done.n_parts) is None


def test_every_row_has_the_columns_of_the_header(workspace: Workspace, owner: User) -> None:
    function = workspace.functions.create(name="Table", input_kind=InputKind.TABLE)
    field = function.fields.create(name="city", type=FieldType.TEXT, position=0)
    rows = [NewRow({field.public_id: f"city {number}"}) for number in range(7)]
    add_rows(function=function, items=rows, person=owner, origin=Origin.API)
    export = run(create_export(function=function, person=owner, format_name="csv"), slices=2)
    assert export.n_rows
    field.name = "town"
    field.save()
    assert text_of(run(export)) == "".join(exports.csv_chunks(function))
    assert export.n_rows == 7


def test_one_that_fails_again_and_again_says_so(full_function: Function, owner: User) -> None:
    export = create_export(function=full_function, person=owner, format_name="csv")
    Export.objects.filter(pk=export.pk).update(n_attempts=ATTEMPTS_MAX)
    assert run(export).state == ExportState.FAILED
    with pytest.raises(Conflict, match="Ask for another one"):
        result_chunks(export)


def test_what_is_asked_for_is_bounded(full_function: Function, owner: User) -> None:
    with pytest.raises(InvalidInput):
        create_export(function=full_function, person=owner, format_name="xlsx")
    for _time in range(MOST_AT_WORK):
        export = create_export(function=full_function, person=owner, format_name="csv")
    with pytest.raises(Conflict):
        create_export(function=full_function, person=owner, format_name="csv")
    delete_export(export=export)
    create_export(function=full_function, person=owner, format_name="csv")


@pytest.mark.django_db(transaction=True)
def test_files_go_with_their_export_after_seven_days(full_function: Function, owner: User) -> None:
    old, new = (run(create_export(function=full_function, person=owner, format_name="csv")) for _time in range(2))
    keys = [part.file_key for part in old.parts.all()]
    Export.objects.filter(pk=old.pk).update(finished_at=timezone.now() - timedelta(days=7, minutes=1))
    clear_old_exports()
    assert list(Export.objects.all()) == [new]
    assert not any(default_storage.exists(key) for key in keys)
    assert text_of(new)
