"""Everything that came in goes out, and bringing it in again adds and changes nothing."""

import csv
import io
import json
import tracemalloc
from itertools import count
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts.models import User
from apps.events.models import Event
from apps.functions.models import Function
from apps.samples import exports
from apps.samples.models import Annotation, Import, MarkKind, Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample, undo_annotation
from apps.samples.services.imports import create_import, start_import
from apps.samples.services.intake import NewImage, NewText, add_images, add_texts
from apps.samples.services.marks import add_comment, set_mark
from apps.samples.services.opinions import give_opinion
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.workspaces.models import Workspace
from tests.samples.conftest import picture, run_to_end

pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous iterators")


def brought(function: Function, content: str, name: str) -> Import:
    raw = content.encode()
    job = create_import(function=function, person=None, file=io.BytesIO(raw), name=name, size_bytes=len(raw))
    return run_to_end(start_import(import_job=job))


def state_of(function: Function) -> tuple[Any, ...]:
    function.refresh_from_db()
    return (
        list(Sample.objects.filter(function=function).order_by("id").values()),
        list(Annotation.objects.order_by("id").values()),
        function.data_revision,
        list(function.labels.values_list("name", flat=True)),
    )


def csv_of(function: Function) -> str:
    return "".join(exports.csv_chunks(function))


def json_of(function: Function) -> str:
    return "".join(exports.json_chunks(function))


def predict(sample: Sample, name: str, confidence: float, kind: PredictionKind) -> None:
    model = TrainedModel.objects.create(
        function=sample.function,
        number=TrainedModel.objects.count() + 1,
        data_revision=1,
        recipe={},
        label_ids=[],
        sha256="",
        last_annotation_id=0,
        n_annotations=0,
        n_right=0,
        log_loss=0,
    )
    label = sample.function.labels.get(name=name)
    Prediction.objects.create(
        sample=sample, function=sample.function, kind=kind, model=model, label=label, confidence=confidence, margin=0
    )


def test_a_row_says_everything_known_of_a_sample(text_function: Function, member: User) -> None:
    item = NewText("money, back", external_id="t-1", original_name="mail.txt")
    sample = add_texts(function=text_function, items=[item], person=None, origin=Origin.API).samples[0]
    add_texts(function=text_function, items=[NewText("unlabelled")], person=None, origin=Origin.API)
    refund = text_function.labels.get(name="Refund")
    annotation = annotate_sample(sample=sample, label=refund, person=member, picked_by=PickedBy.QUEUE)
    predict(sample, "Shipping", 0.75, PredictionKind.OUT_OF_FOLD)
    predict(sample, "Refund", 0.5, PredictionKind.LIVE)
    rows = list(csv.DictReader(io.StringIO(csv_of(text_function), newline="")))
    assert rows[0] == {
        "id": sample.public_id,
        "external_id": "t-1",
        "original_name": "mail.txt",
        "text": "money, back",
        "label": "Refund",
        "annotated_by": member.email,
        "annotated_at": annotation.created_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "prediction": "Shipping",
        "confidence": "0.75",
        "flagged_by": "",
        "unsure_by": "",
        "comments": "",
        "answers": "",
    }
    assert [rows[1][name] for name in ("label", "annotated_by", "prediction", "confidence")] == [""] * 4
    lines = [json.loads(line) for line in json_of(text_function).splitlines()]
    assert (lines[0]["confidence"], lines[1]["label"], lines[1]["prediction"]) == (0.75, None, None)


def test_flags_doubts_comments_and_what_each_of_several_said_travel_with_the_sample(
    text_function: Function, member: User, owner: User
) -> None:
    items = [NewText("money back"), NewText("plain")]
    sample = add_texts(function=text_function, items=items, person=None, origin=Origin.API).samples[0]
    Sample.objects.filter(pk=sample.pk).update(n_wanted=2)
    for person, name in ((member, "Refund"), (owner, "Shipping")):
        label = text_function.labels.get(name=name)
        give_opinion(sample=sample, person=person, label=label, picked_by=PickedBy.QUEUE)
        set_mark(sample=sample, person=person, kind=MarkKind.FLAG, is_on=True)
    set_mark(sample=sample, person=member, kind=MarkKind.UNSURE, is_on=True)
    comment = add_comment(sample=sample, person=owner, text="see\nthe contract")

    first, second = (json.loads(line) for line in json_of(text_function).splitlines())
    assert (first["flagged_by"], first["unsure_by"]) == ([member.email, owner.email], [member.email])
    at = comment.created_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    assert first["comments"] == [{"by": owner.email, "at": at, "text": "see\nthe contract"}]
    assert first["answers"] == [{"by": member.email, "label": "Refund"}, {"by": owner.email, "label": "Shipping"}]
    assert [second[name] for name in ("flagged_by", "unsure_by", "comments", "answers")] == [None] * 4

    row = next(csv.DictReader(io.StringIO(csv_of(text_function), newline="")))
    assert row["flagged_by"] == f"{member.email} | {owner.email}"
    assert row["comments"] == f"{owner.email}: see\n  the contract"
    assert row["answers"] == f"{member.email}: Refund\n{owner.email}: Shipping"


def test_a_csv_is_rfc_4180_in_plain_utf_8(text_function: Function) -> None:
    add_texts(function=text_function, items=[NewText('Grüße, "Anna"\nund Ben')], person=None, origin=Origin.API)
    content = csv_of(text_function)
    assert not content.startswith("\ufeff")
    assert content.count("\r\n") == 2
    assert '"Grüße, ""Anna""\nund Ben"' in content


@pytest.mark.parametrize("text", ["=1+1", "+cmd|x", "-2+3", "@sum", "\tx", "\rx", "＝1", "'=already", "''@x"])
def test_formulas_are_guarded_in_a_csv_and_raw_in_json_lines(text_function: Function, text: str) -> None:
    add_texts(function=text_function, items=[NewText(text)], person=None, origin=Origin.API)
    row = next(csv.DictReader(io.StringIO(csv_of(text_function), newline="")))
    assert row["text"] == "'" + text
    assert json.loads(json_of(text_function))["text"] == text


characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
kept_text = st.text(characters, min_size=1, max_size=30).filter(str.strip)
names = st.sampled_from(["Refund", "=Lost", "Grüße, bitte", "'quoted'", ""])
items = st.lists(
    st.builds(
        NewText,
        text=kept_text | st.sampled_from(["-3.2", "'-3.2", "=1", "'=1", "a\r\nb", '"', '"a\n', "a;b\tc|d,e", "[1]"]),
        label_name=names,
        original_name=st.sampled_from(["", "a/b.txt", "=x.txt"]),
    ),
    min_size=1,
    max_size=8,
)
numbers = count()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=items)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_brought_in_again_changes_nothing_and_elsewhere_gives_the_same(
    workspace: Workspace, form: str, items: list[NewText]
) -> None:
    name = f"round trip {next(numbers)}"
    function = workspace.functions.create(name=name, input_kind="text")
    add_texts(function=function, items=items, person=None, origin=Origin.API)
    write = csv_of if form == "csv" else json_of
    content, before = write(function), state_of(function)
    job = brought(function, content, f"export.{form}")
    assert (job.n_added, job.n_labelled, job.n_failed) == (0, 0, 0)
    assert state_of(function) == before
    elsewhere = workspace.functions.create(name=name, input_kind="text")
    assert brought(elsewhere, content, f"export.{form}").n_failed == 0
    wanted = ("text", "label__name", "external_id", "original_name")
    assert list(elsewhere.samples.order_by("id").values_list(*wanted)) == list(
        function.samples.order_by("id").values_list(*wanted)
    )


def test_an_export_of_pictures_brought_in_again_changes_nothing(image_function: Function, member: User) -> None:
    new = [NewImage(picture(n), "Cat" if n else "", f"p-{n}", "same name.jpg") for n in range(4)]
    add_images(function=image_function, items=new, person=member, origin=Origin.API)
    before = state_of(image_function)
    for write, form in ((csv_of, "csv"), (json_of, "jsonl")):
        job = brought(image_function, write(image_function), f"export.{form}")
        assert (job.n_added, job.n_labelled, job.n_duplicates, job.n_failed) == (0, 0, 4, 0)
        assert state_of(image_function) == before


def test_labels_changed_since_an_export_are_not_changed_back(text_function: Function, member: User) -> None:
    sample = add_texts(function=text_function, items=[NewText("a", "Refund")], person=None, origin=Origin.API).samples[
        0
    ]
    content = csv_of(text_function)
    shipping = text_function.labels.get(name="Shipping")
    annotate_sample(sample=sample, label=shipping, person=member, picked_by=PickedBy.PERSON)
    brought(text_function, content, "export.csv")
    sample.refresh_from_db()
    assert sample.label == shipping


def test_a_label_undone_is_not_in_the_export(text_function: Function, member: User) -> None:
    sample = add_texts(function=text_function, items=[NewText("a")], person=None, origin=Origin.API).samples[0]
    refund = text_function.labels.get(name="Refund")
    annotation = annotate_sample(sample=sample, label=refund, person=member, picked_by=PickedBy.QUEUE)
    undo_annotation(annotation=annotation, person=member)
    assert json.loads(json_of(text_function))["label"] is None


def test_memory_does_not_grow_with_the_number_of_samples(
    text_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "ROWS_PER_PAGE", 100)

    def peak_bytes(n: int) -> int:
        new = (NewText(f"text {n} " + "x" * 1_000) for n in range(n))
        add_texts(function=text_function, items=new, person=None, origin=Origin.API)
        tracemalloc.start()
        assert sum(1 for _chunk in exports.csv_chunks(text_function)) == n // 100 + 1
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    small = peak_bytes(200)
    assert peak_bytes(2_000) < 2 * small  # ten times the samples


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_reviewers_download_and_others_may_not(
    reviewer_client: Client, member_client: Client, outsider_client: Client, text_function: Function, form: str
) -> None:
    add_texts(function=text_function, items=[NewText("hello")], person=None, origin=Origin.API)
    url = reverse(f"samples:export_{form}", args=[text_function.public_id])
    response = reviewer_client.get(url)
    assert b"hello" in b"".join(response)
    assert response["Content-Disposition"] == f'attachment; filename="which-desk.{form}"'
    assert Event.objects.filter(kind="samples.exported").count() == 1
    assert member_client.get(url).status_code == 403
    assert outsider_client.get(url).status_code == 404


def test_a_function_s_name_cannot_break_the_header(owner_client: Client, text_function: Function) -> None:
    text_function.name = 'a"\r\nSet-Cookie: x=1; 名前'
    text_function.save()
    response = owner_client.get(reverse("samples:export_csv", args=[text_function.public_id]))
    assert response["Content-Disposition"] == 'attachment; filename="a-set-cookie-x1.csv"'


def test_problems_are_downloaded_as_a_guarded_csv(owner_client: Client, text_function: Function) -> None:
    job = brought(text_function, "text,label\nfine,A\n=1+1," + "x" * 300 + "\nmore,A\n", "file.csv")
    assert job.n_failed == 1
    response = owner_client.get(reverse("samples:import_problems", args=[job.public_id]))
    rows = list(csv.reader(io.StringIO(b"".join(response).decode(), newline="")))
    assert rows[0] == ["row", "name", "reason"]
    assert rows[1][:2] == ["3", "'=1+1"]
