"""What becomes of captured calls: unlabelled samples that wait for a person, and go with all they left."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import User
from apps.core.errors import InvalidInput, NotFound
from apps.events.kinds import Audit
from apps.events.models import Event
from apps.functions.models import FieldType, Function, InputKind, Label, OutputKind
from apps.functions.services import NewField, get_or_create_fields
from apps.samples.models import (
    Annotation,
    Capture,
    CaptureReason,
    Feedback,
    MarkKind,
    Opinion,
    Origin,
    PickedBy,
    Sample,
    SampleTag,
    Verdict,
)
from apps.samples.rows import picture_keys
from apps.samples.services import sweeper
from apps.samples.services.annotations import annotate_sample
from apps.samples.services.capture_policies import CaptureRules, policy_of, set_capture
from apps.samples.services.capture_retention import forget_old_captures
from apps.samples.services.capturing import Data, Heard, capture_inputs
from apps.samples.services.intake import NewImage, NewText, add_images, add_texts
from apps.samples.services.marks import add_comment, set_mark
from apps.training.models import Embedding, Prediction
from apps.training.services import finish_work
from apps.workspaces.models import Workspace
from tests.conftest import delete_for_good
from tests.pictures import picture

pytestmark = pytest.mark.django_db

RULES = CaptureRules(mode="informative")


@pytest.fixture(autouse=True)
def own_files(settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.ARTIFACTS_DIR = tmp_path / "models"


def heard(data: Data, **beside: object) -> Heard:
    chosen: dict[str, object] = {
        "reason": CaptureReason.LOW_CONFIDENCE,
        "is_random": False,
        "model": "model_a",
        "label_id": None,
        "tags": None,
        "confidence": 0.5,
    }
    return Heard(data=data, **{**chosen, **beside})  # type: ignore[arg-type]  # each as its field is


def capture(function: Function, *inputs: Data, rules: CaptureRules = RULES, **beside: object) -> list[Sample]:
    kept = capture_inputs(function=function, heard=[heard(data, **beside) for data in inputs], rules=rules)
    by_id = {sample.public_id: sample for sample in Sample.objects.filter(public_id__in=kept.sample_ids)}
    return [by_id[public_id] for public_id in kept.sample_ids]


def files_of(function: Function) -> list[str]:
    folder = f"{function.workspace.public_id}/{function.public_id}"
    return default_storage.listdir(folder)[1] if default_storage.exists(folder) else []


@pytest.fixture
def picture_function(workspace: Workspace) -> Function:
    return workspace.functions.create(name="Which colour?", input_kind=InputKind.IMAGE)


def test_a_picture_is_stored_as_one_that_was_brought_and_known_by_what_was_sent(picture_function: Function) -> None:
    [sample] = capture(picture_function, picture("#f00"))
    assert (sample.width_px, sample.height_px, sample.origin) == (40, 30, Origin.CAPTURE)
    assert len(files_of(picture_function)) == 2
    add_images(function=picture_function, items=[NewImage(picture("#f00"))], person=None, origin=Origin.BROWSER)
    assert Sample.objects.count() == 1
    assert len(files_of(picture_function)) == 2


def test_a_picture_over_the_limit_leaves_no_file(picture_function: Function) -> None:
    rules = CaptureRules(mode="all", per_hour=1)
    kept = capture_inputs(
        function=picture_function, heard=[heard(picture("#f00")), heard(picture("#00f"))], rules=rules
    )
    assert [bool(each) for each in kept.sample_ids] == [True, False]
    assert kept.n_over == 1
    assert len(files_of(picture_function)) == 2


def test_of_a_row_what_people_wrote_is_blotted_and_numbers_and_dates_stay(workspace: Workspace) -> None:
    function = workspace.functions.create(name="Will they stay?", input_kind=InputKind.TABLE)
    fields = [
        NewField("Customer", FieldType.NUMBER),
        NewField("Since", FieldType.DATE),
        NewField("Note", FieldType.TEXT),
        NewField("Face", FieldType.IMAGE),
    ]
    get_or_create_fields(function=function, fields=fields)
    row = {
        "customer": "8834512",
        "Since": "2024-02-03",
        "Note": "mail a@example.org",
        "Face": "data:image/png;base64,AA",
    }
    [sample] = capture(function, row)
    keys = dict(function.fields.values_list("name", "public_id"))
    stored = sample.row or {}
    assert stored[keys["Customer"]] == 8834512
    assert stored[keys["Note"]] == "mail [email]"
    assert keys["Since"] in stored
    assert "example.org" not in str(stored) + sample.text
    assert "base64" not in str(stored) + sample.text


def test_a_picture_in_a_row_is_stored_as_a_picture(workspace: Workspace) -> None:
    function = workspace.functions.create(name="Whose face?", input_kind=InputKind.TABLE)
    fields = [NewField("Name", FieldType.TEXT), NewField("Face", FieldType.IMAGE)]
    get_or_create_fields(function=function, fields=fields)
    face = f"data:image/png;base64,{base64.b64encode(picture('#f00')).decode()}"
    [sample] = capture(function, {"Name": "Ada", "Face": face})
    assert len(picture_keys(sample.row)) == 1
    assert len(files_of(function)) == 2
    assert "base64" not in str(sample.row) + sample.text
    [again] = capture(function, {"Name": "Ada", "Face": face})
    assert again == sample
    assert len(files_of(function)) == 2


def test_the_same_twice_at_once_is_one_and_counts_as_drawn_if_either_was(text_function: Function) -> None:
    drawn = heard("the same", is_random=True)
    kept = capture_inputs(function=text_function, heard=[heard("the same"), drawn, heard("other")], rules=RULES)
    first, second, other = kept.sample_ids
    assert first == second != other
    assert dict(Capture.objects.values_list("sample__public_id", "is_random")) == {first: True, other: False}


def test_tags_that_were_said_are_kept_beside_it_not_on_it(workspace: Workspace) -> None:
    function = workspace.functions.create(name="What is in it?", input_kind=InputKind.TEXT, output_kind=OutputKind.TAGS)
    urgent = function.labels.create(name="Urgent", position=0, colour=0)
    [sample] = capture(function, "help now", tags=(urgent.public_id,), label_id=urgent.pk)
    assert sample.capture.tags == [urgent.public_id]
    assert not SampleTag.objects.exists()
    assert sample.annotation is None


def test_captured_calls_are_learned_from_only_after_a_person_has_said_what_they_are(
    text_function: Function, refund: Label, shipping: Label, owner: User
) -> None:
    items = [NewText(f"refund my money {n}", "Refund") for n in range(6)]
    items += [NewText(f"where is my parcel {n}", "Shipping") for n in range(6)]
    add_texts(function=text_function, items=items, person=owner, origin=Origin.IMPORT)
    Function.objects.filter(pk=text_function.pk).update(
        is_machine_first=True, automation_target=0.5, overlap_share=1.0, overlap_people=2, gold_share=0.3
    )
    finish_work(function_id=text_function.pk)
    text_function.refresh_from_db()
    revision, n_said = text_function.data_revision, Annotation.objects.count()
    texts = [f"refund it please {n}" for n in range(8)]
    captured = capture(text_function, *texts, label_id=refund.pk, confidence=1.0)
    finish_work(function_id=text_function.pk)
    sweeper._progress.next_at = 0.0
    sweeper.enqueue_unfinished_imports()
    text_function.refresh_from_db()
    assert Annotation.objects.count() == n_said
    assert not Opinion.objects.exists()
    assert text_function.data_revision == revision
    assert not Sample.objects.filter(origin=Origin.CAPTURE, label__isnull=False).exists()
    assert not Sample.objects.filter(origin=Origin.CAPTURE, annotation__isnull=False).exists()
    annotate_sample(sample=captured[0], label=shipping, person=owner, picked_by=PickedBy.PERSON)
    text_function.refresh_from_db()
    assert text_function.data_revision == revision + 1


def test_deleting_a_captured_sample_leaves_nothing_of_it(picture_function: Function, owner: User) -> None:
    for position, name in enumerate(["Red", "Blue"]):
        picture_function.labels.create(name=name, position=position, colour=position)
    [sample] = capture(picture_function, picture("#f00"))
    Feedback.objects.create(function=picture_function, sample=sample, verdict=Verdict.WRONG, note="no")
    finish_work(function_id=picture_function.pk)
    assert Embedding.objects.exists()
    delete_for_good(sample)
    finish_work(function_id=picture_function.pk)
    for rows in (Sample.everywhere, Capture.objects, Feedback.objects, Prediction.objects):
        assert not rows.exists(), rows


def make_old(*samples: Sample, days: int) -> None:
    moment = timezone.now() - timedelta(days=days, seconds=1)
    Sample.everywhere.filter(pk__in=[sample.pk for sample in samples]).update(created_at=moment)
    Capture.objects.filter(sample__in=samples).update(created_at=moment)


def test_what_nobody_had_anything_to_say_of_goes_after_its_days(
    text_function: Function, owner: User, refund: Label, django_capture_on_commit_callbacks: Callable[..., object]
) -> None:
    set_capture(function=text_function, rules=CaptureRules(mode="informative", days_kept=30), actor=owner)
    names = ["untouched", "labelled", "said and undone", "commented", "flagged", "reported", "young"]
    samples = dict(zip(names, capture(text_function, *names), strict=True))
    annotate_sample(sample=samples["labelled"], label=refund, person=owner, picked_by=PickedBy.PERSON)
    for label in (refund, None):
        annotate_sample(sample=samples["said and undone"], label=label, person=owner, picked_by=PickedBy.PERSON)
    add_comment(sample=samples["commented"], person=owner, text="Odd one")
    set_mark(sample=samples["flagged"], person=owner, kind=MarkKind.FLAG, is_on=True)
    Feedback.objects.create(function=text_function, sample=samples["reported"], verdict=Verdict.WRONG)
    add_texts(function=text_function, items=[NewText("brought")], person=owner, origin=Origin.BROWSER)
    brought = Sample.objects.get(text="brought")
    make_old(*[sample for name, sample in samples.items() if name != "young"], brought, days=30)
    make_old(samples["young"], days=29)
    assert forget_old_captures() == 1
    assert set(Sample.everywhere.values_list("text", flat=True)) == {*names, "brought"} - {"untouched"}
    assert forget_old_captures() == 0


def test_the_days_go_on_counting_while_nothing_is_kept(text_function: Function, owner: User) -> None:
    set_capture(function=text_function, rules=CaptureRules(mode="off", days_kept=7), actor=owner)
    make_old(*capture(text_function, *[f"call {n}" for n in range(3)]), days=7)
    assert forget_old_captures() == 3
    assert not Sample.everywhere.exists()


def test_many_go_in_short_transactions(text_function: Function, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.samples.services.capture_retention.PURGED_AT_ONCE", 2)
    monkeypatch.setattr("apps.samples.services.capture_retention.MOST_AT_ONCE", 4)
    set_capture(function=text_function, rules=CaptureRules(mode="all", days_kept=1), actor=owner)
    make_old(*capture(text_function, *[f"call {n}" for n in range(5)]), days=1)
    assert [forget_old_captures() for _ in range(3)] == [4, 1, 0]


def test_an_old_file_goes_with_its_sample(
    picture_function: Function, django_capture_on_commit_callbacks: Callable[..., object]
) -> None:
    set_capture(function=picture_function, rules=CaptureRules(mode="all", days_kept=1), actor=None)
    make_old(*capture(picture_function, picture("#0f0")), days=1)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]  # a context manager
        forget_old_captures()
    assert files_of(picture_function) == []


def test_who_changed_what_is_kept_stands_in_the_audit_log(text_function: Function, owner: User) -> None:
    rules = CaptureRules(mode="informative", per_hour=50, redactions=("email",))
    set_capture(function=text_function, rules=rules, actor=owner)
    set_capture(function=text_function, rules=rules, actor=owner)
    [event] = Event.objects.filter(kind=Audit.CAPTURE_CHANGED)
    assert event.actor == owner.public_id
    assert event.data["mode"] == "informative"
    assert event.data["per_hour"] == 50
    policy = policy_of(text_function.pk)
    assert CaptureRules.of(policy) == rules


@pytest.mark.parametrize(
    "rules",
    [
        CaptureRules(mode="some"),
        CaptureRules(random_share=1.1),
        CaptureRules(random_share=float("nan")),
        CaptureRules(per_hour=0),
        CaptureRules(days_kept=0),
        CaptureRules(redactions=("names",)),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(text_function: Function, rules: CaptureRules) -> None:
    with pytest.raises(InvalidInput):
        set_capture(function=text_function, rules=rules, actor=None)


def test_a_function_that_is_gone_keeps_nothing(text_function: Function) -> None:
    gone = Function.objects.get(pk=text_function.pk)
    text_function.delete()
    with pytest.raises(NotFound):
        capture_inputs(function=gone, heard=[heard("too late")], rules=RULES)


def test_what_a_deleted_function_keeps_is_not_changed(text_function: Function, owner: User) -> None:
    Function.objects.filter(pk=text_function.pk).delete()
    with pytest.raises(NotFound):
        set_capture(function=text_function, rules=CaptureRules(mode="all"), actor=owner)
