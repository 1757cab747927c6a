"""Flags, doubts and comments go out with an export and come back with it: once, and under the right names."""

import io

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.functions.models import Act, Function, InputKind, OutputKind
from apps.samples import exports
from apps.samples.models import Comment, Import, Mark, MarkKind, Origin, Sample
from apps.samples.reading.notes import RowNotes, WrittenComment, note_columns, notes_cell, read_notes
from apps.samples.services.acts import undo_act
from apps.samples.services.imports import create_import, start_import
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.marks import add_comment, set_mark
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Role
from tests.samples.conftest import run_to_end

COLUMNS = {name: name for name in ("flagged_by", "unsure_by", "comments")}
FORMATS = {"csv": exports.csv_chunks, "jsonl": exports.json_chunks}


@pytest.fixture
def noted(text_function: Function, owner: User, member: User) -> Function:
    """Two samples: one with notes of two people, one without any."""
    items = [NewText("money back"), NewText("plain")]
    sample = add_texts(function=text_function, items=items, person=None, origin=Origin.API).samples[0]
    set_mark(sample=sample, person=member, kind=MarkKind.FLAG, is_on=True)
    set_mark(sample=sample, person=owner, kind=MarkKind.FLAG, is_on=True)
    set_mark(sample=sample, person=member, kind=MarkKind.UNSURE, is_on=True)
    add_comment(sample=sample, person=owner, text="see: the contract\r\n  of last year\nand mail olga@example.com: ok")
    for _twice in range(2):
        add_comment(sample=sample, person=member, text="[+1]")
    return text_function


def uploaded(function: Function, person: User | None, content: str, name: str) -> Import:
    file = content.encode()
    return create_import(function=function, person=person, file=io.BytesIO(file), name=name, size_bytes=len(file))


def brought(function: Function, person: User | None, content: str, name: str) -> Import:
    return run_to_end(start_import(import_job=uploaded(function, person, content, name)))


def notes_of(function: Function) -> list[object]:
    marks = Mark.objects.filter(sample__function=function).order_by("sample", "kind", "person__email")
    comments = Comment.objects.filter(sample__function=function).order_by("pk")
    return [
        list(marks.values_list("sample__text", "kind", "person__email")),
        [(who, text.replace("\r", "")) for who, text in comments.values_list("person__email", "text")],
    ]


def another(workspace: Workspace, **options: object) -> Function:
    function: Function = workspace.functions.create(name="Another", input_kind=InputKind.TEXT, **options)
    return function


@pytest.mark.parametrize("kind", list(FORMATS))
@pytest.mark.parametrize("output_kind", list(OutputKind))
def test_they_come_back_as_they_went_out_and_only_once(
    noted: Function, workspace: Workspace, owner: User, kind: str, output_kind: OutputKind
) -> None:
    content = "".join(FORMATS[kind](noted))
    function = another(workspace, output_kind=output_kind)
    brought(function, owner, content, f"all.{kind}")
    assert notes_of(function) == notes_of(noted)
    again = brought(function, owner, content, f"all.{kind}")
    assert again.n_added == 0
    assert notes_of(function) == notes_of(noted)
    assert Comment.objects.filter(sample__function=function).count() == 3


def test_the_same_function_takes_nothing_twice(noted: Function, owner: User) -> None:
    before = notes_of(noted)
    for kind, chunks in FORMATS.items():
        brought(noted, owner, "".join(chunks(noted)), f"all.{kind}")
    assert notes_of(noted) == before


def test_json_lines_bring_the_time_of_a_comment(noted: Function, workspace: Workspace, owner: User) -> None:
    Comment.objects.filter(text="[+1]").update(created_at="2025-03-01T12:00:00Z")
    function = another(workspace)
    brought(function, owner, "".join(exports.json_chunks(noted)), "all.jsonl")
    when = Comment.objects.filter(sample__function=function, text="[+1]").values_list("created_at", flat=True)
    assert {each.isoformat() for each in when} == {"2025-03-01T12:00:00+00:00"}


def test_nobody_but_a_reviewer_brings_words_in_the_name_of_others(
    noted: Function, workspace: Workspace, member: User
) -> None:
    function = another(workspace)
    workspace.memberships.filter(user=member).update(role=Role.LABELER)
    brought(function, member, "".join(exports.csv_chunks(noted)), "all.csv")
    marks, comments = notes_of(function)
    assert marks == [("money back", kind, member.email) for kind in ("flag", "unsure")]
    assert {who for who, _text in comments} == {member.email}  # type: ignore[attr-defined]  # pairs


def test_people_of_elsewhere_are_nobody_here(workspace: Workspace, owner: User, outsider: User) -> None:
    function = another(workspace)
    head = "annotated_by,annotated_at,text,flagged_by,comments"
    brought(function, owner, f"{head}\n,,hello,{outsider.email},{outsider.email}: mine\n", "all.csv")
    assert notes_of(function) == [[("hello", "flag", owner.email)], [(None, "mine")]]


def test_the_preview_says_that_they_come_along(noted: Function, owner: User, owner_client: Client) -> None:
    job = uploaded(noted, owner, "".join(exports.csv_chunks(noted)), "all.csv")
    sentence = "the flags, doubts and comments in it come along"
    assert sentence in owner_client.get(reverse("samples:import_page", args=[job.public_id])).content.decode()
    plain = uploaded(noted, owner, "text,comments\nhello,nice\n", "plain.csv")
    assert sentence not in owner_client.get(reverse("samples:import_page", args=[plain.public_id])).content.decode()


def test_a_comment_too_long_is_left_out_and_said_so(workspace: Workspace, owner: User) -> None:
    head = '"annotated_by","annotated_at","text","comments"\n'
    job = brought(another(workspace), owner, f'{head}"","","hello","a@b.c: {"x" * 2_001}"\n', "all.csv")
    assert not Comment.objects.exists()
    assert list(job.problems.values_list("is_refused", "row")) == [(False, 2)]
    assert Sample.objects.get().text == "hello"


def test_a_column_that_is_used_for_something_else_holds_no_notes() -> None:
    columns = ["annotated_by", "annotated_at", "comments", "sample_comments"]
    assert note_columns(columns, ()) == {"comments": "sample_comments"}
    assert note_columns(columns[:3], ("comments",)) == {}
    assert note_columns(columns[1:], ()) == {}


@pytest.mark.parametrize("text", ["a\nb", "a\n  b", "a\n\nb", "x@y.z: b\nx@y.z: c", ": ", "[1]", "é\n   \nz"])
def test_a_cell_is_read_back_exactly(text: str) -> None:
    cells = {"comments": notes_cell([("a@b.c", text), ("", "left"), ("a@b.c", text)])}
    read = read_notes(cells, COLUMNS)
    assert isinstance(read, RowNotes)
    stripped = text.strip()
    assert read.comments == tuple(
        WrittenComment(by, said) for by, said in (("a@b.c", stripped), ("", "left"), ("a@b.c", stripped))
    )


@pytest.mark.parametrize("kind", list(FORMATS))
def test_table_rows_bring_them_too_beside_a_column_of_the_same_name(
    workspace: Workspace, owner: User, kind: str
) -> None:
    function = workspace.functions.create(name="Rows", input_kind=InputKind.TABLE)
    brought(function, owner, "age,comments,label\n31,nice,Yes\n32,quick,No\n33,plain,No\n", "rows.csv")
    sample = function.samples.order_by("pk").first()
    set_mark(sample=sample, person=owner, kind=MarkKind.FLAG, is_on=True)
    add_comment(sample=sample, person=owner, text="look again")
    content = "".join(FORMATS[kind](function))
    Mark.objects.all().delete()
    Comment.objects.all().delete()
    for _twice in range(2):
        assert brought(function, owner, content, f"rows.{kind}").n_added == 0
    assert Mark.objects.get().sample == sample
    assert Comment.objects.get().text == "look again"
    assert function.fields.count() == 2


def test_undoing_an_import_takes_its_notes_off_samples_that_were_here(noted: Function, owner: User) -> None:
    before = notes_of(noted)
    content = "".join(exports.json_chunks(noted))
    Mark.objects.filter(kind=MarkKind.UNSURE).delete()
    Comment.objects.filter(text="[+1]").delete()
    left = notes_of(noted)
    brought(noted, owner, content, "all.jsonl")
    assert notes_of(noted) == before
    act = Act.objects.get()
    assert act.n_samples == 1
    undo_act(act=act, person=owner)
    assert notes_of(noted) == left


def test_what_came_into_a_bin_with_its_sample_comes_back_with_it(
    noted: Function, workspace: Workspace, owner: User
) -> None:
    function = another(workspace)
    content = "".join(exports.csv_chunks(noted))
    brought(function, owner, content, "all.csv")
    undo_act(act=Act.objects.get(), person=owner)
    assert not function.samples.exists()
    brought(function, owner, content, "all.csv")
    assert notes_of(function) == notes_of(noted)
