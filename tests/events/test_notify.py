"""What other programs are told of: written down with what happened, and only where somebody listens."""

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from apps.events.kinds import Notify
from apps.events.models import Notice
from apps.events.services import keep_audience, notify

HERE, THERE = "workspace_here", "workspace_there"


@pytest.mark.django_db
def test_nothing_is_written_where_nobody_listens(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        notify(workspace=HERE, kind=Notify.IMPORT_DONE, function="function_a")
    assert not Notice.objects.exists()


@pytest.mark.django_db
def test_what_happened_is_written_where_somebody_listens() -> None:
    keep_audience(workspace=HERE, is_there=True)
    keep_audience(workspace=HERE, is_there=True)
    notify(workspace=HERE, kind=Notify.MODEL_TRAINED, function="function_a", number=3, accuracy=0.75)
    notify(workspace=THERE, kind=Notify.MODEL_TRAINED, function="function_b")
    notice = Notice.objects.get()
    assert (notice.workspace_id, notice.function_id, notice.kind) == (HERE, "function_a", "model.trained")
    assert notice.data == {"number": 3, "accuracy": 0.75}


@pytest.mark.django_db
def test_nothing_is_written_any_more_once_nobody_listens() -> None:
    keep_audience(workspace=HERE, is_there=True)
    keep_audience(workspace=HERE, is_there=False)
    notify(workspace=HERE, kind=Notify.PING)
    assert not Notice.objects.exists()


@pytest.mark.django_db
def test_what_is_rolled_back_is_told_to_nobody() -> None:
    keep_audience(workspace=HERE, is_there=True)
    with transaction.atomic():
        notify(workspace=HERE, kind=Notify.DRIFT, function="function_a")
        transaction.set_rollback(True)
    assert not Notice.objects.exists()


def test_the_names_that_receivers_compare_stay() -> None:
    assert set(Notify) == {
        "model.trained",
        "model.published",
        "accuracy.dropped",
        "drift.alarm",
        "sample.flagged",
        "sample.reported",
        "import.done",
        "export.done",
        "ping",
    }
