"""Tags on their way in and out: several in a cell, a column each, folders; and everything comes back exactly."""

import csv
import io
import json
import re
from collections.abc import Sequence

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.functions.models import Function, InputKind, OutputKind
from apps.functions.names import tidy
from apps.functions.services import create_function
from apps.samples import exports
from apps.samples.layout import Layout
from apps.samples.models import Annotation, Import, ImportFormat, ImportState, Origin, PickedBy, Sample
from apps.samples.reading.columns import Role
from apps.samples.reading.tables import Dialect
from apps.samples.reading.tag_cells import RowTags, TagColumns, TagSeparator, read_tags, split_tags, tag_cell
from apps.samples.services.annotations import tag_sample
from apps.samples.services.dropping import begin_drop, take_chunk
from apps.samples.services.imports import LayoutChoice, choose_layout, create_import, layout_of, start_import
from apps.samples.services.intake import NewImage, NewText, add_texts
from apps.workspaces.models import Workspace
from tests.samples.conftest import picture, run_to_end, zip_of


@pytest.fixture
def function(workspace: Workspace) -> Function:
    return tags_function(workspace)


def tags_function(workspace: Workspace, kind: str = InputKind.TEXT, names: Sequence[str] = ("Food",)) -> Function:
    return create_function(
        workspace=workspace,
        name="What is it about?",
        input_kind=kind,
        output_kind=OutputKind.TAGS,
        label_names=names,
        actor=None,
        allow_no_labels=True,
    )


def create(function: Function, content: str | bytes, name: str) -> Import:
    raw = content.encode() if isinstance(content, str) else content
    return create_import(function=function, person=None, file=io.BytesIO(raw), name=name, size_bytes=len(raw))


def brought(function: Function, content: str | bytes, name: str = "rows.csv") -> Import:
    return run_to_end(start_import(import_job=create(function, content, name)))


def state(function: Function) -> dict[str, dict[str, bool] | None]:
    """What is in force of each sample, by its text or file name."""
    found: dict[str, dict[str, bool] | None] = {}
    for sample in function.samples.order_by("pk"):
        tags = {row.label.name: row.is_present for row in sample.tags.select_related("label")}
        found[sample.text or sample.original_name] = tags if sample.annotation_id else None
    return found


def there(function: Function) -> dict[str, set[str] | None]:
    """The tags that are there, each sample having been asked about every tag."""
    names = set(function.labels.in_use().values_list("name", flat=True))
    found: dict[str, set[str] | None] = {}
    for content, tags in state(function).items():
        assert tags is None or set(tags) == names, content
        found[content] = None if tags is None else {name for name, is_present in tags.items() if is_present}
    return found


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("a", ["a"]),
        ("a, b; c", ["a", "b", "c"]),
        ("a | b,c", ["a", "b,c"]),
        ("a\nb;c", ["a", "b;c"]),
        ('["a", "b, c", 3]', ["a", "b, c", "3"]),
        ("[]", []),
        ("[sic], b", ["[sic]", "b"]),
        (" a ,, a, b ", ["a", "b"]),
        ('[{"a": 1}]', ['[{"a": 1}]']),
    ],
)
def test_several_tags_in_a_cell_are_told_apart(cell: str, names: list[str]) -> None:
    assert list(split_tags(cell)) == names


def test_a_person_may_say_what_splits_tags() -> None:
    assert split_tags("Food, drink; Travel", TagSeparator.SEMICOLON) == ("Food, drink", "Travel")
    assert split_tags("Food, drink | x", TagSeparator.NONE) == ("Food, drink | x",)


@given(st.lists(st.text().map(tidy).filter(bool), unique=True))
def test_a_cell_gives_back_the_names_it_was_made_from(names: list[str]) -> None:
    assert list(split_tags(tag_cell(names))) == names


def test_columns_with_yes_and_no_are_tags_themselves() -> None:
    columns = TagColumns(flags=("Food", "Travel"))
    assert read_tags({"Food": "1", "Travel": "0"}, columns) == RowTags(("Food",))
    assert read_tags({"Food": "no", "Travel": "No"}, columns) == RowTags()
    assert read_tags({"Food": "", "Travel": " "}, columns) is None


def test_a_csv_with_several_tags_in_a_cell_comes_in(function: Function) -> None:
    job = brought(function, 'text,tags\nsoup in Rome,"Food, Travel"\na train,Travel\nnothing,[]\nnobody looked,\n')
    assert (job.state, job.n_added, job.n_labelled) == (ImportState.DONE, 4, 3)
    assert there(function) == {
        "soup in Rome": {"Food", "Travel"},
        "a train": {"Travel"},
        "nothing": set(),
        "nobody looked": None,
    }
    assert set(Annotation.objects.values_list("picked_by", flat=True)) == {PickedBy.IMPORT}


def test_a_tag_first_met_in_a_late_row_is_known_not_to_be_on_early_ones(function: Function) -> None:
    rows = [f"text {number},Food" for number in range(450)] + ["the last one,Rare"]
    brought(function, "\n".join(["text,tags", *rows]))
    found = there(function)
    assert found["text 0"] == {"Food"}
    assert found["the last one"] == {"Rare"}


def test_names_are_collected_slice_by_slice_and_the_import_still_ends(function: Function) -> None:
    rows = [f"text {number},Tag {number % 7}" for number in range(900)]
    job = start_import(import_job=create(function, "\n".join(["text,tags", *rows]), "rows.csv"))
    run_to_end(job, budget_seconds=0.0)
    assert job.n_added == 900
    assert all(tags is not None and len(tags) == 1 for tags in there(function).values())


def test_a_column_for_each_tag_comes_in(workspace: Workspace) -> None:
    function = tags_function(workspace, names=())
    job = create(function, "text,Food,Travel\nsoup,1,0\na train,0,1\nboth,1,1\nneither,0,0\n", "rows.csv")
    assert layout_of(job).flags == ("Food", "Travel")
    run_to_end(start_import(import_job=job))
    assert there(function) == {
        "soup": {"Food"},
        "a train": {"Travel"},
        "both": {"Food", "Travel"},
        "neither": set(),
    }


def test_a_table_with_a_row_for_each_sample_and_tag_adds_up(function: Function) -> None:
    rows = ["both,Food", *(f"text {number},Food" for number in range(300)), "both,Travel"]
    job = brought(function, "\n".join(["text,tag", *rows]))
    assert there(function)["both"] == {"Food", "Travel"}
    assert (job.n_added, job.n_duplicates, job.n_labelled) == (301, 1, 301)


def test_an_answer_somebody_gave_is_never_overwritten(function: Function, member: User) -> None:
    sample = add_texts(function=function, items=[NewText("soup")], person=None, origin=Origin.BROWSER).samples[0]
    tag_sample(sample=sample, tags={}, person=member, picked_by=PickedBy.QUEUE)
    brought(function, "text,tags\nsoup,Food\n")
    assert there(function) == {"soup": set()}


def test_bringing_the_same_file_again_changes_nothing(function: Function) -> None:
    content = 'text,tags\nsoup,"Food, Travel"\na train,Travel\n'
    brought(function, content)
    function.refresh_from_db()
    before = (state(function), function.data_revision, Annotation.objects.count())
    brought(function, content)
    function.refresh_from_db()
    assert (state(function), function.data_revision, Annotation.objects.count()) == before


@pytest.mark.parametrize(
    ("line", "tags"),
    [
        ({"text": "t", "tags": ["Food", "a, b"]}, {"Food", "a, b"}),
        ({"text": "t", "labels": ["Food", "Food"]}, {"Food"}),
        ({"text": "t", "label": []}, set()),
        ({"text": "t", "tags": None}, None),
        ({"text": "t", "tags": "Food; b"}, {"Food", "b"}),
        ({"data": {"text": "t"}, "annotations": [{"result": [{"value": {"choices": ["Food", "b"]}}]}]}, {"Food", "b"}),
        ({"data": {"text": "t"}, "annotations": []}, None),
    ],
)
def test_lists_in_json_lines_are_tags(function: Function, line: dict[str, object], tags: set[str] | None) -> None:
    key = next((key for key in ("tags", "labels") if key in line), "label")
    other = {"text": "another", key: ["b"]}
    brought(function, "\n".join(map(json.dumps, [line, other])), "rows.jsonl")
    assert there(function)["t"] == tags


def test_what_others_say_of_each_tag_is_understood(function: Function) -> None:
    annotation = [{"labelName": "Food", "present": True}, {"labelName": "b", "present": False}]
    brought(function, json.dumps({"data": "t", "annotation": annotation}) + "\n" + json.dumps({"data": "u"}), "x.jsonl")
    assert state(function) == {"t": {"Food": True, "b": False}, "u": None}


def test_a_function_with_one_label_still_refuses_several(text_function: Function) -> None:
    lines = [{"text": "one", "label": ["Refund"]}, {"text": "two", "label": ["Refund", "Shipping"]}]
    job = brought(text_function, "\n".join(map(json.dumps, lines)), "rows.jsonl")
    assert (job.n_added, job.n_failed) == (1, 1)


def test_a_picture_in_two_folders_has_both_tags(workspace: Workspace) -> None:
    function = tags_function(workspace, InputKind.IMAGE, names=())
    members = {
        "cat/1.jpg": picture(1),
        "cat/2.jpg": picture(2),
        "outdoor/2.jpg": picture(2),
        "outdoor/3.jpg": picture(3),
    }
    job = brought(function, zip_of(members), "pictures.zip")
    assert job.format == ImportFormat.ZIP
    assert there(function) == {"cat/1.jpg": {"cat"}, "cat/2.jpg": {"cat", "outdoor"}, "outdoor/3.jpg": {"outdoor"}}


def test_tags_of_a_drop_are_made_before_its_first_file(workspace: Workspace) -> None:
    function = tags_function(workspace, InputKind.IMAGE, names=())
    job = begin_drop(function=function, person=None, n_files=2, label_names=["cat", "dog", "", "x" * 300])
    for number, label in enumerate(("cat", "dog")):
        image = NewImage(picture(number), label_name=label, original_name=f"{label}/{number}.jpg")
        take_chunk(import_job=job, chunk_number=number, first_row=number + 1, items=[image])
    assert there(function) == {"cat/0.jpg": {"cat"}, "dog/1.jpg": {"dog"}}


def test_what_was_chosen_on_the_preview_is_obeyed(function: Function) -> None:
    job = create(function, "text,tags,1st,2nd\nsoup,Food; drink,1,0\ntrain,Food; drink,0,1\n", "rows.csv")
    layout = layout_of(job)
    choice = LayoutChoice(
        encoding=layout.encoding,
        dialect=Dialect(","),
        has_header=True,
        roles={Role.CONTENT: "text", Role.LABEL: "tags"},
        flags=("2nd",),
        tag_separator=TagSeparator.NONE,
    )
    assert choose_layout(import_job=job, choice=choice)
    assert Layout.from_options(job.options["layout"]) == layout_of(job)
    run_to_end(start_import(import_job=job))
    assert there(function) == {"soup": {"Food; drink"}, "train": {"Food; drink", "2nd"}}


def test_a_column_is_a_tag_or_something_else_not_both(function: Function) -> None:
    job = create(function, "text,Food,Travel\nsoup,1,0\ntrain,0,1\n", "rows.csv")
    layout = layout_of(job)
    choice = LayoutChoice(
        layout.encoding, Dialect(","), True, {Role.CONTENT: "text", Role.LABEL: "Food"}, "", ("Food",)
    )
    with pytest.raises(InvalidInput, match="one thing only"):
        choose_layout(import_job=job, choice=choice)


def test_the_preview_shows_what_was_understood(function: Function, owner_client: Client) -> None:
    job = create(function, 'text,tags,Late,Kind\nsoup,"Food; Hot",1,0\nnothing,[],0,1\nnobody,,,\n', "rows.csv")
    page = owner_client.get(reverse("samples:import_page", args=[job.public_id])).content.decode()
    assert understood(page) == [["Food", "Hot", "Late"], ["Kind"], []]
    assert "nothing said" in page
    chosen = {"encoding": "utf-8", "delimiter": "comma", "has_header": "on", "content": "text", "label": "tags"}
    answer = owner_client.post(
        reverse("samples:check_import", args=[job.public_id]), chosen | {"tag_separator": "comma", "flags": ["Kind"]}
    )
    assert understood(answer.content.decode()) == [["Food; Hot"], ["Kind"], []]


def understood(page: str) -> list[list[str]]:
    cells = re.findall(r"data-tags>(.*?)</td>", page)
    return [re.findall(r'class="badge">(.*?)</span>', cell) for cell in cells]


def csv_of(function: Function) -> str:
    return "".join(exports.csv_chunks(function))


def json_of(function: Function) -> str:
    return "".join(exports.json_chunks(function))


@pytest.fixture
def exported(workspace: Workspace) -> Function:
    """Every case there is: several, one, none, names that need care, a tag made later, nobody looked."""
    function = tags_function(workspace, names=("Food", "a, b; c", "x | y", "=1+1", '["q"]'))
    texts = ["several", "one", "none", "careful", "=formula", "later", "nobody"]
    samples = add_texts(
        function=function, items=[NewText(text) for text in texts], person=None, origin=Origin.BROWSER
    ).samples
    labels = {label.name: label for label in function.labels.all()}
    said: list[dict[str, bool]] = [
        {"Food": True, "a, b; c": True},
        {"a, b; c": True},
        {},
        {"x | y": True, '["q"]': True},
        {"=1+1": True},
    ]
    for sample, tags in zip(samples, said, strict=False):
        named = {labels[name]: is_present for name, is_present in tags.items()}
        tag_sample(sample=sample, tags=named, person=None, picked_by=PickedBy.PERSON)
    unknown = {labels["Food"]: True, labels["x | y"]: False}
    tag_sample(sample=samples[5], tags=unknown, person=None, picked_by=PickedBy.PERSON, is_whole=False)
    return function


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_what_goes_out_comes_in_exactly(exported: Function, workspace: Workspace, name: str) -> None:
    again = tags_function(workspace, names=())
    brought(again, csv_of(exported) if name == "out.csv" else json_of(exported), name)
    assert state(again) == state(exported)


def test_an_export_brought_into_its_own_function_changes_nothing(exported: Function) -> None:
    exported.refresh_from_db()
    before = (state(exported), exported.data_revision, Annotation.objects.count())
    for content, name in ((csv_of(exported), "out.csv"), (json_of(exported), "out.jsonl")):
        brought(exported, content, name)
    exported.refresh_from_db()
    assert (state(exported), exported.data_revision, Annotation.objects.count()) == before


def test_an_export_says_what_is_there_and_what_is_not(exported: Function) -> None:
    lines = [json.loads(line) for line in json_of(exported).splitlines()]
    later = next(line for line in lines if line["text"] == "later")
    assert (later["tags"], later["absent_tags"]) == (["Food"], ["x | y"])
    nobody = next(line for line in lines if line["text"] == "nobody")
    assert (nobody["tags"], nobody["absent_tags"]) == (None, None)
    cells = {row["text"]: row["tags"] for row in csv.DictReader(io.StringIO(csv_of(exported)))}
    assert cells["several"] == "Food | a, b; c"
    assert (cells["none"], cells["nobody"]) == ("[]", "")
    assert not Sample.objects.filter(function=exported, label__isnull=False).exists()
