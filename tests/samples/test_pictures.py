"""Stored pictures are served to those who may see them, as nothing but pictures; deleting leaves nothing behind."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.events.models import Event
from apps.functions.models import Function
from apps.samples.models import Annotation, Import, ImportFormat, ImportState, Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.samples.services.intake import NewImage, NewText, add_images, add_texts
from apps.samples.services.leftovers import clear_leftovers
from apps.samples.services.sweeper import enqueue_unfinished_imports
from tests.conftest import delete_for_good
from tests.samples.conftest import picture


@pytest.fixture
def sample(image_function: Function) -> Sample:
    item = NewImage(picture(3, size=(600, 400)), "Cat", original_name='"><script>.html')
    return add_images(function=image_function, items=[item], person=None, origin=Origin.BROWSER).samples[0]


def url(name: str, sample: Sample) -> str:
    return reverse(f"samples:{name}", args=[sample.public_id])


@pytest.mark.parametrize("name", ["sample_image", "sample_thumbnail"])
def test_members_get_the_picture_with_headers_that_let_it_do_nothing(
    member_client: Client, sample: Sample, name: str
) -> None:
    response = member_client.get(url(name, sample))
    assert response.content.startswith(b"\xff\xd8")
    assert response["Content-Type"] == "image/jpeg"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["Content-Disposition"] == f'inline; filename="{sample.public_id}.jpg"'
    assert response["Cache-Control"].startswith("private")
    again = member_client.get(url(name, sample), headers={"If-None-Match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["sample_image", "sample_thumbnail"])
def test_outsiders_cannot_see_that_a_picture_exists(outsider_client: Client, sample: Sample, name: str) -> None:
    known = {"If-None-Match": f'"{sample.content_hash[:32]}"'}
    assert outsider_client.get(url(name, sample)).status_code == 404
    assert outsider_client.get(url(name, sample), headers=known).status_code == 404
    assert Client().get(url(name, sample)).status_code == 302


def test_a_text_has_no_picture(owner_client: Client, text_function: Function) -> None:
    text = add_texts(function=text_function, items=[NewText("a")], person=None, origin=Origin.API).samples[0]
    assert owner_client.get(url("sample_image", text)).status_code == 404


def test_deleting_for_good_removes_rows_history_and_files(
    owner: User, sample: Sample, media: Path, django_capture_on_commit_callbacks: Any
) -> None:
    sample.function.refresh_from_db()
    revision = sample.function.data_revision
    with django_capture_on_commit_callbacks(execute=True):
        delete_for_good(sample, owner)
    assert (Sample.everywhere.count(), Annotation.objects.count()) == (0, 0)
    assert not [path for path in media.rglob("*") if path.is_file()]
    sample.function.refresh_from_db()
    assert sample.function.data_revision == revision + 1
    event = Event.objects.get(kind="samples.purged")
    assert (event.data["n_samples"], "script" in str(event.data)) == (1, False)


def test_only_admins_delete(
    reviewer_client: Client, member_client: Client, outsider_client: Client, sample: Sample
) -> None:
    for client, status in ((reviewer_client, 403), (member_client, 403), (outsider_client, 404)):
        assert client.post(url("delete_sample", sample)).status_code == status
    assert Sample.objects.count() == 1


def test_deleting_an_unlabelled_sample_asks_for_no_training(owner_client: Client, text_function: Function) -> None:
    text = add_texts(function=text_function, items=[NewText("a")], person=None, origin=Origin.API).samples[0]
    owner_client.post(url("delete_sample", text))
    text_function.refresh_from_db()
    assert (text_function.samples.count(), text_function.data_revision) == (0, 0)


def test_a_sample_deleted_for_good_can_come_in_again(sample: Sample) -> None:
    delete_for_good(sample)
    item = NewImage(picture(3, size=(600, 400)))
    result = add_images(function=sample.function, items=[item], person=None, origin=Origin.BROWSER)
    assert result.n_added == 1


def test_files_of_deleted_functions_are_cleared_and_no_others(
    image_function: Function, text_function: Function, sample: Sample, media: Path
) -> None:
    key = f"{text_function.workspace.public_id}/{text_function.public_id}/imports/x"
    default_storage.save(key, ContentFile(b"x"))
    text_function.delete()
    clear_leftovers()
    assert sorted(path.suffix for path in media.rglob("*") if path.is_file()) == [".jpg", ".jpg"]
    assert not (media / image_function.workspace.public_id / text_function.public_id).exists()
    sample.refresh_from_db()
    assert default_storage.exists(sample.file_key)


def test_previews_nobody_checked_and_drops_nobody_ended_are_closed(image_function: Function) -> None:
    def old(days: int, state: ImportState) -> Import:
        job = Import.objects.create(function=image_function, format=ImportFormat.CSV, state=state, file_key=f"k{days}")
        Import.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(days=days))
        return job

    gone, kept = old(8, ImportState.PREVIEW), old(6, ImportState.PREVIEW)
    ended, still_open = old(2, ImportState.UPLOADING), old(0, ImportState.UPLOADING)
    clear_leftovers()
    assert not Import.objects.filter(pk=gone.pk).exists()
    states = {job.pk: Import.objects.get(pk=job.pk).state for job in (kept, ended, still_open)}
    assert list(states.values()) == [ImportState.PREVIEW, ImportState.DONE, ImportState.UPLOADING]


def test_the_sweeper_asks_for_started_imports_only(image_function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def note(*args: object) -> bool:
        asked.append(args)
        return True

    monkeypatch.setattr("apps.samples.services.sweeper.enqueue", note)
    for state in ImportState:
        Import.objects.create(function=image_function, format=ImportFormat.CSV, state=state, cursor=7)
    held = Import.objects.get(state=ImportState.RUNNING)
    Import.objects.filter(pk=held.pk).update(
        lease_holder="another", lease_expires_at=timezone.now() + timedelta(seconds=9)
    )
    assert enqueue_unfinished_imports() == 1
    assert asked == [("run_import", Import.objects.get(state=ImportState.QUEUED).pk, 7)]


def test_a_label_given_to_a_deleted_sample_is_a_conflict(owner_client: Client, sample: Sample) -> None:
    from apps.core.errors import Conflict

    owner_client.post(url("delete_sample", sample))
    with pytest.raises(Conflict):
        annotate_sample(sample=sample, label=None, person=None, picked_by=PickedBy.PERSON)
