"""S58: the audit log is append-only and hash-chained; whatever is done to it behind our back shows."""

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from apps.core import caller
from apps.events.kinds import Audit
from apps.events.models import ChainHead, Event
from apps.events.services import JsonValue, record, verify_chain

HERE, THERE = "workspace_here", "workspace_there"


def record_some(n: int, workspace: str = HERE) -> None:
    for number in range(n):
        data: dict[str, JsonValue] = {"name": f"Zoë’s key {number}", "actions": ["invoke", "view"], "old": None}
        record(workspace=workspace, kind=Audit.KEY_CREATED, actor="user_a", subject=f"key_{number}", **data)


def overwrite(sql: str, *values: object) -> None:
    """Change the table as someone with the database's password would."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


@pytest.mark.django_db
def test_events_are_numbered_and_chained_from_the_first() -> None:
    record_some(3)
    events = list(Event.objects.filter(workspace_id=HERE))
    assert [event.sequence for event in events] == [1, 2, 3]
    assert [event.previous_hash for event in events] == ["", events[0].hash, events[1].hash]
    check = verify_chain(HERE)
    assert check.is_whole
    assert check.n_events == 3


@pytest.mark.django_db
def test_a_workspace_without_events_is_whole() -> None:
    assert verify_chain(HERE).is_whole


@pytest.mark.django_db
def test_each_workspace_has_a_chain_of_its_own() -> None:
    record_some(2, HERE)
    record_some(1, THERE)
    overwrite("UPDATE events_event SET actor = 'user_b' WHERE workspace_id = %s", THERE)
    assert verify_chain(HERE).is_whole
    assert verify_chain(THERE).broken_at == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "column",
    ["kind", "actor", "subject", "about", "previous_hash", "hash"],
)
def test_s58_a_changed_column_shows(column: str) -> None:
    record_some(3)
    overwrite(f"UPDATE events_event SET {column} = 'changed' WHERE sequence = 2")
    assert verify_chain(HERE).broken_at == 2


@pytest.mark.django_db
def test_s58_changed_data_and_a_changed_time_show() -> None:
    record_some(3)
    overwrite("UPDATE events_event SET data = %s WHERE sequence = 2", '{"name": "harmless"}')
    assert verify_chain(HERE).broken_at == 2
    record_some(1, THERE)
    overwrite("UPDATE events_event SET created_at = '2020-01-01 00:00:00+00:00' WHERE workspace_id = %s", THERE)
    assert verify_chain(THERE).broken_at == 1


@pytest.mark.django_db
@pytest.mark.parametrize(("deleted", "broken_at"), [(1, 1), (2, 2), (3, 3)])
def test_s58_a_deleted_event_shows_even_the_newest(deleted: int, broken_at: int) -> None:
    record_some(3)
    overwrite("DELETE FROM events_event WHERE sequence = %s", deleted)
    assert verify_chain(HERE).broken_at == broken_at


@pytest.mark.django_db
def test_s58_events_in_another_order_show() -> None:
    record_some(3)
    for old, new in [(1, 10), (2, 1), (10, 2)]:
        overwrite("UPDATE events_event SET sequence = %s WHERE sequence = %s", new, old)
    assert verify_chain(HERE).broken_at == 1


@pytest.mark.django_db
def test_s58_a_log_emptied_to_the_last_row_shows() -> None:
    record_some(2)
    overwrite("DELETE FROM events_event")
    assert verify_chain(HERE).broken_at == 1


@pytest.mark.django_db
def test_s58_code_cannot_rewrite_history_by_accident() -> None:
    record_some(1)
    with pytest.raises(TypeError):
        Event.objects.filter(workspace_id=HERE).update(actor="user_b")
    with pytest.raises(TypeError):
        Event.objects.all().delete()
    assert Event.objects.get().actor == "user_a"


@pytest.mark.django_db
def test_what_is_rolled_back_leaves_no_record_and_no_gap() -> None:
    record_some(1)
    with transaction.atomic():
        record_some(1)
        transaction.set_rollback(True)
    record_some(1)
    assert [event.sequence for event in Event.objects.filter(workspace_id=HERE)] == [1, 2]
    assert verify_chain(HERE).is_whole


@pytest.mark.django_db(transaction=True)
def test_events_recorded_at_the_same_time_form_one_chain() -> None:
    def in_a_thread(_number: int) -> None:
        try:
            record_some(5)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(in_a_thread, range(4)))
    check = verify_chain(HERE)
    assert check.is_whole
    assert check.n_events == 20


@pytest.mark.django_db
def test_the_command_names_the_broken_workspace(capsys: pytest.CaptureFixture[str]) -> None:
    record_some(2, HERE)
    record_some(2, THERE)
    call_command("audit", "verify")
    assert f"{HERE}: whole, 2 events" in capsys.readouterr().out
    overwrite("UPDATE events_event SET actor = 'user_b' WHERE workspace_id = %s AND sequence = 2", THERE)
    with pytest.raises(CommandError, match=THERE):
        call_command("audit", "verify")
    assert f"{THERE}: broken at event 2" in capsys.readouterr().out
    call_command("audit", "verify", "--workspace", HERE)


@pytest.mark.django_db
def test_s58_a_log_whose_head_was_taken_away_shows(capsys: pytest.CaptureFixture[str]) -> None:
    record_some(2)
    overwrite("DELETE FROM events_chainhead")
    with pytest.raises(CommandError, match=HERE):
        call_command("audit", "verify")
    assert f"{HERE}: broken at event 3" in capsys.readouterr().out


@pytest.mark.django_db
def test_s58_cutting_off_the_newest_with_the_head_shows_against_a_copy_kept_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All in here fits: only a copy elsewhere can tell."""
    record_some(3)
    copy = tmp_path / "copy.jsonl"
    call_command("audit", "export", "--workspace", HERE, "--output", str(copy))
    record_some(1)
    call_command("audit", "verify", "--workspace", HERE, "--copy", str(copy))
    assert "holds all 3 events of the copy" in capsys.readouterr().out
    second = Event.objects.get(sequence=2)
    overwrite("DELETE FROM events_event WHERE sequence > 2")
    ChainHead.objects.update(sequence=2, hash=second.hash)
    assert verify_chain(HERE).is_whole
    with pytest.raises(CommandError, match="Event 3"):
        call_command("audit", "verify", "--workspace", HERE, "--copy", str(copy))


@pytest.mark.django_db
def test_s58_a_log_written_anew_shows_against_a_copy(tmp_path: Path) -> None:
    record_some(3)
    copy = tmp_path / "copy.jsonl"
    call_command("audit", "export", "--workspace", HERE, "--output", str(copy))
    overwrite("DELETE FROM events_event")
    overwrite("DELETE FROM events_chainhead")
    record_some(3)
    assert verify_chain(HERE).is_whole
    with pytest.raises(CommandError, match="Event 1"):
        call_command("audit", "verify", "--workspace", HERE, "--copy", str(copy))


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["nonsense", "[1]", '{"sequence": 1}'])
def test_a_file_that_is_no_copy_is_refused(text: str, tmp_path: Path) -> None:
    record_some(1)
    copy = tmp_path / "copy.jsonl"
    copy.write_text(text)
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("audit", "verify", "--workspace", HERE, "--copy", str(copy))


@pytest.mark.django_db
def test_the_log_is_written_out_as_lines_or_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    record(workspace=HERE, kind=Audit.SIGNED_IN, actor="=HYPERLINK(1)", by="password")
    record_some(2)
    call_command("audit", "export", "--workspace", HERE)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["sequence"] for line in lines] == [1, 2, 3]
    assert {line["workspace"] for line in lines} == {HERE}
    call_command("audit", "export", "--workspace", HERE, "--format", "csv")
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["hash"] for row in rows] == [line["hash"] for line in lines]
    assert rows[0]["actor"] == "'=HYPERLINK(1)"
    with pytest.raises(CommandError, match="no audit log"):
        call_command("audit", "export", "--workspace", "workspace_nowhere")


@pytest.mark.django_db
def test_who_asked_from_where_and_with_which_key_is_recorded_and_hashed() -> None:
    with caller.calling("203.0.113.9"):
        caller.shown("key_a")
        record(workspace=HERE, kind=Audit.LABEL_CREATED, subject="label_a", function="function_a", name="A")
    record(workspace=HERE, kind=Audit.LABEL_CREATED, subject="label_b", function="function_a", name="B")
    first, second = Event.objects.order_by("sequence")
    assert (first.data["address"], first.data["key"], first.about) == ("203.0.113.9", "key_a", "function_a")
    assert not {"address", "key"} & second.data.keys()
    assert verify_chain(HERE).is_whole
    changed = json.dumps({**first.data, "address": "198.51.100.1"})
    overwrite("UPDATE events_event SET data = %s WHERE sequence = 1", changed)
    assert verify_chain(HERE).broken_at == 1
