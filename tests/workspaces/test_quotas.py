"""S53 and S54: what a workspace may have, and how its calls are counted."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.models import User
from apps.core.errors import QuotaReached
from apps.events.models import Event
from apps.functions.models import Function
from apps.functions.services import create_function
from apps.samples.models import ImportState, Origin
from apps.samples.services.bin import bin_samples
from apps.samples.services.imports import create_import, start_import
from apps.samples.services.intake import NewText, add_texts
from apps.workspaces.audit_sentences import sentence
from apps.workspaces.models import CallCount, Workspace
from apps.workspaces.services import quotas
from apps.workspaces.services.quotas import Quota, note_calls, require_calls, set_quotas, settle, usage_of
from tests.samples.conftest import run_to_end


def make(workspace: Workspace, name: str) -> Function:
    return create_function(workspace=workspace, name=name, input_kind="text", label_names=["A", "B"], actor=None)


def bring(function: Function, *texts: str) -> int:
    items = [NewText(text) for text in texts]
    return add_texts(function=function, items=items, person=None, origin=Origin.API).n_added


def test_without_quotas_nothing_is_limited_and_nothing_counted(
    workspace: Workspace, text_function: Function, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        require_calls(workspace, 10**9)
        quotas.require_room(workspace, samples=10**9)
        quotas.require_function(workspace)


def test_functions_end_at_the_quota_and_the_message_says_who_can_raise_it(workspace: Workspace) -> None:
    set_quotas(workspace=workspace, quotas={Quota.MAX_FUNCTIONS: 2})
    first = make(workspace, "One")
    make(workspace, "Two")
    with pytest.raises(QuotaReached, match=r"manage\.py quota"):
        make(workspace, "Three")
    first.delete()
    make(workspace, "Three")
    assert workspace.functions.count() == 2


def test_samples_end_at_the_quota_and_known_ones_are_still_recognised(text_function: Function) -> None:
    workspace = text_function.workspace
    set_quotas(workspace=workspace, quotas={Quota.MAX_SAMPLES: 3})
    assert bring(text_function, "one", "two", "three") == 3
    assert bring(text_function, "one", "two") == 0
    with pytest.raises(QuotaReached, match="room for 0"):
        bring(text_function, "one", "four")
    assert text_function.samples.count() == 3
    bin_samples(function=text_function, sample_ids=[text_function.samples.earliest("pk").public_id], person=None)
    assert bring(text_function, "four") == 1


def test_samples_of_all_functions_of_the_workspace_count_and_no_others(text_function: Function, outsider: User) -> None:
    workspace = text_function.workspace
    elsewhere = outsider.memberships.get().workspace
    for quota_of in (workspace, elsewhere):
        set_quotas(workspace=quota_of, quotas={Quota.MAX_SAMPLES: 2})
    bring(make(workspace, "Second"), "one")
    bring(text_function, "one")
    with pytest.raises(QuotaReached):
        bring(text_function, "two")
    assert bring(make(elsewhere, "Theirs"), "one", "two") == 2


def test_samples_in_the_bin_and_functions_without_any_count_as_none(text_function: Function) -> None:
    workspace = text_function.workspace
    assert quotas.n_samples_of(workspace) == 0
    make(workspace, "Empty")
    bring(text_function, "one", "two", "three")
    assert quotas.n_samples_of(workspace) == 3
    bin_samples(function=text_function, sample_ids=[text_function.samples.earliest("pk").public_id], person=None)
    assert quotas.n_samples_of(workspace) == 2


@pytest.mark.skipif(connection.vendor != "sqlite", reason="other databases choose by what is in the tables")
def test_samples_are_counted_without_reading_one(workspace: Workspace) -> None:
    with CaptureQueriesContext(connection) as asked:
        quotas.n_samples_of(workspace)
    with connection.cursor() as cursor:
        for query in asked.captured_queries:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            plan = [str(row[-1]) for row in cursor.fetchall()]
            of_samples = [step for step in plan if "(function_id=?" in step]
            assert of_samples, plan
            assert all("COVERING INDEX" in step for step in of_samples), of_samples


def test_with_much_room_samples_are_not_counted_each_time(
    text_function: Function, django_assert_num_queries: Any
) -> None:
    workspace = text_function.workspace
    set_quotas(workspace=workspace, quotas={Quota.MAX_SAMPLES: 1000})
    with django_assert_num_queries(1):
        quotas.require_room(workspace, samples=10)
    with django_assert_num_queries(0):
        quotas.require_room(workspace, samples=800)
    with django_assert_num_queries(1), pytest.raises(QuotaReached):
        quotas.require_room(workspace, samples=1001)


def test_an_import_that_meets_the_quota_ends_with_the_reason(
    text_function: Function, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    set_quotas(workspace=text_function.workspace, quotas={Quota.MAX_SAMPLES: 2})
    content = b"text,label\none,A\ntwo,B\nthree,A\n"
    job = create_import(
        function=text_function, person=None, file=io.BytesIO(content), name="file.csv", size_bytes=len(content)
    )
    job = run_to_end(start_import(import_job=job))
    assert (job.state, "manage.py quota" in job.message) == (ImportState.FAILED, True)
    assert not text_function.samples.exists()


def test_a_workspaces_own_quota_counts_before_the_installations(workspace: Workspace, settings: Any) -> None:
    settings.QUOTAS = settings.QUOTAS | {"calls_per_day": 2}
    require_calls(workspace, 2)
    with pytest.raises(QuotaReached):
        require_calls(workspace, 3)
    set_quotas(workspace=workspace, quotas={Quota.CALLS_PER_DAY: 5})
    require_calls(workspace, 5)
    with pytest.raises(QuotaReached):
        require_calls(workspace, 6)
    set_quotas(workspace=workspace, quotas={Quota.CALLS_PER_DAY: 0})
    require_calls(workspace, 10**6)
    set_quotas(workspace=workspace, quotas={Quota.CALLS_PER_DAY: None})
    with pytest.raises(QuotaReached):
        require_calls(workspace, 3)


def test_calls_end_at_the_quota_at_once_in_this_process(workspace: Workspace) -> None:
    set_quotas(workspace=workspace, quotas={Quota.CALLS_PER_DAY: 10})
    for _ in range(10):
        require_calls(workspace)
        note_calls(workspace.pk)
    with pytest.raises(QuotaReached, match="10 calls a day"):
        require_calls(workspace)


def test_calls_of_another_process_count_once_it_has_written_them(workspace: Workspace) -> None:
    set_quotas(workspace=workspace, quotas={Quota.CALLS_PER_DAY: 10})
    note_calls(workspace.pk, 4)
    settle()
    CallCount.objects.update(n_calls=10)  # another process wrote its six
    require_calls(workspace)
    settle()
    with pytest.raises(QuotaReached):
        require_calls(workspace)


def test_calls_are_written_once_and_added_up(workspace: Workspace) -> None:
    note_calls(workspace.pk, 3)
    settle()
    settle()
    note_calls(workspace.pk, 2)
    settle()
    assert CallCount.objects.get().n_calls == 5
    usage = usage_of(workspace)
    assert (usage.calls_today, usage.calls_in_30_days) == (5, 5)


def test_a_new_day_begins_at_nothing_and_yesterdays_calls_are_not_lost(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_quotas(workspace=workspace, quotas={Quota.CALLS_PER_DAY: 5})
    note_calls(workspace.pk, 5)
    tomorrow = time.time() + 86_400
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    require_calls(workspace, 5)
    note_calls(workspace.pk, 1)
    settle()
    assert list(CallCount.objects.order_by("day").values_list("n_calls", flat=True)) == [5, 1]


def test_what_cannot_be_written_is_kept(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    note_calls(workspace.pk, 3)

    def away(*_args: object) -> int:
        raise OSError("away")

    with monkeypatch.context() as patched:
        patched.setattr(quotas, "_written", away)
        with pytest.raises(OSError, match="away"):
            settle()
    settle()
    assert CallCount.objects.get().n_calls == 3


def test_counting_calls_loses_none_between_threads_and_asks_no_database(
    workspace: Workspace, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: note_calls(workspace.pk), range(2000)))
    settle()
    assert CallCount.objects.get().n_calls == 2000


def test_a_look_at_the_quota_costs_microseconds(workspace: Workspace) -> None:
    workspace.calls_per_day = 10**9
    started = time.perf_counter()
    for _ in range(10_000):
        require_calls(workspace)
        note_calls(workspace.pk)
    assert (time.perf_counter() - started) / 10_000 < 100e-6


def test_quotas_are_set_and_read_by_a_command_and_recorded(workspace: Workspace) -> None:
    out = io.StringIO()
    call_command("quota", "--workspace", workspace.name, "--calls-per-day", "1000", "--max-samples", "none", stdout=out)
    assert "calls today: 0 of 1,000" in out.getvalue()
    assert "samples: 0 of as many as it likes" in out.getvalue()
    workspace.refresh_from_db()
    assert (workspace.calls_per_day, workspace.max_samples, workspace.max_functions) == (1000, 0, None)
    event = Event.objects.get(kind="workspace.quota_changed")
    assert sentence(event) == "changed what the workspace may use: calls a day 1000, samples without limit"
    call_command("quota", "--workspace", workspace.public_id, "--calls-per-day", "default", stdout=out)
    workspace.refresh_from_db()
    assert workspace.calls_per_day is None


@pytest.mark.parametrize("value", ["-1", "many", "1.5", "9999999999", ""])
def test_a_quota_is_a_number(workspace: Workspace, value: str) -> None:
    with pytest.raises(CommandError):
        call_command("quota", "--workspace", workspace.name, f"--max-samples={value}")


def test_a_quota_needs_its_workspace(workspace: Workspace) -> None:
    with pytest.raises(CommandError, match="no Nowhere"):
        call_command("quota", "--workspace", "Nowhere")
