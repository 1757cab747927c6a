"""What is deleted rests in the bin, comes back with what it had, and is gone after thirty days."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict
from apps.events.models import Event
from apps.functions.models import Act, Function, Label, OutputKind
from apps.functions.selectors import function_cards
from apps.functions.services import delete_function
from apps.samples import exports
from apps.samples.models import (
    Annotation,
    Comment,
    Import,
    ImportFormat,
    ImportState,
    Mark,
    MarkKind,
    Origin,
    PickedBy,
    Sample,
    SampleTag,
)
from apps.samples.services import bin as the_bin
from apps.samples.services.acts import undo_act
from apps.samples.services.annotations import annotate_sample, tag_sample
from apps.samples.services.bulk import label_selection
from apps.samples.services.dropping import begin_drop, end_drop, take_chunk
from apps.samples.services.import_acts import act_of
from apps.samples.services.import_runs import run_import
from apps.samples.services.imports import stop_import
from apps.samples.services.intake import NewImage, NewText, add_images, add_texts
from apps.samples.services.pasting import bring_lines
from apps.samples.services.surgery import merge_labels
from apps.training.models import Embedding, Prediction, PredictionKind, TrainedModel
from apps.training.services.sweeper import drop_orphan_embeddings
from tests.samples.conftest import picture

HTMX = {"HX-Request": "true"}
JSON = {"Accept": "application/json"}


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(f"message {i}") for i in range(4)]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples


def put_in(samples: list[Sample], person: User | None = None) -> Act:
    ids = [sample.public_id for sample in samples]
    return the_bin.bin_samples(function=samples[0].function, sample_ids=ids, person=person)


def label_of(sample: Sample) -> str | None:
    return Sample.objects.values_list("label__name", flat=True).get(pk=sample.pk)


def age_bin(days: int) -> None:
    Sample.everywhere.exclude(deleted_at=None).update(deleted_at=timezone.now() - timedelta(days=days))


def a_model(function: Function) -> TrainedModel:
    return TrainedModel.objects.create(
        function=function,
        number=1,
        data_revision=1,
        recipe={},
        label_ids=[],
        sha256="0" * 64,
        last_annotation_id=1,
        n_annotations=1,
        n_right=1,
        log_loss=0.5,
    )


def test_what_is_in_the_bin_is_nowhere_else(
    samples: list[Sample], text_function: Function, refund: Label, owner: User
) -> None:
    sample = samples[0]
    annotate_sample(sample=sample, label=refund, person=owner, picked_by=PickedBy.RANDOM)
    model = a_model(text_function)
    Prediction.objects.create(
        sample=sample,
        function=text_function,
        kind=PredictionKind.OUT_OF_FOLD,
        model=model,
        label=refund,
        confidence=0.9,
        margin=0.8,
    )
    act = put_in([sample], owner)
    assert act.n_samples == 1
    assert text_function.samples.count() == 3
    _page, cards = function_cards(workspace=text_function.workspace, page_number=1)
    assert (cards[0].n_samples, cards[0].n_labelled) == (3, 0)
    assert refund.samples.count() == 0
    assert not Prediction.objects.exists()
    row = Sample.everywhere.get(pk=sample.pk)
    assert (row.label, row.annotation, row.labelled_at, row.deleted_by) == (None, None, None, act)
    assert sample.public_id not in "".join(exports.csv_chunks(text_function))
    assert Event.objects.get(kind="samples.binned").data["n_samples"] == 1


def test_a_restored_sample_has_what_it_had(
    samples: list[Sample], text_function: Function, refund: Label, owner: User
) -> None:
    annotation = annotate_sample(sample=samples[0], label=refund, person=owner, picked_by=PickedBy.RANDOM)
    Sample.objects.filter(pk=samples[0].pk).update(review="accepted", is_embedded=True)
    Mark.objects.create(sample=samples[0], person=owner, kind=MarkKind.FLAG)
    Comment.objects.create(sample=samples[0], person=owner, text="look")
    act = put_in(samples[:2], owner)
    text_function.refresh_from_db()
    before = text_function.data_revision
    assert undo_act(act=act, person=owner).words == "Undone: 2 samples as before."
    row = Sample.objects.get(pk=samples[0].pk)
    assert (row.label, row.annotation, row.labelled_at) == (refund, annotation, annotation.created_at)
    assert (row.review, row.is_embedded, row.deleted_by) == ("accepted", False, None)
    assert row.marks.count() == row.comments.count() == 1
    text_function.refresh_from_db()
    assert text_function.data_revision > before


def test_tags_come_back_too(text_function: Function, samples: list[Sample], owner: User) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    sample = Sample.objects.select_related("function").get(pk=samples[0].pk)
    refund, shipping = text_function.labels.order_by("position")
    tag_sample(sample=sample, tags={refund: True, shipping: False}, person=owner, picked_by=PickedBy.PERSON)
    act = put_in([sample], owner)
    assert not SampleTag.objects.exists()
    undo_act(act=act, person=owner)
    assert dict(SampleTag.objects.values_list("label__name", "is_present")) == {"Refund": True, "Shipping": False}


def test_a_label_merged_meanwhile_is_what_a_restored_sample_has(
    samples: list[Sample], refund: Label, shipping: Label, owner: User
) -> None:
    annotate_sample(sample=samples[0], label=refund, person=owner, picked_by=PickedBy.PERSON)
    act = put_in(samples[:1], owner)
    merge_labels(source=refund, target=shipping, person=owner)
    undo_act(act=act, person=owner)
    assert label_of(samples[0]) == "Shipping"


def test_nobody_labels_what_is_in_the_bin(samples: list[Sample], refund: Label, owner: User) -> None:
    put_in(samples[:1], owner)
    with pytest.raises(Conflict):
        annotate_sample(sample=samples[0], label=refund, person=owner, picked_by=PickedBy.PERSON)


def test_one_is_restored_from_the_page_and_the_others_stay(
    samples: list[Sample], text_function: Function, owner_client: Client
) -> None:
    put_in(samples)
    page = owner_client.get(reverse("samples:bin_page", args=[text_function.public_id])).content.decode()
    assert page.count(">Restore</button>") == 4
    assert "30 days left" in page
    restore = reverse("samples:restore_samples", args=[text_function.public_id])
    owner_client.post(restore, {"samples": samples[2].public_id})
    assert list(Sample.objects.values_list("pk", flat=True)) == [samples[2].pk]
    # Undoing the deletion brings the rest; the one that is back already is not there twice.
    outcome = undo_act(act=Act.objects.get(), person=None)
    assert (outcome.n_restored, outcome.n_left) == (3, 1)
    assert Sample.objects.count() == 4


def test_after_thirty_days_it_is_gone_with_its_files(
    image_function: Function, media: Path, django_capture_on_commit_callbacks: Any
) -> None:
    items = [NewImage(picture(i), original_name=f"{i}.jpg") for i in range(2)]
    kept, gone = add_images(function=image_function, items=items, person=None, origin=Origin.BROWSER).samples
    put_in([gone])
    age_bin(29)
    assert the_bin.purge_old() == 0
    age_bin(31)
    with django_capture_on_commit_callbacks(execute=True):
        assert the_bin.purge_old() == 1
    assert list(Sample.everywhere.all()) == [kept]
    assert len([path for path in media.rglob("*") if path.is_file()]) == 2
    assert the_bin.purge_old() == 0


def test_deleting_for_good_takes_a_tick_and_nothing_brings_it_back(
    samples: list[Sample], text_function: Function, owner_client: Client, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(the_bin, "PURGED_IN_A_REQUEST", 1)
    act = put_in(samples[:3], owner)
    purge = reverse("samples:purge_samples", args=[text_function.public_id])
    assert owner_client.post(purge, {}).status_code == 400
    assert the_bin.in_bin(text_function).count() == 3
    assert owner_client.post(purge, {"is_sure": "yes"}).status_code == 302
    assert Sample.everywhere.count() == 3  # the sweeper has not been yet
    page = owner_client.get(reverse("samples:bin_page", args=[text_function.public_id])).content.decode()
    assert "The bin is empty" in page
    outcome = undo_act(act=act, person=owner)
    assert (outcome.n_restored, outcome.n_left) == (0, 3)
    # What comes again is new, and remembers nothing.
    again = add_texts(function=text_function, items=[NewText("message 2")], person=None, origin=Origin.BROWSER)
    assert again.n_added == 1
    assert again.samples[0].public_id != samples[2].public_id
    the_bin.purge_old()
    assert Sample.everywhere.count() == 2
    assert Event.objects.get(kind="samples.purged").data["n_samples"] == 3


def test_content_that_comes_again_comes_back_with_what_it_had(
    samples: list[Sample], text_function: Function, refund: Label, owner: User
) -> None:
    annotate_sample(sample=samples[0], label=refund, person=owner, picked_by=PickedBy.PERSON)
    put_in(samples[:2], owner)
    items = [NewText("message 0"), NewText("message 0"), NewText("message 2"), NewText("new"), NewText("message 1")]
    result = add_texts(function=text_function, items=items, person=owner, origin=Origin.IMPORT)
    assert [item.outcome.value for item in result.items] == ["restored", "duplicate", "duplicate", "added", "restored"]
    assert (result.n_added, result.n_restored, result.n_duplicates) == (1, 2, 2)
    assert result.samples[0].pk == samples[0].pk
    assert label_of(samples[0]) == "Refund"


def test_a_picture_that_comes_again_is_not_stored_twice(image_function: Function, media: Path) -> None:
    item = NewImage(picture(1), original_name="1.jpg")
    sample = add_images(function=image_function, items=[item], person=None, origin=Origin.BROWSER).samples[0]
    put_in([sample])
    result = add_images(function=image_function, items=[item], person=None, origin=Origin.BROWSER)
    assert result.n_restored == 1
    assert len([path for path in media.rglob("*") if path.is_file()]) == 2


def test_the_vector_of_a_binned_sample_is_kept_until_it_is_purged(
    samples: list[Sample], text_function: Function
) -> None:
    Embedding.objects.create(
        workspace=text_function.workspace,
        content_hash=samples[0].content_hash,
        backbone="tiny",
        version="1",
        vector=b"",
    )
    put_in(samples[:1])
    drop_orphan_embeddings()
    assert Embedding.objects.count() == 1
    age_bin(31)
    the_bin.purge_old()
    drop_orphan_embeddings()
    assert Embedding.objects.count() == 0


def test_the_bin_goes_with_its_function(samples: list[Sample], text_function: Function, owner: User) -> None:
    put_in(samples[:2], owner)
    delete_function(function=text_function, actor=owner)
    assert not Sample.everywhere.exists()


def test_the_delete_button_puts_into_the_bin_and_offers_undo(samples: list[Sample], owner_client: Client) -> None:
    url = reverse("samples:delete_sample", args=[samples[0].public_id])
    response = owner_client.post(url, headers=HTMX)
    shown = json.loads(response["HX-Trigger"])["toast:show"]
    assert shown["message"] == "The sample is in the bin for 30 days."
    assert owner_client.post(url).status_code == 404
    assert owner_client.post(shown["undoUrl"], headers=JSON).json()["nRestored"] == 1
    assert Sample.objects.count() == 4


def test_a_selection_goes_into_the_bin_through_one_door(
    samples: list[Sample], text_function: Function, owner_client: Client
) -> None:
    door = reverse("samples:bin_selection", args=[text_function.public_id])
    ids = ",".join(sample.public_id for sample in samples[:3])
    answer = owner_client.post(door, {"samples": ids}, headers=JSON).json()
    assert (answer["n"], answer["words"]) == (3, "3 samples are in the bin for 30 days.")
    assert owner_client.post(door, {"samples": ids}, headers=JSON).json()["n"] == 0
    owner_client.post(answer["undoUrl"], headers=JSON)
    assert Sample.objects.count() == 4


def test_only_those_who_may_delete_see_the_bin(
    samples: list[Sample],
    text_function: Function,
    member_client: Client,
    reviewer_client: Client,
    outsider_client: Client,
    owner: User,
) -> None:
    act = put_in(samples[:1], owner)
    undo = reverse("samples:undo_act", args=[text_function.public_id, act.public_id])
    for client, status in ((member_client, 403), (reviewer_client, 403), (outsider_client, 404)):
        assert client.get(reverse("samples:bin_page", args=[text_function.public_id])).status_code == status
        for name in ("bin_selection", "restore_samples", "purge_samples"):
            url = reverse(f"samples:{name}", args=[text_function.public_id])
            assert client.post(url, {"samples": samples[0].public_id, "is_sure": "yes"}).status_code == status
        assert client.post(undo).status_code == status
    assert Sample.objects.count() == 3


def test_a_picture_in_the_bin_is_shown_there_and_nowhere_else(
    image_function: Function, owner_client: Client, member_client: Client
) -> None:
    item = NewImage(picture(1), original_name="1.jpg")
    sample = add_images(function=image_function, items=[item], person=None, origin=Origin.BROWSER).samples[0]
    put_in([sample])
    there = reverse("samples:binned_thumbnail", args=[image_function.public_id, sample.public_id])
    assert owner_client.get(there)["Content-Type"] == "image/jpeg"
    assert member_client.get(there).status_code == 403
    assert owner_client.get(reverse("samples:sample_thumbnail", args=[sample.public_id])).status_code == 404


# ---- Undoing imports


def test_undoing_an_import_bins_what_it_brought_and_takes_its_labels_back(
    samples: list[Sample], text_function: Function, owner: User, shipping: Label
) -> None:
    job = bring_lines(function=text_function, person=owner, text="message 0\nnew one\nnew two", label_name="Refund")
    assert (job.n_added, job.n_labelled) == (2, 3)
    act = Act.objects.get()
    assert (act.n_samples, act.facts["import"]) == (3, job.public_id)
    answered = Sample.objects.get(text="new two")
    annotate_sample(sample=answered, label=shipping, person=owner, picked_by=PickedBy.PERSON)
    outcome = undo_act(act=act, person=owner)
    assert (outcome.n_binned, outcome.n_restored, outcome.n_left) == (1, 1, 1)
    assert outcome.words == ("Undone: 1 sample in the bin, 1 sample as before. 1 was changed since and stays as it is.")
    assert label_of(samples[0]) is None
    assert label_of(answered) == "Shipping"
    assert Sample.everywhere.get(text="new one").deleted_by == act
    job.refresh_from_db()
    assert job.undone_as == ""


def test_samples_an_import_brought_back_go_back_to_the_bin(
    samples: list[Sample], text_function: Function, owner: User, refund: Label
) -> None:
    annotate_sample(sample=samples[0], label=refund, person=owner, picked_by=PickedBy.PERSON)
    put_in(samples[:1], owner)
    job = bring_lines(function=text_function, person=owner, text="message 0\nmessage 1")
    assert job.n_restored == 1
    outcome = undo_act(act=act_of(job), person=owner)
    assert outcome.n_binned == 1
    assert Sample.objects.count() == 3


def test_an_import_that_changed_nothing_is_nothing_to_undo(samples: list[Sample], text_function: Function) -> None:
    job = bring_lines(function=text_function, person=None, text="message 0\nmessage 1")
    assert not Act.objects.exists()
    assert job.undone_as == ""


def test_dropped_pictures_are_undone_as_one_whatever_chunks_they_came_in(image_function: Function, owner: User) -> None:
    job = begin_drop(function=image_function, person=owner, n_files=3)
    for number in range(2):
        items = [NewImage(picture(number), label_name="Cat", original_name=f"{number}.jpg")]
        stale = Import.objects.select_related("function__workspace", "person").get(pk=job.pk)
        take_chunk(import_job=stale, chunk_number=number, first_row=number, items=items)
        take_chunk(import_job=stale, chunk_number=number, first_row=number, items=items)  # sent again after a cut
    act = Act.objects.get()
    with pytest.raises(Conflict, match="still coming in"):
        undo_act(act=act, person=owner)
    end_drop(import_job=job)
    act.refresh_from_db()
    assert act.n_samples == 2
    assert undo_act(act=act, person=owner).n_binned == 2
    assert not Sample.objects.exists()


def test_a_file_that_came_in_slice_by_slice_is_undone_as_one(
    samples: list[Sample], text_function: Function, owner: User
) -> None:
    lines = [f"line {number}" for number in range(700)]
    job = bring_lines(function=text_function, person=owner, text="\n".join(["message 1", *lines]), label_name="Refund")
    cursor: int | None = job.cursor
    n_slices = 0
    while cursor is not None:
        cursor = run_import(import_id=job.pk, cursor=cursor, budget_seconds=0)
        n_slices += 1
    assert n_slices > 3
    act = Act.objects.get()
    assert act.n_samples == 701
    outcome = undo_act(act=act, person=owner)
    assert (outcome.n_binned, outcome.n_restored, outcome.n_left) == (700, 1, 0)
    assert set(Sample.objects.values_list("label__name", flat=True)) == {None}


def test_what_came_in_until_an_import_was_stopped_is_undone(text_function: Function, owner: User) -> None:
    text = "\n".join(f"line {number}" for number in range(700))
    job = bring_lines(function=text_function, person=owner, text=text)
    run_import(import_id=job.pk, cursor=job.cursor, budget_seconds=0)
    stop_import(import_job=Import.objects.select_related("function__workspace").get(pk=job.pk))
    n = Sample.objects.count()
    assert 0 < n < 700
    act = Act.objects.get()
    assert act.n_samples == n
    assert undo_act(act=act, person=owner).n_binned == n


def test_an_import_still_under_way_is_not_undone(text_function: Function, owner: User) -> None:
    job = Import.objects.create(
        function=text_function, person=owner, format=ImportFormat.CSV, state=ImportState.RUNNING
    )
    act = act_of(job)
    with pytest.raises(Conflict, match="Stop the import"):
        undo_act(act=act, person=owner)
    act.refresh_from_db()
    assert act.undone_at is None


def test_the_history_of_a_binned_sample_is_undone_without_touching_the_bin(
    samples: list[Sample], text_function: Function, refund: Label, owner: User
) -> None:
    labelled = label_selection(function=text_function, sample_ids=[samples[0].public_id], label=refund, person=owner)
    binned = put_in(samples[:1], owner)
    undo_act(act=labelled, person=owner)
    assert Sample.everywhere.get(pk=samples[0].pk).label is None
    undo_act(act=binned, person=owner)
    assert label_of(samples[0]) is None
    assert Annotation.objects.filter(sample=samples[0]).count() == 2


@pytest.mark.parametrize("door", ["bin_selection", "restore_samples", "purge_samples"])
def test_more_ids_than_a_query_takes_are_refused(owner_client: Client, text_function: Function, door: str) -> None:
    path = reverse(f"samples:{door}", args=[text_function.public_id])
    sent = {"samples": ",".join(f"sample_{n:016d}" for n in range(300_000)), "is_sure": "on"}
    assert owner_client.post(path, sent).status_code == 400


def test_naming_nothing_readable_empties_no_bin(
    samples: list[Sample], owner: User, owner_client: Client, text_function: Function
) -> None:
    the_bin.bin_samples(function=text_function, sample_ids=[samples[0].public_id], person=owner)
    path = reverse("samples:purge_samples", args=[text_function.public_id])
    owner_client.post(path, {"samples": ",", "is_sure": "on"})
    assert the_bin.in_bin(text_function).count() == 1
