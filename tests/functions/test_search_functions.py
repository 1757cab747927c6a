"""A function that finds samples: made without labels, and nothing that belongs to labels ever happens to it."""

from __future__ import annotations

from io import BytesIO

import dramatiq
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.core.jobs import JobName, Queue
from apps.functions.models import Function, InputKind, OutputKind
from apps.functions.services import add_label, create_function
from apps.samples.models import Import, ImportState, Origin, PickedBy
from apps.samples.services import imports
from apps.samples.services.annotations import annotate_sample
from apps.samples.services.import_runs import run_import
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import FunctionWork, WorkKind
from apps.training.services import embed_function, enqueue_unfinished_work
from apps.workspaces.models import Workspace

pytestmark = pytest.mark.django_db

PAGES_OF_LABELS = [
    "labeling:label_page",
    "labeling:grid_page",
    "review:review_page",
    "review:people_page",
    "review:map_page",
    "training:models_page",
    "training:rules_page",
    "functions:teamwork_page",
    "functions:instructions_page",
    "invoke:predict_page",
]

PAGES_OF_ANY = [
    "samples:bring_page",
    "samples:history_page",
    "samples:bin_page",
    "samples:export_csv",
    "functions:settings_page",
    "invoke:search_page",
]


@pytest.fixture
def finder(workspace: Workspace) -> Function:
    return workspace.functions.create(name="Find alike", input_kind=InputKind.TEXT, output_kind=OutputKind.SEARCH)


@pytest.fixture
def filled(finder: Function) -> Function:
    items = [NewText("please refund my money", label_name="Refund"), NewText("where is my parcel")]
    add_texts(function=finder, items=items, person=None, origin=Origin.IMPORT)
    return finder


def jobs_waiting() -> set[str]:
    broker = dramatiq.get_broker()
    messages = [dramatiq.Message.decode(data) for queue in Queue for data in broker.queues[queue.value].queue]
    return {message.actor_name for message in messages}


def test_it_is_made_without_labels(owner_client: Client, workspace: Workspace) -> None:
    data = {"name": "Find alike", "input_kind": "text", "output_kind": "search", "labels": "typed\nbefore"}
    response = owner_client.post(reverse("functions:new_function_page"), data)
    function = workspace.functions.get()
    assert response.headers["Location"] == reverse("samples:bring_page", args=[function.public_id])
    assert function.searches
    assert not function.labels.exists()


def test_a_label_for_it_is_refused(workspace: Workspace) -> None:
    with pytest.raises(InvalidInput, match="no labels"):
        create_function(
            workspace=workspace, name="F", input_kind="text", output_kind="search", label_names=["Refund"], actor=None
        )


def test_no_label_is_added_later(finder: Function) -> None:
    with pytest.raises(InvalidInput, match="no labels"):
        add_label(function=finder, name="Refund")


def test_samples_come_in_without_their_labels(filled: Function) -> None:
    assert filled.samples.count() == 2
    assert not filled.labels.exists()
    assert not filled.samples.exclude(annotation=None).exists()


def test_its_samples_take_no_answer(filled: Function, text_function: Function, owner: User) -> None:
    label = text_function.labels.first()
    sample = filled.samples.first()
    assert sample is not None
    with pytest.raises(InvalidInput, match="finds samples"):
        annotate_sample(sample=sample, label=label, person=owner, picked_by=PickedBy.PERSON)


def test_a_file_with_labels_brings_its_texts_alone(finder: Function) -> None:
    content = "text,label\nplease refund my money,Refund\nwhere is my parcel,Shipping\nrefund me,Refund\n"
    job = imports.create_import(
        function=finder, person=None, file=BytesIO(content.encode()), name="t.csv", size_bytes=len(content)
    )
    assert "label" not in {role.value for role in imports.layout_of(job).roles}
    imports.start_import(import_job=job)
    run_import(import_id=job.pk, cursor=job.cursor)
    assert Import.objects.get(pk=job.pk).state == ImportState.DONE
    assert finder.samples.count() == 3
    assert not finder.labels.exists()


def test_a_column_called_label_is_a_column_of_rows(workspace: Workspace) -> None:
    finder = workspace.functions.create(name="Rows", input_kind=InputKind.TABLE, output_kind=OutputKind.SEARCH)
    content = "age,label\n31,gold\n42,silver\n35,gold\n51,silver\n"
    job = imports.create_import(
        function=finder, person=None, file=BytesIO(content.encode()), name="t.csv", size_bytes=len(content)
    )
    assert imports.layout_of(job).uses["label"] == "category"


def test_reading_its_samples_asks_for_an_index_and_for_nothing_of_labels(
    filled: Function, django_capture_on_commit_callbacks: pytest.FixtureRequest
) -> None:
    dramatiq.get_broker().flush_all()
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]  # the fixture is a function
        embed_function(function_id=filled.pk)
    enqueue_unfinished_work()
    assert JobName.INDEX_FUNCTION in jobs_waiting()
    of_labels = {JobName.TRAIN_FUNCTION, JobName.PREDICT_FUNCTION, JobName.PLAN_QUEUE, JobName.ADAPT_FUNCTION}
    assert not jobs_waiting() & {*of_labels, JobName.SURVEY_FUNCTION}
    assert set(FunctionWork.objects.values_list("kind", flat=True)) == {WorkKind.EMBED, WorkKind.INDEX}


@pytest.mark.parametrize("name", PAGES_OF_LABELS)
def test_pages_of_labels_lead_to_the_search_in_words(owner_client: Client, finder: Function, name: str) -> None:
    response = owner_client.get(reverse(name, args=[finder.public_id]), follow=True)
    assert response.redirect_chain[0][0] == reverse("invoke:search_page", args=[finder.public_id])
    assert "no labels, so there is nothing to label" in response.content.decode()


def test_its_home_is_the_search_page(owner_client: Client, finder: Function) -> None:
    response = owner_client.get(reverse("review:function_home", args=[finder.public_id]), follow=True)
    assert response.redirect_chain[0][0] == reverse("invoke:search_page", args=[finder.public_id])
    assert "nothing to label" not in response.content.decode()


def test_what_scripts_ask_of_labels_is_refused_in_words(owner_client: Client, filled: Function) -> None:
    response = owner_client.get(
        reverse("labeling:queue", args=[filled.public_id]), headers={"Accept": "application/json", "HX-Request": "true"}
    )
    assert response.status_code == 409
    assert response.json()["code"] == "only_searches"


def test_a_page_of_one_of_its_samples_leads_to_the_search(owner_client: Client, filled: Function) -> None:
    sample = filled.samples.get(text="where is my parcel")
    response = owner_client.get(reverse("review:similar_page", args=[sample.public_id]))
    assert response.headers["Location"] == reverse("invoke:search_page", args=[filled.public_id])


def test_its_card_prompts_for_no_labels(owner_client: Client, filled: Function) -> None:
    page = owner_client.get(reverse("functions:home")).content.decode()
    assert "Finds the samples most like what comes in" in page
    assert "samples labelled" not in page
    assert reverse("labeling:label_page", args=[filled.public_id]) not in page


@pytest.mark.parametrize("name", PAGES_OF_ANY)
def test_pages_of_any_function_work_without_a_way_to_labels(owner_client: Client, filled: Function, name: str) -> None:
    response = owner_client.get(reverse(name, args=[filled.public_id]))
    assert response.status_code == 200
    if not response.streaming:
        page = response.content.decode()
        for of_labels in PAGES_OF_LABELS:
            assert reverse(of_labels, args=[filled.public_id]) not in page


def test_pasted_lines_and_dropped_files_come_in(owner_client: Client, finder: Function) -> None:
    owner_client.post(reverse("samples:paste_lines", args=[finder.public_id]), {"lines": "one text\nanother text"})
    assert finder.samples.count() == 2
    file = SimpleUploadedFile("t.csv", b"text\na third one\n")
    response = owner_client.post(reverse("samples:upload_file", args=[finder.public_id]), {"file": file})
    assert owner_client.get(response.headers["Location"]).status_code == 200


def test_strangers_do_not_find_its_page(outsider_client: Client, finder: Function) -> None:
    assert outsider_client.get(reverse("invoke:search_page", args=[finder.public_id])).status_code == 404


def test_a_function_of_labels_has_no_search_page(owner_client: Client, text_function: Function) -> None:
    response = owner_client.get(reverse("invoke:search_page", args=[text_function.public_id]))
    assert response.status_code == 409
