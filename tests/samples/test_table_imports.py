"""A table brought to a function of table rows: columns understood and corrected; rows in, and out the same."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.functions.models import FieldType, Function, InputKind, OutputKind
from apps.samples import exports
from apps.samples.layout import Layout
from apps.samples.models import Import, ImportState
from apps.samples.rows import cells_of
from apps.samples.services.imports import create_import, layout_of, start_import
from apps.samples.services.pasting import bring_lines
from apps.samples.services.row_fields import retype_field
from apps.workspaces.models import Workspace
from tests.conftest import delete_for_good
from tests.samples.conftest import picture, run_to_end, zip_of
from tests.samples.workbooks import book_of

HTMX = {"HX-Request": "true"}
CSV = "customer_id,age,plan,since,note,churned\n" + "".join(
    f"C-{n:03},{20 + n * 7 % 40},{['gold', 'silver', 'basic'][n % 3]},{1 + n % 27}/0{1 + n % 9}/2023,"
    f"wrote to us about item number {n} and was {'not ' * (n % 2)}happy at all with it,{['yes', 'no'][n % 2]}\n"
    for n in range(60)
)


@pytest.fixture
def function(workspace: Workspace) -> Function:
    function = workspace.functions.create(name="Who leaves?", input_kind=InputKind.TABLE)
    for position, name in enumerate(["Yes", "No"]):
        function.labels.create(name=name, position=position, colour=position)
    return function


def uploaded(
    function: Function, content: str | bytes, name: str = "customers.csv", person: User | None = None
) -> Import:
    data = content.encode() if isinstance(content, str) else content
    return create_import(function=function, person=person, file=io.BytesIO(data), name=name, size_bytes=len(data))


def brought(function: Function, content: str | bytes, name: str = "customers.csv") -> Import:
    return run_to_end(start_import(import_job=uploaded(function, content, name)))


def types(function: Function) -> dict[str, str]:
    return dict(function.fields.values_list("name", "type"))


def test_columns_are_understood_from_names_values_and_labels(function: Function) -> None:
    assert layout_of(uploaded(function, CSV)).uses == {
        "customer_id": "external_id",
        "age": "number",
        "plan": "category",
        "since": "date",
        "note": "text",
        "churned": "label",
    }


def test_rows_come_in_with_labels_and_ids_and_dates_read_day_first(function: Function) -> None:
    job = brought(function, CSV)
    assert (job.state, job.n_added, job.n_failed) == (ImportState.DONE, 60, 0)
    assert types(function) == {"age": "number", "plan": "category", "since": "date", "note": "text"}
    sample = function.samples.get(external_id="C-013")
    key = dict(function.fields.values_list("name", "public_id"))
    assert sample.row[key["since"]] == "2023-05-14"
    assert sample.text.startswith("age: 31 · plan: silver · since: 14/05/2023 · note: wrote")
    assert set(function.labels.in_use().values_list("name", flat=True)) >= {"Yes", "No"}
    assert job.n_labelled == 60


def test_the_same_table_again_as_a_workbook_or_json_lines_adds_nothing(function: Function) -> None:
    small = "id,age,plan\na,31,gold\nb,32.5,basic\nc,,gold\n"
    assert brought(function, small).n_added == 3
    book = book_of({"All": [["id", "age", "plan"], ["a", 31, "gold"], ["b", 32.5, "basic"], ["c", None, "gold"]]})
    assert (lambda job: (job.n_added, job.n_duplicates))(brought(function, book, "book.xlsx")) == (0, 3)
    rows = [{"id": "a", "age": 31, "plan": "gold"}, {"id": "b", "data": {"age": 32.5, "plan": "basic"}}]
    job = brought(function, "\n".join(map(json.dumps, rows)), "rows.jsonl")
    assert (job.n_added, job.n_duplicates) == (0, 2)


def test_a_cell_that_does_not_fit_comes_in_empty_and_is_told(function: Function) -> None:
    lines = ["age,plan"] + [f"{n},gold" for n in range(40)] + ["about forty,basic", ",", "7,basic"]
    job = brought(function, "\n".join(lines))
    assert (job.n_added, job.n_failed) == (42, 0)
    [found] = job.problems.all()
    assert (found.row, found.is_refused, found.reason) == (42, False, "Column “age”: “about forty” is no number.")


def test_a_later_file_brings_new_columns_and_leaves_known_ones_as_they_are(function: Function) -> None:
    brought(function, "age,plan\n31,gold\n32,basic\n")
    function.fields.filter(name="age").update(type=FieldType.CATEGORY)
    job = uploaded(function, "Plan,city,age\ngold,Rome,40\nbasic,Bern,41\ngold,Rome,42\n")
    assert layout_of(job).uses == {"Plan": "known", "city": "category", "age": "known"}
    run_to_end(start_import(import_job=job))
    assert types(function) == {"age": "category", "plan": "category", "city": "category"}
    assert function.samples.count() == 5


def test_what_was_chosen_for_a_column_is_proposed_for_the_next_file(owner_client: Client, function: Function) -> None:
    job = uploaded(function, CSV)
    choose(owner_client, job, churned="leave_out", customer_id="leave_out", plan="label", note="keep")
    run_to_end(start_import(import_job=Import.objects.get(pk=job.pk)))
    assert function.fields.get(name="note").is_used is False
    uses = layout_of(uploaded(function, CSV)).uses
    assert (uses["churned"], uses["plan"], uses["note"]) == ("leave_out", "label", "known")


def choose(client: Client, job: Import, **uses: str):
    job.refresh_from_db()
    chosen = layout_of(job).uses | uses
    data = {"use": list(chosen.values()), "encoding": "utf-8", "delimiter": "comma", "has_header": "on"}
    return client.post(f"{job.get_absolute_url()}check/", data, headers=HTMX)


def test_the_page_shows_examples_advice_and_lets_each_column_be_corrected(
    owner_client: Client, function: Function
) -> None:
    job = uploaded(function, CSV.replace("note,churned", "country,churned").replace("wrote to us", "Austria"))
    page = owner_client.get(job.get_absolute_url()).content.decode()
    assert page.count('name="use"') == 6
    assert "27" in page
    answer = choose(owner_client, job, age="category", customer_id="number")
    assert answer.status_code == 200
    assert "id or a running number" in answer.content.decode() or "age" in answer.content.decode()
    assert choose(owner_client, job, age="label").status_code == 400
    assert choose(owner_client, job, age="colour").status_code == 400
    assert choose(owner_client, job, age="known").status_code == 400
    job.refresh_from_db()
    assert layout_of(job).uses["age"] == "category"


def test_a_table_without_anything_to_keep_is_not_started(owner_client: Client, function: Function) -> None:
    job = uploaded(function, "age,plan\n31,gold\n32,basic\n")
    choose(owner_client, job, age="leave_out", plan="label")
    job.refresh_from_db()
    with pytest.raises(InvalidInput, match="at least one column"):
        start_import(import_job=job)


def test_a_kill_in_the_middle_loses_and_doubles_no_row(function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.samples.services.import_runs.ROWS_PER_CHUNK", 7)
    job = run_to_end(start_import(import_job=uploaded(function, CSV)), budget_seconds=0)
    assert (job.n_added, function.samples.count()) == (60, 60)


def test_tags_of_rows_come_from_a_list_or_from_columns(workspace: Workspace) -> None:
    function = workspace.functions.create(
        name="What is wrong?", input_kind=InputKind.TABLE, output_kind=OutputKind.TAGS
    )
    for position, name in enumerate(["late", "broken"]):
        function.labels.create(name=name, position=position, colour=position)
    job = uploaded(function, "weight,late,broken,insured\n1.5,1,0,yes\n2,0,0,no\n3,1,1,yes\n4,0,1,no\n")
    assert layout_of(job).uses == {"weight": "number", "late": "flag", "broken": "flag", "insured": "category"}
    run_to_end(start_import(import_job=job))
    first = function.samples.order_by("pk").first()
    assert dict(first.tags.values_list("label__name", "is_present")) == {"late": True, "broken": False}


def test_a_row_is_shown_as_it_was_written(function: Function) -> None:
    brought(function, 'price,code\n"1,234.50",007\n"99.00",012\n')
    shown = [list(cells_of(sample.row).values()) for sample in function.samples.order_by("pk")]
    assert sorted(shown[0]) == ["007", "1,234.50"]


def test_cells_pasted_from_a_spreadsheet_become_a_table_for_every_function(
    function: Function, text_function: Function, image_function: Function
) -> None:
    cells = 'age\tplan\tnote\r\n31\tgold\t"two\r\nlines, ""quoted"""\r\n40\t\tplain\r\n'
    job = bring_lines(function=function, person=None, text=cells)
    assert layout_of(job).uses == {"age": "number", "plan": "category", "note": "category"}
    run_to_end(start_import(import_job=job))
    assert "two\nlines" in function.samples.order_by("pk").first().text

    job = bring_lines(function=text_function, person=None, text='text\tlabel\n"Money\nback"\tRefund\nLost\tShipping\n')
    assert run_to_end(start_import(import_job=job)).n_labelled == 2
    assert set(text_function.samples.values_list("text", flat=True)) == {"Money\nback", "Lost"}

    job = bring_lines(function=image_function, person=None, text="cat.jpg\tCat\n")
    assert (layout_of(job).columns, layout_of(job).has_header) == (("Column 1", "Column 2"), False)
    with pytest.raises(InvalidInput, match="two columns"):
        bring_lines(function=image_function, person=None, text="a line\nanother\n")


def test_one_column_and_commas_are_cells_too_where_rows_are_wanted(function: Function) -> None:
    assert layout_of(bring_lines(function=function, person=None, text="age\n31\n32\n")).uses == {"age": "number"}
    job = bring_lines(function=function, person=None, text="age,plan\n31,gold\n32,basic\n", label_name="Yes")
    assert layout_of(job).columns == ("age", "plan")
    assert run_to_end(start_import(import_job=job)).n_labelled == 2


def test_what_went_out_comes_back_as_it_was(workspace: Workspace, function: Function) -> None:
    content = 'id,price,label,age,=risk,churned\na,"1,234.50",x,31,-5,yes\nb,99.00,,32.5,+49 17,no\nc,abc,z,,=1,\n'
    job = uploaded(function, content)
    assert layout_of(job).uses["id"] == "external_id"
    assert (layout_of(job).uses["label"], layout_of(job).uses["churned"]) == ("category", "label")
    run_to_end(start_import(import_job=job))
    assert exports.columns(function) == [
        "id", "external_id", "original_name", "price", "label", "age", "=risk",
        "sample_label", "annotated_by", "annotated_at", "prediction", "confidence",
        "flagged_by", "unsure_by", "comments", "answers",
    ]  # fmt: skip
    before = list(function.samples.order_by("pk").values("row", "external_id", "label__name", "content_hash"))
    for name, chunks in (("out.csv", exports.csv_chunks), ("out.jsonl", exports.json_chunks)):
        content = "".join(chunks(function))
        job = brought(function, content, name)
        assert (job.n_added, job.n_labelled, job.n_duplicates, job.n_failed) == (0, 0, 3, 0)
        copy = workspace.functions.create(name="Copy", input_kind=InputKind.TABLE)
        assert brought(copy, content, name).n_added == 3
        assert _without_ids("".join(chunks(copy))) == _without_ids(content)
    assert list(function.samples.order_by("pk").values("row", "external_id", "label__name", "content_hash")) == before


def _without_ids(content: str) -> str:
    """What an export says, but for ids and times of its own."""
    return re.sub(r"sample_\w{16}|\d{4}-\d\d-\d\dT[\d:]+Z", "", content)


def test_pictures_that_cells_name_come_in_a_zip_with_their_table(
    owner_client: Client, function: Function, media: Path, django_capture_on_commit_callbacks: Any
) -> None:
    table = "price,photo,label\n31,a.jpg,Yes\n32,img/b.jpg,No\n33,missing.jpg,No\n34,https://example.com/c.jpg,No\n"
    content = zip_of({"rows/list.csv": table.encode(), "rows/a.jpg": picture(1), "rows/img/b.jpg": picture(2)})
    job = uploaded(function, content, "cars.zip")
    assert layout_of(job).uses == {"price": "number", "photo": "image", "label": "label"}
    job = run_to_end(start_import(import_job=job))
    assert (job.n_added, job.n_failed) == (4, 0)
    notes = dict(job.problems.values_list("row", "reason"))
    assert "no picture “missing.jpg”" in notes[4]
    assert "not fetched" in notes[5]
    key = function.fields.get(name="photo").public_id
    sample = function.samples.order_by("pk").first()
    assert (media / sample.row[key]["file"]).exists()
    assert cells_of(sample.row)[key] == "a.jpg"
    answer = owner_client.get(f"/samples/{sample.public_id}/cells/{key}/?small=1")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    other = function.samples.order_by("pk").last()
    assert owner_client.get(f"/samples/{other.public_id}/cells/{key}/").status_code == 404

    before = sample.row
    photo = function.fields.select_related("function").get(name="photo")
    assert retype_field(field=photo, type=FieldType.CATEGORY, actor=None) == 0
    assert function.samples.get(pk=sample.pk).row[key] == "a.jpg"
    assert retype_field(field=photo, type=FieldType.IMAGE, actor=None) == 2
    assert function.samples.get(pk=sample.pk).row == before

    n_files = len(list(media.rglob("*.jpg")))
    again = run_to_end(start_import(import_job=uploaded(function, content, "cars.zip")))
    assert (again.n_added, again.n_duplicates, len(list(media.rglob("*.jpg")))) == (0, 4, n_files)
    with django_capture_on_commit_callbacks(execute=True):
        delete_for_good(sample)
    assert len(list(media.rglob("*.jpg"))) == n_files - 2


def test_a_zip_without_one_table_is_refused_for_rows(function: Function) -> None:
    with pytest.raises(InvalidInput, match="one table"):
        uploaded(function, zip_of({"a.jpg": picture(1)}), "a.zip")
    with pytest.raises(InvalidInput, match="one table"):
        uploaded(function, zip_of({"a.csv": b"a\n1\n", "b.csv": b"a\n1\n"}), "a.zip")
    book = book_of({"All": [["age"], [31], [32]]})
    assert brought(function, zip_of({"book.xlsx": book}), "book.zip").n_added == 2


def test_uses_keep_the_order_of_the_columns_wherever_they_were_kept() -> None:
    layout = Layout(columns=("zip", "age", "id"), uses={"zip": "category", "age": "number", "id": "external_id"})
    kept = layout.to_options() | {"uses": {"id": "external_id", "age": "number", "zip": "category"}}
    assert list(Layout.from_options(kept).uses) == ["zip", "age", "id"]
